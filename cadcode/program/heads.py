"""Heads of drilled holes: the wider part at the mouth that takes the head of a screw.

Sizes are in program units. Profiles are corners (radius, depth below the mouth), from the mouth's edge to the axis; the
radius never grows with the depth.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from cadcode.program.curve import Point


class Head(Protocol):
    """The mouth of a hole, frozen and hashable."""

    method: ClassVar[str]  # CadQuery's call that drills such a hole
    word: ClassVar[str]  # for comments
    size_words: ClassVar[tuple[str, ...]]  # names of `sizes`

    @property
    def radii(self) -> tuple[float, ...]: ...

    @property
    def depths(self) -> tuple[float, ...]: ...

    def resized(self, radii: Sequence[float], depths: Sequence[float]) -> "Head":
        """The same head with other `radii` and `depths`."""
        ...

    def corners(self, radius: float, depth: float) -> list[Point]:
        """The profile of a hole with this head."""
        ...

    def check(self, radius: float, depth: float) -> None:
        """Raise ValueError where no hole of this radius and depth can have it."""
        ...

    @property
    def sizes(self) -> tuple[float, ...]:
        """Arguments of `method` between the diameter and the depth of the hole."""
        ...


@dataclass(frozen=True, slots=True)
class Straight:
    """No head."""

    method: ClassVar[str] = "hole"
    word: ClassVar[str] = "drilled"
    size_words: ClassVar[tuple[str, ...]] = ()
    radii: ClassVar[tuple[float, ...]] = ()
    depths: ClassVar[tuple[float, ...]] = ()
    sizes: ClassVar[tuple[float, ...]] = ()

    def resized(self, radii: Sequence[float], depths: Sequence[float]) -> "Straight":
        return self

    def corners(self, radius: float, depth: float) -> list[Point]:
        return [(radius, 0.0), (radius, depth), (0.0, depth)]

    def check(self, radius: float, depth: float) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Counterbore:
    """A wider cylinder."""

    method: ClassVar[str] = "cboreHole"
    word: ClassVar[str] = "counterbored"
    size_words: ClassVar[tuple[str, ...]] = ("head_diameter", "head_depth")
    diameter: float
    depth: float

    @property
    def radii(self) -> tuple[float, ...]:
        return (self.diameter / 2,)

    @property
    def depths(self) -> tuple[float, ...]:
        return (self.depth,)

    def resized(self, radii: Sequence[float], depths: Sequence[float]) -> "Counterbore":
        return Counterbore(2 * radii[0], depths[0])

    def corners(self, radius: float, depth: float) -> list[Point]:
        wide = self.diameter / 2
        return [(wide, 0.0), (wide, self.depth), (radius, self.depth), (radius, depth), (0.0, depth)]

    def check(self, radius: float, depth: float) -> None:
        if not self.diameter / 2 > radius:
            raise ValueError("a counterbore is wider than its hole")
        if not 0 < self.depth < depth:
            raise ValueError("a counterbore is less deep than its hole")

    @property
    def sizes(self) -> tuple[float, ...]:
        return self.diameter, self.depth


@dataclass(frozen=True, slots=True)
class Countersink:
    """A cone of `angle` degrees between its sides; as in CadQuery all of it is taken away, down to its tip."""

    method: ClassVar[str] = "cskHole"
    word: ClassVar[str] = "countersunk"
    size_words: ClassVar[tuple[str, ...]] = ("head_diameter", "head_angle")
    depths: ClassVar[tuple[float, ...]] = ()
    diameter: float
    angle: float

    @property
    def radii(self) -> tuple[float, ...]:
        return (self.diameter / 2,)

    def resized(self, radii: Sequence[float], depths: Sequence[float]) -> "Countersink":
        return Countersink(2 * radii[0], self.angle)

    def corners(self, radius: float, depth: float) -> list[Point]:
        """A shallow hole ends inside the cone, or the cone's tip reaches below it."""
        wide, slope = self.diameter / 2, math.tan(math.radians(self.angle / 2))
        tip, at_bottom = wide / slope, wide - depth * slope
        if at_bottom >= radius:
            return [(wide, 0.0), (0.0, tip)]
        wall = [(wide, 0.0), (radius, (wide - radius) / slope), (radius, depth)]
        return [*wall, (at_bottom, depth), (0.0, tip)] if tip > depth else [*wall, (0.0, depth)]

    def check(self, radius: float, depth: float) -> None:
        if not self.diameter / 2 > radius:
            raise ValueError("a countersink is wider than its hole")
        if not 0 < self.angle < 180:
            raise ValueError("a countersink has an angle between 0 and 180 degrees")

    @property
    def sizes(self) -> tuple[float, ...]:
        return self.diameter, self.angle
