"""Segmentation of a mesh into analytic faces.

A mesh of a CAD part determines its surfaces: corners are on them up to rounding, and facets turn by equal steps. So
faces are grown, without random sampling, in rounds with decreasing requirements: whole patches between sharp edges,
rings of triangles, rows of facets, and flat facets. A claim is accepted if every corner is within the tolerance, if
normals agree with the surface (`patch.on_surface`), and if its corners overdetermine the surface (`evidence.enough`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cadcode.surfaces.absorb import absorb
from cadcode.surfaces.curved import Known, claim_curved, extend
from cadcode.surfaces.cut import read_cuts
from cadcode.surfaces.faces import Segmentation
from cadcode.surfaces.facets import Mesh, prepare
from cadcode.surfaces.finish import finish
from cadcode.surfaces.flat import claim_flat, claim_many_cornered, claim_wide
from cadcode.surfaces.grow import Gate
from cadcode.surfaces.join import drop_free_form, drop_polygons, join
from cadcode.surfaces.patch import Tried
from cadcode.surfaces.state import State

CERTAIN = 40.0  # log odds of faces that are complete


@dataclass(frozen=True)
class SegmentOptions:
    """Tolerances of the segmentation. Lengths are shares of the longest side."""

    tolerance: float = 2e-6  # corners of a clean mesh
    rough: tuple[float, ...] = (20.0, 200.0)  # multiples of it, for corners on curves that the kernel approximated
    sharp: float = 38.0  # degrees from which an edge ends a face

    def __post_init__(self) -> None:
        if not 0 < self.tolerance < 0.1 or not 0 < self.sharp < 90:
            raise ValueError("tolerance must be between 0 and 0.1, sharp between 0 and 90 degrees")


def segment(vertices: np.ndarray, faces: np.ndarray, options: SegmentOptions | None = None) -> Segmentation:
    """Analytic faces of a mesh with vertices (V, 3), each once, and faces (F, 3) that look outwards.

    Lengths are in the mesh's units. A `ValueError` says that options or arrays cannot be used.
    """
    options = options or SegmentOptions()
    mesh = prepare(vertices, faces)
    state = State(mesh, options.sharp)
    tolerance = options.tolerance * mesh.size + 2 * mesh.rounding
    claim_many_cornered(state)
    tried = Tried()
    for gate in gates(mesh, options):
        known: Known = {}
        tried = tried.next_gate()
        while claim_curved(state, gate, known, tried) or claim_wide(state):
            pass
        extend(state, options.rough[0] * tolerance)
    claim_flat(state)
    claims, label = state.claims, state.label
    for step in (join, absorb, read_cuts, join, drop_polygons, drop_free_form):
        claims, label = step(mesh, claims, label)
    return finish(mesh, claims, label, tolerance)


def gates(mesh: Mesh, options: SegmentOptions) -> Iterator[Gate]:
    """Criteria of the rounds: exact and certain, then rough but certain, then with few corners."""
    exact, tolerance = 2 * mesh.rounding, options.tolerance * mesh.size + 2 * mesh.rounding
    yield Gate(exact, CERTAIN)
    for rough in options.rough:
        yield Gate(rough * tolerance, 2 * CERTAIN)
    yield Gate(tolerance)
    yield Gate(options.rough[0] * tolerance)
