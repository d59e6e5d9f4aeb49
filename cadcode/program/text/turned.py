"""Revolutions as CadQuery calls with named radii, heights and angles."""

import math

from cadcode.program.curve import arc_circle
from cadcode.program.features.revolve import LINE, WHOLE, Revolve
from cadcode.program.outlines import Circle, Loop, Rect
from cadcode.program.place import AXES
from cadcode.program.sketch import Face
from cadcode.program.text.corners import pair_of
from cadcode.program.text.expression import ZERO, Expression, constant
from cadcode.program.text.layout import Block
from cadcode.program.text.naming import LETTERS, role
from cadcode.program.text.placing import Interval, Places, Size, origin_text
from cadcode.program.tree import Point

SPACED = LINE.replace(",", ", ")
NEARLY = 1e-4  # of its radius, of an arc's centre from the axis
VERBS = {"union": "turned", "cut": "turned out", "intersect": "all but this turned profile is taken away,"}


class TurnedDrawing:
    """Writes one revolution; `calls` is the chain that makes it."""

    def __init__(self, name: str, body: Revolve, operation: str, places: Places):
        self.name, self.body, self.operation, self.places = name, body, operation, places
        self.axes = AXES[body.plane]
        self.parameters = places.parameters

    def calls(self) -> list[Block | str]:
        low, high = self.body.bounds()[:, self.axes[1]].tolist()
        size = Size((role(self.name), "length"), f"{self.name}_length")
        self.span = self.places.interval(
            self.axes[1], low, high, size, f"{self.name}_offset", self.operation == "union"
        )
        plane = f'cq.Workplane("{self.body.plane}"{origin_text(self._origin())})'
        turned = f".transformed(rotate=(0, {self.places.write(self.body.start)}, 0))" if self.body.start else ""
        sketch = [call for number, face in enumerate(self.body.faces) for call in self._face(face, number == 0)]
        return [plane + turned, ".sketch()", *sketch, ".finalize()", f".revolve({self._angle()}, {SPACED})"]

    def words(self) -> str:
        """A few words for the comment: `shaft: profile turned about z`."""
        return f"{self.name}: profile {VERBS[self.operation]} about {LETTERS[self.axes[1]]}"

    def _origin(self) -> list[Expression]:
        """The plane's origin: on the axis, at the datum's height."""
        found = list(self.places.datum)
        for axis, value in zip((self.axes[0], self.axes[2]), self.body.centre, strict=True):
            found[axis] += self.places.position(axis, value, self.name)
        return found

    def _angle(self) -> str:
        angle = self.body.angle
        if angle == WHOLE:
            return "360"
        return self.parameters.size((self.name, "angle"), f"{self.name}_angle", angle).text()

    def _face(self, face: Face, first: bool) -> list[Block | str]:
        mode = ', mode="s"' if face.subtract else ""
        if isinstance(face.outline, Circle):
            radius = self.parameters.size((self.name, "round"), f"{self.name}_round_radius", face.outline.radius)
            point = pair_of((self._radius(face.outline.centre[0]), self._height(face.outline.centre[1])))
            return [Block(".push([", (point,), "])"), f".circle({radius.text()}{mode})"]
        drawn = self._loop(face.outline.loop() if isinstance(face.outline, Rect) else face.outline)
        if first:
            return drawn
        sketch = Block("cq.Sketch()", tuple(drawn), "", chain=True)
        return [".reset()", Block(".face(", (sketch, *([mode[2:]] if mode else [])), ")")]

    def _loop(self, loop: Loop) -> list[Block | str]:
        calls: list[Block | str] = []
        closing = not loop.edges[-1].bent
        here = self._point(loop.start)
        start = [pair_of(here)]
        for edge in loop.edges[:-1] if closing else loop.edges:
            end = self._point(edge.end)
            middle = [self._middle(edge.middle, here, end)] if edge.bent else []
            calls.append(Block(".arc(" if edge.bent else ".segment(", (*start, *middle, pair_of(end)), ")"))
            start, here = [], end
        return [*calls, *([".close()"] if closing else []), ".assemble()"]

    def _point(self, at: Point) -> tuple[Expression, Expression]:
        return self._radius(at[0]), self._height(at[1])

    def _middle(self, at: Point, start: tuple[Expression, Expression], end: tuple[Expression, Expression]) -> Block:
        """The middle of an arc in plain numbers, the height from the lower end."""
        ends = ((start[0].value, start[1].value), (end[0].value, end[1].value))
        radius, height = centred_on_axis(at, *ends, self.parameters.tolerance)
        return pair_of((constant(radius), self.span.low + constant(height - self.span.low.value)))

    def _radius(self, value: float) -> Expression:
        if abs(value) <= self.parameters.tolerance:
            return ZERO
        return self.parameters.size((self.name, "radius"), f"{self.name}_radius", value)

    def _height(self, value: float) -> Expression:
        """A height: an end, a known plane, or a step above the lower end."""
        span: Interval = self.span
        for known in (span.low, span.high):
            if abs(known.value - value) <= self.parameters.tolerance:
                return known
        found = self.places.plane(self.axes[1], value)
        if found is not None:
            return found
        step = value - span.low.value
        return span.low + self.parameters.size((self.name, "step"), f"{self.name}_step", step)


def centred_on_axis(middle: Point, start: Point, end: Point, tolerance: float) -> Point:
    """The middle of an arc (radius, height); of one whose centre is on the axis up to rounding, exactly so.

    Only then the kernel makes a sphere, and not some surface of revolution.
    """
    circle = arc_circle(start, middle, end)
    rise = end[1] - start[1]
    if circle is None or abs(rise) <= tolerance or abs(circle[0][0]) > NEARLY * circle[1]:
        return middle
    level = (start[1] + end[1]) / 2 + (end[0] ** 2 - start[0] ** 2) / (2 * rise)
    radius = math.hypot(start[0], start[1] - level)
    away = math.hypot(middle[0], middle[1] - level)
    return middle[0] * radius / away, level + (middle[1] - level) * radius / away
