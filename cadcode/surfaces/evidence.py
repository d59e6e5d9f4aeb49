"""Tests whether the corners of a few facets are evidence of a surface, or fit one by chance."""

from math import pi

import numpy as np

from cadcode.surfaces.faces import Cone, Cylinder, Plane, Sphere, Surface, Torus, polar
from cadcode.surfaces.turned import across_of

FREEDOM = {"plane": 3, "cylinder": 5, "cone": 6, "sphere": 4, "torus": 7}  # degrees of freedom of a surface


def enough(surface: Surface, points: np.ndarray, tolerance: float) -> bool:
    """Whether points (N, 3) overdetermine the surface; some surface fits any few points."""
    if len(points) <= FREEDOM[surface.kind] + 1:
        return False
    match surface:
        case Plane():
            return True
        case Sphere():
            return not on_two_levels(points, tolerance)
        case Cylinder():
            return regular(turns(points, surface.point, surface.direction), tolerance / surface.radius)
        case Cone():
            height, radius, _ = polar(points, surface.apex, surface.direction)
            if height.min() < -20 * tolerance or np.ptp(height) < 100 * tolerance:
                return False
            ring = radius > 0.05 * radius.max()
            return regular(turns(points[ring], surface.apex, surface.direction), tolerance / radius.max())
        case Torus():
            height, radius, _ = polar(points, surface.centre, surface.direction)
            profile = np.arctan2(height, radius - surface.major)
            around = turns(points, surface.centre, surface.direction)
            if len(distinct(around, 1e-4)[0]) < 4 or on_two_levels(points, tolerance):
                return False
            return regular(profile, tolerance / surface.minor)


def evidence(surface: Surface, points: np.ndarray, rounding: float) -> float:
    """Log odds that points (N, 3) fit because they are on the surface, and not by chance.

    By chance, points beyond the degrees of freedom would be off the surface by a tenth of their own thickness.
    """
    offset = points - points.mean(axis=0)
    thickness = np.ptp(offset @ np.linalg.eigh(offset.T @ offset)[1][:, 0])
    spare = len(points) - FREEDOM[surface.kind]
    off = 3 * float(np.sqrt((surface.signed(points) ** 2).sum() / spare))
    return spare * float(np.log(max(0.1 * thickness / max(off, 2 * rounding), 1e-3)))


def on_two_levels(points: np.ndarray, tolerance: float) -> bool:
    """Whether points (N, 3) are on two parallel planes across a main direction, as corners of a prism may be."""
    offset = points - points.mean(axis=0)
    for heights in (offset @ np.linalg.eigh(offset.T @ offset)[1]).T:
        heights = np.sort(heights)
        if (np.diff(heights) > 20 * tolerance).sum() < 2:
            return True
    return False


def regular(angles: np.ndarray, tolerance: float) -> bool:
    """Whether five angles or more are distinct, or four with equal steps."""
    values, gaps = distinct(angles, max(1e-4, 20 * tolerance))
    if len(values) != 4:
        return len(values) > 4
    inner = np.delete(gaps, gaps.argmax())
    return bool(np.ptp(inner) < 0.03 * inner.mean())


def distinct(angles: np.ndarray, apart: float) -> tuple[np.ndarray, np.ndarray]:
    """(distinct angles (M,), rising, gaps (M,) from each to the next around the circle)."""
    angles = np.sort(angles)
    if len(angles) == 0:
        return angles, angles
    gaps = np.diff(angles, append=angles[0] + 2 * pi)
    keep = gaps > apart
    values = angles[keep]
    return values, np.diff(values, append=values[0] + 2 * pi) if len(values) else values


def turns(points: np.ndarray, origin: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Angle (N,) of points about an axis."""
    across = across_of(direction)
    x, y = across @ (points - origin).T
    return np.arctan2(y, x)
