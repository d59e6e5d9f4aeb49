"""Places of the features of a program, in terms of each other.

Along each axis a list is kept of the planes and centres that have an expression already; what comes next is written by
them where it is exactly there: on top of the plate, centred on it, as far left as the other one is right. Only what is
left over gets a parameter of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cadcode.program.place import NamedPlane, Placement
from cadcode.program.text.expression import ZERO, Expression, Parameters, constant, shortest
from cadcode.program.text.naming import LETTERS

MOST_PLACES = 12  # of equal things in disorder along one axis; more are plain numbers
MOST_TERMS = 3  # longer expressions are no help to anybody
WALL = ("thickness",)  # the kind of size that plates, walls, ribs and floors share


@dataclass(frozen=True, slots=True)
class Interval:
    low: Expression
    size: Expression

    @property
    def high(self) -> Expression:
        return self.low + self.size

    @property
    def centre(self) -> Expression:
        return self.low + self.size * 0.5


@dataclass(frozen=True, slots=True)
class Size:
    """How a length would be called, and with which others it may share a parameter."""

    kind: tuple
    name: str


@dataclass
class Axis:
    planes: list[Expression] = field(default_factory=lambda: [ZERO])
    centres: list[Expression] = field(default_factory=lambda: [ZERO])
    middle: Expression | None = None  # of the first body
    ends: tuple[Expression, Expression] | None = None  # of the material so far


class Places:
    """The three axes of one program; `datum` is the point that coordinates are measured from."""

    def __init__(self, parameters: Parameters, datum: Sequence[Expression] = (ZERO, ZERO, ZERO)):
        self.parameters, self.datum = parameters, datum
        self.axes = [Axis(), Axis(), Axis()]
        self.boxes: list[list[Interval]] = []  # along x, y, z, of the bodies so far

    def write(self, value: float) -> str:
        """A plain number."""
        return constant(shortest(value, self.parameters.tolerance)).text()

    def find(self, axis: int, value: float, among: list[Expression]) -> Expression | None:
        """The shortest of the expressions that come to `value`, or of their mirror images about the first body."""
        twice, reach = (self.axes[axis].middle or ZERO) * 2, self.parameters.tolerance
        near = [one for one in among if abs(one.value - value) <= reach]
        near += [twice - one for one in among if abs(twice.value - one.value - value) <= reach]
        return min((one for one in near if one.length <= MOST_TERMS), key=lambda one: one.length, default=None)

    def plane(self, axis: int, value: float, walls: bool = False) -> Expression | None:
        """A known plane; with `walls` also one that is a wall's thickness away from one."""
        here = self.axes[axis]
        planes = [*here.planes, *(here.ends or ())]
        found = self.find(axis, value, planes)
        if found is None and walls:
            shifts = [wall * sign for wall in self.parameters.known(WALL) for sign in (1.0, -1.0)]
            found = self.find(
                axis,
                value,
                [
                    plane + shift
                    for shift in shifts
                    for plane in planes
                    if abs(plane.value + shift.value - value) <= self.parameters.tolerance
                ],
            )
        return found

    def position(self, axis: int, value: float, name: str) -> Expression:
        """The centre of something: on a known centre, at a known plane, or a parameter."""
        here = self.axes[axis]
        found = self.find(axis, value, here.centres) or self.find(axis, value, here.planes)
        if found is None:
            found = self.parameters.new(f"{name}_{LETTERS[axis]}", value)
            here.centres.append(found)
        return found

    def interval(self, axis: int, low: float, high: float, size: Size, name: str, solid: bool = True) -> Interval:
        """From `low` to `high`. What is taken away (not `solid`) may reach beyond the material, by plain numbers.

        Where nothing is known the place gets a parameter: the start, if `name` ends in `_offset`, else the centre.
        """
        below, above = (0.0, 0.0) if solid else self._beyond(axis, low, high)
        reach = max(below, above)
        if min(below, above) == 0 < reach < (high - low) / 3:  # as far beyond a step of the material?
            if not above and self.plane(axis, high - reach):
                above = reach
            elif not below and self.plane(axis, low + reach):
                below = reach
        within = self._interval(axis, low + below, high - above, size, name, walls=not solid)
        self._remember(axis, within, solid)
        below, above = (shortest(reach, self.parameters.tolerance) for reach in (below, above))
        return Interval(within.low - constant(below), within.size + constant(below + above))

    def _beyond(self, axis: int, low: float, high: float) -> tuple[float, float]:
        ends = self.axes[axis].ends
        if ends is None or high <= ends[0].value or low >= ends[1].value:
            return 0.0, 0.0
        return max(ends[0].value - low, 0.0), max(high - ends[1].value, 0.0)

    def _interval(self, axis: int, low: float, high: float, size: Size, name: str, walls: bool) -> Interval:
        bottom, top = self.plane(axis, low, walls), self.plane(axis, high, walls)
        if bottom and top:
            found = Interval(bottom, top - bottom)
            if found.size.length <= MOST_TERMS and self.parameters.near(found.size.value, high - low):
                return found
        middle = self.find(axis, (low + high) / 2, self.axes[axis].centres)
        length = self.parameters.size(size.kind, size.name, high - low)
        if middle:
            return Interval(middle - length * 0.5, length)
        if bottom:
            return Interval(bottom, length)
        if top:
            return Interval(top - length, length)
        if name.endswith("_offset"):
            return Interval(self.parameters.new(name, low), length)
        return Interval(self.position(axis, (low + high) / 2, name) - length * 0.5, length)

    def _remember(self, axis: int, found: Interval, solid: bool) -> None:
        here = self.axes[axis]
        here.planes += [found.low, found.high]
        here.centres.append(found.centre)
        if solid:
            self.add_material(axis, found.low, found.high)

    def add_material(self, axis: int, low: Expression, high: Expression) -> None:
        here = self.axes[axis]
        if here.ends is None:
            here.ends, here.middle = (low, high), (low + high) * 0.5
        here.ends = (min(here.ends[0], low, key=_value), max(here.ends[1], high, key=_value))

    def row(self, axis: int, values: list[float], name: str) -> list[Expression]:
        """An expression for each of `values` (coordinates of equal things along one axis); symmetry is kept."""
        distinct = self._distinct(values)
        pairs = list(zip(distinct, reversed(distinct), strict=True))
        middle = (distinct[0] + distinct[-1]) / 2
        uneven = any(abs(a + b - 2 * middle) > self.parameters.tolerance for a, b in pairs)
        if uneven and len(distinct) > MOST_PLACES:
            found = [constant(shortest(value, self.parameters.tolerance)) for value in distinct]
        elif uneven or len(distinct) == 1:
            found = [self.position(axis, value, name) for value in distinct]
        else:
            centre = self.position(axis, middle, name)
            found = [centre + offset for offset in self._offsets(axis, distinct, name)]
        return [found[_nearest(distinct, value)] for value in values]

    def _offsets(self, axis: int, distinct: list[float], name: str) -> list[Expression]:
        """Sorted, symmetric coordinates from their middle: steps of one pitch, else half a spacing to either side."""
        count, letter = len(distinct), LETTERS[axis]
        gaps = [b - a for a, b in zip(distinct, distinct[1:], strict=False)]
        if count > 2 and max(gaps) - min(gaps) <= self.parameters.tolerance:
            pitch = self.parameters.size((name, "pitch"), f"{name}_pitch_{letter}", sum(gaps) / len(gaps))
            return [pitch * (index - (count - 1) / 2) for index in range(count)]
        halves = [
            self.parameters.size((name, "spacing"), f"{name}_spacing_{letter}", high - low) * 0.5
            for low, high in zip(distinct, reversed(distinct), strict=True)
            if low < high
        ]
        return [*(-half for half in halves), *([ZERO] if count % 2 else []), *reversed(halves)]

    def _distinct(self, values: list[float]) -> list[float]:
        """Sorted, without repetitions."""
        found: list[float] = []
        for value in sorted(values):
            if not found or value - found[-1] > self.parameters.tolerance:
                found.append(value)
        return found


def origin_text(origin: Sequence[Expression]) -> str:
    """The argument of a workplane with this origin; empty for the world's."""
    texts = [one.text() for one in origin]
    return f", origin=({', '.join(texts)})" if any(text != "0" for text in texts) else ""


def plane_text(base: NamedPlane | Placement, places: Places) -> str:
    """The workplane of a chain, in plain numbers."""
    return f"cq.{base.call(places.write)}".replace("'", '"').replace(",", ", ")


def _value(expression: Expression) -> float:
    return expression.value


def _nearest(values: list[float], value: float) -> int:
    return min(range(len(values)), key=lambda index: abs(values[index] - value))
