"""The numbers of a program as one vector, and the moves that keep its topology.

Edges, not centres and sizes: a rectangle is left, right, bottom, top; a body low, high; a loop the distinct x and y of
its vertices and how far each arc bulges. Numbers in one plane of the part are moved together first (flush faces
stay flush), then alone; pairs move apart (a slot gets wider) and along (a boss slides).
"""

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from cadcode.program.outlines import arc_circle
from cadcode.program.tree import AXES, Arc, Circle, Extrude, Face, Line, Loop, Outline, Point, Program, Rect, Step

PLANE, CENTRE, RADIUS, BULGE = "plane", "centre", "radius", "bulge"
SAME = 1e-6  # numbers closer than this are the same number
TOUCH = 1e-4  # program units between sides that touch
BENT = 0.35  # height over chord of an arc


@dataclass(frozen=True, slots=True)
class Slot:
    """One number: which body it belongs to, what it is, and along which world axis (-1: none) it moves something."""

    body: int
    kind: str
    axis: int


@dataclass(frozen=True, slots=True)
class Move:
    """Change the numbers `slots` by a step times `directions`."""

    slots: tuple[int, ...]
    directions: tuple[float, ...]
    bodies: tuple[int, ...]  # what has to be computed again


class Parameters:
    """`values` (P,) of a program; `program(values)` is the same tree with these numbers, None where it breaks."""

    def __init__(self, program: Program):
        self.slots: list[Slot] = []
        numbers: list[float] = []
        self._builders = [_body_builder(step.body, i, self.slots, numbers) for i, step in enumerate(program.steps)]
        self._operations = [step.operation for step in program.steps]
        self.values = np.array(numbers)

    def body(self, index: int, values: np.ndarray) -> Extrude | None:
        return self._builders[index](values)

    def program(self, values: np.ndarray) -> Program | None:
        bodies = [build(values) for build in self._builders]
        if any(body is None for body in bodies):
            return None
        return Program(tuple(Step(o, b) for o, b in zip(self._operations, bodies, strict=True)))

    def groups(self, values: np.ndarray) -> list[list[int]]:
        """The indices of numbers that are equal and of one kind and axis; arcs' bulges are each alone."""
        found = defaultdict(list)
        for i, (slot, value) in enumerate(zip(self.slots, values, strict=True)):
            alone = i if slot.kind == BULGE else 0
            found[slot.kind, slot.axis, round(value / SAME), alone].append(i)
        return list(found.values())

    def moves(self) -> list[Move]:
        """All moves, the ones that keep most relations first."""
        groups = self.groups(self.values)
        found = [_move(self.slots, g, [1.0] * len(g)) for g in groups]
        found += [_move(self.slots, [i], [1.0]) for g in groups if len(g) > 1 for i in g]
        for pair in _pairs(self.slots, self.values):
            found += [_move(self.slots, pair, [1.0] * len(pair)), _move(self.slots, pair, _apart(self.values[pair]))]
        return list(dict.fromkeys(move for move in found if any(move.directions)))


def is_sound(program: Program) -> bool:
    """Whether the numbers make sense as they are: no faces or heights of (nearly) no size."""
    parameters = Parameters(program)
    return parameters.program(parameters.values) is not None


def _move(slots, indices, directions) -> Move:
    return Move(tuple(int(i) for i in indices), tuple(directions), tuple(sorted({slots[i].body for i in indices})))


def _pairs(slots, values) -> list[list[int]]:
    """All numbers of one kind, axis and body: moved along or apart together; and every sketch as a whole."""
    together = defaultdict(list)
    for i, slot in enumerate(slots):
        if slot.axis >= 0:
            together[slot.body, slot.axis, slot.kind].append(i)
            together[slot.body, slot.axis].append(i)
    whole = [
        list(range(i, i + 2))
        for i in range(len(slots) - 1)
        if slots[i].kind == PLANE and slots[i] == slots[i + 1] and values[i] < values[i + 1]
    ]
    return [g for g in [*whole, *together.values()] if len(g) > 1]


def _apart(values: np.ndarray) -> list[float]:
    """Away from the middle of the numbers, the outermost at full speed."""
    middle = (values.min() + values.max()) / 2
    reach = (values.max() - values.min()) / 2
    return [float(d) for d in (values - middle) / reach] if reach > SAME else [0.0] * len(values)


# --- the numbers of a body -------------------------------------------------------------------------------------------


def _body_builder(body: Extrude, index: int, slots: list[Slot], numbers: list[float]):
    """Append the body's numbers and return a function that builds it from the whole vector."""
    i, j, k = AXES[body.plane]

    def take(value: float, kind: str, axis: int) -> int:
        slots.append(Slot(index, kind, axis))
        numbers.append(float(value))
        return len(numbers) - 1

    low, high = sorted((body.offset, body.offset + body.height))
    at_low, at_high = take(low, PLANE, k), take(high, PLANE, k)
    outlines = [(_outline_builder(face.outline, i, j, take), face.subtract) for face in body.faces]

    def build(values) -> Extrude | None:
        faces = tuple(Face(outline, subtract) for make, subtract in outlines if (outline := make(values)) is not None)
        height = values[at_high] - values[at_low]
        if len(faces) < len(outlines) or height <= SAME:
            return None
        return Extrude(body.plane, float(values[at_low]), float(height), faces)

    return build


def _outline_builder(outline: Outline, i: int, j: int, take):
    if isinstance(outline, Circle):
        return _circle_builder(outline, i, j, take)
    return _rect_builder(outline, i, j, take) if isinstance(outline, Rect) else _loop_builder(outline, i, j, take)


def _circle_builder(circle: Circle, i, j, take):
    x, y = take(circle.centre[0], CENTRE, i), take(circle.centre[1], CENTRE, j)
    r = take(circle.radius, RADIUS, -1)
    return lambda v: Circle((float(v[x]), float(v[y])), float(v[r])) if v[r] > SAME else None


def _rect_builder(rect: Rect, i, j, take):
    (x, y), w, h = rect.centre, rect.width / 2, rect.height / 2
    left, right = take(x - w, PLANE, i), take(x + w, PLANE, i)
    bottom, top = take(y - h, PLANE, j), take(y + h, PLANE, j)

    def build(v) -> Rect | None:
        width, height = float(v[right] - v[left]), float(v[top] - v[bottom])
        if min(width, height) <= SAME:
            return None
        return Rect((float(v[left] + v[right]) / 2, float(v[bottom] + v[top]) / 2), width, height)

    return build


def _loop_builder(loop: Loop, i, j, take):
    vertices = [loop.start, *(e.end for e in loop.edges[:-1])]
    xs = _shared([p[0] for p in vertices], i, take)
    ys = _shared([p[1] for p in vertices], j, take)
    ends = [*vertices[1:], loop.start]
    sides = list(zip(vertices, loop.edges, ends, strict=True))
    heights = [_bulge(a, e.middle, b) if isinstance(e, Arc) else None for a, e, b in sides]
    shifts = [_shift(a, e.middle, b) if isinstance(e, Arc) else 0.0 for a, e, b in sides]
    bulges = [None if height is None else take(height, BULGE, -1) for height in heights]
    turn, known = _turn(vertices), faults(loop)

    def build(v) -> Loop | None:
        points = [(float(v[a]), float(v[b])) for a, b in zip(xs, ys, strict=True)]
        if _turn(points) != turn:
            return None
        after = [*points[1:], points[0]]
        edges = [
            Line(b) if at is None else Arc(_middle(a, b, float(v[at]), shift), b)
            for a, b, at, shift in zip(points, after, bulges, shifts, strict=True)
        ]
        found = Loop(points[0], tuple(edges))
        return found if faults(found) <= known else None

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


def faults(loop: Loop) -> set[str]:
    """What is wrong with an outline; moves may add nothing to what was wrong before."""
    found, corners, here = set(), [loop.start], loop.start
    for edge in loop.edges:
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
