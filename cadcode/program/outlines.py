"""Plane geometry of an outline: inside, distance, area, boundary points. Analytic: arcs are never broken into segments.

Every function takes a `Loop`, `Circle` or `Rect`, or what `traced` makes of one (worth it when asking several times).
"""

import math
from dataclasses import dataclass

import numpy as np

from cadcode.program.tree import Arc, Circle, Face, Line, Loop, Outline, Point, Rect

STRAIGHT = 1e-9  # an arc whose height over its chord is below this share of the chord counts as a line


@dataclass(frozen=True, slots=True)
class Curve:
    """A loop as arrays: E chords; `bent` picks the A edges that are arcs, the arc columns are in that order."""

    first: np.ndarray  # (E, 2) where each edge starts
    last: np.ndarray  # (E, 2) where it ends
    wests: np.ndarray  # (E, 2) normals of the chords, to the west; of level chords, to the south
    lengths: np.ndarray  # (E,)
    bent: np.ndarray  # (A,) edge numbers
    centres: np.ndarray  # (A, 2)
    radii: np.ndarray  # (A,)
    begins: np.ndarray  # (A,) angle of the first point, radians
    sweeps: np.ndarray  # (A,) signed, counter-clockwise positive
    bulge_west: np.ndarray  # (A,) bool, whether the arc lies on the west (south) side of its chord
    signed_area: float  # positive when the loop runs counter-clockwise


Traced = Curve | Circle | Rect


def arc_circle(start: Point, middle: Point, end: Point) -> tuple[Point, float, float, float] | None:
    """Centre, radius, start angle and signed sweep (radians) of a three-point arc; None when it is straight."""
    ux, uy, vx, vy = middle[0] - start[0], middle[1] - start[1], end[0] - start[0], end[1] - start[1]
    cross, chord = ux * vy - uy * vx, vx * vx + vy * vy
    if abs(cross) <= STRAIGHT * chord:
        return None
    uu = ux * ux + uy * uy
    x, y = (vy * uu - uy * chord) / (2 * cross), (ux * chord - vx * uu) / (2 * cross)
    begin = math.atan2(-y, -x)
    turn = (math.atan2(vy - y, vx - x) - begin) % math.tau
    # start, middle, end turn left (cross > 0) exactly when the arc runs counter-clockwise
    return (start[0] + x, start[1] + y), math.hypot(x, y), begin, turn if cross > 0 else turn - math.tau


def traced(outline: Outline | Curve) -> Traced:
    """The outline ready for repeated questions: a loop as a `Curve`, everything else as it is."""
    return _trace(outline) if isinstance(outline, Loop) else outline


def _trace(loop: Loop) -> Curve:
    corners = [loop.start, *(edge.end for edge in loop.edges)]
    arcs = [
        (i, *circle)
        for i, edge in enumerate(loop.edges)
        if isinstance(edge, Arc) and (circle := arc_circle(corners[i], edge.middle, edge.end))
    ]
    path = np.array(corners, dtype=float)
    first, last = path[:-1], path[1:]
    bent, centres, radii, begins, sweeps = zip(*arcs, strict=True) if arcs else ((), (), (), (), ())
    bent, radii, sweeps = np.array(bent, dtype=int), np.array(radii, dtype=float), np.array(sweeps, dtype=float)
    dx, dy = (last - first).T
    left = (dy > 0) | ((dy == 0) & (dx < 0))  # whether west is to the left of the way
    wests = np.stack([-dy, dx], axis=1) * np.where(left, 1.0, -1.0)[:, None]
    lengths = np.hypot(dx, dy)
    lengths[bent] = radii * np.abs(sweeps)
    area = 0.5 * np.sum(first[:, 0] * last[:, 1] - first[:, 1] * last[:, 0])
    area += 0.5 * np.sum(radii**2 * (sweeps - np.sin(sweeps)))  # chord polygon plus signed circular segments
    centres = np.array(centres, dtype=float).reshape(-1, 2)
    begins, bulge_west = np.array(begins, dtype=float), left[bent] == (sweeps < 0)
    return Curve(first, last, wests, lengths, bent, centres, radii, begins, sweeps, bulge_west, float(area))


def inside(outline: Outline | Curve, points: np.ndarray) -> np.ndarray:
    """Which points (N, 2) lie inside, (N,) bool; either answer on the boundary itself."""
    x, y = points[:, 0], points[:, 1]
    match outline:
        case Circle(centre, radius):
            return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2
        case Rect(centre, width, height):
            return (np.abs(x - centre[0]) < width / 2) & (np.abs(y - centre[1]) < height / 2)
    curve = traced(outline)
    odd = np.logical_xor.reduce(_crossings(curve, x, y), axis=0)
    return odd ^ np.logical_xor.reduce(_segments(curve, x, y), axis=0) if len(curve.bent) else odd


def _crossings(curve: Curve, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which chords a ray from each point to +x crosses, (E, N)."""
    spans = (curve.first[:, 1:] > y) != (curve.last[:, 1:] > y)
    return spans & _west(curve, slice(None), x, y)


def _west(curve: Curve, edges: slice | np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether points (N,) or (K, N) lie strictly west of (level chords: south of) the lines along K chords, (K, N).

    Crossings and circular segments ask this one question, so that a point exactly on a chord gets consistent answers.
    """
    side = curve.wests[edges]
    reach = np.sum(side * curve.first[edges], axis=1)
    return side[:, :1] * x + side[:, 1:] * y > reach[:, None]


def _segments(curve: Curve, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """In which arcs' circular segments (between arc and chord) each point lies, (A, N)."""
    cx, cy = curve.centres.T[..., None]
    return ((x - cx) ** 2 + (y - cy) ** 2 < curve.radii[:, None] ** 2) & _beyond_chord(curve, x, y)


def _beyond_chord(curve: Curve, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether points (N,) or (A, N) lie on the arc's side of its chord, (A, N)."""
    return _west(curve, curve.bent, x, y) == curve.bulge_west[:, None]


def distance(outline: Outline | Curve, points: np.ndarray) -> np.ndarray:
    """Exact unsigned distance of points (N, 2) to the boundary, (N,)."""
    x, y = points[:, 0], points[:, 1]
    match outline:
        case Circle(centre, radius):
            return np.abs(np.hypot(x - centre[0], y - centre[1]) - radius)
        case Rect():
            return np.abs(_rect_signed(outline, x, y))
    curve = traced(outline)
    straight = np.ones(len(curve.first), dtype=bool)
    straight[curve.bent] = False
    near = np.full(len(points), np.inf)
    if straight.any():
        near = _to_lines(curve.first[straight], curve.last[straight], x, y)
    return np.minimum(near, _to_arcs(curve, x, y)) if len(curve.bent) else near


def _rect_signed(rect: Rect, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Quilez, "2D distance functions": the box."""
    u, v = np.abs(x - rect.centre[0]) - rect.width / 2, np.abs(y - rect.centre[1]) - rect.height / 2
    return np.hypot(np.maximum(u, 0), np.maximum(v, 0)) + np.minimum(np.maximum(u, v), 0)


def _to_lines(first: np.ndarray, last: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    (x0, y0), (dx, dy) = first.T[..., None], (last - first).T[..., None]
    square = dx * dx + dy * dy
    along = ((x - x0) * dx + (y - y0) * dy) / np.where(square > 0, square, 1.0)
    along = np.clip(along, 0.0, 1.0)  # (E, N)
    return np.sqrt(np.min((x - x0 - along * dx) ** 2 + (y - y0 - along * dy) ** 2, axis=0))


def _to_arcs(curve: Curve, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """To the circle where the nearest circle point belongs to the arc, otherwise to the arc's nearer end."""
    cx, cy, radius = *curve.centres.T[..., None], curve.radii[:, None]
    (x0, y0), (x1, y1) = curve.first[curve.bent].T[..., None], curve.last[curve.bent].T[..., None]
    away = np.hypot(x - cx, y - cy)  # (A, N)
    scale = radius / np.where(away > 0, away, 1.0)
    on_arc = _beyond_chord(curve, cx + (x - cx) * scale, cy + (y - cy) * scale)
    ends = np.minimum(np.hypot(x - x0, y - y0), np.hypot(x - x1, y - y1))
    return np.min(np.where(on_arc, np.abs(away - radius), ends), axis=0)


def signed_distance(outline: Outline | Curve, points: np.ndarray) -> np.ndarray:
    """Exact distance of points (N, 2) to the boundary, negative inside, (N,)."""
    match outline:
        case Circle(centre, radius):
            return np.hypot(points[:, 0] - centre[0], points[:, 1] - centre[1]) - radius
        case Rect():
            return _rect_signed(outline, points[:, 0], points[:, 1])
    curve = traced(outline)
    unsigned = distance(curve, points)
    return np.where(inside(curve, points), -unsigned, unsigned)


def area(outline: Outline | Curve) -> float:
    match outline:
        case Circle(_, radius):
            return math.pi * radius**2
        case Rect(_, width, height):
            return width * height
    return abs(traced(outline).signed_area)


def perimeter(outline: Outline | Curve) -> float:
    match outline:
        case Circle(_, radius):
            return math.tau * radius
        case Rect(_, width, height):
            return 2 * (width + height)
    return float(np.sum(traced(outline).lengths))


def bounds(outline: Outline | Curve) -> np.ndarray:
    """Lowest and highest corner, (2, 2)."""
    match outline:
        case Circle(centre, radius):
            return np.array([centre, centre]) + np.array([[-radius], [radius]])
        case Rect(centre, width, height):
            return np.array([centre, centre]) + np.array([[-0.5], [0.5]]) * (width, height)
    curve = traced(outline)
    extremes = np.concatenate([curve.first, curve.last, _compass_points(curve)])
    return np.stack([extremes.min(axis=0), extremes.max(axis=0)])


def _compass_points(curve: Curve) -> np.ndarray:
    """The points of the arcs that lie straight right, up, left or down of their centres, (K, 2)."""
    steps = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    points = curve.centres[:, None] + curve.radii[:, None, None] * steps  # (A, 4, 2)
    return points[_beyond_chord(curve, points[..., 0], points[..., 1])]


def sample_boundary(outline: Outline | Curve, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points (count, 2) uniform in arc length, and the unit normals (count, 2) that point out of the outline."""
    match outline:
        case Circle(centre, radius):
            angle = rng.random(count) * math.tau
            normals = np.stack([np.cos(angle), np.sin(angle)], axis=1)
            return normals * radius + centre, normals
        case Rect():
            return _on_curve(_trace(rect_loop(outline)), count, rng)
    return _on_curve(traced(outline), count, rng)


def rect_loop(rect: Rect) -> Loop:
    """The same rectangle as a counter-clockwise loop."""
    (x0, y0), (x1, y1) = bounds(rect).tolist()
    return Loop((x0, y0), (Line((x1, y0)), Line((x1, y1)), Line((x0, y1)), Line((x0, y0))))


def _on_curve(curve: Curve, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    ends = np.cumsum(curve.lengths)
    at = rng.random(count) * ends[-1]
    edge = np.searchsorted(ends[:-1], at, side="right")
    share = (1.0 - (ends[edge] - at) / curve.lengths[edge])[:, None]  # how far along its edge
    tangents = ((curve.last - curve.first) / np.where(curve.lengths > 0, curve.lengths, 1.0)[:, None])[edge]
    points = curve.first[edge] + share * curve.lengths[edge][:, None] * tangents
    for arc, number in enumerate(curve.bent):
        rows = np.flatnonzero(edge == number)
        angle = curve.begins[arc] + curve.sweeps[arc] * share[rows, 0]
        radial = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        points[rows] = curve.centres[arc] + curve.radii[arc] * radial
        tangents[rows] = np.stack([-radial[:, 1], radial[:, 0]], axis=1) * np.sign(curve.sweeps[arc])
    return points, np.stack([tangents[:, 1], -tangents[:, 0]], axis=1) * np.sign(curve.signed_area)


def faces_inside(faces: tuple[Face, ...], points: np.ndarray) -> np.ndarray:
    """Which points (N, 2) a sketch covers, (N,) bool: faces in order, added or taken away."""
    covered = np.zeros(len(points), dtype=bool)
    for face in faces:
        hit = inside(face.outline, points)
        covered = covered & ~hit if face.subtract else covered | hit
    return covered


def faces_distance(faces: tuple[Face, ...], points: np.ndarray) -> np.ndarray:
    """Signed distance of points (N, 2) to a sketch, (N,); a lower bound where faces combine."""
    value = np.full(len(points), np.inf)
    for face in faces:
        one = signed_distance(face.outline, points)
        value = np.maximum(value, -one) if face.subtract else np.minimum(value, one)
    return value
