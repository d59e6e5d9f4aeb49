"""Workplanes on a solid, where holes are drilled: which way they face and the points picked on them.

Signatures mirror CadQuery's, less what the dialect leaves out; every call returns a new value.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from cadcode.program.arrays import ring_numbers, ring_places, row_numbers, row_places
from cadcode.program.curve import Point
from cadcode.program.place import Vector
from cadcode.program.sketching import MAX_EDGES
from cadcode.program.workplane import (
    Outside,
    number_of,
    point_of,
    size_of,
)

NEAR = 1e-6  # lengths and angles this close are the same


@dataclass(frozen=True, slots=True)
class SolidPlane:
    """A workplane on a solid, its normal out of it, and the points picked in it.

    `span()`: coordinates along the normal's axis at which the solid starts, and at which a hole through it ends.
    """

    solid: object
    origin: Vector
    x: Vector  # unit vector along an axis, as `normal`
    normal: Vector
    span: Callable[[], tuple[float, float]]
    points: tuple[Point, ...] = ((0.0, 0.0),)

    @property
    def facing(self) -> tuple[int, int]:
        """World axis and sense of the normal."""
        return facing(self.normal)

    def spots(self) -> list[Vector]:
        """The points in space."""
        return [self.at(point) for point in self.points]

    def at(self, point: Point) -> Vector:
        y = cross(self.normal, self.x)
        return _sum(
            self.origin, *(tuple(part * way for way in line) for part, line in zip(point, (self.x, y), strict=True))
        )

    def through(self) -> float:
        """Depth of a hole through the solid."""
        axis, sense = self.facing
        start, end = self.span()
        below = sense * (start - self.origin[axis])
        depth = sense * (self.origin[axis] - end)
        if below < -NEAR or depth <= NEAR:
            raise Outside("a hole without a depth that starts outside its solid")
        return depth


@dataclass(frozen=True, slots=True)
class Corners:
    """Rectangles drawn for their corners only."""

    at: SolidPlane


def unit(axis: int, sense: int = 1) -> Vector:
    return sense * float(axis == 0), sense * float(axis == 1), sense * float(axis == 2)


def facing(normal: Vector) -> tuple[int, int]:
    """Axis and sense of a unit vector."""
    axis = next(n for n in range(3) if normal[n])
    return axis, 1 if normal[axis] > 0 else -1


def workplane(at: SolidPlane, offset=0.0) -> SolidPlane:
    if len(at.points) > 1:
        raise Outside("a workplane after several points")
    return replace(at, origin=raised(at.origin, at.normal, offset), points=((0.0, 0.0),))


def center(at: SolidPlane, x, y) -> SolidPlane:
    return replace(at, origin=at.at((number_of(x, "a position"), number_of(y, "a position"))), points=((0.0, 0.0),))


def move_to(at: SolidPlane, x=0.0, y=0.0) -> SolidPlane:
    return replace(at, points=((number_of(x, "a position"), number_of(y, "a position")),))


def push_points(at: SolidPlane, pntList) -> SolidPlane:
    if not isinstance(pntList, tuple) or not pntList:
        raise Outside("pushPoints takes a list of points")
    return _picked(at, [point_of(point) for point in pntList])


def rows(at: SolidPlane, xSpacing, ySpacing, xCount, yCount, center=True) -> SolidPlane:
    return _picked(at, row_places(*row_numbers(xSpacing, ySpacing, xCount, yCount, center)))


def ring(at: SolidPlane, radius, startAngle, angle, count, fill=True, rotate=True) -> SolidPlane:
    return _picked(at, ring_places(*ring_numbers(radius, startAngle, angle, count, fill)))


def rect(at: SolidPlane, xLen, yLen, *, forConstruction=False) -> Corners:
    if forConstruction is not True:
        raise Outside("a rectangle on a solid is for construction only")
    x, y = size_of(xLen, "a width") / 2, size_of(yLen, "a height") / 2
    corners = [(u + i * x, v + j * y) for u, v in at.points for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    return Corners(_picked(at, corners))


def vertices(corners: Corners) -> SolidPlane:
    return corners.at


def _picked(at: SolidPlane, points: list[Point]) -> SolidPlane:
    if len(points) > MAX_EDGES:
        raise Outside(f"more than {MAX_EDGES} points")
    return replace(at, points=tuple(points))


def raised(origin: Vector, normal: Vector, offset) -> Vector:
    by = number_of(offset, "an offset")
    return _sum(origin, tuple(by * way for way in normal))


def cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def _sum(*vectors: Vector) -> Vector:
    x, y, z = (math.fsum(parts) for parts in zip(*vectors, strict=True))
    return x, y, z


SOLID_PLANE_KINDS = {
    SolidPlane: "a workplane on a solid",
    Corners: "a rectangle for construction",
}
SOLID_PLANE_METHODS = {
    SolidPlane: {
        "workplane": workplane,
        "center": center,
        "moveTo": move_to,
        "pushPoints": push_points,
        "rarray": rows,
        "polarArray": ring,
        "rect": rect,
    },
    Corners: {"vertices": vertices},
}
