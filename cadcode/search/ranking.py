"""Rank candidate programs against the input without the CAD kernel: by their own field and surface points."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cadcode.program.surface import sample_surface
from cadcode.program.tree import Program

FEATURE_PRICE, EDGE_PRICE = 3e-4, 3e-5  # in the score or IoU that one more has to bring


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


def features(program: Program) -> int:
    """Bodies and holes: the outlines of all sketches."""
    return sum(step.body.outline_count for step in program.steps)


def price(program: Program) -> float:
    """What a program's length costs, so that of two that fit alike the simpler one is taken."""
    edges = sum(step.body.edge_count for step in program.steps)
    return FEATURE_PRICE * features(program) + EDGE_PRICE * edges
