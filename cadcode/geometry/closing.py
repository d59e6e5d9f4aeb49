"""Close a mesh where that invents nothing: equal vertices merged, faces turned the same way, small holes filled."""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

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
    faces = _turned_alike(faces)
    starts, ends = _open_edges(faces)
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


def _turned_alike(faces: np.ndarray) -> np.ndarray:
    """Flip the minority in each patch of faces joined by ordinary edges.

    Every face stands twice in a graph, as it is and flipped; an edge joins the two copies that agree. A patch that
    can be oriented falls into two mirrored components.
    """
    count = len(faces)
    owner, key, forward = _directed_edges(faces)
    order = np.argsort(key, kind="stable")
    _, first, uses = np.unique(key[order], return_index=True, return_counts=True)
    left, right = order[first[uses == 2]], order[first[uses == 2] + 1]
    differ = (forward[left] == forward[right]).astype(int)  # both run the same way: the faces disagree
    rows = np.concatenate((owner[left], owner[left] + count))
    columns = np.concatenate((owner[right] + differ * count, owner[right] + (1 - differ) * count))
    graph = coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(2 * count, 2 * count))
    _, label = connected_components(graph, False)
    as_is = np.bincount(label[:count], minlength=label.max() + 1)
    flip = as_is[label[:count]] < as_is[label[count:]]
    return np.where(flip[:, None], faces[:, ::-1], faces)


def _open_edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directed edges without a partner that runs the other way: their start and end vertices."""
    _, key, forward = _directed_edges(faces)
    keys, where = np.unique(key, return_inverse=True)
    surplus = np.bincount(where.reshape(-1), np.where(forward, 1.0, -1.0)).astype(int)
    keys, surplus = np.repeat(keys, np.abs(surplus)), np.repeat(surplus, np.abs(surplus))
    low, high = np.divmod(keys, faces.max() + 1)
    return np.where(surplus > 0, low, high), np.where(surplus > 0, high, low)


def _directed_edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each face's three edges: the face, one number for the undirected edge, whether it runs upwards. (3F,) each"""
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    key = np.minimum(start, end) * (faces.max() + 1) + np.maximum(start, end)
    return np.repeat(np.arange(len(faces)), 3), key, start < end


def _area(vertices: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)
