"""The last digits of a program's numbers: least squares on its signed distance at points of the input's surface.

Coordinate search ends at its smallest step and gets stuck where two numbers have to move at once (a slanted side, an
arc and its chord). Least squares moves all numbers together; numbers that are equal stay equal. Points far off count
less (soft l1, Charbonnier et al. 1997), so that one missing feature does not bend the others.
"""

from dataclasses import dataclass

import numpy as np

from cadcode.program.field import signed_distance
from cadcode.search.deadline import Late, never
from cadcode.search.numbers import Parameters

APART = 1e-3  # program units between the two points of a difference quotient
BROKEN = 1e3  # the distance that stands for numbers that make no program


@dataclass(frozen=True)
class PolishOptions:
    numbers: int = 60  # a program with more of them stays as it is
    evaluations: int = 6
    cost: float = 1e-3  # the score may fall by this much, never below where the search began


def polished(
    parameters: Parameters,
    values: np.ndarray,
    surface: np.ndarray,
    blur: float,
    options: PolishOptions,
    held: frozenset[int] = frozenset(),
    late: Late = never,
):
    """Values (P,) nearer to the points `surface` (N, 3), None where there are none.

    `blur` is how far, in program units, a point may lie off the surface before it counts less; the values `held` stay.
    When it is `late`, slopes count as 0, which ends the search where it is.
    """
    from scipy.optimize import least_squares  # slow to load, and not every run comes here

    groups = [group for group in parameters.groups(values) if held.isdisjoint(group)]
    if not 0 < len(groups) <= options.numbers or late():
        return None
    spread = np.zeros((len(values), len(groups)))  # from groups to numbers
    for column, group in enumerate(groups):
        spread[group, column] = 1.0

    def distances(shift):
        program = parameters.program(values + spread @ shift)
        return np.full(len(surface), BROKEN) if program is None else signed_distance(program, surface)

    def slopes(shift):
        here = distances(shift)
        ahead = [here if late() else distances(shift + APART * one) for one in np.eye(len(groups))]
        return np.stack([np.where(there == BROKEN, 0.0, there - here) / APART for there in ahead], axis=1)

    start = np.zeros(len(groups))
    found = least_squares(distances, start, slopes, loss="soft_l1", f_scale=blur, max_nfev=options.evaluations)
    nearer = np.abs(found.fun).mean() < np.abs(distances(start)).mean()
    return values + spread @ found.x if nearer else None
