"""Arrays of CadQuery as values: places in rows or on a circle, on workplanes and in sketches.

Signatures mirror CadQuery's, less what the dialect leaves out; every call returns a new value.
"""

import math
from dataclasses import dataclass, replace

from cadcode.program.curve import Point
from cadcode.program.sketching import JOIN, MAX_EDGES, Sketch
from cadcode.program.workplane import Outside, Plane, number_of

MAX_PLACES = 1000  # of one array
FULL_TURN = 360.0


@dataclass(frozen=True, slots=True)
class Rows:
    """A workplane with places in rows along its x and y, about its origin."""

    plane: Plane
    spacing: Point
    counts: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Ring:
    """A workplane with places on a circle about its origin, each turned by its own angle; angles in degrees.

    The last place is `angle` after the first; with 360 they are evenly spaced.
    """

    plane: Plane
    radius: float
    start: float
    angle: float
    count: int


def rows_of(plane: Plane, xSpacing, ySpacing, xCount, yCount, center=True) -> Rows:
    return Rows(plane, *row_numbers(xSpacing, ySpacing, xCount, yCount, center))


def ring_of(plane: Plane, radius, startAngle, angle, count, fill=True, rotate=True) -> Ring:
    if rotate is not True:
        raise Outside("the places of a polar array turn")
    return Ring(plane, *ring_numbers(radius, startAngle, angle, count, fill))


def rows_in(sketch: Sketch, xs, ys, nx, ny) -> Sketch:
    return _repeat(sketch, row_places(*row_numbers(xs, ys, nx, ny)))


def ring_in(sketch: Sketch, r, a1, da, n, rotate=True) -> Sketch:
    if not isinstance(rotate, bool):
        raise Outside("rotate is True or False")
    ring = ring_places(*ring_numbers(r, a1, da, n))
    return replace(_repeat(sketch, ring), turned=rotate or sketch.turned)


def _repeat(sketch: Sketch, places: list[Point]) -> Sketch:
    """The selected points at each of the places."""
    if len(places) * len(sketch.selection) > MAX_EDGES:
        raise Outside(f"more than {MAX_EDGES} points")
    return replace(sketch, selection=tuple((x + u, y + v) for x, y in places for u, v in sketch.selection))


def row_numbers(across, along, columns, rows, center=True) -> tuple[Point, tuple[int, int]]:
    """Spacings and counts."""
    if center is not True:
        raise Outside("an array is centred on its workplane")
    spacing = number_of(across, "a spacing"), number_of(along, "a spacing")
    nx, ny = _counts_of(columns, rows)
    return spacing, (nx, ny)


def ring_numbers(radius, start, angle, count, fill=True) -> tuple[float, float, float, int]:
    """Radius, angle of the first place, angle from there to the last one, count; not `fill`: to the second one."""
    radius, start, angle = number_of(radius, "a radius"), number_of(start, "an angle"), number_of(angle, "an angle")
    (count,) = _counts_of(count)
    if fill is not True:
        angle *= count - 1
        if abs(angle) >= FULL_TURN:
            raise Outside("a polar array of more than a full turn")
    return radius, start, angle, count


def row_places(spacing: Point, counts: tuple[int, int]) -> list[Point]:
    (dx, dy), (nx, ny) = spacing, counts
    return [((i - (nx - 1) / 2) * dx, (j - (ny - 1) / 2) * dy) for i in range(nx) for j in range(ny)]


def ring_places(radius: float, start: float, angle: float, count: int) -> list[Point]:
    full = abs(math.remainder(angle, FULL_TURN)) < JOIN
    step = angle / (count if full else max(count - 1, 1))
    turns = [math.radians(start + step * index) for index in range(count)]
    return [(radius * math.cos(turn), radius * math.sin(turn)) for turn in turns]


def _counts_of(*values) -> tuple[int, ...]:
    """The numbers of places of an array in each direction."""
    counts = tuple(int(number_of(value, "a count")) for value in values)
    if counts != values or min(counts) < 1 or math.prod(counts) > MAX_PLACES:
        raise Outside(f"an array has 1 to {MAX_PLACES} places")
    return counts


ARRAY_METHODS = {
    Plane: {"rarray": rows_of, "polarArray": ring_of},
    Sketch: {"rarray": rows_in, "parray": ring_in},
}
