"""Lines, circular arcs, and closed curves of them as arrays. Analytic: arcs are never broken into segments."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

Point = tuple[float, float]
PointMap = Callable[[Point], Point]
STRAIGHT = 1e-9  # an arc whose height over its chord is below this share of the chord counts as a line


@dataclass(frozen=True, slots=True)
class Line:
    bent: ClassVar[bool] = False
    end: Point

    @property
    def points(self) -> tuple[Point, ...]:
        """The points that define it after its start."""
        return (self.end,)

    def mapped(self, point_map: PointMap) -> "Line":
        return Line(point_map(self.end))


@dataclass(frozen=True, slots=True)
class Arc:
    """A circular arc from the previous point through `middle` to `end`."""

    bent: ClassVar[bool] = True
    middle: Point
    end: Point

    @property
    def points(self) -> tuple[Point, ...]:
        """The points that define it after its start."""
        return self.middle, self.end

    def mapped(self, point_map: PointMap) -> "Arc":
        return Arc(point_map(self.middle), point_map(self.end))


Edge = Line | Arc


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


COMPASS = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])


@dataclass(frozen=True, slots=True)
class Curve:
    """A closed loop as arrays: E chords; `bent` picks the A edges that are arcs, the arc columns are in that order."""

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

    def curve(self) -> "Curve":
        return self

    def prepared(self) -> "Curve":
        return self

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Which points (N, 2) lie inside, (N,) bool; either answer on the boundary itself."""
        x, y = points[:, 0], points[:, 1]
        odd = np.logical_xor.reduce(self._crossings(x, y), axis=0)
        return odd ^ np.logical_xor.reduce(self._segments(x, y), axis=0) if len(self.bent) else odd

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Exact unsigned distance of points (N, 2) to the boundary, (N,)."""
        x, y = points[:, 0], points[:, 1]
        straight = np.ones(len(self.first), dtype=bool)
        straight[self.bent] = False
        near = np.full(len(points), np.inf)
        if straight.any():
            near = _to_lines(self.first[straight], self.last[straight], x, y)
        return np.minimum(near, self._to_arcs(x, y)) if len(self.bent) else near

    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        """Exact distance of points (N, 2) to the boundary, negative inside, (N,)."""
        unsigned = self.distance(points)
        return np.where(self.inside(points), -unsigned, unsigned)

    def area(self) -> float:
        return abs(self.signed_area)

    def perimeter(self) -> float:
        return float(np.sum(self.lengths))

    def bounds(self) -> np.ndarray:
        """Lowest and highest corner, (2, 2)."""
        extremes = np.concatenate([self.first, self.last, self._arc_points(COMPASS)])
        return np.stack([extremes.min(axis=0), extremes.max(axis=0)])

    def reach(self, direction: Point) -> float:
        """The largest product of one of its points with a vector."""
        length = math.hypot(*direction)
        towards = np.array([direction]) / length if length > 0 else COMPASS[:1]
        extremes = np.concatenate([self.first, self._arc_points(towards)])
        return float((extremes @ np.array(direction)).max())

    def sample_boundary(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Points (count, 2) uniform in arc length, and the unit normals (count, 2) that point out of the curve."""
        ends = np.cumsum(self.lengths)
        at = rng.random(count) * ends[-1]
        edge = np.searchsorted(ends[:-1], at, side="right")
        share = (1.0 - (ends[edge] - at) / self.lengths[edge])[:, None]  # of its edge, before the point
        tangents = ((self.last - self.first) / np.where(self.lengths > 0, self.lengths, 1.0)[:, None])[edge]
        points = self.first[edge] + share * self.lengths[edge][:, None] * tangents
        for arc, number in enumerate(self.bent):
            rows = np.flatnonzero(edge == number)
            angle = self.begins[arc] + self.sweeps[arc] * share[rows, 0]
            radial = np.stack([np.cos(angle), np.sin(angle)], axis=1)
            points[rows] = self.centres[arc] + self.radii[arc] * radial
            tangents[rows] = np.stack([-radial[:, 1], radial[:, 0]], axis=1) * np.sign(self.sweeps[arc])
        return points, np.stack([tangents[:, 1], -tangents[:, 0]], axis=1) * np.sign(self.signed_area)

    def corners(self, arc_sides: int) -> np.ndarray:
        """Corners (n, 2) of the polygon in which each arc is replaced by `arc_sides` chords."""
        found, arcs = [], {int(edge): number for number, edge in enumerate(self.bent)}
        for edge, first in enumerate(self.first):
            found.append(first[None])
            if (arc := arcs.get(edge)) is not None:
                turns = self.begins[arc] + self.sweeps[arc] * np.arange(1, arc_sides) / arc_sides
                found.append(self.centres[arc] + self.radii[arc] * np.stack([np.cos(turns), np.sin(turns)], axis=1))
        return np.concatenate(found)

    def _crossings(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Which chords a ray from each point to +x crosses, (E, N)."""
        spans = (self.first[:, 1:] > y) != (self.last[:, 1:] > y)
        return spans & self._west(slice(None), x, y)

    def _west(self, edges: slice | np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Whether points (N,) or (K, N) lie strictly west of (level chords: south of) the lines along K chords, (K, N).

        Crossings and circular segments ask this one question, so that a point exactly on a chord gets consistent
        answers.
        """
        side = self.wests[edges]
        reach = np.sum(side * self.first[edges], axis=1)
        return side[:, :1] * x + side[:, 1:] * y > reach[:, None]

    def _segments(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """In which arcs' circular segments (between arc and chord) each point lies, (A, N)."""
        cx, cy = self.centres.T[..., None]
        return ((x - cx) ** 2 + (y - cy) ** 2 < self.radii[:, None] ** 2) & self._beyond_chord(x, y)

    def _beyond_chord(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Whether points (N,) or (A, N) lie on the arc's side of its chord, (A, N)."""
        return self._west(self.bent, x, y) == self.bulge_west[:, None]

    def _to_arcs(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """To the circle where the nearest circle point belongs to the arc, otherwise to the arc's nearer end."""
        cx, cy, radius = *self.centres.T[..., None], self.radii[:, None]
        (x0, y0), (x1, y1) = self.first[self.bent].T[..., None], self.last[self.bent].T[..., None]
        away = np.hypot(x - cx, y - cy)  # (A, N)
        scale = radius / np.where(away > 0, away, 1.0)
        on_arc = self._beyond_chord(cx + (x - cx) * scale, cy + (y - cy) * scale)
        ends = np.minimum(np.hypot(x - x0, y - y0), np.hypot(x - x1, y - y1))
        return np.min(np.where(on_arc, np.abs(away - radius), ends), axis=0)

    def _arc_points(self, directions: np.ndarray) -> np.ndarray:
        """The points of the arcs that lie in one of the directions (D, 2), unit vectors, from their centres, (K, 2)."""
        points = self.centres[:, None] + self.radii[:, None, None] * directions  # (A, D, 2)
        return points[self._beyond_chord(points[..., 0], points[..., 1])]


def trace(start: Point, edges: tuple[Edge, ...]) -> Curve:
    """The curve of a closed loop."""
    corners = [start, *(edge.end for edge in edges)]
    arcs = [
        (i, *circle)
        for i, edge in enumerate(edges)
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


def _to_lines(first: np.ndarray, last: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    (x0, y0), (dx, dy) = first.T[..., None], (last - first).T[..., None]
    square = dx * dx + dy * dy
    along = ((x - x0) * dx + (y - y0) * dy) / np.where(square > 0, square, 1.0)
    along = np.clip(along, 0.0, 1.0)  # (E, N)
    return np.sqrt(np.min((x - x0 - along * dx) ** 2 + (y - y0 - along * dy) ** 2, axis=0))
