"""Rank candidate programs against the input without the CAD kernel: by their own field and surface points."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cadcode.program.surface import sample_surface
from cadcode.program.syntax import Program


@dataclass(frozen=True, eq=False)
class SearchTarget:
    """Points on the input's surface in the program frame, with their search tree."""

    points: np.ndarray  # (N, 3)
    tree: cKDTree

    @classmethod
    def of(cls, points: np.ndarray) -> "SearchTarget":
        return cls(points, cKDTree(points))


def distance_to_input(program: Program, target: SearchTarget, seed: int = 0) -> float:
    """Mean distance between surface points of program and input, both ways averaged, in program units.

    Infinite for a program that leaves no solid. Two samplings of one surface are not at 0 but at their spacing.
    """
    try:
        points, _ = sample_surface(program, len(target.points), np.random.default_rng(seed))
    except ValueError:  # EmptySolid, or numbers no outline can be drawn from
        return float("inf")
    there, _ = target.tree.query(points)
    back, _ = cKDTree(points).query(target.points)
    return float(there.mean() + back.mean()) / 2
