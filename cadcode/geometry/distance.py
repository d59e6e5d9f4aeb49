"""Distances of points to a surface, and points spread uniformly over it."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cadcode.geometry.mesh import areas_of
from cadcode.geometry.tree import Tree, triangle_tree

MAX_CLOUD = 200_000  # points kept of a cloud
CHUNK = 4096  # points at a time: bounds the memory of the pair lists
NEEDLE = 1e-16  # squared sine of an angle too small for a plane
NEGLIGIBLE = 1e-9  # in longest sides; rounding in place of a distance


@dataclass(frozen=True, eq=False)
class Surface:
    """A mesh or cloud prepared for distances."""

    points: np.ndarray  # (N, 3) spread uniformly over the surface
    corners: np.ndarray  # (M, 3) vertices, where deviations of flat-faced shapes peak; not of a cloud
    nearest: cKDTree  # over `points`, or all of a cloud
    owners: np.ndarray | None  # (N, 3, 3) the triangle of each point; None for a cloud
    tree: Tree | None  # of all triangles; None for a cloud

    def distances(self, points: np.ndarray) -> np.ndarray:
        """Distance of each of points (N, 3) to the surface; of a cloud: to its nearest point. (N,)"""
        found, index = self.nearest.query(points)
        if self.tree is None:
            return found
        bound = triangle_distances(points, self.owners[index])  # most points are as good as done here
        chunks = [slice(start, start + CHUNK) for start in range(0, len(points), CHUNK)]
        return np.concatenate([_nearest_in_tree(self.tree, points[chunk], bound[chunk]) for chunk in chunks])


def mesh_surface(vertices: np.ndarray, faces: np.ndarray, count: int, rng: np.random.Generator) -> Surface:
    """Prepare a mesh with at least one face of some area; vertices (V, 3), faces (F, 3), `count` points on it."""
    triangles = vertices[faces]
    points, owner = spread(triangles, count, rng)
    corners = vertices[np.unique(faces)]
    corners = corners[_some(len(corners), count, rng)]
    return Surface(points, corners, cKDTree(points), triangles[owner], triangle_tree(triangles))


def cloud_surface(cloud: np.ndarray, count: int, rng: np.random.Generator) -> Surface:
    """Prepare a cloud (N, 3), N at least 1; its samples are up to `count` of its points."""
    kept = cloud[_some(len(cloud), MAX_CLOUD, rng)]
    return Surface(kept[_some(len(kept), count, rng)], np.empty((0, 3)), cKDTree(kept), None, None)


def _nearest_in_tree(tree: Tree, points: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Distances (N,) of points (N, 3) to the triangles, known to be at most `bound` (N,)."""
    best = bound.copy()
    point = np.arange(len(points))  # pairs (point, group) that may hold something nearer
    group = np.zeros(len(points), dtype=int)
    for depth, level in enumerate(tree.levels):
        if depth:
            point, group = np.repeat(point, 2), (2 * group[:, None] + (0, 1)).ravel()
        near = _box_distances(points[point], level.low[group], level.high[group]) < best[point] - NEGLIGIBLE
        point, group = point[near], group[near]
    triangles, size = tree.leaves.reshape(-1, 3, 3), tree.leaves.shape[1]
    point, triangle = np.repeat(point, size), (group[:, None] * size + np.arange(size)).ravel()
    low, high = triangles.min(axis=1), triangles.max(axis=1)
    apart = _box_distances(points[point], low[triangle], high[triangle])
    for share in (0.5, 1.0):  # the nearer half first: it rules out most of the rest
        near = (apart < best[point] * share) & (apart < best[point] - NEGLIGIBLE)
        found = triangle_distances(points[point[near]], triangles[triangle[near]])
        np.minimum.at(best, point[near], found)
        point, triangle, apart = point[~near], triangle[~near], apart[~near]
    return best


def _box_distances(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Distance of each point (P, 3) to its box (P, 3), (P, 3); 0 inside. (P,)"""
    outside = np.maximum(low - points, points - high).clip(min=0)
    return np.sqrt(_dot(outside, outside))


def spread(triangles: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """`count` points, uniform by area, on triangles (F, 3, 3): points (count, 3) and the triangle of each (count,)."""
    a, b, c = np.moveaxis(triangles, 1, 0)
    area = areas_of(triangles)
    owner = rng.choice(len(triangles), count, p=area / area.sum())
    u, v = rng.random((2, count, 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    return a[owner] + u * (b - a)[owner] + v * (c - a)[owner], owner


def triangle_distances(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Distance of each point (P, 3) to its triangle (P, 3, 3), which may be a needle or a point. (P,)"""
    a, b, c = np.moveaxis(triangles, 1, 0)
    ab, ac, to = b - a, c - a, points - a
    normal = np.cross(ab, ac)
    size = _dot(normal, normal)
    flat = size <= NEEDLE * _dot(ab, ab) * _dot(ac, ac)  # a line or a point: its edges are all of it
    size = np.where(flat, 1.0, size)
    to_c = _dot(np.cross(ab, to), normal) / size  # barycentric coordinates of the foot point
    to_b = _dot(np.cross(to, ac), normal) / size
    above = (to_b >= 0) & (to_c >= 0) & (to_b + to_c <= 1) & ~flat
    height = np.abs(_dot(to, normal)) / np.sqrt(size)
    rim = np.minimum.reduce([_segment_distances(points, *ends) for ends in ((a, b), (b, c), (c, a))])
    return np.where(above, height, rim)


def _segment_distances(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    along, to = end - start, points - start
    share = np.clip(_dot(to, along) / np.maximum(_dot(along, along), 1e-300), 0, 1)
    return np.linalg.norm(to - share[:, None] * along, axis=1)


def _some(count: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """All indices below `count`, or `most` of them at random."""
    return np.arange(count) if count <= most else rng.choice(count, most, replace=False)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("pi,pi->p", a, b)
