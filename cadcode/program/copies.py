"""One feature at many places: the solid of all its copies."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, ClassVar

import numpy as np

from cadcode.program.curve import Arc, Point
from cadcode.program.feature import Feature, Patch, RoleContext, Solid


@dataclass(frozen=True, slots=True, eq=False)
class Isometry:
    """A rotation or reflection, then a shift: it moves a feature to one of its copies."""

    matrix: np.ndarray  # (3, 3), orthogonal
    shift: np.ndarray  # (3,)

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 3) moved with the feature."""
        return points @ self.matrix.T + self.shift

    def undo(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 3) moved back."""
        return (points - self.shift) @ self.matrix

    def turn(self, normals: np.ndarray) -> np.ndarray:
        """Directions (N, 3) turned with the feature."""
        return normals @ self.matrix.T


class Copies(Solid):
    """Answers of a pattern, from its `body` and the isometries that `copies` gives."""

    __slots__ = ()
    word: ClassVar[str]  # for the arrangement, in names
    body: Feature
    count: int

    def copies(self) -> list[Isometry]:
        """From `body` to each of its copies."""
        raise NotImplementedError

    def shared_axes(self) -> tuple[int, ...]:
        """World axes along which all copies extend alike."""
        raise NotImplementedError

    def near(self, points: np.ndarray) -> tuple[Iterable[np.ndarray], np.ndarray]:
        """Copies that matter to points (N, 3): the points as each copy sees them, moved to `body`, (N, 3) each.

        The second value is a lower bound of the distance to all other copies, (N,); it is positive.
        """
        return (copy.undo(points) for copy in self.copies()), np.full(len(points), np.inf)

    @property
    def axis(self) -> int | None:
        return self.body.axis

    @property
    def outline_count(self) -> int:
        return self.body.outline_count + 1

    @property
    def edge_count(self) -> int:
        return self.body.edge_count * self.count

    # --- geometry ---

    def bounds(self) -> np.ndarray:
        return _around(self._boxes(self.body.bounds()))

    def reach(self, direction: np.ndarray) -> float:
        return max(float(direction @ copy.shift) + self.body.reach(direction @ copy.matrix) for copy in self.copies())

    def control_box(self) -> np.ndarray:
        return _around(self._boxes(self.body.control_box()))

    def inside(self, points: np.ndarray) -> np.ndarray:
        views, _ = self.near(points)
        answer = np.zeros(len(points), dtype=bool)
        for view in views:
            answer |= self.body.inside(view)
        return answer

    def distance(self, points: np.ndarray) -> np.ndarray:
        views, value = self.near(points)
        for view in views:
            value = np.minimum(value, self.body.distance(view))
        return value

    def patches(self) -> tuple[Patch, ...]:
        copies, boxes, patches = self.copies(), self._boxes(self.body.bounds()), self.body.patches()
        found = []
        for number, copy in enumerate(copies):
            meeting = np.flatnonzero(_meet(boxes[:number], boxes[number]))
            earlier = [copies[index] for index in meeting]
            found += [_copied_patch(self.body, patch, copy, earlier) for patch in patches]
        return tuple(found)

    def _boxes(self, box: np.ndarray) -> np.ndarray:
        """Upright boxes (n, 2, 3) around the copies of a box (2, 3)."""
        corners = np.array(list(product(*box.T)))
        return np.array([_extent(copy.apply(corners)) for copy in self.copies()])

    # --- other features from this one ---

    def prepared(self) -> "Copies":
        return self._with(self.body.prepared())

    def core(self) -> "Copies":
        return self._with(self.body.core())

    def simpler(self) -> tuple[Feature, ...]:
        """The body alone, and the pattern of each simpler body."""
        return (self.single(), *(self._with(body) for body in self.body.simpler()))

    def single(self) -> Feature:
        """The body without the pattern."""
        return self.body

    def stretched(self, axis: int, end: int, value: float) -> "Copies":
        return self._with(self.body.stretched(axis, end, value)) if axis in self.shared_axes() else self

    def with_arcs(self, change: Callable[[Point, Arc], Arc]) -> "Copies":
        return self._with(self.body.with_arcs(change))

    def _with(self, body: Feature) -> Any:
        return replace(self, body=body)

    # --- text ---

    def order(self) -> tuple:
        volume, *rest = self.body.order()
        return (volume * self.count, *rest)

    def crosses_itself(self) -> bool:
        return self.body.crosses_itself()

    def check(self) -> None:
        if isinstance(self.body, Copies):
            raise ValueError("a pattern of a pattern")
        if self.body.is_tool:
            raise ValueError(f"a pattern of a {self.body.kind}: it can only be cut from a solid")
        self.body.check()

    def role(self, context: RoleContext) -> str:
        return f"{self.body.role(context)}_{self.word}"


def nearest_copies(
    at: np.ndarray, reach: float, count: int, cyclic: bool = False
) -> tuple[np.ndarray, int, np.ndarray]:
    """The copies in a row that matter to places `at` (N,); the unit is a step, copy i is at i, `reach` to each side.

    Returns the first of them, (N,), their number, and the gap to the next copy on either side, (N,), at least half a
    step. A `cyclic` row has no ends: its copies count on beyond `count`.
    """
    size = min(count, int(np.ceil(2 * reach)) + 1)
    if size == count:
        return np.zeros(len(at)), size, np.full(len(at), np.inf)
    first = np.ceil(at - size / 2)
    before, after = np.zeros(len(at), dtype=bool), np.zeros(len(at), dtype=bool)  # whether no copy is left there
    if not cyclic:
        first = np.clip(first, 0, count - size)
        before, after = first == 0, first == count - size
    gap = np.minimum(np.where(before, np.inf, at - first + 1), np.where(after, np.inf, first + size - at))
    return first, size, gap - reach


def _copied_patch(body: Feature, patch: Patch, copy: Isometry, earlier: list[Isometry]) -> Patch:
    """A patch of the body as part of one of its copies."""

    def sample(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        points, normals = patch.sample(count, rng)
        return copy.apply(points), copy.turn(normals)

    def fresh(front: np.ndarray, back: np.ndarray) -> np.ndarray:
        """Which samples are on this copy, on no earlier copy, and on no earlier patch of this copy."""
        own = copy.undo(front), copy.undo(back)
        answer = body.inside(own[0]) != body.inside(own[1])
        if patch.fresh:
            answer &= patch.fresh(*own)
        for other in earlier:
            answer &= body.inside(other.undo(front)) == body.inside(other.undo(back))
        return answer

    return Patch(patch.area, sample, fresh)


def _extent(points: np.ndarray) -> np.ndarray:
    return np.array([points.min(axis=0), points.max(axis=0)])


def _around(boxes: np.ndarray) -> np.ndarray:
    """The box (2, 3) around boxes (n, 2, 3)."""
    return np.array([boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)])


def _meet(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Which boxes (n, 2, 3) overlap or touch a box (2, 3), (n,) bool."""
    margin = 1e-3 * np.ptp(box, axis=0).max()
    return ((boxes[:, 0] <= box[1] + margin) & (boxes[:, 1] >= box[0] - margin)).all(axis=1)
