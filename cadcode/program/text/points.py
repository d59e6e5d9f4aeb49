"""Points in a plane as expressions: on a circle, in rows, or one by one."""

import math
from collections.abc import Sequence

from cadcode.program.curve import Point
from cadcode.program.text.expression import Expression, shortest
from cadcode.program.text.placing import Places

Pair = tuple[Expression, Expression]


def expressed(places: Places, axes: Sequence[int], points: list[Point], name: str) -> list[Pair]:
    """The points; `axes` are the world axes of their x and y, `name` is what parameters are named after."""
    return _on_circle(places, axes, points, name) or _in_rows(places, axes, points, name)


def _in_rows(places: Places, axes: Sequence[int], points: list[Point], name: str) -> list[Pair]:
    across, along = (
        places.row(axis, list(column), name) for axis, column in zip(axes[:2], zip(*points, strict=True), strict=True)
    )
    return list(zip(across, along, strict=True))


def _on_circle(places: Places, axes: Sequence[int], points: list[Point], name: str) -> list[Pair] | None:
    """Three or more points spread evenly about their middle, by the radius of their circle; else None."""
    tolerance = places.parameters.tolerance
    if len(points) < 3:
        return None
    middle = [math.fsum(column) / len(points) for column in zip(*points, strict=True)]
    offsets = [(x - middle[0], y - middle[1]) for x, y in points]
    radius = math.hypot(*offsets[0])
    if not _is_even(offsets, tolerance):
        return None
    u, v = (places.position(axis, at, name) for axis, at in zip(axes, middle, strict=False))
    named = places.parameters.size((name, "circle radius"), f"{name}_circle_radius", radius)
    shares = [[shortest(part / radius, tolerance / radius) for part in offset] for offset in offsets]
    return [(u + named * x, v + named * y) for x, y in shares]


def _is_even(offsets: list[Point], tolerance: float) -> bool:
    """Whether points are spread evenly on a circle, given from its centre, and are not the corners of a rectangle."""
    count, radius = len(offsets), math.hypot(*offsets[0])
    if count == 4 and all(abs(abs(x) - abs(offsets[0][0])) <= tolerance for x, _ in offsets):
        return False
    if radius <= tolerance:
        return False  # all at one point
    turns = sorted(math.atan2(y, x) % math.tau for x, y in offsets)
    steps = [(b - a) % math.tau for a, b in zip(turns, [*turns[1:], turns[0]], strict=True)]
    uneven = max(abs(step - math.tau / count) for step in steps) * radius
    return uneven <= tolerance and all(abs(math.hypot(*offset) - radius) <= tolerance for offset in offsets)
