"""What each CadQuery call of the dialect does, on values instead of solids.

`METHODS` is the whole dialect: the kinds of values and the calls each of them knows. Signatures mirror CadQuery's, less
what the dialect leaves out; every call returns a new value. Checked against CadQuery 2.5 by running both (the tests).
"""

import math
from dataclasses import dataclass, replace

from cadcode.program.transform import moved_faces
from cadcode.program.tree import AXES, PLANES, Arc, Circle, Edge, Extrude, Face, Line, Loop, Point, Program, Rect, Step

MAX_NUMBER = 1e9
MAX_STEPS = 200
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


KINDS = {Module: "cadquery", Plane: "a workplane", Sketch: "a sketch", Profile: "a finished sketch", Program: "a solid"}


def workplane_of(_: Module, inPlane="XY", origin=(0.0, 0.0, 0.0)) -> Plane:
    if inPlane not in PLANES:
        raise Outside(f"a workplane is one of {', '.join(PLANES)}, not {inPlane!r}")
    coordinates = _numbers(origin, 3, "an origin")
    across, along, normal = (coordinates[axis] for axis in AXES[inPlane])
    return Plane(inPlane, (across, along), normal)


def free_sketch(_: Module) -> Sketch:
    return Sketch()


def workplane(plane: Plane, offset=0.0) -> Plane:
    return replace(plane, offset=plane.offset + _number(offset, "an offset"), at=(0.0, 0.0))


def move_to(plane: Plane, x=0.0, y=0.0) -> Plane:
    return replace(plane, at=(_number(x, "a position"), _number(y, "a position")))


def box(plane: Plane, length, width, height) -> Program:
    return _centred(plane, Rect((0.0, 0.0), _size(length, "a length"), _size(width, "a width")), height)


def cylinder(plane: Plane, height, radius) -> Program:
    return _centred(plane, Circle((0.0, 0.0), _size(radius, "a radius")), height)


def _centred(plane: Plane, outline: Rect | Circle, height) -> Program:
    """Boxes and cylinders lie around the workplane, half of the height on each side."""
    height = _size(height, "a height")
    return _prism(replace(plane, offset=plane.offset - height / 2), height, (Face(outline),))


def sketch_on(plane: Plane) -> Sketch:
    return Sketch(plane)


def push(sketch: Sketch, locs) -> Sketch:
    if not isinstance(locs, tuple) or not locs:
        raise Outside("push takes a list of points")
    return replace(sketch, selection=tuple(_point(loc) for loc in locs))


def reset(sketch: Sketch) -> Sketch:
    return replace(sketch, selection=((0.0, 0.0),))


def circle(sketch: Sketch, r, *, mode="a") -> Sketch:
    return _add(sketch, (Face(Circle((0.0, 0.0), _size(r, "a radius"))),), mode)


def rect(sketch: Sketch, w, h, *, mode="a") -> Sketch:
    # CadQuery draws the same rectangle for negative sides.
    width, height = _size(abs(_number(w, "a width")), "a width"), _size(abs(_number(h, "a height")), "a height")
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
    return [_point(point) for point in points]


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


def extrude(profile: Profile, until) -> Program:
    height = _number(until, "a height")
    if height == 0:
        raise Outside("a height of 0")
    return _prism(profile.plane, height, profile.faces)


def union(solid: Program, toUnion, tol=None) -> Program:
    return _combine(solid, "union", toUnion, tol)


def cut(solid: Program, toCut, tol=None) -> Program:
    return _combine(solid, "cut", toCut, tol)


def intersect(solid: Program, toIntersect, tol=None) -> Program:
    return _combine(solid, "intersect", toIntersect, tol)


METHODS = {
    Module: {"Workplane": workplane_of, "Sketch": free_sketch},
    Plane: {"workplane": workplane, "moveTo": move_to, "sketch": sketch_on, "box": box, "cylinder": cylinder},
    Sketch: {
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
    },
    Profile: {"extrude": extrude},
    Program: {"union": union, "cut": cut, "intersect": intersect},
}


def _prism(plane: Plane, height: float, faces: tuple[Face, ...]) -> Program:
    shift = (plane.origin[0] + plane.at[0], plane.origin[1] + plane.at[1])
    return Program((Step("union", Extrude(plane.name, plane.offset, height, moved_faces(faces, shift))),))


def _combine(left: Program, operation: str, right, tolerance) -> Program:
    """Append `right` to `left`, body by body where set algebra allows it; a tolerance helps the kernel alone."""
    if not isinstance(right, Program):
        raise Outside(f"{operation} takes a solid")
    if tolerance is not None:
        _number(tolerance, "a tolerance")
    first, *rest = right.steps
    inner = {step.operation for step in rest}
    # A + (b + c) = A + b + c; A - (b + c) = A - b - c; A & (b & c - d) = A & b & c - d
    flat = {"union": {"union"}, "cut": {"union"}, "intersect": {"cut", "intersect"}}
    if not inner <= flat[operation]:
        raise Outside(f"{operation} with a solid that is itself combined: the order of steps would be lost")
    if len(left.steps) + len(right.steps) > MAX_STEPS:
        raise Outside(f"more than {MAX_STEPS} steps")
    again = [Step("cut" if operation == "cut" else step.operation, step.body) for step in rest]
    return Program((*left.steps, Step(operation, first.body), *again))


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
    return sum(len(face.outline.edges) if isinstance(face.outline, Loop) else 1 for face in faces)


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


def _number(value, what: str) -> float:
    if not isinstance(value, float):
        raise Outside(f"{what} must be a number")
    return value


def _size(value, what: str) -> float:
    if _number(value, what) <= 0:
        raise Outside(f"{what} must be above 0, not {value:g}")
    return value


def _point(value) -> Point:
    return _numbers(value, 2, "a point")


def _numbers(value, count: int, what: str) -> tuple[float, ...]:
    if not isinstance(value, tuple) or len(value) != count:
        raise Outside(f"{what} must be {count} numbers")
    return tuple(_number(item, what) for item in value)
