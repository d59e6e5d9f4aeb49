"""The numbers of a closed loop, and what can be wrong with it.

The numbers are the distinct x and y of its vertices and how far each arc bulges: a side that is upright stays so.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from cadcode.program.curve import Arc, Edge, Line, Point, arc_circle
from cadcode.program.numbers import BULGE, PLANE, SAME

Edges = tuple[Edge, ...]
TOUCH = 1e-4  # program units between sides that touch
BENT = 0.35  # height over chord of an arc


def loop_numbers(start: Point, edges: Edges, axes: tuple[int, int]):
    """Slots, values and a function from values to start and edges (None where they break the outline)."""
    slots: list[tuple[str, int]] = []
    values: list[float] = []

    def take(value: float, kind: str, axis: int) -> int:
        slots.append((kind, axis))
        values.append(float(value))
        return len(values) - 1

    rebuild = _builder(start, edges, axes, take)
    return tuple(slots), tuple(values), rebuild


def _builder(start: Point, edges: Edges, axes: tuple[int, int], take) -> Callable[[Sequence[float]], tuple | None]:
    vertices = [start, *(e.end for e in edges[:-1])]
    xs = _shared([p[0] for p in vertices], axes[0], take)
    ys = _shared([p[1] for p in vertices], axes[1], take)
    sides = list(zip(vertices, edges, [*vertices[1:], start], strict=True))
    heights = [_bulge(a, e.middle, b) if isinstance(e, Arc) else None for a, e, b in sides]
    shifts = [_shift(a, e.middle, b) if isinstance(e, Arc) else 0.0 for a, e, b in sides]
    bulges = [None if height is None else take(height, BULGE, -1) for height in heights]
    turn, known = _turn(vertices), faults(start, edges)

    def build(v) -> tuple[Point, Edges] | None:
        points = [(float(v[a]), float(v[b])) for a, b in zip(xs, ys, strict=True)]
        if _turn(points) != turn:
            return None
        after = [*points[1:], points[0]]
        new = tuple(
            Line(b) if at is None else Arc(_middle(a, b, float(v[at]), shift), b)
            for a, b, at, shift in zip(points, after, bulges, shifts, strict=True)
        )
        return (points[0], new) if faults(points[0], new) <= known else None

    return build


def _shared(coordinates, axis, take) -> list[int]:
    """A slot for every distinct coordinate, and for each vertex which one is its own."""
    slots: dict[int, int] = {}
    for value in coordinates:
        key = round(value / SAME)
        if key not in slots:
            slots[key] = take(value, PLANE, axis)
    return [slots[round(value / SAME)] for value in coordinates]


def _turn(points) -> int:
    """1 for a polygon that runs counter-clockwise, -1 clockwise, 0 without an area."""
    x, y = np.array(points).T
    area = float(x @ following(y) - y @ following(x)) / 2
    return int(np.sign(area)) if abs(area) > SAME else 0


def following(values: np.ndarray) -> np.ndarray:
    """For each of a ring of values the next one: `np.roll(values, -1, 0)` in a tenth of its time."""
    return np.concatenate([values[1:], values[:1]])


def faults(start: Point, edges: Edges) -> set[str]:
    """Faults of an outline; a move may add none to those it had before."""
    found, corners, here = set(), [start], start
    for edge in edges:
        if here == edge.end:
            found.add("point twice")
        elif isinstance(edge, Arc):
            corners += _along(here, edge)
            found |= {"straight arc"} if abs(_bulge(here, edge.middle, edge.end)) <= SAME else set()
        here = edge.end
        corners.append(here)
    return found | {"crossing"} if _crosses(np.array(corners[:-1])) else found


def _along(start: Point, arc: Arc) -> list[Point]:
    """Points on an arc whose chords tell where it runs: the middle, of strongly bent ones three."""
    chord = max(np.hypot(arc.end[0] - start[0], arc.end[1] - start[1]), SAME)
    circle = arc_circle(start, arc.middle, arc.end)
    if circle is None or abs(_bulge(start, arc.middle, arc.end)) < BENT * chord:
        return [arc.middle]
    (x, y), radius, begin, sweep = circle
    angles = [begin + share * sweep for share in (0.25, 0.5, 0.75)]
    return [(x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles]


def _crosses(corners: np.ndarray) -> bool:
    """Whether sides of the polygon with `corners` (n, 2) cross, touch or lie on each other."""
    after, size = following(corners), len(corners)
    (x, y), (dx, dy) = (corners[None] - corners[:, None]).transpose(2, 0, 1), (after - corners).T[..., None]
    beside = dx * y - dy * x  # (n, n): on which side of side i corner j lies
    beside[np.abs(beside) <= TOUCH * np.hypot(dx, dy)] = 0.0
    split = beside * np.roll(beside, -1, 1) <= 0
    low, high = np.minimum(corners, after), np.maximum(corners, after)
    near = (low[:, None] <= high[None] + TOUCH).all(-1)
    met = split & split.T & near & near.T
    apart = np.abs(np.arange(size)[:, None] - np.arange(size))
    return bool(met[(apart > 1) & (apart < size - 1)].any()) or _folds(corners, after)


def _folds(corners: np.ndarray, after: np.ndarray) -> bool:
    """Whether a side runs back along the one before it."""
    (ax, ay), (bx, by) = (after - corners).T, (following(after) - after).T
    flat = np.abs(ax * by - ay * bx) <= TOUCH * np.maximum(np.hypot(ax, ay), np.hypot(bx, by))
    return bool((flat & (ax * bx + ay * by < 0)).any())


# An arc's middle in units that do not change when its ends move: sideways of the chord as length, along it as a share.


def _bulge(a: Point, m: Point, b: Point) -> float:
    (dx, dy), length = _chord(a, b)
    return ((m[0] - a[0]) * -dy + (m[1] - a[1]) * dx) / length


def _shift(a: Point, m: Point, b: Point) -> float:
    (dx, dy), length = _chord(a, b)
    return ((m[0] - a[0]) * dx + (m[1] - a[1]) * dy) / length**2 - 0.5


def _middle(a: Point, b: Point, bulge: float, shift: float) -> Point:
    (dx, dy), length = _chord(a, b)
    along = 0.5 + shift
    return (a[0] + along * dx - bulge * dy / length, a[1] + along * dy + bulge * dx / length)


def _chord(a: Point, b: Point) -> tuple[Point, float]:
    d = (b[0] - a[0], b[1] - a[1])
    return d, max(float(np.hypot(*d)), SAME)
