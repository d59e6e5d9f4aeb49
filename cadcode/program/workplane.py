"""Workplanes and sketches of CadQuery as values, and what each of their calls does to them.

Signatures mirror CadQuery's, less what the dialect leaves out; every call returns a new value. Checked against CadQuery
2.5 by running both (the tests).
"""

import math
from dataclasses import dataclass, replace

from cadcode.program.curve import Arc, Edge, Line, Point
from cadcode.program.outlines import Circle, Loop, Rect
from cadcode.program.place import AXES, PLANES
from cadcode.program.sketch import Face, moved_faces

MAX_NUMBER = 1e9
MAX_EDGES = 5000  # of one sketch; a circle counts as one
JOIN = 1e-6  # CadQuery joins edges whose ends are this close


class Outside(Exception):
    """A text leaves the dialect: the reason, and the line (0 until it is known)."""

    def __init__(self, reason: str, line: int = 0):
        self.reason, self.line = reason, line
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Module:
    """`cadquery` itself."""


@dataclass(frozen=True, slots=True)
class Selectors:
    """`cadquery.selectors`."""


@dataclass(frozen=True, slots=True)
class Plane:
    """A workplane: its name, where its origin lies (in the plane, along the normal), and where `moveTo` went."""

    name: str
    origin: Point = (0.0, 0.0)
    offset: float = 0.0
    at: Point = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Sketch:
    """A sketch in the making: faces so far, the points they repeat at, and the outline being drawn."""

    plane: Plane | None = None
    faces: tuple[Face, ...] = ()
    selection: tuple[Point, ...] = ((0.0, 0.0),)
    start: Point | None = None
    edges: tuple[Edge, ...] = ()
    assembled: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """A finalized sketch on its workplane."""

    plane: Plane
    faces: tuple[Face, ...]


def workplane_of(_: Module, inPlane="XY", origin=(0.0, 0.0, 0.0)) -> Plane:
    if inPlane not in PLANES:
        raise Outside(f"a workplane is one of {', '.join(PLANES)}, not {inPlane!r}")
    coordinates = numbers_of(origin, 3, "an origin")
    across, along, normal = (coordinates[axis] for axis in AXES[inPlane])
    return Plane(inPlane, (across, along), normal)


def free_sketch(_: Module) -> Sketch:
    return Sketch()


def workplane(plane: Plane, offset=0.0) -> Plane:
    return replace(plane, offset=plane.offset + number_of(offset, "an offset"), at=(0.0, 0.0))


def move_to(plane: Plane, x=0.0, y=0.0) -> Plane:
    return replace(plane, at=(number_of(x, "a position"), number_of(y, "a position")))


def sketch_on(plane: Plane) -> Sketch:
    return Sketch(plane)


def push(sketch: Sketch, locs) -> Sketch:
    if not isinstance(locs, tuple) or not locs:
        raise Outside("push takes a list of points")
    return replace(sketch, selection=tuple(point_of(loc) for loc in locs))


def reset(sketch: Sketch) -> Sketch:
    return replace(sketch, selection=((0.0, 0.0),))


def circle(sketch: Sketch, r, *, mode="a") -> Sketch:
    return _add(sketch, (Face(Circle((0.0, 0.0), size_of(r, "a radius"))),), mode)


def rect(sketch: Sketch, w, h, *, mode="a") -> Sketch:
    # CadQuery draws the same rectangle for negative sides.
    width, height = size_of(abs(number_of(w, "a width")), "a width"), size_of(abs(number_of(h, "a height")), "a height")
    return _add(sketch, (Face(Rect((0.0, 0.0), width, height)),), mode)


def face(sketch: Sketch, b, *, mode="a") -> Sketch:
    if not isinstance(b, Sketch):
        raise Outside("face takes a sketch")
    faces = _finished(b)
    if any(face.subtract for face in faces):
        raise Outside("the sketch inside face takes material away")
    return _add(sketch, faces, mode)


def segment(sketch: Sketch, *points) -> Sketch:
    *start, end = _edge_points(points, 1, "segment")
    return _draw(sketch, start, Line(end))


def arc(sketch: Sketch, *points) -> Sketch:
    *start, middle, end = _edge_points(points, 2, "arc")
    return _draw(sketch, start, Arc(middle, end))


def _edge_points(points: tuple, own: int, what: str) -> list[Point]:
    if len(points) not in (own, own + 1):
        raise Outside(f"{what} takes {own} or {own + 1} points")
    return [point_of(point) for point in points]


def close(sketch: Sketch) -> Sketch:
    if not sketch.edges:
        raise Outside("close comes before any edge")
    if _near(sketch.edges[-1].end, sketch.start):
        raise Outside("close comes after an outline that is closed already")
    return replace(sketch, edges=(*sketch.edges, Line(sketch.start)))


def assemble(sketch: Sketch, *, mode="a") -> Sketch:
    if sketch.assembled:
        raise Outside("a second outline needs a sketch of its own (face)")
    if len(sketch.edges) < 2 or not _near(sketch.edges[-1].end, sketch.start):
        raise Outside("an outline does not end where it starts")
    edges = (*sketch.edges[:-1], replace(sketch.edges[-1], end=sketch.start))
    done = replace(sketch, start=None, edges=(), assembled=True)
    return _add(done, (Face(Loop(sketch.start, edges)),), mode)


def finalize(sketch: Sketch) -> Profile:
    if sketch.plane is None:
        raise Outside("a sketch without a workplane cannot be finalized")
    return Profile(sketch.plane, _finished(sketch))


def _add(sketch: Sketch, faces: tuple[Face, ...], mode) -> Sketch:
    """Add (`a`) or take away (`s`) faces, once at each selected point."""
    if mode not in ("a", "s"):
        raise Outside(f"mode is 'a' or 's', not {mode!r}")
    if mode == "s" and not sketch.faces:
        raise Outside("a sketch starts with a face that takes material away")
    if _edges(faces) * len(sketch.selection) + _edges(sketch.faces) > MAX_EDGES:
        raise Outside(f"a sketch of more than {MAX_EDGES} edges")
    placed = [moved for point in sketch.selection for moved in moved_faces(faces, point)]
    return replace(sketch, faces=(*sketch.faces, *(Face(each.outline, mode == "s") for each in placed)))


def _edges(faces: tuple[Face, ...]) -> int:
    return sum(face.outline.edge_count for face in faces)


def _draw(sketch: Sketch, start: list[Point], edge: Edge) -> Sketch:
    """Append an edge; it starts where the last one ended, whether its text repeats that point or not."""
    if not sketch.edges:
        if not start:
            raise Outside("the first edge of an outline needs its starting point")
        return replace(sketch, start=start[0], edges=(edge,))
    if start and not _near(start[0], sketch.edges[-1].end):
        raise Outside("an edge does not start where the one before it ends")
    if len(sketch.edges) >= MAX_EDGES:
        raise Outside(f"an outline of more than {MAX_EDGES} edges")
    return replace(sketch, edges=(*sketch.edges, edge))


def _finished(sketch: Sketch) -> tuple[Face, ...]:
    if sketch.edges:
        raise Outside("an outline is never assembled")
    if not sketch.faces:
        raise Outside("an empty sketch")
    return sketch.faces


def _near(a: Point, b: Point) -> bool:
    return math.dist(a, b) <= JOIN


def number_of(value, what: str) -> float:
    if not isinstance(value, float):
        raise Outside(f"{what} must be a number")
    return value


def size_of(value, what: str) -> float:
    if number_of(value, what) <= 0:
        raise Outside(f"{what} must be above 0, not {value:g}")
    return value


def point_of(value) -> Point:
    return numbers_of(value, 2, "a point")


def numbers_of(value, count: int, what: str) -> tuple[float, ...]:
    if not isinstance(value, tuple) or len(value) != count:
        raise Outside(f"{what} must be {count} numbers")
    return tuple(number_of(item, what) for item in value)


PLANE_METHODS = {"workplane": workplane, "moveTo": move_to, "sketch": sketch_on}
SKETCH_METHODS = {
    "push": push,
    "reset": reset,
    "circle": circle,
    "rect": rect,
    "face": face,
    "segment": segment,
    "arc": arc,
    "close": close,
    "assemble": assemble,
    "finalize": finalize,
}
