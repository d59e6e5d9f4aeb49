"""Move and measure program trees: scale them, shift them, box them."""

import numpy as np

from cadcode.program.feature import Similarity
from cadcode.program.tree import Program, Step


def placed(program: Program, by: Similarity) -> Program:
    """The program whose solid is the image of this one's."""
    return Program(tuple(Step(step.operation, step.body.moved(by)) for step in program.steps))


def moved(program: Program, scale: float, translation) -> Program:
    """The program of the solid `scale * x + translation`; `translation` holds 3 numbers (world x, y, z).

    Raises ValueError for a scale that is not positive: a mirrored arc or a flipped normal needs more than this.
    """
    if not scale > 0:
        raise ValueError(f"a program can only be scaled by a positive factor, not by {scale}")
    shift = tuple(float(value) for value in translation)
    return placed(program, Similarity(scale=float(scale), shift=shift))


def control_box(program: Program) -> np.ndarray:
    """(2, 3) lower and upper corner of all numbers of the program, cut bodies included.

    Arcs count by their three points, so the box can be smaller than the solid where an arc bulges between them.
    """
    corners = np.concatenate([step.body.control_box() for step in program.steps])  # (2 * steps, 3)
    return np.stack([corners.min(axis=0), corners.max(axis=0)])
