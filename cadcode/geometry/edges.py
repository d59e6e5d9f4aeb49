"""Edges of a mesh: which faces share one, which have no partner, and faces that continue each other over one.

A slot is one edge of one face: number 3 * face + k is the edge from corner k to the next.
"""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from cadcode.geometry.mesh import grouped

SAME_ANGLE = 1e-6  # radians; faces this close around an edge lie on each other


def directed_edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each face's three edges: the face, one number for the undirected edge, whether it runs upwards. (3F,) each"""
    faces = faces.astype(np.int64, copy=False)
    start, end = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    key = np.minimum(start, end) * (faces.max() + 1) + np.maximum(start, end)
    return np.repeat(np.arange(len(faces)), 3), key, start < end


def edge_runs(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(slots (3F,) with those of one edge side by side, where each edge begins (E,), its number of faces (E,))."""
    slots, starts = grouped(directed_edges(faces)[1])
    return slots, starts, np.diff(starts, append=len(slots))


def open_edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directed edges without a partner that runs the other way: their start and end vertices."""
    _, key, forward = directed_edges(faces)
    keys, where = np.unique(key, return_inverse=True)
    surplus = np.bincount(where.reshape(-1), np.where(forward, 1.0, -1.0)).astype(int)
    keys, surplus = np.repeat(keys, np.abs(surplus)), np.repeat(surplus, np.abs(surplus))
    low, high = np.divmod(keys, faces.max() + 1)
    return np.where(surplus > 0, low, high), np.where(surplus > 0, high, low)


def turned_alike(faces: np.ndarray) -> np.ndarray:
    """Flip the minority in each patch of faces joined by ordinary edges.

    Each face is two nodes of a graph, as it is and flipped; an edge joins the two nodes that agree. A patch that
    can be oriented falls into two mirrored components.
    """
    count = len(faces)
    owner, _, forward = directed_edges(faces)
    slots, starts, sizes = edge_runs(faces)
    left, right = slots[starts[sizes == 2]], slots[starts[sizes == 2] + 1]
    differ = (forward[left] == forward[right]).astype(int)  # both run the same way: the faces disagree
    rows = np.concatenate((owner[left], owner[left] + count))
    columns = np.concatenate((owner[right] + differ * count, owner[right] + (1 - differ) * count))
    label = joined(rows, columns, 2 * count)
    as_is = np.bincount(label[:count], minlength=label.max() + 1)
    flip = as_is[label[:count]] < as_is[label[count:]]
    return np.where(flip[:, None], faces[:, ::-1], faces)


def joined(left: np.ndarray, right: np.ndarray, count: int) -> np.ndarray:
    """The component (count,) of each of `count` nodes that links `left` to `right` join."""
    links = coo_matrix((np.ones(len(left), dtype=np.int8), (left, right)), shape=(count, count))
    return connected_components(links, False)[1]


def patches(faces: np.ndarray) -> np.ndarray:
    """The patch (F,) of each face: faces joined by edges that two faces share."""
    slots, starts, sizes = edge_runs(faces)
    two = starts[sizes == 2]
    return joined(slots[two] // 3, slots[two + 1] // 3, len(faces))


def pieces(faces: np.ndarray) -> np.ndarray:
    """The piece (F,) of each face: faces joined by edges, however many share one."""
    slots, starts, _ = edge_runs(faces)
    first = np.zeros(len(slots), dtype=bool)
    first[starts] = True
    later = np.flatnonzero(~first)
    return joined(slots[later - 1] // 3, slots[later] // 3, len(faces))


def shells(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The shell (F,) of each face of a closed mesh; bodies that touch along an edge or at a vertex are apart."""
    slots, starts, sizes = edge_runs(faces)
    two, more = starts[sizes == 2], np.repeat(sizes > 2, sizes)
    left, right = slots[two], slots[two + 1]
    patch = joined(left // 3, right // 3, len(faces))
    if not more.any():
        return patch
    edge = np.repeat(np.arange(len(starts)), sizes)[more]
    crowded, edge = _by_patch(faces, slots[more], edge, patch)
    entering, leaving = _across_solid(vertices, faces, crowded, edge)
    return joined(np.concatenate((left, entering)) // 3, np.concatenate((right, leaving)) // 3, len(faces))


def _by_patch(faces, slots, edge, patch) -> tuple[np.ndarray, np.ndarray]:
    """(slots (N,), edge (N,) rising): a patch that both begins and ends solid at an edge has that edge for itself."""
    _, own = np.unique(edge * (patch.max() + 1) + patch[slots // 3], return_inverse=True)
    balance = np.bincount(own.reshape(-1), np.where(_runs_upwards(faces, slots), 1, -1))
    edge = np.where(balance[own.reshape(-1)] == 0, edge.max() + 1 + own.reshape(-1), edge)
    order = np.argsort(edge, kind="stable")
    return slots[order], edge[order]


def _runs_upwards(faces, slots) -> np.ndarray:
    face, corner = np.divmod(slots, 3)
    return faces[face, corner] < faces[face, (corner + 1) % 3]


def _across_solid(vertices, faces, slots, run) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of slots on edges of four faces and more, the solid of one body between the two.

    Around such an edge faces are met where solid begins and where it ends, as brackets in a text; `run` (N,) is the
    edge of each of `slots` (N,), rising.
    """
    angle, ends = _around_edges(vertices, faces, slots, run)
    order = np.lexsort((~ends, angle, run))  # of faces that lie on each other the one that ends a body comes first
    slots, run, ends = slots[order], run[order], ends[order]
    step = np.where(ends, -1, 1)
    total = np.cumsum(step)
    first = np.flatnonzero(np.diff(run, prepend=-1))
    depth = total - np.repeat((total - step)[first], np.diff(first, append=len(run))) + ends
    nested = np.lexsort((np.arange(len(run)), depth, run))
    slots, run, depth, ends = slots[nested], run[nested], depth[nested], ends[nested]
    first = np.flatnonzero((np.diff(run, prepend=-1) != 0) | (np.diff(depth, prepend=depth[0]) != 0))
    following = np.arange(1, len(run) + 1)
    following[np.append(first[1:], len(run)) - 1] = first  # around the edge: after the last comes the first
    return slots[~ends], slots[following[~ends]]


def _around_edges(vertices, faces, slots, run) -> tuple[np.ndarray, np.ndarray]:
    """(angle (N,) of each slot's face around its edge, in steps of SAME_ANGLE; whether solid ends there (N,))."""
    face, corner = np.divmod(slots, 3)
    tail, head, apex = (faces[face, (corner + k) % 3] for k in range(3))
    low = vertices[np.minimum(tail, head)]
    along = vertices[np.maximum(tail, head)] - low
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-300)
    out = vertices[apex] - low
    out -= np.einsum("ij,ij->i", out, along)[:, None] * along
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-300)
    first = np.flatnonzero(np.diff(run, prepend=-1))
    zero = np.repeat(out[first], np.diff(first, append=len(run)), axis=0)
    angle = np.arctan2(np.einsum("ij,ij->i", np.cross(along, zero), out), np.einsum("ij,ij->i", zero, out))
    return np.round(angle / SAME_ANGLE) % round(2 * np.pi / SAME_ANGLE), tail < head
