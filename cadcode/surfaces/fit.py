"""Least squares fits of analytic surfaces: starts in closed form, then Gauss-Newton on orthogonal distances.

Distances and their derivatives as in Lukacs, Martin and Marshall, "Faithful least-squares fitting of spheres,
cylinders, cones and tori for reliable segmentation", ECCV 1998; axes from normals as in Pottmann and Randrup,
"Rotational and helical surface approximation for reverse engineering", Computing 60, 1998.

A vertex of a tessellation is on the surface; the interior of a facet is not. So the fit uses vertices only; normals of
facets give the initial values. All functions take `points` (N, 3), and facets by their `centres` (M, 3) and `normals`
(M, 3). They return a surface, or None if the points do not determine a surface.
"""

from math import asin, cos, hypot, pi, sin

import numpy as np

from cadcode.surfaces.faces import Cone, Cylinder, Plane, Sphere, Surface, Torus, polar

STEPS = 7
STILL = 1e-11  # a step this small, in sizes of the points, ends the iteration
TIP = 0.02  # share of the largest distance from the axis
FLATTEST = 1e-4  # radians; cones that differ less from a cylinder or a plane are rejected
LARGEST = 1e4  # radii beyond so many sizes of the points are flat


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


def fit_cylinder(points: np.ndarray, direction: np.ndarray) -> Cylinder | None:
    """Cylinder through points, from the `direction` (3,) of its axis."""
    cone = fit_turned_line(points, direction, 0.0, turns=False)
    if cone is None:
        return None
    point, axis, radius, _ = cone
    return Cylinder(point, axis, radius)


def fit_cone(points: np.ndarray, apex: np.ndarray, direction: np.ndarray, half_angle: float) -> Cone | None:
    """Cone through points, from initial values; None if it is close to a cylinder or a plane."""
    axis_point = points.mean(axis=0)
    axis_point = apex + direction * ((axis_point - apex) @ direction)
    solution = fit_turned_line(points, direction, half_angle, turns=True, point=axis_point)
    if solution is None:
        return None
    point, axis, radius, angle = solution
    if not FLATTEST < abs(angle) < pi / 2 - FLATTEST:
        return None
    if angle < 0:
        axis, angle = -axis, -angle
    return Cone(point - axis * (radius / np.tan(angle)), axis, angle)


def fit_turned_line(
    points: np.ndarray, direction: np.ndarray, angle: float, turns: bool, point: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, float, float] | None:
    """(point of the axis nearest to the points' middle, axis, radius there, half angle); `turns` frees the angle."""
    middle, size = scale_of(points)
    scaled = (points - middle) / size
    axis = np.asarray(direction, dtype=float)
    if point is None:
        start = fit_circle(scaled @ across_of(axis).T)
        if start is None:
            return None
        origin, level = start[0] @ across_of(axis), start[1]
    else:
        origin = (point - middle) / size
        height, radius, _ = polar(scaled, origin, axis)
        level = float(np.mean(radius * cos(angle) - height * sin(angle)))
    for _ in range(STEPS):
        across = across_of(axis)
        slope, rest = turned_line_slopes(scaled - origin, across, axis, level, angle, turns)
        step = solve(slope, rest)
        origin = origin + step[:2] @ across
        axis = axis + step[2:4] @ across
        axis /= np.linalg.norm(axis)
        level += step[4]
        angle += step[5] if turns else 0.0
        if not (np.abs(step).max() < 10 and abs(angle) < pi / 2):
            return None
        if np.abs(step).max() < STILL:
            break
    shift = origin @ axis  # to the point nearest to the middle of the points
    origin, level = origin - axis * shift, level - shift * sin(angle)
    radius = level / cos(angle)
    if not 0 < abs(radius) < LARGEST or (not turns and radius < 0):
        return None
    return middle + size * origin, axis, float(size * radius), float(angle)


def turned_line_slopes(
    offset: np.ndarray, across: np.ndarray, axis: np.ndarray, level: float, angle: float, turns: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(derivatives (N, 5 or 6) of the distances, residuals (N,)) of points at `offset` (N, 3) from the axis."""
    aside, height = across @ offset.T, offset @ axis  # (2, N), (N,)
    radius = np.hypot(*aside)
    tip = radius < TIP * radius.max()  # at an apex the distance from the axis has no slope
    side = aside / np.maximum(radius, 1e-300)
    if tip.any():
        radius, side = np.where(tip, 0.0, radius), np.where(tip, 0.0, side)
    c, s = cos(angle), sin(angle)
    slope = np.empty((5 + turns, len(offset)))
    slope[:2] = -c * side
    slope[2:4] = -(c * height + s * radius) * side
    slope[4] = -1.0
    if turns:
        slope[5] = -radius * s - height * c
    slope, rest = slope.T, level - (radius * c - height * s)
    if turns and tip.any():  # so its residuals are both coordinates across the axis
        for way in range(2):
            rows = np.zeros((tip.sum(), 6))
            rows[:, way], rows[:, 2 + way] = -1.0, -height[tip]
            slope, rest = np.concatenate([slope, rows]), np.concatenate([rest, -aside[way, tip]])
    return slope, rest


def fit_torus(points: np.ndarray, point: np.ndarray, direction: np.ndarray) -> Torus | None:
    """Torus through points, from a `point` (3,) on its axis and the `direction` (3,)."""
    middle, size = scale_of(points)
    scaled = (points - middle) / size
    axis = np.asarray(direction, dtype=float)
    origin = (point - middle) / size
    height, radius, _ = polar(scaled, origin, axis)
    start = fit_circle(np.column_stack([radius, height]))
    if start is None:
        return None
    (major, shift), minor = start
    centre = origin + shift * axis
    for _ in range(2 * STEPS):
        across = across_of(axis)
        height, radius, outward = polar(scaled, centre, axis)
        off = radius - major
        length = np.maximum(np.hypot(off, height), 1e-12)
        side = outward @ across.T
        slope = np.concatenate(
            [
                -(off / length)[:, None] * side,
                -(height / length)[:, None],
                (major * height / length)[:, None] * side,
                -(off / length)[:, None],
                np.full((len(points), 1), -1.0),
            ],
            axis=1,
        )
        step = solve(slope, minor - length)
        step *= min(1.0, 0.5 * minor / max(np.abs(step).max(), 1e-300))  # keep the minor radius positive
        centre = centre + step[:2] @ across + step[2] * axis
        axis = axis + step[3:5] @ across
        axis /= np.linalg.norm(axis)
        major, minor = major + step[5], minor + step[6]
        if not (0 < minor < LARGEST and abs(major) < LARGEST):
            return None
        if np.abs(step).max() < STILL:
            break
    if major <= 0:
        return None
    return Torus(middle + size * centre, axis, float(size * major), float(size * minor))


def common_direction(normals: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Direction (3,) most nearly perpendicular to all `normals` (M, 3): the axis of a cylinder."""
    moments = (normals * weights[:, None]).T @ normals
    return np.linalg.eigh(moments)[1][:, 0]


def cone_start(
    centres: np.ndarray, normals: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """(apex, direction, half angle) of the cone tangent to the facets; None if the normals do not spread."""
    mean = weights @ normals / weights.sum()
    spread = normals - mean
    values, vectors = np.linalg.eigh((spread * weights[:, None]).T @ spread)
    if values[1] <= 1e-14 * weights.sum():
        return None
    direction = vectors[:, 0]
    root = np.sqrt(weights)[:, None]
    apex, _, rank, _ = np.linalg.lstsq(normals * root, np.einsum("ij,ij->i", normals, centres) * root[:, 0], rcond=1e-9)
    if rank < 3:
        return None
    away = weights @ (centres - apex)
    if direction @ away < 0:
        direction = -direction
    slant = float(mean @ direction)  # the normal leans back by the half angle, or forward in a hole
    return apex, direction, asin(min(abs(slant), 1.0))


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


def across_of(axis: np.ndarray) -> np.ndarray:
    """Two unit vectors (2, 3) perpendicular to the unit vector `axis` and to each other (Duff et al., JCGT 6, 2017)."""
    x, y, z = axis.tolist()
    sign = 1.0 if z >= 0 else -1.0
    a = -1.0 / (sign + z)
    b = x * y * a
    return np.array([[1.0 + sign * x * x * a, sign * b, -sign * x], [b, sign + y * y * a, -y]])


def fit_circle(points: np.ndarray) -> tuple[np.ndarray, float] | None:
    """(centre (2,), radius) of the circle by linear least squares through points (N, 2), None for a line."""
    middle = points.mean(axis=0)
    offset = points - middle
    rows = np.column_stack([2 * offset, np.ones(len(points))])
    solution, _, rank, _ = np.linalg.lstsq(rows, (offset**2).sum(axis=1), rcond=1e-12)
    square = solution[2] + solution[:2] @ solution[:2]
    return (middle + solution[:2], float(np.sqrt(square))) if rank == 3 and square > 0 else None


def solve(slope: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Least squares step by normal equations: derivatives are of size 1, and a damped step is sufficient."""
    moments = slope.T @ slope
    moments.flat[:: len(moments) + 1] += 1e-14 * np.trace(moments)
    return np.linalg.solve(moments, slope.T @ rest)
