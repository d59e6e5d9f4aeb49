"""Rank candidate programs against the input without the CAD kernel, by samples of their surfaces."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cadcode.program.surface import sample_surface
from cadcode.program.tree import Program

FEATURE_PENALTY, EDGE_PENALTY = 3e-4, 3e-5  # gain of score or IoU that justifies one more


@dataclass(frozen=True, eq=False)
class SearchTarget:
    """Points of the input's surface in the program frame, with their search tree."""

    points: np.ndarray  # (N, 3)
    tree: cKDTree

    @classmethod
    def of(cls, points: np.ndarray) -> "SearchTarget":
        return cls(points, cKDTree(points))


def distance_to_input(program: Program, target: SearchTarget, seed: int = 0) -> float:
    """Mean distance between surface samples of program and input, averaged over both directions, in program units.

    Infinite for a program without a solid. The distance of two samplings of one surface is about their spacing, not 0.
    """
    try:
        points, _ = sample_surface(program, len(target.points), np.random.default_rng(seed))
    except ValueError:  # EmptySolid, or numbers no outline can be drawn from
        return float("inf")
    to_input, _ = target.tree.query(points)
    to_program, _ = cKDTree(points).query(target.points)
    return float(to_input.mean() + to_program.mean()) / 2


def complexity_penalty(program: Program) -> float:
    """Penalty for a program's outlines and edges, so that of two equally good programs the simpler one is taken."""
    outlines = sum(step.body.outline_count for step in program.steps)
    edges = sum(step.body.edge_count for step in program.steps)
    return FEATURE_PENALTY * outlines + EDGE_PENALTY * edges
