"""The grid and the order of canonical programs."""

from itertools import chain, groupby

import numpy as np

FRAME = 100.0
FINE = 8.0  # sizes below this many units keep half units: a thin plate must not lose a third of its thickness


def grid(value: float, step: float = 1.0) -> float:
    """The nearest multiple of `step`."""
    return float(np.rint(value / step) * step) + 0.0


def interval(low: float, high: float) -> tuple[float, float]:
    """Centre and length of an interval with rounded ends; a short one keeps its length to half a unit."""
    if high - low >= FINE:
        low, high = grid(low), grid(high)
        return (low + high) / 2, high - low
    return grid((low + high) / 2, 0.5), grid(high - low, 0.5)


def sorted_runs(items, kind, key) -> tuple:
    """Sorted within each run of neighbours of one kind; ties by their `repr`, so that the input's order is lost."""
    runs = (sorted(run, key=lambda item: (key(item), repr(item))) for _, run in groupby(items, key=kind))
    return tuple(chain.from_iterable(runs))
