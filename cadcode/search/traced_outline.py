"""Outlines whose edges are the very curves in which analytic faces meet a plane.

A section through a mesh knows from which face each of its sides comes. Sides of one face are one line or arc, whatever
the facets; corners are where the curves of neighbouring faces meet.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from cadcode.program.tree import Arc, Circle, Edge, Line, Loop, Outline
from cadcode.search.outline_fit import fitted_outline, polygon_area
from cadcode.surfaces import Cylinder, Plane, Segmentation

STEPS = 12  # of Newton's method for a corner
AREA_ERROR = 0.03
NEAR = 0.05  # of the outline's size: how far a corner may lie from the section's own
LEVEL = 1e-3  # sine of the angle from which on a plane counts as level
UPRIGHT = 0.9999995  # cosine of the angle between a cylinder's axis and the world's
FLAT = 2e-3  # program units from a line
MOST_LOOSE = 4  # points of a run on no curve
SHORT = 1e-4  # program units; shorter edges are none


@dataclass(frozen=True, eq=False)
class Straight:
    """The line of points x with normal . x = offset."""

    normal: np.ndarray  # (2,), unit length
    offset: float

    def signed(self, point: np.ndarray) -> float:
        return float(self.normal @ point) - self.offset

    def gradient(self, point: np.ndarray) -> np.ndarray:
        return self.normal


@dataclass(frozen=True, eq=False)
class Round:
    """A circle."""

    centre: np.ndarray  # (2,)
    radius: float

    def signed(self, point: np.ndarray) -> float:
        return float(np.linalg.norm(point - self.centre)) - self.radius

    def gradient(self, point: np.ndarray) -> np.ndarray:
        away = point - self.centre
        return away / max(float(np.linalg.norm(away)), 1e-12)


PlaneCurve = Straight | Round
CurveOf = Callable[[int], PlaneCurve | None]


def prism_curve(segmentation: Segmentation, label: int, axis: int, level: float) -> PlaneCurve | None:
    """The curve in which a face, by its row number, meets the plane `level` of a world axis.

    Coordinates are the two following axes in cyclic order. None for a face whose curve is no line or circle.
    """
    if label < 0:
        return None
    surface, flat = segmentation.faces[label].surface, [(axis + 1) % 3, (axis + 2) % 3]
    if isinstance(surface, Plane):
        length = float(np.linalg.norm(surface.normal[flat]))
        if length < LEVEL:
            return None
        offset = float(surface.normal @ surface.point - surface.normal[axis] * level)
        return Straight(surface.normal[flat] / length, offset / length)
    if isinstance(surface, Cylinder) and abs(surface.direction[axis]) > UPRIGHT:
        return Round(surface.point[flat], float(surface.radius))
    return None


def traced_outline(polygon: np.ndarray, labels: np.ndarray, curve_of: CurveOf) -> Outline | None:
    """The outline of a polygon (n, 2) whose side from point i to the next lies on the curve of face `labels[i]` (n,).

    A few sides of faces without a curve stay lines. Where there are many, or the curves do not meet near the polygon's
    own corners, the outline is fitted to the polygon alone; None where that fails too.
    """
    outline = _circle(polygon, labels, curve_of) or _loop(polygon, labels, curve_of)
    if outline is None:
        return fitted_outline(polygon)
    off = abs(outline.area() / max(abs(polygon_area(polygon)), 1e-9) - 1)
    return outline.canonical() if off < AREA_ERROR else fitted_outline(polygon)


def _circle(polygon: np.ndarray, labels: np.ndarray, curve_of: CurveOf) -> Circle | None:
    """The whole circle of a polygon whose sides are all of one round face."""
    curve = curve_of(int(labels[0])) if (labels == labels[0]).all() else None
    return Circle(_point(curve.centre), curve.radius) if isinstance(curve, Round) else None


def _loop(polygon: np.ndarray, labels: np.ndarray, curve_of: CurveOf) -> Loop | None:
    """A loop of the curves; None where they do not meet near the polygon's corners, or the loop crosses itself."""
    runs = _runs(polygon, labels)
    if len(runs) == 1:
        return None
    curves = [curve_of(label) or _line_through(run) for label, run in runs]
    if any(curve is None and len(run) > MOST_LOOSE for curve, (_, run) in zip(curves, runs, strict=True)):
        return None
    reach = NEAR * float(np.ptp(polygon, axis=0).max())
    corners = [
        _corner(run[0], curves[i - 1], curve) for i, ((_, run), curve) in enumerate(zip(runs, curves, strict=True))
    ]
    if any(np.linalg.norm(corner - run[0]) > reach for corner, (_, run) in zip(corners, runs, strict=True)):
        return None
    edges: list[Edge] = []
    start, last = corners[0], corners[0]
    for (_, run), curve, end in zip(runs, curves, [*corners[1:], corners[0]], strict=True):
        added = _edges(run, curve, last, end)
        edges += added
        last = end if added else last
    loop = Loop(_point(start), tuple(edges))
    return loop if len(edges) > 1 and not loop.faults() else None


def _line_through(run: np.ndarray) -> Straight | None:
    """The line of a run of points (m, 2), if they are on one: where a face has no curve of its own."""
    along = run[-1] - run[0]
    length = float(np.linalg.norm(along))
    if len(run) < 3 or length < SHORT:
        return None
    normal = np.array([along[1], -along[0]]) / length
    return Straight(normal, float(normal @ run[0])) if np.abs((run - run[0]) @ normal).max() < FLAT else None


def _runs(polygon: np.ndarray, labels: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """(label, points (m, 2) of its sides, the last one included), from a change of label on, around the polygon."""
    changes = np.flatnonzero(labels != np.roll(labels, 1))
    if not len(changes):
        return [(int(labels[0]), np.concatenate([polygon, polygon[:1]]))]
    shift = -int(changes[0])
    polygon, labels = np.roll(polygon, shift, 0), np.roll(labels, shift)
    closed = np.concatenate([polygon, polygon[:1]])
    runs, at = [], 0
    for label, group in groupby(labels.tolist()):
        count = len(list(group))
        runs.append((int(label), closed[at : at + count + 1]))
        at += count
    return runs


def _corner(near: np.ndarray, before: PlaneCurve | None, after: PlaneCurve | None) -> np.ndarray:
    """The point on both curves that is nearest to one of the section's, by Newton's method with least steps."""
    curves = [curve for curve in (before, after) if curve is not None]
    point = near.astype(np.float64)
    for _ in range(STEPS if curves else 0):
        values = np.array([curve.signed(point) for curve in curves])
        slopes = np.array([curve.gradient(point) for curve in curves])
        point = point - np.linalg.pinv(slopes, rcond=1e-4) @ values
    return point


def _edges(run: np.ndarray, curve: PlaneCurve | None, start: np.ndarray, end: np.ndarray) -> list[Edge]:
    """The edges from one corner to the next along a run's curve; none where both are one point."""
    if curve is None:
        return [Line(_point(point)) for point in [*run[1:-1], end]]
    if np.linalg.norm(end - start) < SHORT:
        return []
    if isinstance(curve, Straight):
        return [Line(_point(end))]
    middle = run[len(run) // 2] if len(run) > 2 else (run[0] + run[1]) / 2
    middle = curve.centre + curve.radius * curve.gradient(middle)
    return [Arc(_point(middle), _point(end))]


def _point(point: np.ndarray) -> tuple[float, float]:
    return float(point[0]), float(point[1])
