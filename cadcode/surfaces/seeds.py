"""Seeds: small groups of triangles from which faces grow."""

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_matrix

from cadcode.surfaces.patch import NEEDLE, Patch, sums

DEEP = 3  # triangles from a border: two rings around such a triangle stay inside
CHAIN = 7  # facets in a row
STRAIGHT = 0.9  # cosine between one turn of the normal and the next in a row


def depths(patch: Patch) -> np.ndarray:
    """Steps (K,) from each triangle to one at the border of the patch."""
    count = len(patch.triangles)
    degree = np.bincount(patch.links.ravel(), minlength=count)
    border = np.flatnonzero(degree < 3)
    if len(border) == 0:
        return np.full(count, count)
    far, links, step = np.full(count, -1), patch.links, 0
    far[border] = 0
    while len(links):
        links = links[(far[links] < 0).any(axis=1)]
        next_to = links[(far[links] == step).any(axis=1)].ravel()
        step += 1
        if len(next_to) == 0:
            break
        far[next_to[far[next_to] < 0]] = step
    return np.maximum(far, 0)


class Rings:
    """Triangles around a triangle, by shared corners."""

    def __init__(self, patch: Patch) -> None:
        count = len(patch.triangles)
        rows = np.repeat(np.arange(count), 3)
        shape = (count, len(patch.vertices))
        self.of_triangle = patch.corners
        self.of_vertex = csr_matrix((np.ones(3 * count, dtype=bool), (rows, patch.corners.ravel())), shape).tocsc()

    def around(self, triangle: int, rings: int) -> np.ndarray:
        found = np.array([triangle])
        pointer, index = self.of_vertex.indptr, self.of_vertex.indices
        for _ in range(rings):
            vertices = np.unique(self.of_triangle[found])
            found = np.unique(np.concatenate([index[pointer[v] : pointer[v + 1]] for v in vertices]))
        return found


def facet_neighbours(patch: Patch) -> list[list[int]]:
    """Neighbours of each local facet across its smooth edges, without needles."""
    sharp = patch.mesh.doubt[patch.triangles] < NEEDLE
    links = patch.links[sharp[patch.links].all(axis=1)]
    sides, count = np.sort(patch.facet[links], axis=1), int(patch.facet.max()) + 1
    keys = np.unique(sides[:, 0] * count + sides[:, 1])
    neighbours: list[list[int]] = [[] for _ in range(count)]
    for first, second in zip((keys // count).tolist(), (keys % count).tolist(), strict=True):
        if first != second:
            neighbours[first].append(second)
            neighbours[second].append(first)
    return neighbours


def chains(facet: int, neighbours: list[list[int]], normals: np.ndarray) -> Iterator[list[int]]:
    """Up to two rows of facets through `facet` along which the normal keeps turning in the same direction."""
    around = neighbours[facet]
    if len(around) < 2:
        return
    turn = normals[around] - normals[facet]
    turn /= np.maximum(np.linalg.norm(turn, axis=1), 1e-12)[:, None]
    opposite = turn @ turn.T
    for _ in range(2):
        first, second = np.unravel_index(opposite.argmin(), opposite.shape)
        if opposite[first, second] > -STRAIGHT:
            return
        opposite[[first, second]] = opposite[:, [first, second]] = 1.0
        row = [around[first], facet, around[second]]
        for _ in range((CHAIN - 3) // 2):
            row = longer(longer(row, neighbours, normals)[::-1], neighbours, normals)[::-1]
        yield row


def longer(row: list[int], neighbours: list[list[int]], normals: np.ndarray) -> list[int]:
    """The row extended by one facet at its end, if it continues straight."""
    last, end = row[-2:]
    more = [facet for facet in neighbours[end] if facet not in row]
    if not more:
        return row
    turn = normals[end] - normals[last]
    turns = normals[more] - normals[end]
    straight = turns @ turn / np.maximum(np.linalg.norm(turns, axis=1) * np.linalg.norm(turn), 1e-300)
    best = int(straight.argmax())
    return [*row, more[best]] if straight[best] > STRAIGHT else row


def facet_normals(patch: Patch) -> np.ndarray:
    """Normals (G, 3) of local facets."""
    count = int(patch.facet.max()) + 1
    weight = patch.mesh.areas[patch.triangles][:, None] * patch.mesh.normals[patch.triangles]
    total = sums(patch.facet, weight, count)
    return total / np.maximum(np.linalg.norm(total, axis=1), 1e-300)[:, None]
