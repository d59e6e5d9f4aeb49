"""Revolutions as CadQuery calls with named radii, heights and angles."""

from cadcode.program.features.revolve import LINE, WHOLE, Revolve
from cadcode.program.outlines import Circle, Loop, Rect
from cadcode.program.place import AXES
from cadcode.program.sketch import Face
from cadcode.program.text.corners import pair_of
from cadcode.program.text.expression import ZERO, Expression, constant, shortest
from cadcode.program.text.layout import Block
from cadcode.program.text.naming import LETTERS, role
from cadcode.program.text.placing import Interval, Places, Size, origin_text
from cadcode.program.tree import Point

SPACED = LINE.replace(",", ", ")
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
        start = [self._point(loop.start)]
        for edge in loop.edges[:-1] if closing else loop.edges:
            middle = [self._loose(edge.middle)] if edge.bent else []
            points = (*start, *middle, self._point(edge.end))
            calls.append(Block(".arc(" if edge.bent else ".segment(", points, ")"))
            start = []
        return [*calls, *([".close()"] if closing else []), ".assemble()"]

    def _point(self, at: Point) -> Block | str:
        return pair_of((self._radius(at[0]), self._height(at[1])))

    def _loose(self, at: Point) -> Block | str:
        """The middle of an arc: plain numbers, the height from the lower end."""
        height = constant(shortest(at[1] - self.span.low.value, self.parameters.tolerance))
        return pair_of((constant(shortest(at[0], self.parameters.tolerance)), self.span.low + height))

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
