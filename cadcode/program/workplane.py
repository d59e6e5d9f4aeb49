"""Workplanes and sketches of CadQuery as values, and what each of their calls does to them.

Signatures mirror CadQuery's, less what the dialect leaves out; every call returns a new value. Checked against CadQuery
2.5 by running both (the tests).
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from cadcode.program.curve import Arc, Edge, Line, Point
from cadcode.program.outlines import Circle, Loop, Rect
from cadcode.program.place import AXES, DIRECTIONS, PLANES, NamedPlane, Placement, Vector, rotation_of
from cadcode.program.sketch import Face, moved_faces

MAX_NUMBER = 1e9
MAX_EDGES = 5000  # of one sketch; a circle counts as one
SQUARE = 1e-8  # deviation of directions in a text from unit length and from right angles
SHORTEST = 1e-7  # length of a direction that the kernel takes
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
    """A workplane: its name, where its origin lies (in the plane, along the normal), and where `moveTo` went.

    All this is in the coordinates of `place`, where it has one: makers of features need not know, `calls` places what
    they make. The plane is XY then.
    """

    name: str
    origin: Point = (0.0, 0.0)
    offset: float = 0.0
    at: Point = (0.0, 0.0)
    place: Placement | None = None

    def in_space(self, x: float = 0.0, y: float = 0.0) -> Vector:
        """The point of space at a point of the workplane."""
        i, j, k = AXES[self.name]
        found = [0.0, 0.0, 0.0]
        found[i], found[j], found[k] = self.origin[0] + x, self.origin[1] + y, self.offset
        if self.place is not None:
            found = self.place.in_space(np.array(found)).tolist()
        return found[0], found[1], found[2]

    @property
    def placement(self) -> Placement:
        """This plane in space."""
        rotation = (NamedPlane(self.name).placement if self.place is None else self.place).rotation
        return Placement.of(self.in_space(), rotation)


@dataclass(frozen=True, slots=True)
class Sketch:
    """A sketch in the making: faces so far, the points they repeat at (turned or not), and the outline being drawn."""

    plane: Plane | None = None
    faces: tuple[Face, ...] = ()
    selection: tuple[Point, ...] = ((0.0, 0.0),)
    turned: bool = False
    start: Point | None = None
    edges: tuple[Edge, ...] = ()
    assembled: bool = False


@dataclass(frozen=True, slots=True)
class Profile:
    """A finalized sketch on its workplane."""

    plane: Plane
    faces: tuple[Face, ...]


def workplane_of(_: Module, inPlane="XY", origin=(0.0, 0.0, 0.0)) -> Plane:
    coordinates = numbers_of(origin, 3, "an origin")
    if isinstance(inPlane, Placement):
        return Plane("XY", place=inPlane)  # CadQuery ignores the other origin
    if inPlane not in DIRECTIONS:
        raise Outside(f"a workplane is one of {', '.join(DIRECTIONS)}, not {inPlane!r}")
    if inPlane not in PLANES:
        return Plane("XY", place=Placement(coordinates, *DIRECTIONS[inPlane]))
    across, along, normal = (coordinates[axis] for axis in AXES[inPlane])
    return Plane(inPlane, (across, along), normal)


def plane_of(_: Module, origin, xDir=None, normal=(0.0, 0.0, 1.0)) -> Placement:
    at, upright = numbers_of(origin, 3, "an origin"), direction_of(normal, "a normal")
    x = _any_x(upright) if xDir is None else direction_of(xDir, "an x direction")
    if abs(math.fsum(a * b for a, b in zip(x, upright, strict=True))) > SQUARE:
        raise Outside("the x direction of a plane is at right angles to its normal")
    return Placement(at, x, upright)


def _any_x(normal: Vector) -> Vector:
    """The x direction that the kernel gives to a plane of which only the normal is known."""
    a, b, c = normal
    least = min(map(abs, normal))
    if abs(b) == least:
        x = (-c, 0.0, a) if abs(a) > abs(c) else (c, 0.0, -a)
    elif abs(a) == least:
        x = (0.0, -c, b) if abs(b) > abs(c) else (0.0, c, -b)
    else:
        x = (-b, a, 0.0) if abs(a) > abs(b) else (b, -a, 0.0)
    return direction_of(x, "an x direction")


def free_sketch(_: Module) -> Sketch:
    return Sketch()


def workplane(plane: Plane, offset=0.0) -> Plane:
    return replace(plane, offset=plane.offset + number_of(offset, "an offset"), at=(0.0, 0.0))


def transformed(plane: Plane, rotate=(0.0, 0.0, 0.0), offset=(0.0, 0.0, 0.0)) -> Plane:
    """Shifted and then turned about its own axes; CadQuery forgets `moveTo` here, as it does in `workplane`."""
    angles, (x, y, z) = numbers_of(rotate, 3, "a rotation"), numbers_of(offset, 3, "an offset")
    shifted = (plane.origin[0] + x, plane.origin[1] + y)
    moved = replace(plane, origin=shifted, offset=plane.offset + z, at=(0.0, 0.0))
    if not any(angles):
        return moved
    turn = Placement.of((0.0, 0.0, 0.0), rotation_of(angles))
    return Plane("XY", place=moved.placement.at(turn))


def move_to(plane: Plane, x=0.0, y=0.0) -> Plane:
    return replace(plane, at=(number_of(x, "a position"), number_of(y, "a position")))


def sketch_on(plane: Plane) -> Sketch:
    return Sketch(plane)


def push(sketch: Sketch, locs) -> Sketch:
    if not isinstance(locs, tuple) or not locs:
        raise Outside("push takes a list of points")
    return replace(sketch, selection=tuple(point_of(loc) for loc in locs), turned=False)


def reset(sketch: Sketch) -> Sketch:
    return replace(sketch, selection=((0.0, 0.0),), turned=False)


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
    if sketch.turned and any(f.outline.kind != "circle" or any(f.outline.centre) for f in faces):
        raise Outside("outlines that an array turns, other than circles")
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
        raise Outside(f"{what} must be a number, not {str(value)[:40]}")
    return value


def size_of(value, what: str) -> float:
    if number_of(value, what) <= 0:
        raise Outside(f"{what} must be above 0, not {value:g}")
    return value


def point_of(value) -> Point:
    return numbers_of(value, 2, "a point")


def direction_of(value, what: str) -> Vector:
    """A unit vector; numbers that are one already, as far as a text can say it, stay as they are."""
    x, y, z = numbers_of(value, 3, what)
    length = math.hypot(x, y, z)
    if length < SHORTEST:
        raise Outside(f"{what} must have a length")
    return (x, y, z) if abs(length - 1) < SQUARE else (x / length, y / length, z / length)


def numbers_of(value, count: int, what: str) -> tuple[float, ...]:
    if not isinstance(value, tuple) or len(value) != count:
        raise Outside(f"{what} must be {count} numbers")
    return tuple(number_of(item, what) for item in value)


PLANE_METHODS = {"workplane": workplane, "transformed": transformed, "moveTo": move_to, "sketch": sketch_on}
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
