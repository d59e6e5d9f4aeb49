"""A smooth patch of a mesh: triangles that may be one face, and the tests of a face."""

from dataclasses import dataclass, field
from functools import cached_property
from math import cos, inf, pi, radians

import numpy as np

from cadcode.surfaces.faces import Cone, Surface
from cadcode.surfaces.facets import Mesh

TURN = {  # radians between a facet's normal and the surface's at its corners: half the coarsest angle step
    "plane": radians(2),
    "cylinder": radians(19.5),
    "cone": radians(19.5),
    "sphere": radians(27),
    "torus": radians(27),
}
INSIDE = 0.6  # share of this angle at the middle of a facet
NEEDLE = 0.3  # radians of doubt from which a triangle has no normal
FIT_POINTS = 400  # as many vertices determine a surface as well as all do


Key = tuple[str | int | bytes, ...]


@dataclass(eq=False)
class Tried:
    """Attempts of a mesh that failed, so that they are not repeated."""

    residuals: dict[Key, float] = field(default_factory=dict)  # of the best surface fitted to seeds, for any gate
    patches: dict[bytes, float] = field(default_factory=dict)  # least residual in a patch without claims, likewise
    seeds: set[Key] = field(default_factory=set)  # at the current gate
    growths: set[Key] = field(default_factory=set)  # regions from which a growth failed at the current gate
    least: float = inf  # residual of the failed attempts in the current patch

    def failed(self, key: Key, tolerance: float) -> bool:
        residual = self.residuals.get(key, inf)
        self.least = min(self.least, residual)
        return key in self.seeds or (key in self.residuals and residual > tolerance)

    def add(self, key: Key, residual: float) -> None:
        self.seeds.add(key)
        self.residuals[key] = residual
        self.least = min(self.least, residual)

    def next_gate(self) -> "Tried":
        return Tried(self.residuals, self.patches)


@dataclass(frozen=True, eq=False)
class Patch:
    """Triangles joined by smooth edges; local numbers count its K triangles, U vertices and G facets."""

    mesh: Mesh
    triangles: np.ndarray  # (K,) rows of the mesh
    vertices: np.ndarray  # (U,) rows of the mesh
    corners: np.ndarray  # (K, 3) local vertices
    facet: np.ndarray  # (K,) local facets
    links: np.ndarray  # (L, 2) local triangles that share a smooth edge
    edges: np.ndarray  # (L,) rows of the mesh's edges
    tried: Tried = field(default_factory=Tried)  # attempts that failed

    @cached_property
    def points(self) -> np.ndarray:
        return self.mesh.vertices[self.vertices]  # (U, 3)


@dataclass(frozen=True, eq=False)
class Claim:
    """A surface and the triangles of the mesh on it."""

    surface: Surface
    sign: int  # 1: the normals of the surface look out of the part
    triangles: np.ndarray  # (K,) rows of the mesh


def make_patch(
    mesh: Mesh,
    triangles: np.ndarray,
    links: np.ndarray,
    edges: np.ndarray,
    tried: Tried | None = None,
) -> Patch:
    vertices, corners = np.unique(mesh.faces[triangles], return_inverse=True)
    facet = np.unique(mesh.facet[triangles], return_inverse=True)[1]
    tried = Tried() if tried is None else tried
    return Patch(mesh, triangles, vertices, corners.reshape(-1, 3), facet, links, edges, tried)


def on_surface(
    patch: Patch, surface: Surface, sign: int, tolerance: float | np.ndarray, by_facet: bool = True
) -> np.ndarray:
    """Bool (K,): triangles with corners on the surface, normals that agree with it, and interiors close to it.

    `tolerance` is a number, or an array (K,) per triangle. A flat facet is accepted or rejected as a whole.
    """
    mesh, points, corners = patch.mesh, patch.points, patch.corners
    off, (first, second, third) = np.abs(surface.signed(points)), corners.T
    good = (off[first] <= tolerance) & (off[second] <= tolerance) & (off[third] <= tolerance)
    tolerance = float(np.max(tolerance, initial=0.0))
    if not good.any():
        return good
    rows = np.flatnonzero(good)
    normals, doubt = sign * mesh.normals[patch.triangles[rows]], mesh.doubt[patch.triangles[rows]]
    turn = TURN[surface.kind]
    places = points[corners[rows]]
    centres = places.mean(axis=1)
    directions = surface.normals(np.concatenate([places, centres[:, None]], axis=1))
    agree = np.einsum("kcx,kx->kc", directions, normals)
    at_corners, at_centres = agree[:, :3], agree[:, 3]
    if isinstance(surface, Cone):
        apex = np.linalg.norm(points - surface.apex, axis=1) < 20 * tolerance
        at_corners[apex[corners[rows]]] = 1.0
    allowed = np.cos(np.minimum(turn + doubt, pi))
    fine = (at_corners.min(axis=1) >= allowed) & (at_centres >= np.cos(np.minimum(INSIDE * turn + doubt, pi)))
    deepest = surface.bends[1] * (1 - cos(turn)) + tolerance
    fine &= np.abs(surface.signed(centres)) <= deepest
    good[rows] = fine
    if not by_facet:
        return good
    bad = np.bincount(patch.facet, ~good) > 0
    return ~bad[patch.facet]


def connected(patch: Patch, mask: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Local triangles of the component of `mask` (K,) that contains most of `seeds` (local numbers)."""
    seeds = seeds[mask[seeds]]
    if len(seeds) == 0:
        return seeds
    inside = np.flatnonzero(mask)
    number = np.cumsum(mask) - 1
    first, second = patch.links.T
    group = least_numbers(len(inside), number[patch.links[mask[first] & mask[second]]])
    return inside[group == np.bincount(group[number[seeds]]).argmax()]


def least_numbers(count: int, pairs: np.ndarray) -> np.ndarray:
    """Smallest node (count,) of the connected group of each of `count` nodes, joined by pairs (P, 2).

    Faster than `scipy.sparse.csgraph` for the small graphs of a growth.
    """
    least, (first, second) = np.arange(count), pairs.T
    while True:
        ends = least[first], least[second]
        low = np.minimum(*ends)
        lower = least.copy()
        np.minimum.at(lower, ends[0], low)
        np.minimum.at(lower, ends[1], low)
        lower = lower[lower]
        lower = lower[lower]
        if np.array_equal(lower, least):
            return least
        least = lower


def points_of(patch: Patch, rows: np.ndarray, most: int = FIT_POINTS) -> np.ndarray:
    """Vertices (N, 3) of local triangles, evenly subsampled to `most`."""
    chosen = np.unique(patch.corners[rows])
    if len(chosen) > most:
        chosen = chosen[np.linspace(0, len(chosen) - 1, most).astype(int)]
    return patch.points[chosen]


def sign_of(patch: Patch, surface: Surface, rows: np.ndarray) -> int:
    centres = patch.points[patch.corners[rows]].mean(axis=1)
    triangles = patch.triangles[rows]
    agree = np.einsum("ij,ij->i", surface.normals(centres), patch.mesh.normals[triangles]) @ patch.mesh.areas[triangles]
    return 1 if agree >= 0 else -1


def facet_data(patch: Patch, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(centres (M, 3), normals (M, 3), weights (M,)) of the flat facets of local triangles, without needles.

    The centre is the mean of the facet's corners: the normal of a trapezoid at this point meets its axis of rotation.
    """
    mesh = patch.mesh
    rows = rows[mesh.doubt[patch.triangles[rows]] < NEEDLE]
    facet = np.unique(patch.facet[rows], return_inverse=True)[1]
    count = int(facet.max()) + 1 if len(rows) else 0
    areas = mesh.areas[patch.triangles[rows]]
    weights = np.bincount(facet, areas, count)
    normals = sums(facet, areas[:, None] * mesh.normals[patch.triangles[rows]], count)
    normals /= np.maximum(np.linalg.norm(normals, axis=1), 1e-300)[:, None]
    keys = np.unique(np.repeat(facet, 3) * len(patch.vertices) + patch.corners[rows].ravel())
    owner, corner = np.divmod(keys, len(patch.vertices))
    centres = sums(owner, patch.points[corner], count) / np.bincount(owner, minlength=count)[:, None]
    return centres, normals, weights


def vertex_data(patch: Patch, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(points (M, 3), normals (M, 3), weights (M,)) of vertices with all their triangles in `rows`.

    Normals by the weights of Max, "Weights for computing vertex normals from facet normals", 1999: exact on a sphere.
    """
    corners = patch.corners[rows]
    places = patch.points[corners]  # (K, 3, 3)
    onward, back = np.roll(places, -1, axis=1) - places, np.roll(places, 1, axis=1) - places
    lengths = (onward**2).sum(axis=2) * (back**2).sum(axis=2)
    parts = np.cross(onward, back) / np.maximum(lengths, 1e-300)[..., None]
    count = len(patch.vertices)
    normals = sums(corners.ravel(), parts.reshape(-1, 3), count)
    inner = np.flatnonzero(surrounded(corners, count))
    length = np.linalg.norm(normals[inner], axis=1, keepdims=True)
    return patch.points[inner], normals[inner] / np.maximum(length, 1e-300), np.ones(len(inner))


def surrounded(corners: np.ndarray, count: int) -> np.ndarray:
    """Bool (count,): interior vertices, whose edges are all shared by two triangles."""
    edges = np.sort(corners[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    key, times = np.unique(edges[:, 0] * count + edges[:, 1], return_counts=True)
    border = key[times == 1]
    closed = np.zeros(count, dtype=bool)
    closed[corners.ravel()] = True
    closed[border // count] = closed[border % count] = False
    return closed


def sums(group: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    return np.stack([np.bincount(group, values[:, axis], count) for axis in range(3)], axis=1)
