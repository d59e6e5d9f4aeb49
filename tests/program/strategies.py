"""Random programs for hypothesis: simple outlines, sketches of up to three faces, up to three bodies, never empty."""

import math

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from cadcode.program import field
from cadcode.program.curve import arc_circle
from cadcode.program.features.rimmed import Rimmed
from cadcode.program.features.tapered import Tapered
from cadcode.program.rims import Rim
from cadcode.program.sketch import faces_inside
from cadcode.program.tree import PLANES, Arc, Circle, Extrude, Face, Line, Loop, Program, Rect, Step

GRID = (np.indices((24, 24, 24)).reshape(3, -1).T + 0.5) / 24  # (13824, 3) in the unit cube


def numbers(low: int, high: int, whole: bool = True):
    """Integers, or numbers with at most three decimals."""
    return st.integers(low, high) if whole else st.integers(low * 1000, high * 1000).map(lambda n: n / 1000)


def points(reach: int, whole: bool = True):
    return st.tuples(numbers(-reach, reach, whole), numbers(-reach, reach, whole))


def circles(whole: bool = True):
    return st.builds(Circle, points(40, whole), numbers(5, 50, whole))


def rects(whole: bool = True):
    return st.builds(Rect, points(40, whole), numbers(8, 90, whole), numbers(8, 90, whole))


@st.composite
def slots(draw):
    """Two half circles and two lines, either way round."""
    (x, y), length, radius = draw(points(30)), draw(st.integers(10, 60)), draw(st.integers(5, 25))
    corners = [(x, y - radius), (x + length, y - radius), (x + length, y + radius), (x, y + radius)]
    right, left = Arc((x + length + radius, y), corners[2]), Arc((x - radius, y), corners[0])
    if draw(st.booleans()):
        return Loop(corners[0], (Line(corners[1]), right, Line(corners[3]), left))
    right, left = Arc(right.middle, corners[1]), Arc(left.middle, corners[3])
    return Loop(corners[3], (Line(corners[2]), right, Line(corners[0]), left))


@st.composite
def loops(draw, whole: bool = True):
    """Lines and arcs around a centre that sees the whole boundary (so it never crosses itself), either way round."""
    centre, count = draw(points(30, whole)), draw(st.integers(4, 8))
    turn, sense = draw(st.floats(0, 2)), draw(st.sampled_from([1, -1]))
    corners = []
    for i in range(count):
        angle, reach = sense * (turn + math.tau * (i + draw(st.floats(-0.25, 0.25))) / count), draw(st.integers(15, 60))
        corners.append(_rounded(centre[0] + reach * math.cos(angle), centre[1] + reach * math.sin(angle), whole))
    bulges = draw(st.lists(st.sampled_from([0, 0, 0, 0.1, 0.3, -0.15]), min_size=count, max_size=count))
    starts = [corners[-1], *corners[:-1]]
    edges = tuple(_edge(a, b, sense * bulge, whole) for a, b, bulge in zip(starts, corners, bulges, strict=True))
    if not _turns_steadily(corners[-1], edges, centre):
        edges = tuple(Line(corner) for corner in corners)
        assume(_turns_steadily(corners[-1], edges, centre))
    return Loop(corners[-1], edges)


def _rounded(x: float, y: float, whole: bool):
    return (round(x), round(y)) if whole else (round(x, 3), round(y, 3))


def _edge(start, end, bulge: float, whole: bool):
    """A line, or an arc that leaves the chord by `bulge` chord lengths to the right."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    middle = _rounded((start[0] + end[0]) / 2 + bulge * dy, (start[1] + end[1]) / 2 - bulge * dx, whole)
    bent = abs(dx * (middle[1] - start[1]) - dy * (middle[0] - start[0])) > 0.03 * (dx * dx + dy * dy)
    return Arc(middle, end) if bent else Line(end)


def _turns_steadily(start, edges, centre) -> bool:
    """Whether the boundary runs once around the centre without ever turning back, and not too close to it."""
    path = [start]
    for edge in edges:
        circle = arc_circle(path[-1], edge.middle, edge.end) if isinstance(edge, Arc) else None
        if circle:
            (x, y), radius, begin, sweep = circle
            angles = [begin + sweep * i / 32 for i in range(1, 32)]
            path += [(x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles]
        path.append(edge.end)
    x, y = (np.array(path) - centre).T
    turns = np.diff(np.unwrap(np.arctan2(y, x)))
    return bool(np.hypot(x, y).min() > 5 and (np.all(turns > 0.01) or np.all(turns < -0.01)))


def outlines(whole: bool = True):
    return st.one_of(loops(whole), slots(), circles(whole), rects(whole))


@st.composite
def sketches(draw, most: int = 3, whole: bool = True):
    """Up to `most` faces that together cover something."""
    faces = [Face(draw(outlines(whole)))]
    for _ in range(draw(st.integers(0, most - 1))):
        faces.append(Face(draw(st.one_of(circles(whole), rects(whole), loops(whole))), draw(st.booleans())))
    assume(faces_inside(faces, 200 * GRID[:, 1:] - 100).mean() > 0.01)
    return tuple(faces)


@st.composite
def bodies(draw, most_faces: int = 3, whole: bool = True):
    height = draw(numbers(5, 100, whole)) * draw(st.sampled_from([1, -1]))
    faces = draw(sketches(most_faces, whole))
    return Extrude(draw(st.sampled_from(PLANES)), draw(numbers(-60, 60, whole)), height, faces)


@st.composite
def programs(draw, most: int = 3, operations=("union", "cut", "intersect"), most_faces: int = 3, whole: bool = True):
    """Programs of up to `most` bodies that fill over 2 % of their box after each step; numbers: whole or 3 decimals."""
    steps = [Step("union", draw(bodies(most_faces, whole)))]
    for _ in range(draw(st.integers(0, most - 1))):
        steps.append(Step(draw(st.sampled_from(operations)), draw(bodies(most_faces, whole))))
    program = Program(tuple(steps))
    assume(all(filling(Program(program.steps[:count])) > 0.02 for count in range(1, len(steps) + 1)))
    return program


def filling(program: Program) -> float:
    """The share of the program's box that its solid fills, roughly; 0 where nothing is left."""
    try:
        low, high = field.bounds(program)
    except field.EmptySolid:
        return 0.0
    return float(field.occupancy(program, low + (high - low) * GRID).mean())


@st.composite
def rounded_rects(draw):
    """Rectangles with four equal rounded corners, the middles of their arcs exact."""
    (x, y), (w, h), unit = draw(points(30)), draw(st.tuples(*[st.integers(20, 60)] * 2)), draw(st.integers(1, 3))
    near, far, r = unit, 2 * unit, 5 * unit  # of a corner's middle, 3:4:5
    corners = [(1, -1, near, far), (1, 1, far, near), (-1, 1, near, far), (-1, -1, far, near)]
    edges = []
    for n, (i, j, a, b) in enumerate(corners):
        ends = [(x + i * (w - r), y + j * h), (x + i * w, y + j * (h - r))]
        first, last = ends if n % 2 == 0 else ends[::-1]
        edges += [Line(first), Arc((x + i * (w - a), y + j * (h - b)), last)]
    return Loop(edges[-1].end, tuple(edges))


@st.composite
def rimmed(draw):
    """A prism with up to two holes and a rim at one end or both."""
    outline = draw(st.one_of(loops(), slots(), circles(), rects(), rounded_rects()))
    small = st.one_of(
        st.builds(Circle, points(20), st.integers(2, 12)),
        st.builds(Rect, points(20), st.integers(4, 20), st.integers(4, 20)),
    )
    holes = [Face(hole, subtract=True) for hole in draw(st.lists(small, max_size=2))]
    height = draw(st.integers(8, 60)) * draw(st.sampled_from([1, -1]))
    body = Extrude(draw(st.sampled_from(PLANES)), draw(numbers(-60, 60)), height, (Face(outline), *holes))
    ends = draw(st.sampled_from([("low",), ("high",), ("low", "high"), ("high", "low")]))
    kind, sizes = st.sampled_from(["fillet", "chamfer"]), st.integers(1, 12).map(lambda n: n / 2)
    feature = Rimmed(body, tuple(Rim(draw(kind), end, draw(sizes), draw(st.booleans())) for end in ends))
    assume(feature.fault() is None)
    return feature


@st.composite
def tapered(draw):
    outline = draw(st.one_of(loops(), slots(), circles(), rects(), rounded_rects()))
    height = draw(st.integers(5, 60)) * draw(st.sampled_from([1, -1]))
    taper = draw(st.integers(1, 30)) * draw(st.sampled_from([1, 1, -1]))
    feature = Tapered(draw(st.sampled_from(PLANES)), draw(numbers(-60, 60)), height, outline, taper)
    assume(feature.fault() is None)
    return feature


# One strategy for each feature type: features of whole numbers.
FEATURES = {
    "extrude": bodies,
    "rimmed": rimmed,
    "tapered": tapered,
}
