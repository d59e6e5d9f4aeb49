"""A feature of a program: a closed solid that knows all that the readings of a program ask of it.

Readings (field, surface points, canonical form, text, numbers of the search ...) are few and fixed, feature types grow.
So a type is one module in `features`, found there by its `kind`; whoever holds a feature need not know its type.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from cadcode.program.curve import Arc, Point
from cadcode.program.numbers import Numbers
from cadcode.program.place import NamedPlane, Placement
from cadcode.program.point_set import PointSet
from cadcode.program.text.plain import Write


class EmptySolid(ValueError):
    """The program has no volume: nothing to bound or to sample."""


@dataclass(frozen=True, slots=True)
class Patch:
    """Part of a feature's surface, or more than it where `sample` may miss the surface: the rest is rejected.

    `area` is that of all that is sampled. `sample(count, rng)` gives points and outward unit normals, (count, 3) each,
    uniform over the patch. `fresh(front, back)`, (n, 3) each, are points just in front of and behind the samples; it
    tells which samples no earlier patch of the feature has as well, (n,) bool. None: all.
    """

    area: float
    sample: Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]]
    fresh: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None


@dataclass(frozen=True, slots=True)
class Similarity:
    """World axis i becomes axis `axes[i]` times `signs[i]`, then everything is scaled, then shifted."""

    axes: tuple[int, int, int] = (0, 1, 2)
    signs: tuple[int, int, int] = (1, 1, 1)
    scale: float = 1.0
    shift: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def matrix(self) -> np.ndarray:
        """(3, 3), without the shift."""
        m = np.zeros((3, 3))
        m[list(self.axes), range(3)] = self.signs
        return m * self.scale

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 3) moved."""
        return points @ self.matrix().T + self.shift

    def inverse(self) -> "Similarity":
        axes = tuple(self.axes.index(i) for i in range(3))
        signs = tuple(self.signs[axis] for axis in axes)
        shift = tuple(-sign * self.shift[self.axes[i]] / self.scale for i, sign in enumerate(self.signs))
        return Similarity(axes, signs, 1.0 / self.scale, shift)

    def along(self, axis: int, value: float) -> float:
        """The coordinate along axis `axes[axis]` of points with a coordinate along world `axis`."""
        return (self.signs[axis] * value + 0.0) * self.scale + self.shift[self.axes[axis]]  # + 0.0: no -0.0


@dataclass(frozen=True, slots=True)
class RoleContext:
    """Facts about a program that the name of a feature depends on."""

    operation: str
    base: "Feature"  # of the first step
    first: bool  # whether this is the first step


def bounds_by_reach(feature: "Feature") -> np.ndarray:
    """The box (2, 3) that is as tight as the feature's `reach`."""
    low = [-feature.reach(-axis) for axis in np.eye(3)]
    return np.array([low, [feature.reach(axis) for axis in np.eye(3)]])


class Feature(Protocol):
    """A closed solid in the program frame, frozen and hashable. Points are (N, 3)."""

    kind: ClassVar[str]
    in_vocabulary: ClassVar[bool]  # whether `tokens` can write it
    is_tool: ClassVar[bool]  # whether texts can only cut it from a solid, by its `applied`
    on_any_plane: ClassVar[bool]  # whether its calls make it on any workplane, also on one that is not along the axes

    @property
    def axis(self) -> int | None:
        """The world axis that it is built along; None where there is none."""
        ...

    @property
    def is_box(self) -> bool:
        """Whether it fills its bounds."""
        ...

    @property
    def outline_count(self) -> int:
        """Outlines, holes among them: its size in features."""
        ...

    @property
    def edge_count(self) -> int:
        """Edges of its outlines: the work that it makes."""
        ...

    # --- geometry ---

    def bounds(self) -> np.ndarray:
        """Lowest and highest corner, (2, 3). Raises EmptySolid where there is nothing."""
        ...

    def reach(self, direction: np.ndarray) -> float:
        """The largest product of one of its points with a vector (3,), never too small."""
        ...

    def control_box(self) -> np.ndarray:
        """Box (2, 3) of all its numbers."""
        ...

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Which points lie inside, (N,) bool; either answer on the surface itself."""
        ...

    def inside_lattice(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """`inside` of the points of a lattice, (X, Y, Z) bool."""
        ...

    def inside_of(self, point_set: PointSet) -> np.ndarray:
        """`inside` of the points of a set, (M,) bool."""
        ...

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Signed distance, negative inside, (N,); the magnitude is never too large."""
        ...

    def patches(self) -> tuple[Patch, ...]:
        """The surface."""
        ...

    def borders(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Coordinates along x, y and z at which something starts, ends or turns."""
        ...

    def prepared(self) -> "Feature":
        """The same geometry, faster when asked repeatedly."""
        ...

    # --- other features from this one ---

    def moved(self, by: Similarity) -> "Feature": ...

    def turned(self, place: Placement) -> "Feature | None":
        """The feature on a plane that is not along the axes, where its type can say it alone (about its own axis)."""
        ...

    def numbers(self) -> Numbers: ...

    def canonical(self) -> "Feature":
        """The one spelling of this solid."""
        ...

    def rounded(self) -> "Feature | None":
        """The feature on the integer grid (half units where it is thin); None where something vanishes on it."""
        ...

    def simpler(self) -> tuple["Feature", ...]:
        """All features with one detail less."""
        ...

    def core(self) -> "Feature":
        """The feature without its details: its first outline alone."""
        ...

    def joined(self, other: "Feature") -> "Feature | None":
        """One feature in place of this and another; None where they have nothing in common."""
        ...

    def stretched(self, axis: int, end: int, value: float) -> "Feature":
        """With its lower (0) or upper (1) end along a world axis moved to `value`; itself where it cannot."""
        ...

    def with_arcs(self, change: Callable[[Point, Arc], Arc]) -> "Feature":
        """With each arc of its outlines replaced by what `change` makes of its start and the arc."""
        ...

    # --- text ---

    def order(self) -> tuple:
        """Place in a canonical program, the larger first: a volume class (negative), a word, numbers."""
        ...

    def crosses_itself(self) -> bool:
        """Whether one of its outlines does: the field fills such outlines, the CAD kernel fails."""
        ...

    def check(self) -> None:
        """Raise ValueError where no text can say it."""
        ...

    @property
    def base(self) -> NamedPlane | Placement:
        """The workplane of its chain."""
        ...

    def built(self, write: Write) -> list[str]:
        """Its CadQuery calls on the workplane `base`, numbers by `write`."""
        ...

    def calls(self, write: Write) -> list[str]:
        """Its whole CadQuery chain after `cq.`."""
        ...

    def applied(self, operation: str, write: Write) -> list[str] | None:
        """Calls on the solid so far that say `operation` with this feature; None: `.operation(feature)` does."""
        ...

    def role(self, context: RoleContext) -> str:
        """A designer's word for it: "boss", "hole" ..."""
        ...

    @classmethod
    def parsers(cls) -> dict[type, dict[str, Callable[..., Any]]]:
        """CadQuery methods that make it: kind of value -> method -> function from value and arguments to a feature."""
        ...


class Solid:
    """Answers that follow from other answers; a feature type that has faster or better ones gives its own."""

    __slots__ = ()
    in_vocabulary: ClassVar[bool] = False
    is_tool: ClassVar[bool] = False
    on_any_plane: ClassVar[bool] = True
    outline_count: ClassVar[int] = 1
    edge_count: ClassVar[int] = 1
    axis: ClassVar[int | None] = None
    is_box: ClassVar[bool] = False
    base: ClassVar[NamedPlane | Placement] = NamedPlane()

    def calls(self, write: Write) -> list[str]:
        return [self.base.call(write), *self.built(write)]

    def applied(self, operation: str, write: Write) -> list[str] | None:
        return None

    def reach(self, direction: np.ndarray) -> float:
        return float((self.bounds() * direction).max(axis=0).sum())

    def control_box(self) -> np.ndarray:
        return self.bounds()

    def inside(self, points: np.ndarray) -> np.ndarray:
        return self.distance(points) < 0

    def inside_lattice(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        points = np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1)
        return self.inside(points.reshape(-1, 3)).reshape(points.shape[:3])

    def inside_of(self, point_set: PointSet) -> np.ndarray:
        return self.inside(point_set.points)

    def borders(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return tuple(self.bounds().T)

    def prepared(self):
        return self

    def turned(self, place: Placement) -> None:
        return None

    def canonical(self):
        return self

    def simpler(self) -> tuple:
        return ()

    def core(self):
        return self

    def joined(self, other) -> None:
        return None

    def stretched(self, axis: int, end: int, value: float):
        return self

    def with_arcs(self, change):
        return self

    def crosses_itself(self) -> bool:
        return False

    def check(self) -> None:
        pass

    def role(self, context: RoleContext) -> str:
        return self.kind

    @classmethod
    def parsers(cls) -> dict:
        return {}
