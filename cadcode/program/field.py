"""A program as a field over space: occupancy, signed distance, bounds. No CAD kernel.

Distances follow the constructive recipe (Ricci 1973, "A constructive geometry for computer graphics"; Quilez,
"distance functions"): a prism combines its sketch's plane distance with its slab's, a union is the minimum, a cut
max(a, -b), an intersection the maximum. The sign is exact (0 where two united bodies touch). The magnitude is exact for
one prism over one outline; booleans make it a lower bound of the true distance, so it may be too small inside a union
and near the edges of cuts and intersections, never too large.

Where steps leave nothing in between, the field goes on with nothing, but CadQuery goes back to the solid before.
"""

from dataclasses import replace

import numpy as np

from cadcode.program import outlines as plane
from cadcode.program.tree import AXES, Extrude, Program


class EmptySolid(ValueError):
    """The program has no volume: nothing to bound or to sample."""


def prepare(program: Program) -> Program:
    """The same program with its loops traced (`outline.traced`): the same answers, faster when asked repeatedly."""
    return Program(tuple(replace(step, body=prepared_body(step.body)) for step in program.steps))


def prepared_body(body: Extrude) -> Extrude:
    """One body of `prepare`."""
    faces = tuple(replace(face, outline=plane.traced(face.outline)) for face in body.faces)
    return replace(body, faces=faces)


def span(body: Extrude) -> tuple[float, float]:
    """Lower and upper end of a prism along its normal."""
    return min(body.offset, body.offset + body.height), max(body.offset, body.offset + body.height)


def occupancy(program: Program, points: np.ndarray) -> np.ndarray:
    """Which points (N, 3) lie inside the program's solid, (N,) bool; either answer on the surface itself."""
    filled = np.zeros(len(points), dtype=bool)
    for step in program.steps:
        filled = combine(step.operation, filled, inside_body(step.body, points))
    return filled


def combine(operation: str, filled: np.ndarray, body: np.ndarray) -> np.ndarray:
    """One boolean of two occupancies."""
    if operation == "cut":
        return filled & ~body
    return filled & body if operation == "intersect" else filled | body


def inside_body(body: Extrude, points: np.ndarray) -> np.ndarray:
    """Which points (N, 3) lie inside one prism, (N,) bool."""
    i, j, k = AXES[body.plane]
    low, high = span(body)
    answer = (points[:, k] > low) & (points[:, k] < high)
    rows = np.flatnonzero(answer)  # the sketch is the costly part: ask it only within the slab
    answer[rows] = plane.faces_inside(body.faces, np.stack([points[rows, i], points[rows, j]]).T)
    return answer


def signed_distance(program: Program, points: np.ndarray) -> np.ndarray:
    """Signed distance of points (N, 3), negative inside, (N,); see the module for how exact it is."""
    return combined_distances(program, [body_distance(step.body, points) for step in program.steps])


def combined_distances(program: Program, bodies: list[np.ndarray]) -> np.ndarray:
    """The signed distance (N,) to a program of those to its bodies, (N,) each."""
    value = np.full(len(bodies[0]), np.inf)
    for step, body in zip(program.steps, bodies, strict=True):
        if step.operation == "union":
            value = np.minimum(value, body)
        else:
            value = np.maximum(value, -body if step.operation == "cut" else body)
    return value


def body_distance(body: Extrude, points: np.ndarray) -> np.ndarray:
    """Signed distance of points (N, 3) to one prism, (N,): Quilez's extrusion operator."""
    i, j, k = AXES[body.plane]
    low, high = span(body)
    across = plane.faces_distance(body.faces, np.stack([points[:, i], points[:, j]]).T)
    along = np.abs(points[:, k] - (low + high) / 2) - (high - low) / 2
    return np.hypot(np.maximum(across, 0), np.maximum(along, 0)) + np.minimum(np.maximum(across, along), 0)


def bounds(program: Program) -> np.ndarray:
    """A box around the solid, (2, 3): each body's box, extended by unions, shrunk by intersections, kept by cuts.

    Never too small; larger than the solid where cuts take away its ends. Raises EmptySolid when nothing is left.
    """
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for step in program.steps:
        if step.operation == "cut":
            continue
        body = body_bounds(step.body)
        if step.operation == "union":
            low, high = np.minimum(low, body[0]), np.maximum(high, body[1])
        else:
            low, high = np.maximum(low, body[0]), np.minimum(high, body[1])
        if np.any(low >= high):
            low, high = np.full(3, np.inf), np.full(3, -np.inf)
    if np.any(low >= high):
        raise EmptySolid("the program's bodies enclose nothing")
    return np.stack([low, high])


def body_bounds(body: Extrude) -> np.ndarray:
    """Lowest and highest corner of one prism, (2, 3); subtracted faces are ignored."""
    added = [plane.bounds(face.outline) for face in body.faces if not face.subtract]
    if not added:
        raise EmptySolid("a sketch without any added face")
    i, j, k = AXES[body.plane]
    box = np.empty((2, 3))
    box[0, [i, j]] = np.min([one[0] for one in added], axis=0)
    box[1, [i, j]] = np.max([one[1] for one in added], axis=0)
    box[:, k] = span(body)
    return box
