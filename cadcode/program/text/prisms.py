"""Prisms as CadQuery calls whose numbers are expressions: extrusions, tapered ones, and those with rims."""

from itertools import groupby

from cadcode.program.text.corners import Corners, pair_of
from cadcode.program.text.expression import Expression, Parameters
from cadcode.program.text.layout import Block, flat
from cadcode.program.text.naming import WORDS, describe, inner_word, role, size_word
from cadcode.program.text.placing import WALL, Interval, Places, Size
from cadcode.program.text.points import expressed
from cadcode.program.text.roles import bore
from cadcode.program.tree import AXES, Face, Rect, Step

WALL_SHARE = 0.25  # of a side: margins of a pocket below this are walls
SIDES = 3  # of a pocket that have to be alike


class PrismDrawing:
    """Writes one extrusion; `calls` is the chain that makes it."""

    def __init__(self, name: str, step: Step, places: Places):
        self.name, self.step, self.body, self.places = name, step, step.body, places
        self.parameters: Parameters = places.parameters
        self.adds = step.operation == "union"
        self.axes = AXES[step.body.plane]
        self.spans: list[Interval] = []  # of the outlines, two for each

    def calls(self) -> list[Block | str]:
        low, high = self.body.low, self.body.high
        normal, first = self.axes[2], self.body.faces[0].outline
        if not self.adds and first.kind == "rect":
            self._walls([*first.bounds().T.tolist(), (low, high)])
        sketch = self._sketch()
        size = self.size_for(size_word(self.name, self.body, normal))
        span = self.places.interval(normal, low, high, size, f"{self.name}_offset", self.adds)
        if self.adds:
            self._keep_box(span)
        start, height = (span.low, span.size) if self.body.height > 0 else (span.high, -span.size)
        offset = [] if start.text() == "0" else [f".workplane(offset={start.text()})"]
        return [*offset, ".sketch()", *sketch, ".finalize()", self._extruded(height)]

    def words(self) -> str:
        """For the comment above it."""
        return describe(self.name, self.step)

    def _extruded(self, height: Expression) -> str:
        return f".extrude({height.text()})"

    def _keep_box(self, upright: Interval) -> None:
        spans = dict(zip(self.axes, [*self.spans[:2], upright], strict=True))
        self.places.boxes.append([spans[axis] for axis in range(3)])

    def size_for(self, word: str, part: str = "") -> Size:
        """Sheets share a thickness whatever they are; other sizes are shared by features of one role."""
        if word in ("thickness", "corner_radius"):
            return Size((word,), f"{part or self.name}_{word}")
        return Size((part or role(self.name), word), f"{part or self.name}_{word}")

    def _sketch(self) -> list[Block | str]:
        calls: list[Block | str] = []
        for first, group in _groups(self.body.faces, self.parameters.tolerance):
            shape = {"circle": self._circles, "rect": self._rects, "loop": self._loop}[group[0].outline.kind]
            drawn = shape(group, self._part(group, first))
            if not group[0].outline.repeats:
                calls += drawn if first else [".reset()", _nested(drawn, group[0].subtract)]
                continue
            points, call = drawn
            calls += [] if first and list(map(flat, points)) == ["(0, 0)"] else [Block(".push([", tuple(points), "])")]
            calls.append(call + (', mode="s")' if group[0].subtract else ")"))
        return calls

    def _part(self, group: list[Face], first: bool) -> str:
        """Name of a group of faces; empty for the first one, which has the feature's name."""
        if first:
            return ""
        if bore(self.body) is group[0]:
            return "bore"
        word = inner_word(group[0], self.adds)
        return f"{self.name}_{word}" if self.adds and not group[0].subtract else word

    # --- circles and rectangles ---

    def _circles(self, group: list[Face], part: str):
        radius_value = group[0].outline.radius
        name = part or self.name
        kind = (part or role(self.name), "radius")
        radius = self.parameters.size(kind, f"{name}_radius", radius_value)
        points = expressed(self.places, self.axes, [face.outline.centre for face in group], name)
        if self.adds and not group[0].subtract:
            for point in points:
                for axis, at in zip(self.axes, point, strict=False):
                    self.places.add_material(axis, at - radius, at + radius)
                    self.spans.append(Interval(at - radius, radius * 2))
        return [pair_of(point) for point in points], f".circle({radius.text()}"

    def _rects(self, group: list[Face], part: str):
        solid = self.adds and not group[0].subtract
        first = group[0].outline
        sides = (first.width, first.height)
        if len(group) > 1:
            width, height = (
                self.parameters.size(size.kind, size.name, side)
                for size, side in zip(self._rect_sizes(sides, part), sides, strict=True)
            )
            points = expressed(self.places, self.axes, [face.outline.centre for face in group], part or self.name)
            self.spans += [
                Interval(at - side * 0.5, side)
                for point in points
                for at, side in zip(point, (width, height), strict=True)
            ]
            return [pair_of(point) for point in points], f".rect({width.text()}, {height.text()}"
        spans = self._rect_spans(first, part, solid)
        self.spans += spans
        point = pair_of((spans[0].centre, spans[1].centre))
        return [point], f".rect({spans[0].size.text()}, {spans[1].size.text()}"

    def _rect_spans(self, rect: Rect, part: str, solid: bool) -> list[Interval]:
        (low_x, low_y), (high_x, high_y) = rect.bounds().tolist()
        sizes = self._rect_sizes((rect.width, rect.height), part)
        ends = ((low_x, high_x), (low_y, high_y))
        return [
            self.places.interval(axis, low, high, size, part or self.name, solid)
            for axis, (low, high), size in zip(self.axes, ends, sizes, strict=False)
        ]

    def _rect_sizes(self, sides: tuple[float, float], part: str) -> list[Size]:
        square = self.parameters.near(*sides)
        words = [WORDS[axis] if part else size_word(self.name, self.body, axis) for axis in self.axes[:2]]
        return [self.size_for("side" if square else word, part) for word in words]

    def _walls(self, ends: list[tuple[float, float]]) -> None:
        """A pocket that leaves walls of one thickness on three sides of a body is drawn by that thickness."""
        found = []
        for box in self.places.boxes:
            spans = [box[axis] for axis in self.axes]
            margins = [
                gap
                for span, (low, high) in zip(spans, ends, strict=True)
                for gap in (low - span.low.value, span.high.value - high)
            ]
            limit = WALL_SHARE * min(span.size.value for span in spans[:2])
            found += [
                margin
                for margin in margins
                if self.parameters.tolerance < margin < limit
                and sum(self.parameters.near(other, margin) for other in margins) >= SIDES
            ]
        if found:
            self.parameters.size(WALL, "wall_thickness", min(found))

    # --- outlines ---

    def _loop(self, group: list[Face], part: str) -> list[Block | str]:
        face = group[0]
        solid = self.adds and not face.subtract
        ends = face.outline.bounds().T.tolist()
        words = [WORDS[axis] if part else size_word(self.name, self.body, axis) for axis in self.axes[:2]]
        spans = [
            self.places.interval(axis, low, high, self.size_for(word, part), part or self.name, solid)
            for axis, (low, high), word in zip(self.axes, ends, words, strict=False)
        ]
        self.spans += spans
        corners = Corners(self, face.outline, spans, part or self.name)
        calls = corners.calls()
        if solid and not corners.by_shares:
            corners.keep_planes()
        return calls


class TaperedDrawing(PrismDrawing):
    """Writes one tapered prism."""

    def _extruded(self, height: Expression) -> str:
        return f".extrude({height.text()}, taper={self.parameters.angle('taper', self.body.taper).text()})"

    def words(self) -> str:
        return f"{super().words()}, tapered"


class RimmedDrawing(PrismDrawing):
    """Writes one prism with rims; equal rims of one kind share a parameter."""

    def __init__(self, name: str, step: Step, places: Places):
        super().__init__(name, Step(step.operation, step.body.body), places)
        self.rimmed = step.body

    def calls(self) -> list[Block | str]:
        return [*super().calls(), *(f".{call}".replace("'", '"') for call in self.rimmed.rim_calls(self._size))]

    def words(self) -> str:
        kinds = dict.fromkeys(f"{rim.kind}s" for rim in self.rimmed.rims)
        return f"{super().words()}, with {' and '.join(kinds)}"

    def _size(self, rim) -> str:
        name = {"fillet": "fillet_radius", "chamfer": "chamfer"}[rim.kind]
        return self.parameters.size((name,), name, rim.size).text()


def _groups(faces: tuple[Face, ...], tolerance: float):
    """Neighbours of one shape, size and mode, with whether they are the first."""

    def kind(face: Face):
        outline = face.outline
        if not outline.repeats:
            return object()  # a loop is like no other
        sizes = (outline.radius,) if outline.kind == "circle" else (outline.width, outline.height)
        return outline.kind, face.subtract, *(round(size / tolerance) for size in sizes)

    return [(index == 0, list(group)) for index, (_, group) in enumerate(groupby(faces, key=kind))]


def _nested(calls: list[Block | str], subtract: bool) -> Block:
    sketch = Block("cq.Sketch()", tuple(calls), "", chain=True)
    return Block(".face(", (sketch, 'mode="s"') if subtract else (sketch,), ")")
