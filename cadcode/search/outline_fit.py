"""Outlines from polygons: the lines and arcs approximated by a section through the input's triangles.

From each corner, the longest run of corners on one line or one circle within the tolerance becomes an edge. Corners of
polygons are kept: a run becomes an arc only if its corners are as close as those of a tessellated round face.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from cadcode.program.curve import arc_circle
from cadcode.program.tree import Arc, Circle, Edge, Line, Loop, Outline
from cadcode.search.ranking import EDGE_PENALTY

LEAST_ARC = 4  # corners
FLATTEST = 0.05  # of the radius, between an arc and the chords of a mesh: 36 degrees a chord
FEW_EDGES, MOST_EDGES = 32, 500  # an outline of few edges is accepted at once; one of more than the most is rejected
DIGITS = 4  # of a corner, program units: removes the rounding errors of a mesh
AREA_ERROR = 0.03
UNEVEN = 3.0  # times the median side of an arc: a longer side is not part of it
MOST_SIDES, COARSE_AREA = 16, 0.15  # of outlines through polygons from sample points
SHORT = 1.5  # times the resolution: shorter sides may be artefacts
COARSE_SHARE = 0.9  # of the corners of a circle from sample points that are on it
NEARLY = 0.15  # sine of the angle between lines that count as parallel, or as parallel to an axis
SAME_WAY = 0.85  # cosine of the angle between runs that may be one
TOLERANCES = (0.05, 0.2, 0.8)  # program units
LARGE = 100.0  # program units: smaller polygons are tried with smaller tolerances too


def fitted_outline(polygon: np.ndarray, resolution: float = 0.0) -> Outline | None:
    """The outline through the corners of a polygon (n, 2), program units; None where none fits.

    The closest outline of few edges, else the one with the smallest sum of the penalty for its edges and the relative
    area between outline and polygon. `resolution` is the distance between the sample points that the polygon comes
    from (0: an exact mesh); they cut off its corners by about this distance.
    """
    corners = _without_idle(np.round(polygon, DIGITS))
    if len(corners) < 3:
        return None
    if resolution:
        return sharp_outline(corners, polygon, resolution)
    found: list[tuple[float, Outline]] = []
    for tolerance in _tolerances(corners):
        outline, count = _exact_outline(corners, polygon, tolerance)
        if outline is not None:
            found.append((EDGE_PENALTY * count + tolerance * _length(polygon) / abs(polygon_area(polygon)), outline))
            if count <= FEW_EDGES:
                break
    return min(found, key=lambda pair: pair[0], default=(0.0, None))[1]


def _tolerances(corners: np.ndarray) -> list[float]:
    """Largest distances of corners from an outline, rising; smaller ones for small polygons."""
    share = float(np.ptp(corners, axis=0).max()) / LARGE
    return sorted({*TOLERANCES, *(share * tolerance for tolerance in TOLERANCES if share < 1)})


def _exact_outline(corners: np.ndarray, polygon: np.ndarray, tolerance: float) -> tuple[Outline | None, int]:
    """A circle or a loop through the corners, and the number of its edges."""
    if circle := _circle(corners, tolerance):
        return circle, 1
    edges = _edges(corners, tolerance)
    outline = Loop(edges[-1].end, tuple(edges))
    if not 2 <= len(edges) <= MOST_EDGES or outline.faults() or not _same_area(outline, polygon):
        return None, len(edges)
    return outline.canonical(), len(edges)


def _length(polygon: np.ndarray) -> float:
    return float(np.linalg.norm(np.roll(polygon, -1, 0) - polygon, axis=1).sum())


def sharp_outline(corners: np.ndarray, polygon: np.ndarray, resolution: float) -> Outline | None:
    """A circle, or the long straight runs of a coarse polygon (n, 2) with these `corners`, extended until they meet."""
    if circle := _circle(corners, resolution, COARSE_SHARE):
        return circle
    runs = _straight_runs(corners, polygon, resolution)
    meeting = _meeting([_level(run) for run in runs if run.length > SHORT * resolution], resolution)
    if meeting is None or len(meeting) > MOST_SIDES:
        return None
    outline = Loop(_point(meeting[-1]), tuple(Line(_point(point)) for point in meeting))
    return None if outline.faults() or not _same_area(outline, polygon, COARSE_AREA) else outline.canonical()


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A straight side of a coarse polygon: a place on it, its direction (2,) and its length."""

    place: np.ndarray
    along: np.ndarray
    length: float


def _meeting(sides: list[Run], resolution: float) -> np.ndarray | None:
    """Points (n, 2) where each side meets the next, without sides that become short; None where two do not meet."""
    sides = _without_repeats(sides, resolution)
    points = [_meet(side, after) for side, after in zip(sides, [*sides[1:], *sides[:1]], strict=True)]
    if len(points) < 3 or any(point is None for point in points):
        return None
    lengths = np.linalg.norm(np.subtract(points, np.roll(points, 1, 0)), axis=1)
    if lengths.min() > SHORT * resolution:
        return np.array(points)
    return _meeting([side for at, side in enumerate(sides) if at != lengths.argmin()], resolution)


def _straight_runs(corners: np.ndarray, polygon: np.ndarray, resolution: float) -> list[Run]:
    ends = np.array([edge.end for edge in _edges(corners, 0.5 * resolution)])
    chords = ends - np.roll(ends, 1, 0)
    sizes = np.linalg.norm(chords, axis=1)
    return [
        Run(_middle(polygon, end - chord, chord / size, size, resolution), chord / size, size)
        for end, chord, size in zip(ends, chords, sizes, strict=True)
    ]


def _without_repeats(runs: list[Run], resolution: float) -> list[Run]:
    """The runs; two that are on one line within the resolution become one, the longer of them."""
    for i, run in enumerate(runs if len(runs) > 2 else ()):
        before = runs[i - 1]
        if run.along @ before.along > SAME_WAY and abs(_turn(before.along, run.place - before.place)) < 2 * resolution:
            longer = run if run.length > before.length else before
            left = [longer if other is run else other for other in runs if other is not before]
            return _without_repeats(left, resolution)
    return runs


def _middle(polygon, start, along, length, resolution) -> np.ndarray:
    """Middle of a run, off its chord by the median distance of the polygon's points, except those near its ends."""
    across = np.array([-along[1], along[0]])
    way, off = (polygon - start) @ along, (polygon - start) @ across
    near = (way > 0.2 * length) & (way < 0.8 * length) & (np.abs(off) < resolution)
    return start + along * length / 2 + across * (np.median(off[near]) if near.any() else 0.0)


def _level(run: Run) -> Run:
    """The side; if nearly parallel to an axis, exactly so."""
    axis = int(np.abs(run.along).argmax())
    straight = np.sign(run.along[axis]) * np.eye(2)[axis]
    return replace(run, along=straight) if abs(run.along[1 - axis]) < NEARLY else run


def _meet(a: Run, b: Run) -> np.ndarray | None:
    """Point where the lines of two sides meet; None where they are nearly parallel."""
    turn = _turn(a.along, b.along)
    return None if abs(turn) < NEARLY else a.place + a.along * _turn(b.place - a.place, b.along) / turn


def _turn(a: np.ndarray, b: np.ndarray) -> float:
    return float(a[0] * b[1] - a[1] * b[0])


def _same_area(outline: Outline, polygon: np.ndarray, error: float = AREA_ERROR) -> bool:
    return abs(outline.area() / max(abs(polygon_area(polygon)), 1e-9) - 1) < error


def polygon_area(polygon: np.ndarray) -> float:
    """Signed area of a polygon (n, 2), positive if it is counter-clockwise."""
    x, y = polygon.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def _without_idle(polygon: np.ndarray) -> np.ndarray:
    """The corners that are off the line between their neighbours; a mesh has others, where triangles meet."""
    polygon = polygon[(polygon != np.roll(polygon, 1, 0)).any(1)]
    before, after = np.roll(polygon, 1, 0), np.roll(polygon, -1, 0)
    chord = after - before
    length = np.linalg.norm(chord, axis=1)
    off = np.abs(chord[:, 0] * (polygon - before)[:, 1] - chord[:, 1] * (polygon - before)[:, 0])
    back = ((polygon - before) * (after - polygon)).sum(1) < 0
    idle = (off <= 2 * 10.0**-DIGITS * np.maximum(length, 1e-9)) & ~back
    return polygon[~idle] if idle.any() else polygon


def _circle(corners: np.ndarray, tolerance: float, share: float = 1.0) -> Circle | None:
    """The circle that passes a `share` of the corners within the tolerance; None if there is none."""
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
    off, flat = np.quantile(np.abs(away - radius), share), np.quantile(radius - middles, share)
    if off > tolerance or flat > tolerance + FLATTEST * radius:
        return None
    return Circle((float(centre[0]), float(centre[1])), radius)


def _edges(corners: np.ndarray, tolerance: float) -> list[Edge]:
    """Lines and arcs around the polygon, beginning at the end of its longest side."""
    sides = np.linalg.norm(np.roll(corners, -1, 0) - corners, axis=1)
    path = np.roll(corners, -int(sides.argmax()) - 1, 0)
    path = np.concatenate([path, path[:1]])
    edges, first = [], 0
    while first < len(path) - 1:
        line, arc = _longest(path, first, tolerance, _on_line), _longest(path, first, tolerance, _on_arc)
        last = arc if arc >= max(line + 1, first + LEAST_ARC - 1) else line
        end = _point(path[last])
        edges.append(Arc(_point(path[(first + last) // 2]), end) if last != line else Line(end))
        first = last
    return edges


def _longest(path: np.ndarray, first: int, tolerance: float, fits) -> int:
    """The last corner up to which `fits` holds; at least the next one."""
    last = first + 1
    while last + 1 < len(path) and fits(path[first : last + 2], tolerance):
        last += 1
    return last


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
    chords = _chords_of(run, np.array(centre), radius, tolerance)
    return bool(off <= tolerance and chords and abs(sweep) < 1.9 * math.pi)


def _chords_of(run: np.ndarray, centre: np.ndarray, radius: float, tolerance: float) -> bool:
    """Whether the sides of a run (n, 2) can be the chords of one arc: flat, and none much longer than the others."""
    away = radius - np.linalg.norm((run[1:] + run[:-1]) / 2 - centre, axis=1)
    lengths = np.linalg.norm(np.diff(run, axis=0), axis=1)
    even = lengths <= UNEVEN * np.median(lengths)
    return bool(((away <= tolerance) | even).all() and (away <= tolerance + FLATTEST * radius).all())


def _turns_one_way(run: np.ndarray) -> bool:
    step = np.diff(run, axis=0)
    turn = step[:-1, 0] * step[1:, 1] - step[:-1, 1] * step[1:, 0]
    return bool((turn > 0).all() or (turn < 0).all())


def _point(p: np.ndarray) -> tuple[float, float]:
    return float(p[0]), float(p[1])
