"""Region growing of a face from a few triangles: fit, add triangles on the surface, fit again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf

import numpy as np

from cadcode.surfaces import fit
from cadcode.surfaces.evidence import enough, evidence
from cadcode.surfaces.faces import Cone, Cylinder, Plane, Sphere, Surface, Torus
from cadcode.surfaces.patch import Claim, Key, Patch, connected, facet_data, on_surface, points_of, sign_of, vertex_data
from cadcode.surfaces.tori import fit_tori

CHANCE = 9.0  # minimum log odds of a fit
WORSE = 3.0  # residual ratio to a cone up to which a cylinder is preferred
WIDENING = (4.0, 2.0, 1.0)  # tolerances of growth: a small seed determines distant parts poorly
SPREADS = 1.1  # times as many triangles: the growth goes on
GROWTHS = 15
JUDGED = 4000  # vertices used as evidence
CURVED = ("cylinder", "cone", "sphere", "torus")  # the simplest first


@dataclass(frozen=True)
class Gate:
    """Acceptance criteria of a fit."""

    tolerance: float  # largest distance of a corner
    chance: float = CHANCE  # minimum log odds that the fit is not by chance


def try_kinds(patch: Patch, seeds: np.ndarray, gate: Gate, kinds: tuple[str, ...] = CURVED) -> Claim | None:
    """Claim of the simplest curved surface through the corners of `seeds` (local triangles), or None."""
    key = key_of(patch, seeds, kinds)
    if patch.tried.failed(key, gate.tolerance):
        return None
    points = points_of(patch, seeds)
    return try_starts(patch, seeds, points, gate, key, starts(patch, seeds, points, *facet_data(patch, seeds), kinds))


def key_of(patch: Patch, seeds: np.ndarray, kinds: tuple[str, ...]) -> Key:
    return *kinds, patch.triangles[seeds].tobytes()


def try_starts(
    patch: Patch, seeds: np.ndarray, points: np.ndarray, gate: Gate, key: Key, starts: Iterable[Surface | None]
) -> Claim | None:
    """Claim grown from the first possible of `starts`, which were fitted to the `points` (N, 3) of `seeds`, or None."""
    if patch.tried.failed(key, gate.tolerance):
        return None
    least = inf
    for start in starts:
        off = float(np.abs(start.signed(points)).max()) if start else inf
        least = min(least, off)
        if start is None or off > gate.tolerance:
            continue
        claim = grow(patch, start, seeds, gate) if enough(start, points, gate.tolerance) else None
        if claim is not None:
            return claim
    patch.tried.add(key, least)
    return None


def starts(
    patch: Patch,
    seeds: np.ndarray,
    points: np.ndarray,
    centres: np.ndarray,
    normals: np.ndarray,
    weights: np.ndarray,
    kinds: tuple[str, ...],
) -> Iterator[Surface | None]:
    """Surfaces fitted to one set of points, the simplest kind first."""
    if len(normals) < 2:
        return
    if "cylinder" in kinds and len(points) >= 6:
        yield fit.fit_cylinder(points, fit.common_direction(normals, weights))
    if "cone" in kinds and len(points) >= 7 and len(normals) > 2:
        start = fit.cone_start(centres, normals, weights)
        yield fit.fit_cone(points, *start) if start else None
    if "sphere" in kinds and len(points) >= 8:
        yield fit.fit_sphere(points)
    if "torus" in kinds and len(points) >= 10 and len(normals) > 5:
        samples = [data for data in (vertex_data(patch, seeds), (centres, normals, weights)) if len(data[0]) > 5]
        yield from fit_tori(points, [axis for data in samples for axis in fit.turning_axis(*data)])


def grow(patch: Patch, surface: Surface, seeds: np.ndarray, gate: Gate) -> Claim | None:
    """The connected region of the patch on a surface that was fitted to `seeds` (local triangles), fitted again."""
    sign, region, steps = sign_of(patch, surface, seeds), np.zeros(0, dtype=int), set[Key]()
    widenings = list(WIDENING)
    for _ in range(GROWTHS):
        last, region = region, region_on(patch, surface, sign, widenings[0] * gate.tolerance, seeds)
        if 2 * count_in(region, seeds) < len(seeds) or len(region) < 2:
            return None
        if np.array_equal(last, region):  # the surface was fitted to it
            if len(widenings) == 1 or np.abs(surface.signed(points_of(patch, region))).max() <= gate.tolerance:
                break
            widenings.pop(0)
            continue
        step = (surface.kind, len(widenings), patch.triangles[region].tobytes())
        if step in patch.tried.growths:
            return None
        steps.add(step)
        if len(region) < SPREADS * len(last) and len(widenings) > 1:
            widenings.pop(0)
        fitted = refit(surface, points_of(patch, region))
        if fitted is None:
            return None
        surface = fitted
    else:
        region = region_on(patch, surface, sign, gate.tolerance, seeds)
    claim = judged(patch, surface, sign, region, gate)
    if claim is None:
        patch.tried.growths |= steps
    return claim


def region_on(patch: Patch, surface: Surface, sign: int, tolerance: float, seeds: np.ndarray) -> np.ndarray:
    """Local triangles on the surface that are connected to `seeds`."""
    return connected(patch, on_surface(patch, surface, sign, tolerance), seeds)


def count_in(region: np.ndarray, seeds: np.ndarray) -> int:
    """Number of `seeds` in the region."""
    inside = np.zeros(max(region.max(initial=0), seeds.max(initial=0)) + 1, dtype=bool)
    inside[region] = True
    return int(inside[seeds].sum())


def judged(patch: Patch, surface: Surface, sign: int, region: np.ndarray, gate: Gate) -> Claim | None:
    """Claim of a region (local triangles) that is evidence of its surface, or None."""
    points = points_of(patch, region, JUDGED)
    if len(region) < 2 or not enough(surface, points, gate.tolerance):
        return None
    if evidence(surface, points, patch.mesh.rounding) < gate.chance:
        return None
    return Claim(simplest(surface, points), sign, patch.triangles[region])


def refit(surface: Surface, points: np.ndarray) -> Surface | None:
    """The same kind of surface, fitted to points (N, 3), started where it is."""
    match surface:
        case Plane():
            return fit.fit_plane(points, surface.normal)
        case Cylinder():
            return fit.fit_cylinder(points, surface.direction, surface.point)
        case Cone():
            return fit.fit_cone(points, surface.apex, surface.direction, surface.half_angle)
        case Sphere():
            return fit.fit_sphere(points)
        case Torus():
            return fit.fit_torus(points, surface.centre, surface.direction)


def simplest(surface: Surface, points: np.ndarray) -> Surface:
    """The cylinder instead of a cone that fits only slightly better."""
    if not isinstance(surface, Cone):
        return surface
    cylinder = fit.fit_cylinder(points, surface.direction)
    if cylinder is None:
        return surface
    off, worst = np.abs(cylinder.signed(points)).max(), np.abs(surface.signed(points)).max()
    return cylinder if off <= WORSE * worst else surface
