"""Random programs for hypothesis: simple outlines, sketches of up to three faces, up to three bodies, never empty."""

import math
from dataclasses import replace

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from cadcode.program import field
from cadcode.program.curve import arc_circle
from cadcode.program.feature import Similarity
from cadcode.program.features.grid import Grid
from cadcode.program.features.hole import Hole
from cadcode.program.features.mirrored import Mirrored
from cadcode.program.features.polar import Polar
from cadcode.program.features.revolve import Revolve
from cadcode.program.features.rimmed import Rimmed
from cadcode.program.features.tapered import Tapered
from cadcode.program.features.tilted import tilted
from cadcode.program.heads import Counterbore, Countersink, Straight
from cadcode.program.place import DIRECTIONS, FACING, Placement, rotation_of
from cadcode.program.rims import Rim
from cadcode.program.sketch import faces_inside, moved_faces
from cadcode.program.tree import PLANES, Arc, Circle, Extrude, Face, Line, Loop, Program, Rect, Step

HALF = Similarity(scale=0.5)
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
def revolutions(draw, whole: bool = True):
    """A sketch at positive radii, sometimes on the axis, turned all the way round or by a part of it."""
    faces = draw(sketches(2, whole))
    low = min(face.outline.bounds()[0, 0] for face in faces)
    aside = draw(st.integers(0, 30)) - math.floor(low)
    faces = moved_faces(faces, (float(aside), 0.0))
    if draw(st.booleans()):
        faces = (Face(draw(half_outlines())), *faces[1:])
    angle, start = (360.0, 0.0) if draw(st.booleans()) else (draw(st.integers(20, 340)), draw(st.integers(0, 359)))
    return Revolve(draw(st.sampled_from(PLANES)), draw(points(40, whole)), faces, float(angle), float(start))


@st.composite
def half_outlines(draw):
    """A profile with a side on the axis: a rectangle, half of a lens, a cone, a cone on a cylinder."""
    low, height, radius = draw(st.integers(-50, 0)), draw(st.integers(10, 60)), draw(st.integers(8, 50))
    bottom, top, out = (0, low), (0, low + height), (radius, low + height // 2)
    return draw(
        st.sampled_from(
            [
                Rect((radius / 2, low + height / 2), radius, height),
                Loop(bottom, (Arc(out, top), Line(bottom))),
                Loop(bottom, (Line((radius, low)), Line(top), Line(bottom))),
                Loop(top, (Line(bottom), Line((radius, low)), Line(out), Line(top))),
            ]
        )
    )


@st.composite
def holes(draw, whole: bool = True):
    """One to four holes from either side of a plane, straight or with a head; only straight ones overlap: where cones
    meet, the kernel's corners may be far off.
    """
    radius, depth = draw(numbers(3, 15, whole)), draw(numbers(10, 60, whole))
    wide = 2 * (radius + draw(numbers(1, 12, whole)))
    heads = [
        Straight(),
        Counterbore(wide, draw(numbers(2, 9, whole))),
        Countersink(wide, draw(st.sampled_from([60, 82, 90, 118]))),
    ]
    places = draw(st.lists(points(40, whole), min_size=1, max_size=4, unique=True))
    plane, level, head = (
        draw(st.sampled_from(sorted(FACING))),
        draw(numbers(-60, 60, whole)),
        draw(st.sampled_from(heads)),
    )
    apart = [p for n, p in enumerate(places) if all(math.dist(p, other) > wide + 1 for other in places[:n])]
    return Hole(plane, level, tuple(places if head == Straight() else apart), 2 * radius, depth, head)


@st.composite
def stock(draw, tool):
    """A box that the feature is cut from: its ends along the feature's axis are the feature's, or near them."""
    box = tool.bounds()
    margins = np.array(draw(st.tuples(*[st.sampled_from([4, 9, 15])] * 6)), dtype=float).reshape(2, 3)
    margins[:, tool.axis] = draw(st.tuples(*[st.sampled_from([0, 0, 5, -3])] * 2))
    low, high = np.round(2 * (box + margins * [[-1], [1]])) / 2
    (x, y, z), (width, length, height) = ((low + high) / 2).tolist(), (high - low).tolist()
    return Extrude("XY", z - height / 2, height, (Face(Rect((x, y), width, length)),))


def grids(body=None):
    """Spacings are no whole numbers, so that the round walls of two copies are seldom tangent to each other."""
    counts = st.sampled_from([(2, 1), (1, 3), (3, 1), (2, 2)])
    spacing = st.tuples(*[st.integers(15, 60).map(lambda n: n + 0.3)] * 2)
    return st.builds(Grid, repeated() if body is None else body, st.sampled_from(PLANES), counts, spacing)


@st.composite
def rings(draw, body=None):
    """Full and partial, either way round, the centre inside some bodies."""
    count, angle = draw(st.sampled_from([(2, 360), (3, 360), (5, 360), (2, 90), (3, -120)]))
    start = draw(st.sampled_from([0, 0, 30, -45]))
    return Polar(
        draw(repeated() if body is None else body), draw(st.sampled_from(PLANES)), draw(points(30)), count, start, angle
    )


def mirrored():
    return st.builds(Mirrored, repeated(), st.sampled_from(PLANES), st.integers(-40, 40))


@st.composite
def repeated(draw):
    """The body of a pattern, half of its size: a prism, since the kernel is slow where curved copies meet."""
    return draw(bodies(2)).moved(HALF)


@st.composite
def placements(draw):
    """Planes that are not along the axes: a named one turned about one of its axes by a round angle, or any."""
    origin = draw(st.tuples(*[numbers(-30, 30)] * 3))
    named = Placement(origin, *DIRECTIONS[draw(st.sampled_from(PLANES))])
    angles = [draw(st.integers(-1800, 1800)) / 10 for _ in range(3)]
    if draw(st.booleans()):
        kept = draw(st.integers(0, 2))
        angles = [angle if axis == kept else 0.0 for axis, angle in enumerate(angles)]
    return Placement.of(origin, named.rotation @ rotation_of(angles))


@st.composite
def tilted_features(draw):
    prisms = bodies(1).map(lambda body: body.moved(HALF))
    body = draw(st.one_of(bodies(2), revolutions(), tapered(), grids(prisms), rings(prisms)))
    found = tilted(body, draw(placements()))
    assume(found.kind == "tilted")
    origin = tuple(round(value, 3) for value in found.place.origin)  # the body may bring an origin of its own
    return replace(found, place=replace(found.place, origin=origin))


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


PATTERNS = {"grid": grids, "polar": rings, "mirrored": mirrored}

# One strategy for each feature type: features of whole numbers.
FEATURES = {
    "extrude": bodies,
    "hole": holes,
    "revolve": revolutions,
    "rimmed": rimmed,
    "tapered": tapered,
    "tilted": tilted_features,
    **PATTERNS,
}
