"""A smooth patch of a mesh: triangles that may be one face, with the tests that they have to pass."""

from dataclasses import dataclass, field
from math import cos, pi, radians

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from cadcode.surfaces import fit
from cadcode.surfaces.faces import Cone, Cylinder, Plane, Sphere, Surface, Torus, _polar
from cadcode.surfaces.facets import Mesh

TURN = {  # radians between a facet's normal and the surface's at its corners: half the coarsest angle step
    "plane": radians(2), "cylinder": radians(19.5), "cone": radians(19.5), "sphere": radians(27), "torus": radians(27),
}  # fmt: skip
FREEDOM = {"plane": 3, "cylinder": 5, "cone": 6, "sphere": 4, "torus": 7}  # numbers that a surface has
CHANCE = 9.0  # log odds from which on a fit is no accident
WORSE = 3.0  # times the residual of a cone, with which a cylinder is still preferred
INSIDE = 0.6  # share of it that is left at the middle of a facet
NEEDLE = 0.3  # radians of doubt from which on a triangle has no normal
FIT_POINTS = 400  # as many vertices determine a surface as well as all do
WIDENING = (4.0, 2.0, 1.0)  # tolerances of growth: a small start says little about the far end
SPREADS = 1.1  # times as many triangles: the growth goes on
GROWTHS = 15


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
    failed: set = field(default_factory=set)  # seeds that need not be tried again

    @property
    def points(self) -> np.ndarray:
        return self.mesh.vertices[self.vertices]  # (U, 3)


@dataclass(frozen=True)
class Gate:
    """How well a surface has to fit."""

    tolerance: float  # largest distance of a corner
    chance: float = CHANCE  # log odds that the fit is no accident, at least


@dataclass(frozen=True, eq=False)
class Claim:
    """A surface and the triangles of the mesh that lie on it."""

    surface: Surface
    sign: int  # 1: the normals of the surface look out of the part
    triangles: np.ndarray  # (K,) rows of the mesh


def make_patch(mesh: Mesh, triangles, links, edges, failed: set | None = None) -> Patch:
    vertices, corners = np.unique(mesh.faces[triangles], return_inverse=True)
    facet = np.unique(mesh.facet[triangles], return_inverse=True)[1]
    return Patch(mesh, triangles, vertices, corners.reshape(-1, 3), facet, links, edges, set() if failed is None else failed)


def on_surface(patch: Patch, surface: Surface, sign: int, tolerance, by_facet: bool = True) -> np.ndarray:
    """Bool (K,): triangles with corners on the surface, normals that agree with it, and insides near it.

    `tolerance` is a number or one for each triangle, (K,). By facet: all triangles of a flat facet or none.
    """
    mesh, points, corners = patch.mesh, patch.points, patch.corners
    good = np.abs(surface.signed(points))[corners].max(axis=1) <= tolerance
    tolerance = float(np.max(tolerance, initial=0.0))
    if not good.any():
        return good
    rows = np.flatnonzero(good)
    normals, doubt = sign * mesh.normals[patch.triangles[rows]], mesh.doubt[patch.triangles[rows]]
    turn = TURN[surface.kind]
    at_corners = np.einsum("kcx,kx->kc", surface.normals(points)[corners[rows]], normals)
    if isinstance(surface, Cone):
        apex = np.linalg.norm(points - surface.apex, axis=1) < 20 * tolerance
        at_corners[apex[corners[rows]]] = 1.0
    centres = points[corners[rows]].mean(axis=1)
    at_centres = np.einsum("kx,kx->k", surface.normals(centres), normals)
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
    """Local triangles of `mask` (K,) that hang together with the most of `seeds` (local numbers)."""
    links = patch.links[mask[patch.links].all(axis=1)]
    count = len(mask)
    graph = coo_matrix((np.ones(len(links), dtype=bool), (links[:, 0], links[:, 1])), shape=(count, count))
    group = connected_components(graph, directed=False)[1]
    seeds = seeds[mask[seeds]]
    if len(seeds) == 0:
        return seeds
    return np.flatnonzero(mask & (group == np.bincount(group[seeds]).argmax()))


def points_of(patch: Patch, rows: np.ndarray, most: int = FIT_POINTS) -> np.ndarray:
    """Vertices (N, 3) of local triangles, evenly thinned to `most`."""
    chosen = np.unique(patch.corners[rows])
    if len(chosen) > most:
        chosen = chosen[np.linspace(0, len(chosen) - 1, most).astype(int)]
    return patch.points[chosen]


def refit(surface: Surface, points: np.ndarray) -> Surface | None:
    """The same kind of surface, fitted to points (N, 3), started where it is."""
    match surface:
        case Plane():
            return fit.fit_plane(points, surface.normal)
        case Cylinder():
            return fit.fit_cylinder(points, surface.direction)
        case Cone():
            return fit.fit_cone(points, surface.apex, surface.direction, surface.half_angle)
        case Sphere():
            return fit.fit_sphere(points)
        case Torus():
            return fit.fit_torus(points, surface.centre, surface.direction)


def sign_of(patch: Patch, surface: Surface, rows: np.ndarray) -> int:
    centres = patch.points[patch.corners[rows]].mean(axis=1)
    triangles = patch.triangles[rows]
    agree = np.einsum("ij,ij->i", surface.normals(centres), patch.mesh.normals[triangles]) @ patch.mesh.areas[triangles]
    return 1 if agree >= 0 else -1


def grow(patch: Patch, surface: Surface, seeds: np.ndarray, gate: Gate) -> Claim | None:
    """The connected region of the patch on a surface that was fitted to `seeds` (local triangles), fitted again."""
    tolerance = gate.tolerance
    sign, region = sign_of(patch, surface, seeds), np.zeros(0, dtype=int)
    widenings = list(WIDENING)
    for _ in range(GROWTHS):
        last, region = region, connected(patch, on_surface(patch, surface, sign, widenings[0] * tolerance), seeds)
        if 2 * np.isin(seeds, region).sum() < len(seeds) or len(region) < 2:
            return None
        if len(widenings) == 1 and np.array_equal(last, region):
            break
        if len(region) < SPREADS * len(last) and len(widenings) > 1:
            widenings.pop(0)
        surface = refit(surface, points_of(patch, region))
        if surface is None:
            return None
    region = connected(patch, on_surface(patch, surface, sign, tolerance), seeds)
    points = points_of(patch, region, 4000)
    if len(region) < 2 or not enough(surface, points, tolerance):
        return None
    if evidence(surface, points, patch.mesh.rounding) < gate.chance:
        return None
    return Claim(simplest(surface, points), sign, patch.triangles[region])


def simplest(surface: Surface, points: np.ndarray) -> Surface:
    """The cylinder in place of a cone that fits hardly better."""
    if not isinstance(surface, Cone):
        return surface
    cylinder = fit.fit_cylinder(points, surface.direction)
    if cylinder is None:
        return surface
    off, worst = np.abs(cylinder.signed(points)).max(), np.abs(surface.signed(points)).max()
    return cylinder if off <= WORSE * worst else surface


def try_kinds(patch: Patch, seeds: np.ndarray, gate: Gate, kinds=("cylinder", "cone", "sphere", "torus")):
    """The claim of the simplest curved surface through the corners of `seeds` (local triangles), or None."""
    key = (*kinds, patch.triangles[seeds].tobytes())
    if key in patch.failed:
        return None
    patch.failed.add(key)  # one that succeeds is claimed, so that it does not come again
    points = points_of(patch, seeds)
    centres, normals, weights = facet_data(patch, seeds)
    if len(normals) < 2:
        return None
    for start in starts(patch, seeds, points, centres, normals, weights, kinds):
        if start is None or np.abs(start.signed(points)).max() > gate.tolerance or not enough(start, points, gate.tolerance):
            continue
        claim = grow(patch, start, seeds, gate)
        if claim is not None:
            return claim
    return None


def starts(patch, seeds, points, centres, normals, weights, kinds):
    """Surfaces fitted to one set of points, the simplest kind first."""
    if "cylinder" in kinds and len(points) >= 6:
        yield fit.fit_cylinder(points, fit.common_direction(normals, weights))
    if "cone" in kinds and len(points) >= 7 and len(normals) > 2:
        start = fit.cone_start(centres, normals, weights)
        yield fit.fit_cone(points, *start) if start else None
    if "sphere" in kinds and len(points) >= 8:
        yield fit.fit_sphere(points)
    if "torus" in kinds and len(points) >= 10 and len(normals) > 5:
        for samples in (vertex_data(patch, seeds), (centres, normals, weights)):
            if len(samples[0]) > 5:
                for point, direction in fit.turning_axis(*samples):
                    yield fit.fit_torus(points, point, direction)


def facet_data(patch: Patch, rows: np.ndarray):
    """(centres (M, 3), normals (M, 3), weights (M,)) of the flat facets of local triangles, needles left out.

    The centre is the mean of the facet's corners: a trapezoid's normal there meets the axis that it was turned about.
    """
    mesh = patch.mesh
    rows = rows[mesh.doubt[patch.triangles[rows]] < NEEDLE]
    facet = np.unique(patch.facet[rows], return_inverse=True)[1]
    count = int(facet.max()) + 1 if len(rows) else 0
    areas = mesh.areas[patch.triangles[rows]]
    weights = np.bincount(facet, areas, count)
    normals = _sums(facet, areas[:, None] * mesh.normals[patch.triangles[rows]], count)
    normals /= np.maximum(np.linalg.norm(normals, axis=1), 1e-300)[:, None]
    pairs = np.unique(np.column_stack([np.repeat(facet, 3), patch.corners[rows].ravel()]), axis=0)
    centres = _sums(pairs[:, 0], patch.points[pairs[:, 1]], count) / np.bincount(pairs[:, 0], minlength=count)[:, None]
    return centres, normals, weights


def vertex_data(patch: Patch, rows: np.ndarray):
    """(points (M, 3), normals (M, 3), weights (M,)) of vertices with all their triangles in `rows`.

    Normals by the weights of Max, "Weights for computing vertex normals from facet normals", 1999: exact on a sphere.
    """
    corners = patch.corners[rows]
    places = patch.points[corners]  # (K, 3, 3)
    onward, back = np.roll(places, -1, axis=1) - places, np.roll(places, 1, axis=1) - places
    lengths = (onward**2).sum(axis=2) * (back**2).sum(axis=2)
    parts = np.cross(onward, back) / np.maximum(lengths, 1e-300)[..., None]
    count = len(patch.vertices)
    normals = _sums(corners.ravel(), parts.reshape(-1, 3), count)
    inner = np.flatnonzero(_closed(corners, count))
    length = np.linalg.norm(normals[inner], axis=1, keepdims=True)
    return patch.points[inner], normals[inner] / np.maximum(length, 1e-300), np.ones(len(inner))


def _closed(corners, count) -> np.ndarray:
    """Bool (count,): vertices all around which there are triangles: each edge at them is shared."""
    edges = np.sort(corners[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    key, times = np.unique(edges[:, 0] * count + edges[:, 1], return_counts=True)
    border = key[times == 1]
    closed = np.zeros(count, dtype=bool)
    closed[corners.ravel()] = True
    closed[border // count] = closed[border % count] = False
    return closed


def _sums(group, values, count):
    return np.stack([np.bincount(group, values[:, axis], count) for axis in range(3)], axis=1)


def enough(surface: Surface, points: np.ndarray, tolerance: float) -> bool:
    """Do points (N, 3) say more than the surface needs? Through few points some surface always goes."""
    if len(points) <= FREEDOM[surface.kind] + 1:
        return False
    match surface:
        case Plane():
            return True
        case Sphere():
            return not _two_levels(points, tolerance)
        case Cylinder():
            return _regular(_turns(points, surface.point, surface.direction), tolerance / surface.radius)
        case Cone():
            height, radius, _ = _polar(points, surface.apex, surface.direction)
            if height.min() < -20 * tolerance or np.ptp(height) < 100 * tolerance:
                return False
            ring = radius > 0.05 * radius.max()
            return _regular(_turns(points[ring], surface.apex, surface.direction), tolerance / radius.max())
        case Torus():
            height, radius, _ = _polar(points, surface.centre, surface.direction)
            profile = np.arctan2(height, radius - surface.major)
            around = _turns(points, surface.centre, surface.direction)
            if len(_distinct(around, 1e-4)[0]) < 4 or _two_levels(points, tolerance):
                return False
            return _regular(profile, tolerance / surface.minor)


def evidence(surface: Surface, points: np.ndarray, rounding: float) -> float:
    """Log odds that points (N, 3) fit so well because they are on the surface, and not by chance.

    Points beyond those that the surface needs would be off it by a tenth of their own thickness.
    """
    offset = points - points.mean(axis=0)
    thickness = np.ptp(offset @ np.linalg.eigh(offset.T @ offset)[1][:, 0])
    spare = len(points) - FREEDOM[surface.kind]
    off = 3 * float(np.sqrt((surface.signed(points) ** 2).sum() / spare))
    return spare * float(np.log(max(0.1 * thickness / max(off, 2 * rounding), 1e-3)))


def _turns(points, origin, direction):
    """Angle (N,) of points about an axis."""
    across = fit._across(direction)
    x, y = across @ (points - origin).T
    return np.arctan2(y, x)


def _two_levels(points: np.ndarray, tolerance: float) -> bool:
    """Are points (N, 3) on two parallel planes across one of their main directions? A prism may be that by symmetry."""
    offset = points - points.mean(axis=0)
    for heights in (offset @ np.linalg.eigh(offset.T @ offset)[1]).T:
        heights = np.sort(heights)
        if (np.diff(heights) > 20 * tolerance).sum() < 2:
            return True
    return False


def _regular(angles: np.ndarray, tolerance: float) -> bool:
    """Five angles or more are different, or four with equal steps."""
    values, gaps = _distinct(angles, max(1e-4, 20 * tolerance))
    if len(values) != 4:
        return len(values) > 4
    inner = np.delete(gaps, gaps.argmax())
    return bool(np.ptp(inner) < 0.03 * inner.mean())


def _distinct(angles: np.ndarray, apart: float):
    """(different angles (M,), rising, gaps (M,) from each to the next around the circle)."""
    angles = np.sort(angles)
    if len(angles) == 0:
        return angles, angles
    gaps = np.diff(angles, append=angles[0] + 2 * pi)
    keep = gaps > apart
    values = angles[keep]
    return values, np.diff(values, append=values[0] + 2 * pi) if len(values) else values

