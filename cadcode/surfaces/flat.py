"""Planes of a mesh: flat facets that cannot belong to a curved face, or that no curved face has claimed."""

import numpy as np

from cadcode.surfaces.facets import Mesh, rows_by_group
from cadcode.surfaces.join import flat_claim
from cadcode.surfaces.state import State

WIDE = 3.0  # a facet so many times larger than its smooth neighbours is a plane
FREE = 6  # smoothly connected facets without a surface are free form


def claim_many_cornered(state: State) -> None:
    """Claim flat facets with more corners than a facet of a curved surface has: two lines bound such a facet."""
    mesh = state.mesh
    count = np.bincount(mesh.facet)
    members = rows_by_group(mesh.facet, len(count))
    for facet in np.flatnonzero(count > 2):
        triangles = members.indices[members.indptr[facet] : members.indptr[facet + 1]]
        if corner_count(mesh, triangles) > 4:
            claim_plane(state, triangles)


def corner_count(mesh: Mesh, triangles: np.ndarray) -> int:
    """Number of corners of the border of a flat facet."""
    faces = mesh.faces[triangles]
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    key = np.sort(edges, axis=1)
    _, index, times = np.unique(key[:, 0] * len(mesh.vertices) + key[:, 1], return_index=True, return_counts=True)
    border = edges[index[times == 1]]
    along = mesh.vertices[border[:, 1]] - mesh.vertices[border[:, 0]]
    along /= np.maximum(np.linalg.norm(along, axis=1), 1e-300)[:, None]
    after = {start: row for row, start in enumerate(border[:, 0].tolist())}
    following = [after.get(end, -1) for end in border[:, 1].tolist()]
    turn = np.linalg.norm(along[following] - along, axis=1)
    return int((turn > 1e-2).sum())


def claim_plane(state: State, triangles: np.ndarray) -> None:
    state.claim(flat_claim(state.mesh, triangles))


def claim_wide(state: State) -> bool:
    """Claim facets much larger than all their smooth neighbours."""
    mesh, done = state.mesh, False
    for patch in state.patches():
        area = np.bincount(patch.facet, mesh.areas[patch.triangles])
        pairs = patch.facet[patch.links]
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        largest = np.zeros(len(area))
        np.maximum.at(largest, pairs[:, 0], area[pairs[:, 1]])
        np.maximum.at(largest, pairs[:, 1], area[pairs[:, 0]])
        for facet in np.flatnonzero((area > WIDE * largest) & (np.bincount(patch.facet) > 1)):
            claim_plane(state, patch.triangles[patch.facet == facet])
            done = True
    return done


def claim_flat(state: State) -> None:
    """Claim the remaining facets as planes, except many small connected facets, which are free form."""
    for patch in list(state.patches(least=1)):
        count = np.bincount(patch.facet)
        if len(count) >= FREE:
            continue
        for facet in range(len(count)):
            claim_plane(state, patch.triangles[patch.facet == facet])
