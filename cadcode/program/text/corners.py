"""The edges of an outline as CadQuery calls: its corners by its extent, and by what lies between the ends of it."""

import math

from cadcode.program.text.expression import Expression, constant, shortest
from cadcode.program.text.layout import Block, pair
from cadcode.program.text.naming import WORDS, inset_word
from cadcode.program.text.placing import Interval
from cadcode.program.tree import Arc, Loop, Point

MOST_INSETS = 3  # an outline with more inner coordinates than this is drawn in shares of its size
MOST_TERMS = 3  # of a coordinate on an arc


def pair_of(point: tuple[Expression, Expression]) -> Block:
    return pair(point[0].text(), point[1].text())


class Corners:
    """The corners of one loop; `drawing` is the body that it belongs to, `spans` its extent."""

    def __init__(self, drawing, loop: Loop, spans: list[Interval], name: str):
        self.drawing, self.loop, self.spans, self.name = drawing, loop, spans, name
        self.places, self.parameters = drawing.places, drawing.parameters
        self.ends = loop.bounds().T.tolist()  # of x and of y
        self.corners = [loop.start, *(edge.end for edge in loop.edges)]
        insets = {
            round(self._inset(n, point[n]) / self.parameters.tolerance)
            for point in self.corners
            for n in (0, 1)
            if self._known(n, point[n]) is None
        }
        self.by_shares = len(insets) > MOST_INSETS

    def calls(self) -> list[Block | str]:
        points = [self._point(corner) for corner in self.corners]
        edges = self.loop.edges
        closing = not edges[-1].bent
        calls = []
        for index, edge in enumerate(edges[: len(edges) - closing]):
            start = [pair_of(points[index])] if index == 0 else []
            middle = [pair_of(self._middle(index, edge, points))] if edge.bent else []
            call = ".arc(" if edge.bent else ".segment("
            calls.append(Block(call, (*start, *middle, pair_of(points[index + 1])), ")"))
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
        return base + span.size * shortest(
            (value - base.value) / span.size.value, self.parameters.tolerance / span.size.value
        )

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
        size = self.drawing.size_for(word, self.name if self.name != self.drawing.name else "")
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
        return tuple(
            one if one.length <= MOST_TERMS else constant(shortest(value, self.parameters.tolerance))
            for one, value in zip(found, arc.middle, strict=True)
        )
