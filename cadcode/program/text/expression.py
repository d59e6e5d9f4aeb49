"""Numbers as a designer writes them: named parameters, sums and shares of them.

`Expression` is a linear form; that is all the arithmetic readable programs need. `Parameters` holds the named numbers.
"""

from dataclasses import dataclass
from decimal import Decimal

NOTHING = 1e-9  # factors below this cancel out
ANGLE_ACCURACY = 1e-6  # degrees: angles this close are one, and are rounded this far


@dataclass(frozen=True, slots=True)
class Expression:
    """The sum of `constant` and of parameters times factors; `value` is what it comes to."""

    value: float
    terms: tuple[tuple[str, float], ...] = ()  # (name, factor)
    constant: float = 0.0

    def __add__(self, other: "Expression") -> "Expression":
        factors = dict(self.terms)
        for name, factor in other.terms:
            factors[name] = factors.get(name, 0.0) + factor
        terms = tuple((name, factor) for name, factor in factors.items() if abs(factor) > NOTHING)
        constant = self.constant + other.constant
        return Expression(self.value + other.value if terms else constant, terms, constant)

    def __mul__(self, factor: float) -> "Expression":
        terms = tuple((name, one * factor) for name, one in self.terms if factor)
        return Expression(self.value * factor, terms, self.constant * factor)

    def __neg__(self) -> "Expression":
        return self * -1.0

    def __sub__(self, other: "Expression") -> "Expression":
        return self + -other

    @property
    def length(self) -> int:
        """How many things are added up."""
        return len(self.terms) + (plain(self.constant) != "0")

    def text(self) -> str:
        """Python arithmetic; what is added comes before what is taken away."""
        parts = [_term(name, factor) for name, factor in self.terms]
        if plain(self.constant) != "0" or not parts:
            parts.append((self.constant < 0, plain(abs(self.constant))))
        (negative, first), *rest = sorted(parts, key=lambda part: part[0])
        return ("-" if negative else "") + first + "".join((" - " if minus else " + ") + text for minus, text in rest)


def constant(value: float) -> Expression:
    return Expression(value, (), value)


ZERO = constant(0.0)


def _term(name: str, factor: float) -> tuple[bool, str]:
    """Whether it is negative, and its text without the sign."""
    size = abs(factor)
    if abs(size - 1) < NOTHING:
        return factor < 0, name
    for divisor in (2, 3, 4, 6, 8):
        if abs(size * divisor - 1) < NOTHING:
            return factor < 0, f"{name} / {divisor}"
    return factor < 0, f"{plain(size)} * {name}"


def plain(value: float, digits: int = 12) -> str:
    """Decimal text of so many significant digits: no exponent, no `-0`."""
    return format(Decimal(f"{value:.{digits}g}"), "f") if abs(value) > 1e-15 else "0"


def shortest(value: float, tolerance: float) -> float:
    """The number with the fewest decimals that lies within `tolerance` of `value`."""
    for digits in range(16):
        if abs(round(value, digits) - value) <= tolerance:
            return round(value, digits) + 0.0
    return value


class Parameters:
    """The named numbers of one program, in the order they were met. Lengths are matched and rounded to `tolerance`."""

    def __init__(self, tolerance: float):
        self.tolerance = tolerance
        self.values: dict[str, float] = {}
        self._sizes: dict[tuple, list[Expression]] = {}

    def new(self, name: str, value: float, tolerance: float | None = None) -> Expression:
        """A parameter of its own, rounded to `tolerance` (None: that of lengths); a taken name gets a number."""
        unique, count = name, 1
        while unique in self.values:
            count += 1
            unique = f"{name}_{count}"
        self.values[unique] = shortest(value, min(tolerance or self.tolerance, abs(value) / 100))
        return Expression(self.values[unique], ((unique, 1.0),))

    def size(self, kind: tuple, name: str, value: float) -> Expression:
        """A length above 0; equal ones of one `kind` are one parameter."""
        known = self._sizes.setdefault(kind, [])
        for one in known:
            if self.near(one.value, value):
                return one
        known.append(self.new(name, value))
        return known[-1]

    def angle(self, name: str, value: float) -> Expression:
        """An angle in degrees; equal ones of one name are one parameter."""
        known = self._sizes.setdefault((name, "angle"), [])
        for one in known:
            if abs(one.value - value) <= ANGLE_ACCURACY:
                return one
        known.append(self.new(name, value, ANGLE_ACCURACY))
        return known[-1]

    def known(self, kind: tuple) -> list[Expression]:
        return self._sizes.get(kind, [])

    def near(self, a: float, b: float) -> bool:
        """Whether two lengths are the same as far as anybody can tell."""
        return abs(a - b) <= min(self.tolerance, abs(b) / 100)

    def text(self) -> str:
        return "\n".join(f"{name} = {plain(value, 15)}" for name, value in self.values.items())
