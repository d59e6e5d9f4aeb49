"""Workplanes of CadQuery as values, what each of their calls does to them, and the readers of numbers.

Signatures mirror CadQuery's, less what the dialect leaves out; every call returns a new value. Checked against CadQuery
2.5 by running both (the tests).
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from cadcode.program.curve import Point
from cadcode.program.place import AXES, DIRECTIONS, PLANES, NamedPlane, Placement, Vector, rotation_of

MAX_NUMBER = 1e9
SQUARE = 1e-8  # deviation of directions in a text from unit length and from right angles
SHORTEST = 1e-7  # length of a direction that the kernel takes


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


PLANE_METHODS = {
    Module: {"Workplane": workplane_of, "Plane": plane_of},
    Plane: {"workplane": workplane, "transformed": transformed, "moveTo": move_to},
}
