"""Least squares fits of analytic surfaces: starts in closed form, then Gauss-Newton on orthogonal distances.

Distances and their derivatives as in Lukacs, Martin and Marshall, "Faithful least-squares fitting of spheres,
cylinders, cones and tori for reliable segmentation", ECCV 1998; axes from normals as in Pottmann and Randrup,
"Rotational and helical surface approximation for reverse engineering", Computing 60, 1998.

A vertex of a tessellation is on the surface; the interior of a facet is not. So the fit uses vertices only; normals of
facets give the initial values. All functions take `points` (N, 3), and facets by their `centres` (M, 3) and `normals`
(M, 3). They return a surface, or None if the points do not determine a surface.
"""

from math import hypot

import numpy as np

from cadcode.surfaces.faces import Cone, Cylinder, Plane, Sphere, Surface, Torus
from cadcode.surfaces.tori import fit_tori
from cadcode.surfaces.turned import (
    LARGEST,
    STEPS,
    STILL,
    fit_cones,
    fit_cylinders,
    least_squares,
)


def fit_plane(points: np.ndarray, outward: np.ndarray) -> Plane:
    """Plane of least squares; its normal is on the side of `outward` (3,)."""
    centre = points.mean(axis=0)
    normal = np.linalg.svd(points - centre, full_matrices=False)[2][2]
    return Plane(centre, normal if normal @ outward >= 0 else -normal)


def fit_sphere(points: np.ndarray) -> Sphere | None:
    """Sphere through points, from the linear equations of |x|^2 = 2 x.c + k."""
    middle, size = scale_of(points)
    scaled = (points - middle) / size
    rows = np.column_stack([2 * scaled, np.ones(len(points))])
    solution = np.linalg.lstsq(rows, (scaled**2).sum(axis=1), rcond=1e-12)
    square = solution[0][3] + solution[0][:3] @ solution[0][:3]
    if solution[2] < 4 or not 0 < square < LARGEST**2:
        return None
    values = np.array([*solution[0][:3], np.sqrt(square)])
    for _ in range(STEPS):
        offset = scaled - values[:3]
        radius = np.linalg.norm(offset, axis=1)
        slope = np.column_stack([-offset / np.maximum(radius, 1e-12)[:, None], -np.ones(len(points))])
        step = solve(slope, values[3] - radius)
        values = values + step
        if np.abs(step).max() < STILL:
            break
    return Sphere(middle + size * values[:3], float(size * values[3])) if 0 < values[3] < LARGEST else None


def fit_cylinder(points: np.ndarray, direction: np.ndarray, point: np.ndarray | None = None) -> Cylinder | None:
    """Cylinder through points, from the `direction` (3,) of its axis and perhaps a `point` (3,) on it."""
    valid = np.ones((1, len(points)), dtype=bool)
    on_axis = None if point is None else point[None]
    return fit_cylinders(points[None], valid, np.asarray(direction, dtype=float)[None], on_axis)[0]


def fit_cone(points: np.ndarray, apex: np.ndarray, direction: np.ndarray, half_angle: float) -> Cone | None:
    """Cone through points, from initial values; None if it is close to a cylinder or a plane."""
    valid = np.ones((1, len(points)), dtype=bool)
    return fit_cones(points[None], valid, apex[None], np.asarray(direction)[None], np.array([half_angle]))[0]


def fit_torus(points: np.ndarray, point: np.ndarray, direction: np.ndarray) -> Torus | None:
    """Torus through points, from a `point` (3,) on its axis and the `direction` (3,)."""
    return fit_tori(points, [(point, direction)])[0]


def common_direction(normals: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Direction (..., 3) most nearly perpendicular to all `normals` (..., M, 3): the axis of a cylinder."""
    moments = np.swapaxes(normals * weights[..., None], -1, -2) @ normals
    return np.linalg.eigh(moments)[1][..., 0]


def cone_start(
    centres: np.ndarray, normals: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """(apex, direction, half angle) of the cone tangent to the facets; None if the normals do not spread."""
    apex, direction, half_angle = cone_starts(centres[None], normals[None], weights[None])
    return None if np.isnan(half_angle[0]) else (apex[0], direction[0], float(half_angle[0]))


def cone_starts(
    centres: np.ndarray, normals: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(apexes (B, 3), directions (B, 3), half angles (B,)) of cones tangent to sets of facets (B, M, ...), else NaN."""
    total = weights.sum(axis=1)
    mean = np.einsum("bm,bmx->bx", weights, normals) / total[:, None]
    spread = normals - mean[:, None]
    values, vectors = np.linalg.eigh(np.swapaxes(spread * weights[..., None], 1, 2) @ spread)
    directions, root = vectors[..., 0], np.sqrt(weights)
    heights = np.einsum("bmx,bmx->bm", normals, centres)
    apexes, rank = least_squares(normals * root[..., None], heights * root, 1e-9)
    away = np.einsum("bm,bmx->bx", weights, centres - apexes[:, None])
    directions = np.where(np.einsum("bx,bx->b", directions, away) < 0, -1, 1)[:, None] * directions
    slant = np.einsum("bx,bx->b", mean, directions)  # the normal leans back by the half angle, or forward in a hole
    sound = (values[:, 1] > 1e-14 * total) & (rank == 3)
    return apexes, directions, np.where(sound, np.arcsin(np.minimum(np.abs(slant), 1.0)), np.nan)


def turning_axis(centres: np.ndarray, normals: np.ndarray, weights: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """[(point, direction)] of axes that intersect the normal lines of the facets, the best first."""
    middle, size = scale_of(centres)
    arm = np.cross((centres - middle) / size, normals)
    rows = np.concatenate([arm, normals], axis=1) * np.sqrt(weights / weights.sum())[:, None]
    moments = rows.T @ rows
    # Least |rows . (direction, moment)| for |direction| = 1: the moment is eliminated first.
    inverse = np.linalg.pinv(moments[3:, 3:], rcond=1e-10)
    reduced = moments[:3, :3] - moments[:3, 3:] @ inverse @ moments[3:, :3]
    directions = np.linalg.eigh(reduced)[1].T
    axes = []
    for direction in directions[:2]:
        moment = -inverse @ moments[3:, :3] @ direction
        moment -= direction * (moment @ direction)  # lines have no pitch
        axes.append((middle + size * np.cross(direction, moment), direction))
    return axes


def distances(surface: Surface, points: np.ndarray) -> np.ndarray:
    return np.abs(surface.signed(points))


def scale_of(points: np.ndarray) -> tuple[np.ndarray, float]:
    """(middle (3,), size) of points, for normalisation."""
    low, high = points.min(axis=0), points.max(axis=0)
    return (low + high) / 2, max(hypot(*(high - low)) / 2, 1e-300)


def solve(slope: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Least squares step by normal equations: derivatives are of size 1, and a damped step is sufficient."""
    moments = slope.T @ slope
    moments.flat[:: len(moments) + 1] += 1e-14 * np.trace(moments)
    return np.linalg.solve(moments, slope.T @ rest)
