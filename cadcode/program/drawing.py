"""One body of a program as CadQuery calls whose numbers are expressions."""

import math
from itertools import groupby

from cadcode.program.expression import Expression, Parameters, constant, shortest
from cadcode.program.layout import Block, flat, pair
from cadcode.program.names import WORDS, bore, inner_word, inset_word, role, size_word
from cadcode.program.outline import bounds
from cadcode.program.placing import WALL, Interval, Places, Size
from cadcode.program.syntax import AXES, Arc, Circle, Face, Line, Loop, Point, Rect, Step

WALL_SHARE = 0.25  # of a side: margins of a pocket below this are walls
SIDES = 3  # of a pocket that have to be alike
MOST_INSETS = 3  # an outline with more inner coordinates than this is drawn in shares of its size
MOST_TERMS = 3  # of a coordinate on an arc


class Drawing:
    """Writes one body; `calls` is the chain that makes it."""

    def __init__(self, name: str, step: Step, places: Places):
        self.name, self.body, self.places = name, step.body, places
        self.parameters: Parameters = places.parameters
        self.adds = step.operation == "union"
        self.axes = AXES[step.body.plane]
        self.spans: list[Interval] = []  # of the outlines, two for each

    def calls(self) -> list[Block | str]:
        low, high = sorted((self.body.offset, self.body.offset + self.body.height))
        normal, first = self.axes[2], self.body.faces[0].outline
        if not self.adds and isinstance(first, Rect):
            self._walls([*bounds(first).T.tolist(), (low, high)])
        sketch = self._sketch()
        size = self._size(size_word(self.name, self.body, normal))
        span = self.places.interval(normal, low, high, size, f"{self.name}_offset", self.adds)
        if self.adds:
            self._keep_box(span)
        start, height = (span.low, span.size) if self.body.height > 0 else (span.high, -span.size)
        offset = [] if start.text() == "0" else [f".workplane(offset={start.text()})"]
        return [*offset, ".sketch()", *sketch, ".finalize()", f".extrude({height.text()})"]

    def _keep_box(self, upright: Interval) -> None:
        spans = dict(zip(self.axes, [*self.spans[:2], upright], strict=True))
        self.places.boxes.append([spans[axis] for axis in range(3)])

    def _size(self, word: str, part: str = "") -> Size:
        """Sheets share a thickness whatever they are; other sizes are shared by features of one role."""
        if word in ("thickness", "corner_radius"):
            return Size((word,), f"{part or self.name}_{word}")
        return Size((part or role(self.name), word), f"{part or self.name}_{word}")

    def _sketch(self) -> list[Block | str]:
        calls: list[Block | str] = []
        for first, group in _groups(self.body.faces, self.parameters.tolerance):
            shape = {Circle: self._circles, Rect: self._rects, Loop: self._loop}[type(group[0].outline)]
            drawn = shape(group, self._part(group, first))
            if isinstance(group[0].outline, Loop):
                calls += drawn if first else [".reset()", _nested(drawn, group[0].subtract)]
                continue
            points, call = drawn
            calls += [] if first and list(map(flat, points)) == ["(0, 0)"] else [Block(".push([", tuple(points), "])")]
            calls.append(call + (', mode="s")' if group[0].subtract else ")"))
        return calls

    def _part(self, group: list[Face], first: bool) -> str:
        """What a group of faces is called: the feature's name for the first one."""
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
        points = self._points([face.outline.centre for face in group], name)
        if self.adds and not group[0].subtract:
            for point in points:
                for axis, at in zip(self.axes, point, strict=False):
                    self.places.add_material(axis, at - radius, at + radius)
                    self.spans.append(Interval(at - radius, radius * 2))
        return [_pair(point) for point in points], f".circle({radius.text()}"

    def _rects(self, group: list[Face], part: str):
        solid = self.adds and not group[0].subtract
        first = group[0].outline
        sides = (first.width, first.height)
        if len(group) > 1:
            width, height = (self.parameters.size(size.kind, size.name, side)
                             for size, side in zip(self._rect_sizes(sides, part), sides, strict=True))  # fmt: skip
            points = self._points([face.outline.centre for face in group], part or self.name)
            self.spans += [Interval(at - side * 0.5, side) for point in points
                           for at, side in zip(point, (width, height), strict=True)]  # fmt: skip
            return [_pair(point) for point in points], f".rect({width.text()}, {height.text()}"
        spans = self._rect_spans(first, part, solid)
        self.spans += spans
        point = _pair((spans[0].centre, spans[1].centre))
        return [point], f".rect({spans[0].size.text()}, {spans[1].size.text()}"

    def _rect_spans(self, rect: Rect, part: str, solid: bool) -> list[Interval]:
        (low_x, low_y), (high_x, high_y) = bounds(rect).tolist()
        sizes = self._rect_sizes((rect.width, rect.height), part)
        ends = ((low_x, high_x), (low_y, high_y))
        return [self.places.interval(axis, low, high, size, part or self.name, solid)
                for axis, (low, high), size in zip(self.axes, ends, sizes, strict=False)]  # fmt: skip

    def _rect_sizes(self, sides: tuple[float, float], part: str) -> list[Size]:
        square = self.parameters.near(*sides)
        words = [WORDS[axis] if part else size_word(self.name, self.body, axis) for axis in self.axes[:2]]
        return [self._size("side" if square else word, part) for word in words]

    def _walls(self, ends: list[tuple[float, float]]) -> None:
        """A pocket that leaves walls of one thickness on three sides of a body is drawn by that thickness."""
        found = []
        for box in self.places.boxes:
            spans = [box[axis] for axis in self.axes]
            margins = [gap for span, (low, high) in zip(spans, ends, strict=True)
                       for gap in (low - span.low.value, span.high.value - high)]  # fmt: skip
            limit = WALL_SHARE * min(span.size.value for span in spans[:2])
            found += [margin for margin in margins if self.parameters.tolerance < margin < limit
                      and sum(self.parameters.near(other, margin) for other in margins) >= SIDES]  # fmt: skip
        if found:
            self.parameters.size(WALL, "wall_thickness", min(found))

    # --- points ---

    def _points(self, centres: list[Point], name: str) -> list[tuple[Expression, Expression]]:
        return self._on_circle(centres, name) or self._in_rows(centres, name)

    def _in_rows(self, centres: list[Point], name: str):
        columns = zip(*centres, strict=True)
        rows = [self.places.row(axis, list(column), name) for axis, column in zip(self.axes, columns, strict=False)]
        return list(zip(*rows, strict=True))

    def _on_circle(self, centres: list[Point], name: str):
        """Three or more points spread evenly about their middle, by the radius of their circle; else None."""
        count, tolerance = len(centres), self.parameters.tolerance
        if count < 3:
            return None
        middle = [math.fsum(column) / count for column in zip(*centres, strict=True)]
        offsets = [(x - middle[0], y - middle[1]) for x, y in centres]
        if count == 4 and all(abs(abs(x) - abs(offsets[0][0])) <= tolerance for x, _ in offsets):
            return None  # the corners of a rectangle
        radius = math.hypot(*offsets[0])
        turns = sorted(math.atan2(y, x) % math.tau for x, y in offsets)
        steps = [(b - a) % math.tau for a, b in zip(turns, [*turns[1:], turns[0]], strict=True)]
        uneven = max(abs(step - math.tau / count) for step in steps) * radius
        if uneven > tolerance or any(abs(math.hypot(*offset) - radius) > tolerance for offset in offsets):
            return None
        centre = [self.places.position(axis, at, name) for axis, at in zip(self.axes, middle, strict=False)]
        named = self.parameters.size((name, "circle radius"), f"{name}_circle_radius", radius)
        return [tuple(c + named * shortest(part / radius, tolerance / radius) for c, part in
                      zip(centre, offset, strict=True)) for offset in offsets]  # fmt: skip

    # --- outlines ---

    def _loop(self, group: list[Face], part: str) -> list[Block | str]:
        face = group[0]
        solid = self.adds and not face.subtract
        ends = bounds(face.outline).T.tolist()
        words = [WORDS[axis] if part else size_word(self.name, self.body, axis) for axis in self.axes[:2]]
        spans = [self.places.interval(axis, low, high, self._size(word, part), part or self.name, solid)
                 for axis, (low, high), word in zip(self.axes, ends, words, strict=False)]  # fmt: skip
        self.spans += spans
        outline = Outline(self, face.outline, spans, part or self.name)
        calls = outline.calls()
        if solid and not outline.by_shares:
            outline.keep_planes()
        return calls


class Outline:
    """The corners of a loop by its extent `spans` and by what lies between its ends."""

    def __init__(self, drawing: Drawing, loop: Loop, spans: list[Interval], name: str):
        self.drawing, self.loop, self.spans, self.name = drawing, loop, spans, name
        self.places, self.parameters = drawing.places, drawing.parameters
        self.ends = bounds(loop).T.tolist()  # of x and of y
        self.corners = [loop.start, *(edge.end for edge in loop.edges)]
        insets = {round(self._inset(n, point[n]) / self.parameters.tolerance) for point in self.corners for n in (0, 1)
                  if self._known(n, point[n]) is None}  # fmt: skip
        self.by_shares = len(insets) > MOST_INSETS

    def calls(self) -> list[Block | str]:
        points = [self._point(corner) for corner in self.corners]
        edges = self.loop.edges
        closing = isinstance(edges[-1], Line)
        calls = []
        for index, edge in enumerate(edges[: len(edges) - closing]):
            start = [_pair(points[index])] if index == 0 else []
            middle = [_pair(self._middle(index, edge, points))] if isinstance(edge, Arc) else []
            call = ".arc(" if isinstance(edge, Arc) else ".segment("
            calls.append(Block(call, (*start, *middle, _pair(points[index + 1])), ")"))
        return [*calls, *([".close()"] if closing else []), ".assemble()"]

    def keep_planes(self) -> None:
        for corner in self.corners:
            for axis, coordinate in zip(self.drawing.axes, self._point(corner), strict=False):
                self.places.axes[axis].planes.append(coordinate)

    def _point(self, point: Point) -> tuple[Expression, Expression]:
        return self._coordinate(0, point[0]), self._coordinate(1, point[1])

    def _known(self, n: int, value: float) -> Expression | None:
        span = self.spans[n]
        ends = [one for one in (span.low, span.high, span.centre) if self._is(one, value)]
        return ends[0] if ends else self.places.plane(self.drawing.axes[n], value)

    def _is(self, expression: Expression, value: float) -> bool:
        return abs(expression.value - value) <= self.parameters.tolerance

    def _inset(self, n: int, value: float) -> float:
        low, high = self.ends[n]
        return min(value - low, high - value)

    def _coordinate(self, n: int, value: float) -> Expression:
        span = self.spans[n]
        for one in (span.low, span.high, span.centre):
            if self._is(one, value):
                return one
        if self.by_shares:
            return self._share(span, value)
        return self.places.plane(self.drawing.axes[n], value) or self._by_inset(n, value)

    def _share(self, span: Interval, value: float) -> Expression:
        """The outline keeps its form when its size changes."""
        if span.size.value <= self.parameters.tolerance:
            return constant(shortest(value, self.parameters.tolerance))
        base = min(span.centre, span.low, key=lambda one: one.length)
        return base + span.size * shortest((value - base.value) / span.size.value,
                                           self.parameters.tolerance / span.size.value)  # fmt: skip

    def _by_inset(self, n: int, value: float) -> Expression:
        span, axis = self.spans[n], self.drawing.axes[n]
        inset, across = self._inset(n, value), self._across(n, value)
        word = inset_word(self.loop, inset, self.parameters.tolerance)
        if word == "inset" and across is not None and abs(value - across) < span.size.value / 2:
            name = f"{self.name}_inner_{WORDS[axis]}"
            inner = self.parameters.size((self.name, "inner"), name, abs(value - across))
            return span.centre + inner * (0.5 if value > across else -0.5)
        named = self._named_inset(word, inset)
        return span.low + named if value < span.centre.value else span.high - named

    def _across(self, n: int, value: float) -> float | None:
        """The coordinate of a corner that is the mirror image."""
        mirrored = sum(self.ends[n]) - value
        others = (corner[n] for corner in self.corners)
        return next((one for one in others if abs(one - mirrored) <= self.parameters.tolerance), None)

    def _named_inset(self, word: str, inset: float) -> Expression:
        for span in self.spans:
            if self._is(span.size * 0.5, inset):
                return span.size * 0.5
        size = self.drawing._size(word, self.name if self.name != self.drawing.name else "")
        return self.parameters.size(size.kind, size.name, inset)

    def _middle(self, index: int, arc: Arc, points) -> tuple[Expression, Expression]:
        """The arc's middle by its ends, so that the arc stays similar when they move."""
        if self.by_shares:
            return self._share(self.spans[0], arc.middle[0]), self._share(self.spans[1], arc.middle[1])
        (ax, ay), (bx, by) = points[index], points[index + 1]
        dx, dy = (bx - ax).value, (by - ay).value
        square = dx * dx + dy * dy
        mx, my = arc.middle[0] - ax.value, arc.middle[1] - ay.value
        fine = self.parameters.tolerance / math.sqrt(square) / 2
        along = shortest((mx * dx + my * dy) / square, fine)
        aside = shortest((my * dx - mx * dy) / square, fine)
        found = (ax + (bx - ax) * along - (by - ay) * aside, ay + (by - ay) * along + (bx - ax) * aside)
        return tuple(one if one.length <= MOST_TERMS else constant(shortest(value, self.parameters.tolerance))
                     for one, value in zip(found, arc.middle, strict=True))  # fmt: skip


def _groups(faces: tuple[Face, ...], tolerance: float):
    """Neighbours of one shape, size and mode, with whether they are the first."""

    def kind(face: Face):
        match face.outline:
            case Circle(radius=radius):
                return Circle, face.subtract, round(radius / tolerance)
            case Rect(width=width, height=height):
                return Rect, face.subtract, round(width / tolerance), round(height / tolerance)
        return object()  # a loop is like no other

    return [(index == 0, list(group)) for index, (_, group) in enumerate(groupby(faces, key=kind))]


def _pair(point) -> Block:
    return pair(point[0].text(), point[1].text())


def _nested(calls: list[Block | str], subtract: bool) -> Block:
    sketch = Block("cq.Sketch()", tuple(calls), "", chain=True)
    return Block(".face(", (sketch, 'mode="s"') if subtract else (sketch,), ")")
