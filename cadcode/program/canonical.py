"""One spelling for one shape: integers, counter-clockwise loops, sorted faces and bodies.

A network that must choose between equal spellings learns slower, so the training data holds just one of them.
"""

from itertools import chain, groupby

import numpy as np

from cadcode.program.outlines import area, bounds
from cadcode.program.tree import Arc, Circle, Edge, Extrude, Face, Line, Loop, Outline, Point, Program, Rect, Step

FRAME = 100.0
FINE = 8.0  # sizes below this many units keep half units: a thin plate must not lose a third of its thickness


def canonical(program: Program) -> Program:
    """The program with its bodies, faces and loops in their one order; the solid stays the same.

    Only neighbours of one operation change places: a cut before a union is not a cut after it.
    """
    steps = [Step(s.operation, _canonical_body(s.body)) for s in program.steps]
    return Program(_sorted_runs(steps, lambda step: step.operation, _size_first))


def _sorted_runs(items, kind, key) -> tuple:
    """Sorted within each run of neighbours of one kind; ties by what they say, so that no order of the input stays."""
    runs = (sorted(run, key=lambda item: (key(item), repr(item))) for _, run in groupby(items, key=kind))
    return tuple(chain.from_iterable(runs))


def _size_first(step: Step):
    body = step.body
    net = sum(area(f.outline) * (-1 if f.subtract else 1) for f in body.faces)
    volume = round(net * body.height / 500)
    return (step.operation, -volume, body.plane, body.offset, *_first_point(body.faces[0].outline))


def _first_point(outline: Outline) -> Point:
    return outline.start if isinstance(outline, Loop) else outline.centre


def _canonical_body(body: Extrude) -> Extrude:
    offset, height = (body.offset, body.height) if body.height > 0 else (body.offset + body.height, -body.height)
    faces = [Face(canonical_outline(f.outline), f.subtract) for f in body.faces]
    faces = _sorted_runs(faces, lambda face: face.subtract, _face_key)
    if len(faces) == 1 and isinstance(faces[0].outline, Rect):
        return _box_on_xy(body.plane, offset, height, faces[0].outline)
    return Extrude(body.plane, offset, height, faces)


def _face_key(face: Face):
    outline = face.outline
    kind = (Loop, Rect, Circle).index(type(outline))
    return (face.subtract, kind, -round(area(outline)), *_first_point(outline))


def _box_on_xy(plane: str, offset: float, height: float, rect: Rect) -> Extrude:
    """A box is a prism in three directions: always write the upright one."""
    (x, y), w, h, z = rect.centre, rect.width, rect.height, offset + height / 2
    if plane == "YZ":
        (x, y, z), (w, h, height) = (z, x, y), (height, w, h)
    elif plane == "ZX":
        (x, y, z), (w, h, height) = (y, z, x), (h, height, w)
    return Extrude("XY", z - height / 2, height, (Face(Rect((x, y), w, h)),))


def canonical_outline(outline: Outline) -> Outline:
    """Loops run counter-clockwise from their lowest, then leftmost vertex; an upright rectangle is a Rect."""
    if not isinstance(outline, Loop):
        return outline
    loop = _from_lowest(outline if _signed_area(outline) > 0 else reversed_loop(outline))
    return _as_rect(loop) or loop


def _signed_area(loop: Loop) -> float:
    points = np.array([p for e in loop.edges for p in ((e.middle, e.end) if isinstance(e, Arc) else (e.end,))])
    x, y = points.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def reversed_loop(loop: Loop) -> Loop:
    starts = [loop.start, *(e.end for e in loop.edges[:-1])]
    edges = [Arc(e.middle, s) if isinstance(e, Arc) else Line(s) for s, e in zip(starts, loop.edges, strict=True)]
    return Loop(loop.start, tuple(edges[::-1]))


def _from_lowest(loop: Loop) -> Loop:
    ends = [e.end for e in loop.edges]
    first = min(range(len(ends)), key=lambda i: (ends[i][1], ends[i][0])) + 1
    edges = loop.edges[first:] + loop.edges[:first]
    return Loop(edges[-1].end, edges)


def _as_rect(loop: Loop) -> Rect | None:
    if len(loop.edges) != 4 or any(isinstance(e, Arc) for e in loop.edges):
        return None
    (x0, y0), (x1, y1), corners = loop.start, loop.edges[1].end, [e.end for e in loop.edges]
    if corners != [(x1, y0), (x1, y1), (x0, y1), (x0, y0)]:
        return None
    return Rect(((x0 + x1) / 2, (y0 + y1) / 2), abs(x1 - x0), abs(y1 - y0))


# --- rounding --------------------------------------------------------------------------------------------------------


def rounded(program: Program) -> Program | None:
    """The program on the integer grid (half units where something is thin); None where a feature vanishes on it."""
    steps = [Step(s.operation, body) for s in program.steps if (body := _rounded_body(s.body)) is not None]
    return Program(tuple(steps)) if len(steps) == len(program.steps) else None


def _grid(value: float, step: float = 1.0) -> float:
    return float(np.rint(value / step) * step) + 0.0


def _interval(low: float, high: float) -> tuple[float, float]:
    """Centre and length of an interval with rounded ends; a short one keeps its length to half a unit."""
    if high - low >= FINE:
        low, high = _grid(low), _grid(high)
        return (low + high) / 2, high - low
    return _grid((low + high) / 2, 0.5), _grid(high - low, 0.5)


def _rounded_body(body: Extrude) -> Extrude | None:
    faces = tuple(Face(outline, f.subtract) for f in body.faces if (outline := _rounded_outline(f.outline)) is not None)
    low, high = sorted((body.offset, body.offset + body.height))
    step = 1.0 if high - low >= FINE else 0.5
    low, high = max(_grid(low, step), -FRAME), min(_grid(high, step), FRAME)  # what a cut takes outside does not matter
    if len(faces) < len(body.faces) or high <= low:
        return None
    return Extrude(body.plane, low, high - low, faces)


def _rounded_outline(outline: Outline) -> Outline | None:
    if isinstance(outline, Circle):
        radius = _grid(outline.radius, 0.5 if outline.radius < 2 * FINE else 1.0)
        return Circle((_grid(outline.centre[0], 0.5), _grid(outline.centre[1], 0.5)), radius) if radius > 0 else None
    if isinstance(outline, Rect):
        (x0, y0), (x1, y1) = np.clip(bounds(outline), -FRAME, FRAME)
        (x, w), (y, h) = _interval(x0, x1), _interval(y0, y1)
        return Rect((x, y), w, h) if w > 0 and h > 0 else None
    return _rounded_loop(outline)


def _rounded_loop(loop: Loop) -> Loop | None:
    start, edges = _rounded_point(loop.start), []
    here = start
    for edge in loop.edges:
        rounded_edge = _rounded_edge(here, edge)
        if rounded_edge is not None:
            edges.append(rounded_edge)
            here = rounded_edge.end
    edges = _without_straight_corners(start, edges)
    return Loop(start, tuple(edges)) if len(edges) >= 2 and abs(_signed_area(Loop(start, tuple(edges)))) > 1 else None


def _rounded_point(point: Point) -> Point:
    return _grid(point[0]), _grid(point[1])


def _rounded_edge(here: Point, edge: Edge) -> Edge | None:
    end = _rounded_point(edge.end)
    if here == end:
        return None
    if isinstance(edge, Line):
        return Line(end)
    middle = _rounded_point(edge.middle)
    return Line(end) if abs(_cross(here, middle, end)) < 1 else Arc(middle, end)


def _cross(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _without_straight_corners(start: Point, edges: list[Edge]) -> list[Edge]:
    """Consecutive collinear lines become one."""
    kept: list[Edge] = []
    for edge in edges:
        before = kept[-2].end if len(kept) > 1 else start
        straight = kept and isinstance(edge, Line) and isinstance(kept[-1], Line)
        if straight and _cross(before, kept[-1].end, edge.end) == 0:
            kept.pop()
        kept.append(edge)
    return kept
