"""Tori fitted to one set of points from several axes at once."""

import numpy as np

from cadcode.surfaces.faces import Torus, polar
from cadcode.surfaces.turned import LARGEST, STEPS, STILL, chosen, fit_circles, frames_of, scales_of, solve

Rings = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # centres, axes (B, 3), major and minor radii (B,)


def fit_tori(points: np.ndarray, axes: list[tuple[np.ndarray, np.ndarray]]) -> list[Torus | None]:
    """Tori through points (N, 3), from B axes (point (3,), direction (3,)); None where the fit fails."""
    middles, sizes = scales_of(points[None], np.ones((1, len(points)), dtype=bool))
    middle, size = middles[0], float(sizes[0])
    scaled = (points - middle) / size
    origins, directions = (np.array(values, dtype=float) for values in zip(*axes, strict=True))
    rings = first_rings(scaled, (origins - middle) / size, directions)
    live = sound = np.isfinite(rings[3])
    rings = chosen(sound, rings, (rings[0], rings[1], np.ones(len(axes)), np.ones(len(axes))))
    for _ in range(2 * STEPS):
        moved, largest = stepped(scaled, rings)
        fine = (moved[3] > 0) & (moved[3] < LARGEST) & (np.abs(moved[2]) < LARGEST)
        sound = sound & (fine | ~live)
        live = live & fine
        rings = chosen(live, moved, rings)
        live = live & (largest >= STILL)
        if not live.any():
            break
    return [
        Torus(middle + size * centre, axis, float(size * major), float(size * minor)) if good and major > 0 else None
        for good, centre, axis, major, minor in zip(sound, *rings, strict=True)
    ]


def first_rings(points: np.ndarray, origins: np.ndarray, directions: np.ndarray) -> Rings:
    """Rings whose profile is the circle through the points (N, 3) turned into one half plane of the axis."""
    pairs = zip(origins, directions, strict=True)
    profile = np.array([polar(points, origin, direction)[1::-1] for origin, direction in pairs]).swapaxes(1, 2)
    centres, minor = fit_circles(profile, np.ones(profile.shape[:2], dtype=bool))
    return origins + np.nan_to_num(centres[:, 1:]) * directions, directions, centres[:, 0], minor


def stepped(points: np.ndarray, rings: Rings) -> tuple[Rings, np.ndarray]:
    """(rings after a damped step, its size (B,)) towards points (N, 3)."""
    centres, axes, major, minor = rings
    frames = frames_of(axes)
    places = frames @ (points - centres[:, None]).swapaxes(1, 2)  # (B, 3, N)
    height, radius = places[:, 2], np.hypot(places[:, 0], places[:, 1])
    side = places[:, :2] / np.maximum(radius, 1e-300)[:, None]
    off = radius - major[:, None]
    length = np.maximum(np.hypot(off, height), 1e-12)
    slope = np.empty((len(major), 7, len(points)))
    slope[:, :2] = -(off / length)[:, None] * side
    slope[:, 2] = -height / length
    slope[:, 3:5] = (major[:, None] * height / length)[:, None] * side
    slope[:, 5] = -off / length
    slope[:, 6] = -1.0
    step = solve(slope, minor[:, None] - length)
    largest = np.abs(step).max(axis=1)
    damping = np.minimum(1.0, 0.5 * minor / np.maximum(largest, 1e-300))  # keep the minor radius positive
    step *= damping[:, None]
    centres = centres + (step[:, None, :3] @ frames)[:, 0]
    axes = axes + (step[:, None, 3:5] @ frames[:, :2])[:, 0]
    axes /= np.sqrt((axes * axes).sum(axis=1, keepdims=True))
    return (centres, axes, major + step[:, 5], minor + step[:, 6]), damping * largest
