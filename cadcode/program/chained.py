"""Solids in the making, and the workplanes that are put on them.

Flat ends are found by the solid's field: the faces that `faces(">Z")` selects, and where holes through it come out.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from cadcode.program import field
from cadcode.program.feature import EmptySolid
from cadcode.program.place import Vector
from cadcode.program.solid_plane import EndFaces, SolidPlane, unit
from cadcode.program.tree import Program
from cadcode.program.workplane import Outside, Plane

LATTICE = 160  # probes along each side of the solid's box
BENEATH = 1e-11  # of the solid's size: how deep the probes lie below the end


@dataclass(frozen=True, slots=True)
class Chained(Program):
    """A solid, and the origin of the workplane that its chain is on."""

    origin: Vector


def copy_workplane(solid: Chained, obj) -> SolidPlane:
    if not isinstance(obj, Plane):
        raise Outside("copyWorkplane takes a workplane")
    symmetry = obj.placement.symmetry()
    if symmetry is None:
        raise Outside("holes along none of x, y and z")
    x, _, (axis, sense) = zip(*symmetry, strict=True)
    return SolidPlane(solid, obj.in_space(), unit(*x), unit(axis, sense), partial(_span, solid, axis, sense), (obj.at,))


def faces(solid: Chained, selector) -> EndFaces:
    """The faces at one end of the solid, where its field tells that they are flat."""
    if not isinstance(selector, str) or len(selector) != 2 or selector[0] not in "<>" or selector[1] not in "XYZ":
        raise Outside("faces are selected by an end of the solid, as '>Z'")
    axis, sense = "XYZ".index(selector[1]), 1 if selector[0] == ">" else -1
    try:
        level, flat = end(solid, axis, sense), is_flat(solid, axis, sense)
    except EmptySolid as problem:
        raise Outside(str(problem)) from None
    if not flat:
        raise Outside(f"faces('{selector}') of a solid without a flat face at this end")
    return EndFaces(solid, unit(axis, sense), level, partial(_span, solid, axis, sense), solid.origin)


def _span(solid: Program, axis: int, sense: int) -> tuple[float, float]:
    """Where a solid starts, and where a hole through it ends: at a flat end, beyond any other one by its size."""
    try:
        first, last = end(solid, axis, sense), end(solid, axis, -sense)
        return first, last if is_flat(solid, axis, -sense) else 2 * last - first
    except EmptySolid as problem:
        raise Outside(str(problem)) from None


def end(solid: Program, axis: int, sense: int) -> float:
    """The last coordinate of the solid's box along an axis. Raises EmptySolid."""
    return float(field.bounds(solid)[int(sense > 0), axis])


def is_flat(solid: Program, axis: int, sense: int) -> bool:
    """Whether a flat face is found at this end; a rounded end, or one that was cut off, has none."""
    box = field.bounds(solid)
    across = [other for other in range(3) if other != axis]
    shares = (np.arange(LATTICE) + 0.5) / LATTICE
    probes = np.empty((LATTICE**2, 3))
    grid = np.stack(np.meshgrid(shares, shares), axis=-1).reshape(-1, 2)
    probes[:, across] = box[0, across] + grid * np.ptp(box[:, across], axis=0)
    probes[:, axis] = box[int(sense > 0), axis] - sense * BENEATH * float(np.ptp(box, axis=0).max())
    return bool(field.occupancy(solid, probes).any())


CHAINED_METHODS = {Chained: {"copyWorkplane": copy_workplane, "faces": faces}}
