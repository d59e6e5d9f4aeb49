"""Is a point inside a mesh? Generalised winding numbers, which forgive holes, flipped patches and loose triangles.

Exact solid angles (Van Oosterom & Strackee 1983) near the surface, and the solid angle of a flat element in place of a
whole group of triangles far from it (Barill et al. 2018, "Fast winding numbers").
"""

import numpy as np

from cadcode.geometry.tree import Tree

FAR = 2.0  # a group this many radii away is seen as one element
CHUNK = 4096  # points at a time: bounds the memory of the pair lists
PAIRS = 65536  # pairs of a point and a leaf at a time


def winding_numbers(tree: Tree, points: np.ndarray) -> np.ndarray:
    """Winding number around each of points (N, 3): 1 inside, 0 outside, between the two near a hole. (N,)"""
    chunks = [_winding(tree, points[start : start + CHUNK]) for start in range(0, len(points), CHUNK)]
    return np.concatenate(chunks) if chunks else np.empty(0)


def _winding(tree: Tree, points: np.ndarray) -> np.ndarray:
    total = np.zeros(len(points))
    point = np.arange(len(points))  # pairs (point, group) still to be resolved
    group = np.zeros(len(points), dtype=int)
    for depth, level in enumerate(tree.levels):
        if depth:
            point, group = np.repeat(point, 2), (2 * group[:, None] + (0, 1)).ravel()
        away = level.centre[group] - points[point]  # (pairs, 3)
        distance = np.sqrt(_dot(away, away))
        far = distance > FAR * level.radius[group]
        seen = _dot(away[far], level.flux[group[far]]) / distance[far] ** 3
        total += np.bincount(point[far], seen, len(points))
        point, group = point[~far], group[~far]
    for start in range(0, len(point), PAIRS):
        pairs = slice(start, start + PAIRS)
        angles = _solid_angles(tree.leaves[group[pairs]], points[point[pairs]])
        total += np.bincount(point[pairs], angles, len(points))
    return total / (4 * np.pi)


def _solid_angles(triangles: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Solid angle of triangles (P, T, 3, 3) seen from points (P, 3), summed over T. (P,)"""
    a, b, c = np.moveaxis(triangles - points[:, None, None], 2, 0)  # (P, T, 3) each
    la, lb, lc = (np.sqrt(_dot(v, v)) for v in (a, b, c))
    volume = _dot(a, np.cross(b, c))
    spread = la * lb * lc + _dot(a, b) * lc + _dot(b, c) * la + _dot(c, a) * lb
    return 2 * np.arctan2(volume, spread).sum(axis=1)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("...i,...i->...", a, b)
