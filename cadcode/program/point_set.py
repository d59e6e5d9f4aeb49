"""Points that many features are asked about: what does not depend on the feature is computed once."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from cadcode.program.place import AXES


class Slabs(NamedTuple):
    """Points (M, 3) in the order of one coordinate, so that those between two levels are contiguous."""

    order: np.ndarray  # (M,)
    levels: np.ndarray  # (M,) this coordinate, rising
    across: np.ndarray  # (M, 2) the two others, in the order of `AXES`, column by column in memory

    @classmethod
    def of(cls, points: np.ndarray, i: int, j: int, k: int) -> "Slabs":
        order = np.argsort(points[:, k], kind="stable")
        return cls(order, points[order, k], np.stack([points[order, i], points[order, j]]).T)

    def between(self, low: float, high: float) -> slice:
        """The points with a coordinate between two levels."""
        return slice(np.searchsorted(self.levels, low, "right"), np.searchsorted(self.levels, high, "left"))


@dataclass(frozen=True, eq=False)
class PointSet:
    points: np.ndarray  # (M, 3)

    @cached_property
    def slabs(self) -> dict[str, Slabs]:
        """Plane -> the points along its normal."""
        return {plane: Slabs.of(self.points, *axes) for plane, axes in AXES.items()}
