"""The numbers of an outline or a feature as a flat vector, for the search."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

PLANE, CENTRE, RADIUS, BULGE, ANGLE = "plane", "centre", "radius", "bulge", "angle"
LOCAL = 3  # axes from here on: x, y and normal of a plane of the feature's own
SAME = 1e-6  # numbers closer than this are the same number


@dataclass(frozen=True, slots=True)
class Numbers:
    """P numbers and the way back from them.

    `slots` says of each number its kind and the world axis along which it moves something (`LOCAL` + 0, 1 or 2: an axis
    of its own plane; -1: none). Angles are in degrees. `rebuild` takes P values and returns the outline or feature with
    these numbers, None where they make none.
    """

    slots: tuple[tuple[str, int], ...]
    values: tuple[float, ...]
    rebuild: Callable[[Sequence[float]], Any]
