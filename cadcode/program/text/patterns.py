"""Patterns as CadQuery calls whose numbers are expressions: count and spacing or angle are named parameters."""

from collections.abc import Callable

from cadcode.program.place import AXES
from cadcode.program.text.expression import ANGLE_ACCURACY, Expression, plain, shortest
from cadcode.program.text.layout import Block
from cadcode.program.text.naming import LETTERS
from cadcode.program.text.placing import Places, origin_text
from cadcode.program.tree import Feature, Step

Chain = list[Block | str]


class PatternDrawing:
    """Writes one pattern. `draw` writes its body: name, step, feature and places to a chain of calls and some words.

    The pattern of `step` is measured from the part's datum, `body` is the same one where the part lies.
    """

    def __init__(self, name: str, step: Step, body: Feature, places: Places, draw: Callable):
        self.pattern, self.body, self.operation, self.places = step.body, body, step.operation, places
        self.name, self.draw = name, draw
        self.item = name.replace(f"_{step.body.word}", "")  # `hole` of `hole_ring`
        self.axes = AXES[step.body.plane]

    def grid(self) -> tuple[Chain, str]:
        letters = [LETTERS[axis] for axis in self.axes[:2]]
        pairs = list(zip(letters, self.pattern.counts, self.pattern.spacing, strict=True))
        several = all(count > 1 for count in self.pattern.counts)
        spacing = [self._spacing(letter if several else "", *numbers) for letter, *numbers in pairs]
        counts = [self._count(letter if several else "", count) for letter, count, _ in pairs]
        each, words = self._each()
        array = f".rarray({', '.join([*spacing, *counts])})"
        plane = f'cq.Workplane("{self.pattern.plane}"{origin_text(self.places.datum)})'
        return [plane, array, each], f"{words}, in rows"

    def polar(self) -> tuple[Chain, str]:
        count = self._count("", self.pattern.count)
        start, angle = (plain(shortest(value, ANGLE_ACCURACY)) for value in (self.pattern.start, self.pattern.angle))
        each, words = self._each()
        array = f".polarArray(0, {start}, {angle}, {count})"
        plane = f'cq.Workplane("{self.pattern.plane}"{origin_text(self._centre())})'
        return [plane, array, each], f"{words}, repeated around {LETTERS[self.axes[2]]}"

    def mirrored(self) -> tuple[Chain, str]:
        step, normal = Step(self.operation, self.pattern.body), self.axes[2]
        chain, words = self.draw(self.item, step, self.body.body, self.places)
        middle = self.places.position(normal, self.pattern.level, f"{self.name}_middle")
        level = self.places.datum[normal] + middle
        point = ", ".join(level.text() if axis == normal else "0" for axis in range(3))
        at = "" if level.text() == "0" else f"({point}), "
        return [*chain, f'.mirror("{self.pattern.plane}", {at}union=True)'], f"{words}, and its mirror image"

    def _each(self) -> tuple[Block, str]:
        """The call that draws the body at all places; of the part's places, the body shares those along the normal."""
        local, places = self.pattern.local(), Places(self.places.parameters)
        places.axes[2] = self.places.axes[self.axes[2]]
        (first, *calls), words = self.draw(self.item, Step(self.operation, local), local, places)
        return Block(".eachpoint(", (Block(first, tuple(calls), "", chain=True), "True", '"a"'), ")"), words

    def _centre(self) -> list[Expression]:
        """The centre of a ring."""
        found = list(self.places.datum)
        for axis, at in zip(self.axes, self.pattern.centre, strict=False):
            found[axis] += self.places.position(axis, at, f"{self.name}_centre")
        return found

    def _count(self, letter: str, count: int) -> str:
        if count == 1:
            return "1"
        return self.places.parameters.new("_".join(filter(None, (self.item, "count", letter))), count).text()

    def _spacing(self, letter: str, count: int, spacing: float) -> str:
        if count == 1:
            return "0"
        name = "_".join(filter(None, (self.item, "spacing", letter)))
        return self.places.parameters.size((self.item, "spacing"), name, spacing).text()


PATTERNS = {"grid": PatternDrawing.grid, "polar": PatternDrawing.polar, "mirrored": PatternDrawing.mirrored}
