"""Choices of points: one in each cell of a grid, the farthest of a cloud."""

import numpy as np


def jittered_grid(box: np.ndarray, cells: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One random point in each cell of a grid over `box` (2, 3), `cells` (3,) along each axis. (product of cells, 3)"""
    corners = np.stack(np.meshgrid(*map(np.arange, cells), indexing="ij"), axis=-1).reshape(-1, 3)
    return box[0] + (corners + rng.random(corners.shape)) / cells * (box[1] - box[0])


def farthest_points(points, count: int, rng: np.random.Generator | None = None, start: int = 0):
    """Indices (count,) into `points` (N, 3): each next point is the farthest from all before (Gonzalez 1985), exactly.

    The first is `start`, or random with `rng`. All N indices come before the first repetition; for count > N the order
    starts over. Distances are float32, so ties within rounding go to the lower index.
    """
    x, y, z = np.ascontiguousarray(np.asarray(points, dtype=np.float32).T)
    current = int(rng.integers(len(x))) if rng is not None else start
    nearest = np.full(len(x), np.inf, dtype=np.float32)  # squared distance to the chosen ones
    distance, square = np.empty_like(x), np.empty_like(x)
    order = np.empty(min(count, len(x)), dtype=np.int64)
    for i in range(len(order)):
        order[i] = current
        np.square(np.subtract(x, x[current], out=distance), out=distance)
        for column in (y, z):
            np.square(np.subtract(column, column[current], out=square), out=square)
            distance += square
        np.minimum(nearest, distance, out=nearest)
        nearest[current] = -1  # chosen: comes after every other, also after its duplicates
        current = int(nearest.argmax())
    return np.resize(order, count)
