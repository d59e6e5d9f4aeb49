"""Inside tests by generalised winding numbers, which tolerate holes, flipped patches and loose triangles.

Exact solid angles (Van Oosterom & Strackee 1983) near the surface, and the solid angle of a flat element in place of a
whole group of triangles far from it (Barill et al. 2018, "Fast winding numbers").
"""

import numpy as np

from cadcode.geometry.tree import Tree

FAR = 2.0  # a group this many radii away is seen as one element
CHUNK = 4096  # points at a time: bounds the memory of the pair lists
PAIRS = 2048  # pairs of a point and a leaf at a time: their numbers stay in the processor's cache


def winding_numbers(tree: Tree, points: np.ndarray) -> np.ndarray:
    """Winding number around each of points (N, 3): 1 inside, 0 outside, between the two near a hole. (N,)"""
    leaves = np.ascontiguousarray(tree.leaves.transpose(2, 3, 0, 1)).reshape(9, *tree.leaves.shape[:2])
    starts = range(0, len(points), CHUNK)
    chunks = [_winding(tree, leaves, points[start : start + CHUNK].T.copy()) for start in starts]
    return np.concatenate(chunks) if chunks else np.empty(0)


def _winding(tree: Tree, leaves: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Winding numbers (N,) of points (3, N)."""
    count = points.shape[1]
    total = np.zeros(count)
    point = np.arange(count)  # pairs (point, group) still to be resolved
    group = np.zeros(count, dtype=int)
    for depth, level in enumerate(tree.levels):
        if depth:
            point, group = np.repeat(point, 2), (2 * group[:, None] + (0, 1)).ravel()
        away = [centre[group] - axis[point] for centre, axis in zip(level.centre.T.copy(), points, strict=True)]
        squared = _dot(away, away)
        distant = squared > (FAR * level.radius[group]) ** 2
        far, near = np.flatnonzero(distant), np.flatnonzero(~distant)
        flux = [axis[group[far]] for axis in level.flux.T.copy()]
        seen = _dot([axis[far] for axis in away], flux) / squared[far] ** 1.5
        total += np.bincount(point[far], seen, count)
        point, group = point[near], group[near]
    for start in range(0, len(point), PAIRS):
        pairs = slice(start, start + PAIRS)
        angles = _solid_angles(leaves, group[pairs], [axis[point[pairs]] for axis in points])
        total += np.bincount(point[pairs], angles, count)
    return total / (4 * np.pi)


def _solid_angles(leaves: np.ndarray, group: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Solid angles of all triangles of leaves (9 numbers of the corners, G, T) number `group` (P,) seen from points,
    three times (P,), summed. (P,)
    """
    size = leaves.shape[2]
    x, y, z = (np.repeat(axis, size) for axis in points)
    ax, ay, az, bx, by, bz, cx, cy, cz = (np.take(number, group, axis=0).reshape(-1) for number in leaves)
    a, b, c = (ax - x, ay - y, az - z), (bx - x, by - y, bz - z), (cx - x, cy - y, cz - z)
    la, lb, lc = (np.sqrt(_dot(v, v)) for v in (a, b, c))
    cross = (b[1] * c[2] - b[2] * c[1], b[2] * c[0] - b[0] * c[2], b[0] * c[1] - b[1] * c[0])
    spread = la * lb * lc + _dot(a, b) * lc + _dot(b, c) * la + _dot(c, a) * lb
    return 2 * np.arctan2(_dot(a, cross), spread).reshape(-1, size).sum(axis=1)


def _dot(a, b) -> np.ndarray:
    """Dot products of vectors with axes first: numpy is several times faster on long rows than on rows of three."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
