"""Close a mesh where that invents nothing: equal vertices merged, faces turned the same way, small holes filled."""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from cadcode.geometry.edges import open_edges, turned_alike

MERGE = 1e-7  # vertices this close (in longest sides of the mesh) are one
MAX_FILLED = 0.1  # filling more than this share of the surface would be inventing a shape


def merged(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Equal vertices made one; faces that are broken (indices, NaN) or have no three corners dropped. float64, int64"""
    vertices = np.asarray(vertices, dtype=np.float64).reshape(-1, 3)
    faces = np.asarray(faces, dtype=np.int64).reshape(-1, 3)
    faces = faces[((faces >= 0) & (faces < len(vertices))).all(axis=1)]
    faces = faces[np.isfinite(vertices).all(axis=1)[faces].all(axis=1)]
    used, corners = np.unique(faces, return_inverse=True)
    vertices, faces = vertices[used], corners.reshape(-1, 3)
    if not len(faces):
        return vertices, faces
    cells = np.round((vertices - vertices.min(axis=0)) / (MERGE * max(np.ptp(vertices, axis=0).max(), 1e-300)))
    _, first, same = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    vertices, faces = vertices[first], same.reshape(-1)[faces]
    a, b, c = faces.T
    return vertices, faces[(a != b) & (b != c) & (c != a)]


def repaired(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Neighbours turned the same way round and holes closed by cones, or None where too much would be made up."""
    faces = turned_alike(faces)
    starts, ends = open_edges(faces)
    if not len(starts):
        return vertices, faces
    _, rim, hole = np.unique(np.concatenate((starts, ends)), return_index=True, return_inverse=True)
    corners = np.concatenate((starts, ends))[rim]  # vertices on a rim, once each
    count, label = connected_components(
        coo_matrix((np.ones(len(starts)), (hole[: len(starts)], hole[len(starts) :])), shape=(len(corners),) * 2), False
    )
    weight = np.bincount(label, minlength=count)[:, None]
    apexes = np.stack([np.bincount(label, axis, count) for axis in vertices[corners].T], axis=1) / weight
    cones = np.stack((ends, starts, len(vertices) + label[hole[: len(starts)]]), axis=1)
    filled = np.concatenate((vertices, apexes))
    if _area(filled, cones) > MAX_FILLED * _area(vertices, faces):
        return None
    return filled, np.concatenate((faces, cones))


def _area(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)
