"""Current claims, and the remaining patches."""

from collections.abc import Iterator
from math import radians

import numpy as np

from cadcode.surfaces.facets import Mesh, components, rows_by_group
from cadcode.surfaces.patch import NEEDLE, Claim, Patch, Tried, make_patch


class State:
    """Labels of triangles and claims; edges of `sharp` degrees or more end a patch."""

    def __init__(self, mesh: Mesh, sharp: float) -> None:
        self.mesh = mesh
        self.claims: list[Claim] = []
        self.label = np.full(len(mesh.faces), -1)
        self.needle = mesh.doubt >= NEEDLE
        doubt = mesh.doubt[mesh.pairs].max(axis=1)
        smooth = mesh.angles < radians(sharp) + np.minimum(doubt, 0.1)
        self.smooth = smooth & ~self.needle[mesh.pairs].any(axis=1)

    def claim(self, claim: Claim) -> None:
        self.label[claim.triangles] = len(self.claims)
        self.claims.append(claim)

    def add(self, row: int, triangles: np.ndarray) -> None:
        claim = self.claims[row]
        self.claims[row] = Claim(claim.surface, claim.sign, np.concatenate([claim.triangles, triangles]))
        self.label[triangles] = row

    def free(self, triangles: np.ndarray) -> bool:
        return bool((self.label[triangles] < 0).all())

    def patches(self, least: int = 2, tried: Tried | None = None) -> Iterator[Patch]:
        """Patches of unclaimed triangles between sharp edges and claims, at least `least` facets each."""
        mesh, open_ = self.mesh, (self.label < 0) & ~self.needle
        edges = np.flatnonzero(self.smooth & open_[mesh.pairs].all(axis=1))
        group = components(len(mesh.faces), mesh.pairs[edges])
        group = np.where(open_, group, -1)
        numbers, group = np.unique(group, return_inverse=True)
        skip = int(numbers[0] == -1)
        members = rows_by_group(group, len(numbers))
        edge_group = group[mesh.pairs[edges, 0]]
        edge_members = rows_by_group(edge_group, len(numbers))
        local = np.zeros(len(mesh.faces), dtype=int)
        for number in range(skip, len(numbers)):
            triangles = members.indices[members.indptr[number] : members.indptr[number + 1]]
            if len(triangles) < least or (least > 1 and (mesh.facet[triangles] == mesh.facet[triangles[0]]).all()):
                continue
            inside = edges[edge_members.indices[edge_members.indptr[number] : edge_members.indptr[number + 1]]]
            local[triangles] = np.arange(len(triangles))
            yield make_patch(mesh, triangles, local[mesh.pairs[inside]], inside, tried)
