"""A mesh prepared for face detection: normals, edges with their angles, and flat facets."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components

ROUNDING = 2.0**-24  # rounding of float32, in which most meshes are stored
DECIMALS = (2, 3, 4, 5, 6)
ODD = 0.02  # share of the edges
NEARLY_FLAT = 0.02  # radians
FLAT = 1e-4  # radians between two triangles of one flat facet, above the error that rounding makes


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles with derived data; the E edges are those that exactly two triangles share."""

    vertices: np.ndarray  # (V, 3)
    faces: np.ndarray  # (F, 3)
    normals: np.ndarray  # (F, 3), unit length, zero for a triangle without area
    areas: np.ndarray  # (F,)
    heights: np.ndarray  # (F,) the shortest height of a triangle
    doubt: np.ndarray  # (F,) radians by which rounding may turn the normal, at most pi
    pairs: np.ndarray  # (E, 2) the triangles on both sides of an edge
    ends: np.ndarray  # (E, 2) the vertices of an edge
    angles: np.ndarray  # (E,) radians between the normals on both sides
    convex: np.ndarray  # (E,) bool, the edge is convex
    facet: np.ndarray  # (F,) number of the flat facet that a triangle belongs to
    size: float  # longest side of the box
    rounding: float  # error of a coordinate

    @property
    def facet_count(self) -> int:
        return int(self.facet.max()) + 1


def prepare(vertices: np.ndarray, faces: np.ndarray) -> Mesh:
    """Prepare vertices (V, 3) and faces (F, 3) whose corners are merged."""
    vertices, faces = np.asarray(vertices, dtype=float), np.asarray(faces, dtype=np.int64)
    corners = vertices[faces]
    size = float(np.ptp(corners.reshape(-1, 3), axis=0).max())
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    twice = np.linalg.norm(cross, axis=1)
    normals = cross / np.maximum(twice, 1e-300)[:, None]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    height = twice / np.maximum(longest, 1e-300)
    pairs, ends = shared_edges(faces)
    angles, convex = edge_angles(vertices, faces, normals, pairs, ends)
    rounding = 2 * ROUNDING * float(max(np.abs(corners).max(), size))
    rounding = written_rounding(corners, height, pairs, angles, rounding)
    doubt = doubt_of(height, rounding)
    facet = flat_facets(corners, normals, twice, doubt, pairs, angles, rounding)
    return Mesh(vertices, faces, normals, twice / 2, height, doubt, pairs, ends, angles, convex, facet, size, rounding)


def doubt_of(height: np.ndarray, rounding: float) -> np.ndarray:
    """Angle error (F,) of normals due to rounding, in radians, for triangles of these heights (F,)."""
    return np.minimum(2 * rounding / np.maximum(height, 1e-300), np.pi)


def written_rounding(
    corners: np.ndarray, height: np.ndarray, pairs: np.ndarray, angles: np.ndarray, least: float
) -> float:
    """Rounding error of coordinates that were written with few decimals, else `least`.

    Round numbers alone are no evidence; the evidence is edges that are nearly flat, but less flat than `least` implies.
    """
    for decimals in DECIMALS:
        rounding = 10.0**-decimals
        scaled = corners / rounding
        if rounding < 10 * least or np.abs(scaled - np.rint(scaled)).max() > 2 * least / rounding:
            continue
        low, high = (doubt_of(height, error)[pairs].max(axis=1, initial=0.0) for error in (least, rounding))
        odd = (angles > FLAT + low) & (angles < np.minimum(high, NEARLY_FLAT))
        return rounding if len(odd) and odd.mean() > ODD else least
    return least


def shared_edges(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(triangles (E, 2), vertices (E, 2)) of the edges that exactly two triangles share."""
    ends = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    key = ends[:, 0] * (int(faces.max()) + 1) + ends[:, 1]
    order = np.argsort(key, kind="stable")
    key = key[order]
    start = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    start = start[np.diff(start, append=len(key)) == 2]
    pairs = np.stack([order[start] // 3, order[start + 1] // 3], axis=1)
    keep = pairs[:, 0] != pairs[:, 1]
    return pairs[keep], ends[order[start]][keep]


def edge_angles(
    vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray, pairs: np.ndarray, ends: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(radians (E,) between the normals on both sides, bool (E,) whether the edge is convex)."""
    first, second = normals[pairs[:, 0]], normals[pairs[:, 1]]
    sine = np.linalg.norm(np.cross(first, second), axis=1)
    angles = np.arctan2(sine, np.einsum("ij,ij->i", first, second))
    middle = vertices[ends].mean(axis=1)
    beyond = vertices[faces[pairs[:, 1]]].mean(axis=1) - middle
    return angles, np.einsum("ij,ij->i", beyond, first) <= 0


def flat_facets(
    corners: np.ndarray,
    normals: np.ndarray,
    weights: np.ndarray,
    doubt: np.ndarray,
    pairs: np.ndarray,
    angles: np.ndarray,
    rounding: float,
) -> np.ndarray:
    """Number (F,) of the flat facet of each triangle: neighbours with equal normals that fit one plane."""
    near = angles < FLAT + doubt[pairs].max(axis=1).clip(max=0.3)
    sound = (doubt[pairs] < 0.3).all(axis=1)  # the normal of a needle is meaningless: it joins at the end
    facet = components(len(normals), pairs[near & sound])
    alone = bent(facet, corners, normals, weights, rounding)[facet]
    facet = np.where(alone, facet.max() + 1 + np.arange(len(facet)), facet)
    return np.unique(facet, return_inverse=True)[1]


def bent(
    group: np.ndarray, corners: np.ndarray, normals: np.ndarray, weights: np.ndarray, rounding: float
) -> np.ndarray:
    """Bool (G,): groups of triangles whose corners are not coplanar."""
    count = int(group.max()) + 1
    total = np.bincount(group, weights, count)
    normal: np.ndarray = np.stack([np.bincount(group, weights * normals[:, axis], count) for axis in range(3)], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1), 1e-300)[:, None]
    centre = corners.mean(axis=1)
    point: np.ndarray = np.stack([np.bincount(group, weights * centre[:, axis], count) for axis in range(3)], axis=1)
    point /= np.maximum(total, 1e-300)[:, None]
    off = np.abs(np.einsum("fcx,fx->fc", corners - point[group][:, None], normal[group])).max(axis=1)
    worst = np.zeros(count)
    np.maximum.at(worst, group, off)
    return worst > 20 * rounding


def edge_lengths(mesh: Mesh) -> np.ndarray:
    """Lengths (E,) of the shared edges."""
    return np.linalg.norm(mesh.vertices[mesh.ends[:, 0]] - mesh.vertices[mesh.ends[:, 1]], axis=1)


def components(count: int, pairs: np.ndarray) -> np.ndarray:
    """Number (count,) of the connected group of each of `count` nodes, joined by pairs (P, 2)."""
    ones = np.ones(len(pairs), dtype=bool)
    graph = coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def rows_by_group(group: np.ndarray, count: int) -> csr_matrix:
    """Sparse (count, N): row g has entries at the positions where `group` (N,) is g."""
    place = np.arange(len(group))
    return csr_matrix((np.ones(len(group), dtype=bool), (group, place)), shape=(count, len(group)))
