"""Rows of different lengths in one array: polygons, strips, lists of a file."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Rows:
    """R rows: `values` (N,) are those of all rows in turn, `lengths` (R,) how many each has."""

    values: np.ndarray
    lengths: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        """Where each row begins (R,)."""
        return np.cumsum(self.lengths) - self.lengths

    def chosen(self, rows) -> "Rows":
        """Some rows, by their numbers."""
        return rows_at(self.values, self.starts[rows], self.lengths[rows])


def rows_at(values, starts, lengths) -> Rows:
    """The rows of `values` (N,) that begin at `starts` (R,) and are so long, (R,)."""
    lengths = np.asarray(lengths, dtype=np.int64)
    places = np.arange(int(lengths.sum())) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    return Rows(values[places], lengths)
