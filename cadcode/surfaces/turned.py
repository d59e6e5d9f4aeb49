"""Cylinders and cones fitted to many sets of points at once: most sets are small, and calls would cost more than work.

Sets are padded to one length: `points` (B, N, 3), of which `valid` (B, N) count.
"""

from math import pi

import numpy as np

from cadcode.surfaces.faces import Cone, Cylinder

STEPS = 7
STILL = 1e-9  # a step this small, in sizes of the points, ends the iteration
TIP = 0.02  # share of the largest distance from the axis
FLATTEST = 1e-4  # radians; cones that differ less from a cylinder or a plane are rejected
LARGEST = 1e4  # radii beyond so many sizes of the points are flat

Lines = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # points of axes, axes (B, 3), radii, angles (B,)


def padded(sets: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(values (B, N, ...), valid (B, N)) of B arrays (n, ...), padded with zeros."""
    values = np.zeros((len(sets), max(len(values) for values in sets), *sets[0].shape[1:]))
    valid = np.zeros(values.shape[:2], dtype=bool)
    for row, members in enumerate(sets):
        values[row, : len(members)] = members
        valid[row, : len(members)] = True
    return values, valid


def fit_cylinders(
    points: np.ndarray, valid: np.ndarray, directions: np.ndarray, on_axes: np.ndarray | None = None
) -> list[Cylinder | None]:
    """Cylinders through points, from `directions` (B, 3) of their axes and perhaps points (B, 3) on them."""
    places, axes, radii, _ = turned_lines(points, valid, directions, np.zeros(len(points)), on_axes, turns=False)
    good = (radii > 0) & np.isfinite(radii)
    return [Cylinder(*line) if sound else None for sound, *line in zip(good, places, axes, radii.tolist(), strict=True)]


def fit_cones(
    points: np.ndarray, valid: np.ndarray, apexes: np.ndarray, directions: np.ndarray, half_angles: np.ndarray
) -> list[Cone | None]:
    """Cones through points, from initial values (B, ...); None for one close to a cylinder or a plane."""
    middle = points.sum(axis=1, where=valid[..., None]) / valid.sum(axis=1)[:, None]
    along = np.einsum("bx,bx->b", middle - apexes, directions)
    lines = turned_lines(points, valid, directions, half_angles, apexes + directions * along[:, None], turns=True)
    return [cone_of(*line) for line in zip(*lines, strict=True)]


def cone_of(point: np.ndarray, axis: np.ndarray, radius: float, angle: float) -> Cone | None:
    if not np.isfinite(radius) or not FLATTEST < abs(angle) < pi / 2 - FLATTEST:
        return None
    if angle < 0:
        axis, angle = -axis, -angle
    return Cone(point - axis * (radius / np.tan(angle)), axis, float(angle))


def turned_lines(
    points: np.ndarray,
    valid: np.ndarray,
    axes: np.ndarray,
    angles: np.ndarray,
    on_axes: np.ndarray | None,
    turns: bool,
) -> Lines:
    """Axes and profiles of least squares: the point of the axis nearest to the points' middle, and the radius there.

    `turns` frees the half angles. Radii are NaN where the points determine no surface.
    """
    middle, size = scales_of(points, valid)
    scaled = np.where(valid[..., None], (points - middle[:, None]) / size[:, None, None], 0.0)
    if on_axes is None:
        origins, levels = first_circles(scaled, valid, axes)
    else:
        origins = (on_axes - middle) / size[:, None]
        levels = first_levels(scaled - origins[:, None], valid, axes, angles)
    live = sound = np.isfinite(levels)
    lines = np.where(sound[:, None], origins, 0.0), axes, np.where(sound, levels, 1.0), angles
    for _ in range(STEPS):
        moved, largest = stepped(scaled, valid, lines, turns)
        fine = (largest < 10) & (np.abs(moved[3]) < pi / 2)
        sound = sound & (fine | ~live)
        live = live & fine
        lines = chosen(live, moved, lines)
        live = live & (largest >= STILL)
        if not live.any():
            break
    origins, axes, levels, angles = lines
    shift = (origins * axes).sum(axis=1)  # to the point nearest to the middle of the points
    radii = (levels - shift * np.sin(angles)) / np.cos(angles)
    sound = sound & (np.abs(radii) > 0) & (np.abs(radii) < LARGEST)
    places = middle + size[:, None] * (origins - axes * shift[:, None])
    return places, axes, np.where(sound, size * radii, np.nan), angles


def chosen(first: np.ndarray, values: Lines, others: Lines) -> Lines:
    """The rows (B, ...) of `values` where `first` (B,), else those of `others`."""
    if first.all():
        return values
    a, b, c, d = (
        np.where(first.reshape(-1, *[1] * (value.ndim - 1)), value, other)
        for value, other in zip(values, others, strict=True)
    )
    return a, b, c, d


def first_circles(scaled: np.ndarray, valid: np.ndarray, axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(points on the axes (B, 3), radii (B,)) of the circles through the points, as seen along the axes."""
    sides = frames_of(axes)[:, :2]
    centres, radii = fit_circles(scaled @ sides.swapaxes(1, 2), valid)
    return (centres[:, None] @ sides)[:, 0], radii


def first_levels(offset: np.ndarray, valid: np.ndarray, axes: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Mean distances (B,) of points at `offset` (B, N, 3) from the cones whose apexes are the origins."""
    height = (offset @ axes[..., None])[..., 0]
    away = offset - height[..., None] * axes[:, None]
    radius = np.sqrt((away * away).sum(axis=2))
    level = radius * np.cos(angles)[:, None] - height * np.sin(angles)[:, None]
    return (level * valid).sum(axis=1) / valid.sum(axis=1)


def stepped(scaled: np.ndarray, valid: np.ndarray, lines: Lines, turns: bool) -> tuple[Lines, np.ndarray]:
    """(lines after one step, its size (B,))."""
    origins, axes, levels, angles = lines
    frames = frames_of(axes)
    slope, rest = slopes(frames, scaled - origins[:, None], valid, levels, angles, turns)
    step = solve(slope, rest)
    origins = origins + (step[:, None, :2] @ frames[:, :2])[:, 0]
    axes = axes + (step[:, None, 2:4] @ frames[:, :2])[:, 0]
    axes = axes / np.sqrt((axes * axes).sum(axis=1, keepdims=True))
    angles = angles + step[:, 5] if turns else angles
    return (origins, axes, levels + step[:, 4], angles), np.abs(step).max(axis=1)


def slopes(
    frames: np.ndarray, offset: np.ndarray, valid: np.ndarray, levels: np.ndarray, angles: np.ndarray, turns: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(derivatives (B, 5 or 6, N) of the distances, residuals (B, N)) of points at `offset` (B, N, 3) from the axes."""
    places = frames @ offset.swapaxes(1, 2)  # (B, 3, N)
    aside, height = places[:, :2], places[:, 2]
    radius = np.sqrt((aside * aside).sum(axis=1))
    tip = valid & (radius < TIP * (radius * valid).max(axis=1)[:, None])  # at an apex the distance has no slope
    tipped = tip.any()
    side = aside / np.maximum(radius, 1e-300)[:, None]
    if tipped:
        radius, side = np.where(tip, 0.0, radius), np.where(tip[:, None], 0.0, side)
    c, s = np.cos(angles)[:, None], np.sin(angles)[:, None]
    slope = np.empty((len(offset), 5 + turns, offset.shape[1]))
    slope[:, :2] = -c[..., None] * side
    slope[:, 2:4] = -(c * height + s * radius)[:, None] * side
    slope[:, 4] = -1.0
    if turns:
        slope[:, 5] = -radius * s - height * c
    slope *= valid[:, None]
    rest = (levels[:, None] - (radius * c - height * s)) * valid
    if turns and tipped:  # so its residuals are both coordinates across the axis
        rows = np.zeros((2, *slope.shape))
        for way in range(2):
            rows[way, :, way], rows[way, :, 2 + way] = -1.0 * tip, -height * tip
        slope = np.concatenate([slope, *rows], axis=2)
        rest = np.concatenate([rest, -aside[:, 0] * tip, -aside[:, 1] * tip], axis=1)
    return slope, rest


def fit_circles(points: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(centres (B, 2), radii (B,)) of circles by linear least squares through points (B, N, 2), NaN for a line."""
    middle = (points * valid[..., None]).sum(axis=1) / valid.sum(axis=1)[:, None]
    offset = (points - middle[:, None]) * valid[..., None]
    rows = np.concatenate([2 * offset, valid[..., None]], axis=2)
    solution, rank = least_squares(rows, np.einsum("bnx,bnx->bn", offset, offset), 1e-12)
    square = solution[:, 2] + (solution[:, :2] ** 2).sum(axis=1)
    sound = (rank == 3) & (square > 0)
    return middle + solution[:, :2], np.where(sound, np.sqrt(np.abs(square)), np.nan)


def least_squares(rows: np.ndarray, values: np.ndarray, rcond: float) -> tuple[np.ndarray, np.ndarray]:
    """(solutions (B, P), ranks (B,)) of least norm of rows (B, N, P) . solution = values (B, N)."""
    left, scale, right = np.linalg.svd(rows, full_matrices=False)
    keep = scale > rcond * scale[:, :1]
    inverse = np.where(keep, 1.0 / np.where(keep, scale, 1.0), 0.0)
    inner = inverse * (left.swapaxes(1, 2) @ values[..., None])[..., 0]
    return (right.swapaxes(1, 2) @ inner[..., None])[..., 0], keep.sum(axis=1)


def solve(slope: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Least squares steps (B, P) by normal equations: derivatives are of size 1, and a damped step is sufficient."""
    moments = slope @ slope.swapaxes(1, 2)
    diagonal = np.einsum("bii->bi", moments)  # a view
    diagonal += 1e-14 * diagonal.sum(axis=1, keepdims=True)
    return np.linalg.solve(moments, slope @ rest[..., None])[..., 0]


def scales_of(points: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(middles (B, 3), sizes (B,)) of points, for normalisation."""
    shown = valid[..., None]
    low, high = points.min(axis=1, where=shown, initial=np.inf), points.max(axis=1, where=shown, initial=-np.inf)
    return (low + high) / 2, np.maximum(np.linalg.norm(high - low, axis=1) / 2, 1e-300)


def frames_of(axes: np.ndarray) -> np.ndarray:
    """Rows of two unit vectors across each of the `axes` (B, 3), and the axis: (B, 3, 3)."""
    return np.array([[*across(*axis), axis] for axis in axes.tolist()]).reshape(-1, 3, 3)


def across_of(axis: np.ndarray) -> np.ndarray:
    """Two unit vectors (2, 3) perpendicular to the unit vector `axis` and to each other."""
    return np.array(across(*axis.tolist()))


def across(x: float, y: float, z: float) -> tuple[list[float], list[float]]:
    """Two unit vectors perpendicular to the unit vector (x, y, z) (Duff et al., JCGT 6, 2017)."""
    sign = 1.0 if z >= 0 else -1.0
    a = -1.0 / (sign + z)
    b = x * y * a
    return [1.0 + sign * x * x * a, sign * b, -sign * x], [b, sign + y * y * a, -y]
