"""Rims: fillets and chamfers along the edges of a prism's cap, by the profile that runs along all of them."""

import math
from dataclasses import dataclass, replace

import numpy as np

from cadcode.program.bands import Quarter, Slope

RIM_KINDS = ("fillet", "chamfer")
ENDS = ("low", "high")  # of a prism, along its axis
SIDES = {"low": -1, "high": 1}


@dataclass(frozen=True, slots=True)
class Rim:
    """A fillet or chamfer along the cap at one end of a prism; not `inner`: along the first outline alone."""

    kind: str
    end: str
    size: float
    inner: bool = True

    def distance(self, across: np.ndarray, along: np.ndarray) -> np.ndarray:
        """Signed distance (N,) of those to the walls and to the plane of the cap."""
        if self.kind == "chamfer":
            slope = (across + along + self.size) / math.sqrt(2)
            return np.maximum(np.maximum(across, along), slope)
        return rounded_edge(across, along, self.size)

    def profile(self, level: float) -> Slope | Quarter:
        side = SIDES[self.end]
        if self.kind == "fillet":
            return Quarter(self.size, level, side)
        return Slope((0.0, self.size), (level - side * self.size, level))


def rounded_edge(across: np.ndarray, along: np.ndarray, radius: float) -> np.ndarray:
    """Quilez, "distance functions": the corner of two half planes, rounded."""
    u, w = across + radius, along + radius
    return np.minimum(np.maximum(u, w), 0.0) + np.hypot(np.maximum(u, 0.0), np.maximum(w, 0.0)) - radius


def by_likeness(rims: tuple[Rim, ...]) -> list[tuple[Rim, tuple[str, ...]]]:
    """Rims, each with its ends: both where equal ones follow one another from low to high."""
    if len(rims) == 2 and rims[0].end == "low" and rims[0].inner and rims[1] == replace(rims[0], end="high"):
        return [(rims[0], ENDS)]
    return [(rim, (rim.end,)) for rim in rims]
