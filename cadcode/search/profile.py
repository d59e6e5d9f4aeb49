"""Outlines from polygons: the lines and arcs that a section through the input's triangles stands for.

From a corner on, the longest run of corners is taken that lies on one line or on one circle within the tolerance.
Polygons keep their corners: a run is an arc only where its corners are so close that a round face explains them.
"""

import math

import numpy as np

from cadcode.program.canonical import canonical_outline
from cadcode.program.outline import arc_circle, area
from cadcode.program.syntax import Arc, Circle, Edge, Line, Loop, Outline
from cadcode.search.parameters import faults

LEAST_ARC = 4  # corners
FLATTEST = 0.05  # of the radius, between an arc and the chords of a mesh: 36 degrees a chord
MOST_EDGES = 32
DIGITS = 4  # of a corner, program units: level sides of a mesh are level but for rounding
AREA_ERROR = 0.03
TOLERANCES = (0.05, 0.2, 0.8)  # program units: the first that gives few enough edges


def fitted_outline(polygon: np.ndarray) -> Outline | None:
    """The outline through the corners of a polygon (n, 2), program units; None where it takes too many edges."""
    for tolerance in TOLERANCES:
        corners = _without_idle(np.round(polygon, DIGITS))
        if len(corners) < 3:
            return None
        if circle := _circle(corners, tolerance):
            return circle
        edges = _edges(corners, tolerance)
        outline = Loop(edges[-1].end, tuple(edges))
        if 2 <= len(edges) <= MOST_EDGES and not faults(outline) and _same_area(outline, polygon):
            return canonical_outline(outline)
    return None


def _same_area(outline: Outline, polygon: np.ndarray) -> bool:
    return abs(area(outline) / max(abs(polygon_area(polygon)), 1e-9) - 1) < AREA_ERROR


def polygon_area(polygon: np.ndarray) -> float:
    """Positive where the polygon (n, 2) runs counter-clockwise."""
    x, y = polygon.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _without_idle(polygon: np.ndarray) -> np.ndarray:
    """The corners that lie off the line between their neighbours; a mesh has others, where triangles meet."""
    polygon = polygon[(polygon != np.roll(polygon, 1, 0)).any(1)]
    before, after = np.roll(polygon, 1, 0), np.roll(polygon, -1, 0)
    chord = after - before
    length = np.linalg.norm(chord, axis=1)
    off = np.abs(chord[:, 0] * (polygon - before)[:, 1] - chord[:, 1] * (polygon - before)[:, 0])
    back = ((polygon - before) * (after - polygon)).sum(1) < 0
    idle = (off <= 2 * 10.0**-DIGITS * np.maximum(length, 1e-9)) & ~back
    return polygon[~idle] if idle.any() else polygon


def _circle(corners: np.ndarray, tolerance: float) -> Circle | None:
    if len(corners) < 3 * LEAST_ARC:
        return None
    centre = corners.mean(0)
    for _ in range(3):  # Gauss-Newton on the distances from the centre
        away = np.linalg.norm(corners - centre, axis=1)
        outward = (corners - centre) / np.maximum(away, 1e-9)[:, None]
        centre = centre + np.linalg.lstsq(outward, away - away.mean(), rcond=None)[0]
    away = np.linalg.norm(corners - centre, axis=1)
    middles = np.linalg.norm((corners + np.roll(corners, -1, 0)) / 2 - centre, axis=1)
    radius = float(away.mean())
    if np.abs(away - radius).max() > tolerance or radius - middles.min() > tolerance + FLATTEST * radius:
        return None
    return Circle((float(centre[0]), float(centre[1])), radius)


def _edges(corners: np.ndarray, tolerance: float) -> list[Edge]:
    """Lines and arcs around the polygon, from the end of its longest side on."""
    sides = np.linalg.norm(np.roll(corners, -1, 0) - corners, axis=1)
    path = np.roll(corners, -int(sides.argmax()) - 1, 0)
    path = np.concatenate([path, path[:1]])
    edges, here = [], 0
    while here < len(path) - 1:
        line, arc = _longest(path, here, tolerance, _on_line), _longest(path, here, tolerance, _on_arc)
        there = arc if arc >= max(line + 1, here + LEAST_ARC - 1) else line
        end = _point(path[there])
        edges.append(Arc(_point(path[(here + there) // 2]), end) if there != line else Line(end))
        here = there
    return edges


def _longest(path: np.ndarray, here: int, tolerance: float, fits) -> int:
    """The last corner up to which `fits` holds; at least the next one."""
    there = here + 1
    while there + 1 < len(path) and fits(path[here : there + 2], tolerance):
        there += 1
    return there


def _on_line(run: np.ndarray, tolerance: float) -> bool:
    chord = run[-1] - run[0]
    length = math.hypot(*chord)
    along, off = (run - run[0]) @ chord, (run[:, 1] - run[0, 1]) * chord[0] - (run[:, 0] - run[0, 0]) * chord[1]
    return length > 0 and bool((np.diff(along) > 0).all() and (np.abs(off) <= tolerance * length).all())


def _on_arc(run: np.ndarray, tolerance: float) -> bool:
    """Whether a run of corners lies on one circle and turns one way; true for two corners, which begin a run."""
    if len(run) < LEAST_ARC:
        return _turns_one_way(run)
    circle = arc_circle(_point(run[0]), _point(run[len(run) // 2]), _point(run[-1]))
    if circle is None or not _turns_one_way(run):
        return False
    centre, radius, _, sweep = circle
    off = np.abs(np.linalg.norm(run - np.array(centre), axis=1) - radius).max()
    middles = np.linalg.norm((run[1:] + run[:-1]) / 2 - np.array(centre), axis=1)
    flat = radius - middles.min() <= tolerance + FLATTEST * radius
    return bool(off <= tolerance and flat and abs(sweep) < 1.9 * math.pi)


def _turns_one_way(run: np.ndarray) -> bool:
    step = np.diff(run, axis=0)
    turn = step[:-1, 0] * step[1:, 1] - step[:-1, 1] * step[1:, 0]
    return bool((turn > 0).all() or (turn < 0).all())


def _point(p: np.ndarray) -> tuple[float, float]:
    return float(p[0]), float(p[1])
