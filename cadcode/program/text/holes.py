"""Drilled holes as CadQuery calls on the solid so far, with named sizes and places."""

from cadcode.program.features.hole import Hole
from cadcode.program.place import FACING
from cadcode.program.text.corners import pair_of
from cadcode.program.text.expression import Expression
from cadcode.program.text.layout import Block
from cadcode.program.text.naming import LETTERS, role
from cadcode.program.text.placing import Places, Size, origin_text
from cadcode.program.text.points import Pair, expressed


class HoleDrawing:
    """Writes one drilled feature; `calls` is the chain from `result` that drills it."""

    def __init__(self, name: str, hole: Hole, places: Places):
        self.name, self.hole, self.places = name, hole, places
        self.axes = FACING[hole.plane][:3]

    def calls(self) -> list[Block | str]:
        sizes = [self._size(*size) for size in self._widths()]
        level, depth = self._level()
        points = expressed(self.places, self.axes, list(self.hole.points), self.name)
        single = len(points) == 1
        plane = f'cq.Workplane("{self.hole.plane}"{origin_text(self._origin(level, points[0] if single else ()))})'
        picked = [] if single else [Block(".pushPoints([", tuple(map(pair_of, points)), "])")]
        numbers = ", ".join(size.text() for size in [*sizes, depth])
        return ["result", f".copyWorkplane({plane})", *picked, f".{self.hole.head.method}({numbers})"]

    def words(self) -> str:
        """A few words for the comment: `screw_hole: 4 countersunk holes along z`."""
        count, word = len(self.hole.points), self.hole.head.word
        holes = f"a {word} hole" if count == 1 else f"{count} {word} holes"
        return f"{self.name}: {holes} along {LETTERS[self.hole.axis]}"

    def _widths(self) -> list[tuple[str, float]]:
        """Names and values of the arguments before the depth."""
        values = [self.hole.diameter, *self.hole.head.sizes]
        return list(zip(("diameter", *self.hole.head.size_words), values, strict=True))

    def _size(self, word: str, value: float) -> Expression:
        return self.places.parameters.size((role(self.name), word), f"{self.name}_{word}", value)

    def _level(self) -> tuple[Expression, Expression]:
        """Where the holes start, and how deep they are."""
        low, high = sorted([self.hole.level, self.hole.bottom])
        size = Size((role(self.name), "depth"), f"{self.name}_depth")
        span = self.places.interval(self.axes[2], low, high, size, f"{self.name}_offset", solid=False)
        return (span.high if self.hole.sense > 0 else span.low), span.size

    def _origin(self, level: Expression, point: Pair | tuple[()]) -> list[Expression]:
        """The plane's origin: on the level, at the only point."""
        found = list(self.places.datum)
        for axis, value in zip(self.axes, point, strict=False):
            found[axis] += value
        found[self.axes[2]] += level
        return found
