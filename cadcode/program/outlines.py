"""Closed outlines in a plane: loops of lines and arcs, circles, upright rectangles.

An outline knows all that programs ask of it; whoever holds one need not know which it is. `Curve` answers the geometric
questions too: it is what `prepared` makes of a loop, worth it when asking several times.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from cadcode.program.curve import Arc, Curve, Edge, Line, Point, PointMap, trace
from cadcode.program.loop_forms import from_lowest, polygon_area, rectangle_of, reversed_edges, rounded_loop
from cadcode.program.loop_numbers import faults, loop_numbers
from cadcode.program.normal_form import FINE, FRAME, grid, interval
from cadcode.program.numbers import CENTRE, PLANE, RADIUS, SAME, Numbers
from cadcode.program.text.plain import Write, number, point

ARC_SIDES = 6  # chords that stand for an arc where a loop is tested for crossing itself


class Outline(Protocol):
    """A closed outline, frozen and hashable. Points are (N, 2)."""

    kind: ClassVar[str]
    rank: ClassVar[int]  # place among the outlines of a canonical sketch
    repeats: ClassVar[bool]  # whether it is drawn about the points of a `push`

    @property
    def first_point(self) -> Point: ...

    @property
    def edge_count(self) -> int: ...

    def area(self) -> float: ...

    def perimeter(self) -> float: ...

    def bounds(self) -> np.ndarray:
        """Lowest and highest corner, (2, 2)."""
        ...

    def reach(self, direction: Point) -> float:
        """The largest product of one of its points with a vector."""
        ...

    def control_box(self) -> np.ndarray:
        """Box (2, 2) of the numbers: arcs count by their three points."""
        ...

    def corners(self) -> np.ndarray:
        """Points (K, 2) on the outline between which nothing bends much."""
        ...

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Which points lie inside, (N,) bool; either answer on the boundary itself."""
        ...

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Exact unsigned distance of points to the boundary, (N,)."""
        ...

    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        """Exact distance of points to the boundary, negative inside, (N,)."""
        ...

    def sample_boundary(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Points (count, 2) uniform in arc length, and the unit normals (count, 2) that point out of the outline."""
        ...

    def curve(self) -> Curve:
        """The same outline as lines and arcs."""
        ...

    def prepared(self) -> "Outline | Curve":
        """The same geometry, faster when asked repeatedly."""
        ...

    def mapped(self, point_map: PointMap, scale: float = 1.0, swap: bool = False) -> "Outline":
        """The outline under a map of the plane that scales by `scale`; `swap`: it exchanges the axes.

        Maps of a loop may do anything with its points; circles and rectangles stay what they are.
        """
        ...

    def canonical(self) -> "Outline":
        """The one spelling of this shape."""
        ...

    def rounded(self) -> "Outline | None":
        """The outline on the integer grid (half units where it is thin); None where it vanishes on it."""
        ...

    def numbers(self, axes: tuple[int, int]) -> Numbers:
        """Its numbers; `axes` are the world axes of the plane's x and y."""
        ...

    def inset(self, by: float, size: tuple[float, float]) -> "Outline":
        """The outline with each side moved in by `by`; a loop, of a box of `size` about the origin, is scaled."""
        ...

    def fits(self, outer: "Outline", margin: float) -> bool:
        """Whether it lies inside another outline, at least `margin` from its edge."""
        ...

    def crosses_itself(self) -> bool: ...

    def with_arcs(self, change: Callable[[Point, Arc], Arc]) -> "Outline":
        """With each arc replaced by what `change` makes of its start and the arc."""
        ...

    def check(self) -> None:
        """Raise ValueError where no text can say it."""
        ...

    def drawn(self, write: Write) -> str:
        """Its CadQuery calls on a sketch; one that `repeats` leaves its last bracket open."""
        ...


def _fits(points: np.ndarray, outer: Outline, margin: float) -> bool:
    return bool(outer.inside(points).all() and (outer.distance(points) >= margin).all())


class _Simple:
    """Answers of outlines that are given by a centre and sizes."""

    __slots__ = ()
    repeats: ClassVar[bool] = True
    edge_count: ClassVar[int] = 1

    @property
    def first_point(self) -> Point:
        return self.centre

    def prepared(self):
        return self

    def canonical(self):
        return self

    def control_box(self) -> np.ndarray:
        return self.bounds()

    def corners(self) -> np.ndarray:
        return self.bounds()

    def crosses_itself(self) -> bool:
        return False

    def with_arcs(self, change):
        return self

    def check(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Circle(_Simple):
    kind: ClassVar[str] = "circle"
    rank: ClassVar[int] = 2
    centre: Point
    radius: float

    def curve(self) -> Curve:
        """Two half circles, counter-clockwise."""
        (x, y), r = self.centre, self.radius
        return trace((x + r, y), (Arc((x, y + r), (x - r, y)), Arc((x, y - r), (x + r, y))))

    def area(self) -> float:
        return math.pi * self.radius**2

    def perimeter(self) -> float:
        return math.tau * self.radius

    def bounds(self) -> np.ndarray:
        return np.array([self.centre, self.centre]) + np.array([[-self.radius], [self.radius]])

    def reach(self, direction: Point) -> float:
        x, y = direction
        return self.centre[0] * x + self.centre[1] * y + self.radius * math.hypot(x, y)

    def inside(self, points: np.ndarray) -> np.ndarray:
        x, y = points[:, 0], points[:, 1]
        return (x - self.centre[0]) ** 2 + (y - self.centre[1]) ** 2 < self.radius**2

    def distance(self, points: np.ndarray) -> np.ndarray:
        return np.abs(self.signed_distance(points))

    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        return np.hypot(points[:, 0] - self.centre[0], points[:, 1] - self.centre[1]) - self.radius

    def sample_boundary(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        angle = rng.random(count) * math.tau
        normals = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return normals * self.radius + self.centre, normals

    def mapped(self, point_map: PointMap, scale: float = 1.0, swap: bool = False) -> "Circle":
        return Circle(point_map(self.centre), self.radius * scale)

    def rounded(self) -> "Circle | None":
        radius = grid(self.radius, 0.5 if self.radius < 2 * FINE else 1.0)
        return Circle((grid(self.centre[0], 0.5), grid(self.centre[1], 0.5)), radius) if radius > 0 else None

    def numbers(self, axes: tuple[int, int]) -> Numbers:
        def rebuild(v) -> Circle | None:
            return Circle((float(v[0]), float(v[1])), float(v[2])) if v[2] > SAME else None

        slots = (CENTRE, axes[0]), (CENTRE, axes[1]), (RADIUS, -1)
        return Numbers(slots, (float(self.centre[0]), float(self.centre[1]), float(self.radius)), rebuild)

    def inset(self, by: float, size: tuple[float, float]) -> "Circle":
        return Circle(self.centre, self.radius - by)

    def fits(self, outer: Outline, margin: float) -> bool:
        return _fits(np.array([self.centre]), outer, margin + self.radius)

    def drawn(self, write: Write) -> str:
        return f"circle({write(self.radius)}"


@dataclass(frozen=True, slots=True)
class Rect(_Simple):
    kind: ClassVar[str] = "rect"
    rank: ClassVar[int] = 1
    centre: Point
    width: float
    height: float

    def loop(self) -> "Loop":
        """The same rectangle as a counter-clockwise loop."""
        (x0, y0), (x1, y1) = self.bounds().tolist()
        return Loop((x0, y0), (Line((x1, y0)), Line((x1, y1)), Line((x0, y1)), Line((x0, y0))))

    def curve(self) -> Curve:
        return self.loop().curve()

    def area(self) -> float:
        return self.width * self.height

    def perimeter(self) -> float:
        return 2 * (self.width + self.height)

    def bounds(self) -> np.ndarray:
        return np.array([self.centre, self.centre]) + np.array([[-0.5], [0.5]]) * (self.width, self.height)

    def reach(self, direction: Point) -> float:
        x, y = direction
        return self.centre[0] * x + self.centre[1] * y + (self.width * abs(x) + self.height * abs(y)) / 2

    def inside(self, points: np.ndarray) -> np.ndarray:
        x, y = points[:, 0], points[:, 1]
        return (np.abs(x - self.centre[0]) < self.width / 2) & (np.abs(y - self.centre[1]) < self.height / 2)

    def distance(self, points: np.ndarray) -> np.ndarray:
        return np.abs(self.signed_distance(points))

    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        """Quilez, "2D distance functions": the box."""
        u = np.abs(points[:, 0] - self.centre[0]) - self.width / 2
        v = np.abs(points[:, 1] - self.centre[1]) - self.height / 2
        return np.hypot(np.maximum(u, 0), np.maximum(v, 0)) + np.minimum(np.maximum(u, v), 0)

    def sample_boundary(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return self.loop().prepared().sample_boundary(count, rng)

    def mapped(self, point_map: PointMap, scale: float = 1.0, swap: bool = False) -> "Rect":
        width, height = (self.height, self.width) if swap else (self.width, self.height)
        return Rect(point_map(self.centre), width * scale, height * scale)

    def rounded(self) -> "Rect | None":
        (x0, y0), (x1, y1) = np.clip(self.bounds(), -FRAME, FRAME)
        (x, w), (y, h) = interval(x0, x1), interval(y0, y1)
        return Rect((x, y), w, h) if w > 0 and h > 0 else None

    def numbers(self, axes: tuple[int, int]) -> Numbers:
        (x, y), w, h = self.centre, self.width / 2, self.height / 2

        def rebuild(v) -> Rect | None:
            width, height = float(v[1] - v[0]), float(v[3] - v[2])
            if min(width, height) <= SAME:
                return None
            return Rect((float(v[0] + v[1]) / 2, float(v[2] + v[3]) / 2), width, height)

        slots = (PLANE, axes[0]), (PLANE, axes[0]), (PLANE, axes[1]), (PLANE, axes[1])
        return Numbers(slots, (float(x - w), float(x + w), float(y - h), float(y + h)), rebuild)

    def inset(self, by: float, size: tuple[float, float]) -> "Rect":
        return Rect(self.centre, self.width - 2 * by, self.height - 2 * by)

    def fits(self, outer: Outline, margin: float) -> bool:
        return self.loop().fits(outer, margin)

    def drawn(self, write: Write) -> str:
        return f"rect({write(self.width)},{write(self.height)}"


@dataclass(frozen=True, slots=True)
class Loop:
    """A closed outline: the last edge ends at `start` (also where the text leaves the last line to `close()`)."""

    kind: ClassVar[str] = "loop"
    rank: ClassVar[int] = 0
    repeats: ClassVar[bool] = False
    start: Point
    edges: tuple[Edge, ...]

    @property
    def first_point(self) -> Point:
        return self.start

    @property
    def edge_count(self) -> int:
        return len(self.edges)

    def curve(self) -> Curve:
        return trace(self.start, self.edges)

    def prepared(self) -> Curve:
        return self.curve()

    def area(self) -> float:
        return self.prepared().area()

    def perimeter(self) -> float:
        return self.prepared().perimeter()

    def bounds(self) -> np.ndarray:
        return self.prepared().bounds()

    def reach(self, direction: Point) -> float:
        return self.prepared().reach(direction)

    def points(self) -> list[Point]:
        """The ends of its edges and the middles of its arcs, in order."""
        return [point for edge in self.edges for point in edge.points]

    def control_box(self) -> np.ndarray:
        points = [self.start, *self.points()]
        return np.array([np.min(points, axis=0), np.max(points, axis=0)])

    def corners(self) -> np.ndarray:
        return np.concatenate([self.bounds(), self.points()])

    def inside(self, points: np.ndarray) -> np.ndarray:
        return self.prepared().inside(points)

    def distance(self, points: np.ndarray) -> np.ndarray:
        return self.prepared().distance(points)

    def signed_distance(self, points: np.ndarray) -> np.ndarray:
        return self.prepared().signed_distance(points)

    def sample_boundary(self, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return self.prepared().sample_boundary(count, rng)

    def mapped(self, point_map: PointMap, scale: float = 1.0, swap: bool = False) -> "Loop":
        return Loop(point_map(self.start), tuple(edge.mapped(point_map) for edge in self.edges))

    def reversed(self) -> "Loop":
        """The same loop the other way round."""
        return Loop(self.start, reversed_edges(self.start, self.edges))

    def canonical(self) -> "Loop | Rect":
        """Counter-clockwise from its lowest, then leftmost vertex; an upright rectangle is a `Rect`."""
        edges = from_lowest(self.edges if polygon_area(self.edges) > 0 else reversed_edges(self.start, self.edges))
        rectangle = rectangle_of(edges[-1].end, edges)
        return Rect(*rectangle) if rectangle else Loop(edges[-1].end, edges)

    def rounded(self) -> "Loop | None":
        found = rounded_loop(self.start, self.edges)
        return Loop(*found) if found else None

    def numbers(self, axes: tuple[int, int]) -> Numbers:
        slots, values, build = loop_numbers(self.start, self.edges, axes)

        def rebuild(v) -> Loop | None:
            found = build(v)
            return None if found is None else Loop(*found)

        return Numbers(slots, values, rebuild)

    def inset(self, by: float, size: tuple[float, float]) -> "Loop":
        w, h = size
        return self.mapped(lambda p: (p[0] * (w - 2 * by) / w, p[1] * (h - 2 * by) / h))

    def fits(self, outer: Outline, margin: float) -> bool:
        return _fits(np.array(self.points()), outer, margin)

    def faults(self) -> set[str]:
        """Faults that the loop has: "point twice", "straight arc", "crossing"."""
        return faults(self.start, self.edges)

    def crosses_itself(self) -> bool:
        """Whether it crosses itself, its arcs taken as polygons: the field fills such loops, the CAD kernel fails."""
        if len(self.edges) < 4 and not any(edge.bent for edge in self.edges):
            return False
        corners = self.prepared().corners(ARC_SIDES)
        along = np.roll(corners, -1, 0) - corners
        (x, y), (dx, dy) = (corners[None] - corners[:, None]).transpose(2, 0, 1), along.T[..., None]
        aside = dx * y - dy * x  # (n, n): on which side of side i corner j lies
        split = aside * np.roll(aside, -1, 1) < 0
        return bool((split & split.T).any())

    def with_arcs(self, change: Callable[[Point, Arc], Arc]) -> "Loop":
        starts = [self.start, *(edge.end for edge in self.edges)]
        edges = (change(at, edge) if edge.bent else edge for at, edge in zip(starts, self.edges, strict=False))
        return Loop(self.start, tuple(edges))

    def check(self) -> None:
        if len(self.edges) < 2:
            raise ValueError("an outline needs two edges at least")
        if point(self.edges[-1].end, number) != point(self.start, number):
            raise ValueError("an outline ends where it starts")

    def drawn(self, write: Write) -> str:
        """The edges; a straight last edge is left to `close()`."""
        closing = not self.edges[-1].bent
        calls, start = [], [self.start]
        for edge in self.edges[:-1] if closing else self.edges:
            points = ",".join(point(at, write) for at in (*start, *edge.points))
            calls.append(f"{'arc' if edge.bent else 'segment'}({points})")
            start = []
        return ".".join([*calls, *(["close()"] if closing else []), "assemble()"])
