"""The last digits of a program's numbers: least squares on its signed distance at points of the input's surface.

Coordinate search ends at its smallest step and gets stuck where two numbers have to move at once (a slanted side, an
arc and its chord). Least squares moves all numbers together; numbers that are equal stay equal. The loss is soft l1
(Charbonnier et al. 1997): points far from the surface have less weight, so a missing feature does not bend the others.
"""

import numpy as np

from cadcode.program.field import signed_distance
from cadcode.search.goal import Late, never
from cadcode.search.numbers import Parameters
from cadcode.search.options import LeastSquaresOptions

APART = 1e-3  # program units, the step of a finite difference
BROKEN = 1e3  # the distance that is used for numbers that make no program


def fitted_values(
    parameters: Parameters,
    values: np.ndarray,
    surface: np.ndarray,
    noise_scale: float,
    options: LeastSquaresOptions,
    held: frozenset[int] = frozenset(),
    late: Late = never,
) -> np.ndarray | None:
    """Values (P,) nearer to the points `surface` (N, 3), None if there are none.

    `noise_scale` is the distance from the surface, in program units, above which a point has less weight; the values
    with the indices `held` stay. When it is `late`, slopes count as 0, which ends the search.
    """
    from scipy.optimize import least_squares  # slow to load, and not every run needs it

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
        before = distances(shift)
        ahead = [before if late() else distances(shift + APART * unit) for unit in np.eye(len(groups))]
        return np.stack([np.where(after == BROKEN, 0.0, after - before) / APART for after in ahead], axis=1)

    start = np.zeros(len(groups))
    found = least_squares(distances, start, slopes, loss="soft_l1", f_scale=noise_scale, max_nfev=options.evaluations)
    nearer = np.abs(found.fun).mean() < np.abs(distances(start)).mean()
    return values + spread @ found.x if nearer else None
