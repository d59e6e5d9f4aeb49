"""A program as a field over space: occupancy, signed distance, bounds. No CAD kernel.

Distances follow the constructive recipe (Ricci 1973, "A constructive geometry for computer graphics"; Quilez,
"distance functions"): the union of features is the minimum, a cut max(a, -b), an intersection the maximum. The sign is
exact (0 where two united bodies touch). The magnitude is exact for one prism over one outline; booleans make it a lower
bound of the true distance, so it may be too small inside a union and near the edges of cuts and intersections, never
too large.

If steps leave nothing in between, the field goes on with nothing, but CadQuery goes back to the solid before.
"""

import numpy as np

from cadcode.program.feature import EmptySolid
from cadcode.program.tree import Program, Step


def prepare(program: Program) -> Program:
    """The same program with its features prepared: the same answers, faster when asked repeatedly."""
    return Program(tuple(Step(step.operation, step.body.prepared()) for step in program.steps))


def occupancy(program: Program, points: np.ndarray) -> np.ndarray:
    """Which points (N, 3) lie inside the program's solid, (N,) bool; either answer on the surface itself."""
    filled = np.zeros(len(points), dtype=bool)
    for step in program.steps:
        filled = combine(step.operation, filled, step.body.inside(points))
    return filled


def combine(operation: str, filled: np.ndarray, body: np.ndarray) -> np.ndarray:
    """One boolean of two occupancies."""
    if operation == "cut":
        return filled & ~body
    return filled & body if operation == "intersect" else filled | body


def signed_distance(program: Program, points: np.ndarray) -> np.ndarray:
    """Signed distance of points (N, 3), negative inside, (N,); see the module for how exact it is."""
    return combined_distances(program, [step.body.distance(points) for step in program.steps])


def combined_distances(program: Program, bodies: list[np.ndarray]) -> np.ndarray:
    """The signed distance (N,) to a program of those to its bodies, (N,) each."""
    value = np.full(len(bodies[0]), np.inf)
    for step, body in zip(program.steps, bodies, strict=True):
        if step.operation == "union":
            value = np.minimum(value, body)
        else:
            value = np.maximum(value, -body if step.operation == "cut" else body)
    return value


def bounds(program: Program) -> np.ndarray:
    """A box around the solid, (2, 3): each body's box, extended by unions, shrunk by intersections, kept by cuts.

    Never too small; larger than the solid where cuts take away its ends. Raises EmptySolid when nothing is left.
    """
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for step in program.steps:
        if step.operation == "cut":
            continue
        body = step.body.bounds()
        if step.operation == "union":
            low, high = np.minimum(low, body[0]), np.maximum(high, body[1])
        else:
            low, high = np.maximum(low, body[0]), np.minimum(high, body[1])
        if np.any(low >= high):
            low, high = np.full(3, np.inf), np.full(3, -np.inf)
    if np.any(low >= high):
        raise EmptySolid("the program's bodies enclose nothing")
    return np.stack([low, high])
