"""From a mesh to its analytic faces.

A mesh of a CAD part knows its surfaces: corners are on them to rounding, and facets turn by equal steps. So faces are
grown, without random samples, in rounds that ask for less each time: whole patches between sharp edges, rings of
triangles, rows of facets, and flat facets. A claim is accepted if every corner is within the tolerance, if normals
agree with the surface (`patch.on_surface`), and if there are more corners than the surface needs (`patch.enough`).
"""

from dataclasses import dataclass
from math import radians

import numpy as np

from cadcode.surfaces import fit
from cadcode.surfaces.faces import Cone, Cylinder, Plane, Segmentation
from cadcode.surfaces.facets import Mesh, components, prepare, rows_by_group
from cadcode.surfaces.finish import finish
from cadcode.surfaces.patch import NEEDLE, Claim, Patch, connected, make_patch, on_surface, try_kinds
from cadcode.surfaces.seeds import DEEP, Rings, chains, depths, facet_neighbours, facet_normals

MANY = 40  # seeds in a row that may fail in one patch before the next kind of seed is tried
WIDE = 3.0  # a facet so many times larger than its smooth neighbours is a plane
RIM = 0.05  # share of a border beyond which smooth neighbours across a rim make a claim wait
RULING = 0.98  # cosine between an edge and the line of the cone or cylinder


@dataclass(frozen=True)
class SegmentOptions:
    """How closely corners have to follow a surface. Lengths are shares of the longest side."""

    tolerance: float = 2e-6  # corners of a clean mesh
    rough: tuple[float, ...] = (1.0, 20.0)  # rounds: multiples of it, for corners on approximated curves
    sharp: float = 38.0  # degrees from which on an edge ends a face

    def __post_init__(self):
        if not 0 < self.tolerance < 0.1 or not 0 < self.sharp < 90:
            raise ValueError("tolerance has to be between 0 and 0.1, sharp between 0 and 90 degrees")


class _State:
    """What is claimed so far."""

    def __init__(self, mesh: Mesh, options: SegmentOptions):
        self.mesh, self.claims = mesh, []
        self.label = np.full(len(mesh.faces), -1)
        self.needle = mesh.doubt >= NEEDLE
        doubt = mesh.doubt[mesh.pairs].max(axis=1)
        self.smooth = (mesh.angles < radians(options.sharp) + np.minimum(doubt, 0.1)) & ~self.needle[mesh.pairs].any(axis=1)

    def claim(self, claim: Claim) -> None:
        self.label[claim.triangles] = len(self.claims)
        self.claims.append(claim)

    def free(self, triangles) -> bool:
        return bool((self.label[triangles] < 0).all())

    def patches(self, least: int = 2):
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
            yield make_patch(mesh, triangles, local[mesh.pairs[inside]], inside)


def segment(vertices: np.ndarray, faces: np.ndarray, options: SegmentOptions | None = None) -> Segmentation:
    """Analytic faces of a mesh with vertices (V, 3), each once, and faces (F, 3) that look outwards.

    Lengths are in the mesh's units. A `ValueError` says that options or arrays cannot be used.
    """
    options = options or SegmentOptions()
    mesh = prepare(vertices, faces)
    state = _State(mesh, options)
    tolerance = options.tolerance * mesh.size + 2 * mesh.rounding
    claim_many_cornered(state, tolerance)
    for rough in options.rough:
        while claim_curved(state, rough * tolerance) or claim_wide(state, tolerance):
            pass
    claim_flat(state, tolerance)
    return finish(mesh, state.claims, state.label, tolerance)


def claim_curved(state: _State, tolerance: float) -> bool:
    """One round over all patches; claims that may be a part of something larger wait until nothing else is found."""
    done, waiting = False, []
    for patch in state.patches():
        for claim, waits in curved_claims(patch, tolerance):
            if waits:
                waiting.append(claim)
            else:
                state.claim(claim)
                done = True
    if done:
        return True
    for claim in sorted(waiting, key=lambda claim: -len(claim.triangles)):
        if state.free(claim.triangles):
            state.claim(claim)
            done = True
    return done


def curved_claims(patch: Patch, tolerance: float):
    """(claim, whether it has to wait) of one patch, by all kinds of seeds; claims without overlap unless they wait."""
    everything = np.arange(len(patch.triangles))
    claim = try_kinds(patch, everything, tolerance)
    if claim is not None and len(claim.triangles) == len(patch.triangles):
        return [(claim, False)]
    taken = np.zeros(len(patch.triangles), dtype=bool)
    found = ring_claims(patch, tolerance, taken, DEEP)
    found += row_claims(patch, tolerance, taken)
    if not any(not waits for _, waits in found):
        found += ring_claims(patch, tolerance, taken, 1)
    return found


def ring_claims(patch: Patch, tolerance: float, taken: np.ndarray, least_depth: int):
    """Claims from rings of triangles around the ones that are deepest inside; marks `taken` (K,)."""
    depth = depths(patch)
    if depth.max() < least_depth:
        return []
    rings, tried, found, failed = Rings(patch), taken.copy(), [], 0
    for seed in np.argsort(-depth, kind="stable"):
        if depth[seed] < least_depth or failed > MANY:
            break
        if tried[seed]:
            continue
        around = rings.around(seed, 2)
        around = around[~taken[around]]
        claim = try_kinds(patch, around, tolerance) if len(around) > 3 else None
        if claim is None:
            tried[rings.around(seed, 1)] = True
            failed += 1
            continue
        rows = np.searchsorted(patch.triangles, claim.triangles)
        if taken[rows].any():
            rows = rows[~taken[rows]]
            claim = Claim(claim.surface, claim.sign, patch.triangles[rows])
        taken[rows] = tried[rows] = True
        found.append((claim, smooth_rim(patch, claim)))
        failed = 0
    return found


def row_claims(patch: Patch, tolerance: float, taken: np.ndarray):
    """Claims from rows of facets: strips of cylinders and cones; marks `taken` (K,) for those that need not wait."""
    neighbours, normals = facet_neighbours(patch), facet_normals(patch)
    members = rows_by_group(patch.facet, len(normals))
    used, found, failed = np.zeros(len(normals), dtype=bool), [], 0
    used[patch.facet[taken]] = True
    for facet in range(len(normals)):
        if used[facet] or failed > 10 * MANY:
            continue
        claim = None
        for row in chains(facet, neighbours, normals):
            claim = row_claim(patch, row, members, tolerance)
            if claim is not None:
                break
        if claim is None:
            failed += 1
            continue
        rows = np.searchsorted(patch.triangles, claim.triangles)
        if taken[rows].any():
            failed += 1
            continue
        used[patch.facet[rows]] = True
        waits = smooth_rim(patch, claim)
        if not waits:
            taken[rows] = True
        found.append((claim, waits))
    return found


def row_claim(patch: Patch, row, members, tolerance: float) -> Claim | None:
    """The claim of a row of facets, or of the three in its middle."""
    middle = len(row) // 2
    for part, kinds in ((row, ("cylinder", "cone")), (row[middle - 1 : middle + 2], ("cylinder",))):
        seeds = np.concatenate([members.indices[members.indptr[f] : members.indptr[f + 1]] for f in part])
        claim = try_kinds(patch, seeds, tolerance, kinds)
        if claim is not None or len(row) == 3:
            return claim
    return None


def smooth_rim(patch: Patch, claim: Claim) -> bool:
    """Does the patch go on smoothly across the round border of a cylinder or cone? Then it may be a belt of a torus."""
    if not isinstance(claim.surface, Cylinder | Cone):
        return False
    inside = np.isin(patch.triangles, claim.triangles)
    border = patch.edges[inside[patch.links].sum(axis=1) == 1]
    ends = patch.mesh.vertices[patch.mesh.ends[border]]
    along = ends[:, 1] - ends[:, 0]
    length = np.linalg.norm(along, axis=1)
    middle = ends.mean(axis=1)
    line = claim.surface.direction if isinstance(claim.surface, Cylinder) else middle - claim.surface.apex
    line = np.broadcast_to(line, middle.shape)
    cosine = np.abs(np.einsum("ij,ij->i", along, line)) / np.maximum(length * np.linalg.norm(line, axis=1), 1e-300)
    corners = patch.mesh.vertices[patch.mesh.faces[claim.triangles]]
    around = np.linalg.norm(np.roll(corners, 1, axis=1) - corners, axis=2).sum() - 2 * _inner(patch, inside)
    return bool(length[cosine < RULING].sum() > RIM * around)


def _inner(patch: Patch, inside) -> float:
    edges = patch.edges[inside[patch.links].all(axis=1)]
    ends = patch.mesh.vertices[patch.mesh.ends[edges]]
    return float(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1).sum())


def claim_many_cornered(state: _State, tolerance: float) -> None:
    """Claim flat facets with more corners than a facet of a curved surface has: two lines bound such a facet."""
    mesh = state.mesh
    count = np.bincount(mesh.facet)
    members = rows_by_group(mesh.facet, len(count))
    for facet in np.flatnonzero(count > 2):
        triangles = members.indices[members.indptr[facet] : members.indptr[facet + 1]]
        if corner_count(mesh, triangles) > 4:
            claim_plane(state, triangles, tolerance)


def corner_count(mesh: Mesh, triangles: np.ndarray) -> int:
    """Places where the border of a flat facet turns."""
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


def claim_plane(state: _State, triangles: np.ndarray, tolerance: float) -> None:
    """Claim flat triangles, and what goes on in the same plane."""
    mesh = state.mesh
    weight = mesh.areas[triangles][:, None] * mesh.normals[triangles]
    plane = fit.fit_plane(mesh.vertices[np.unique(mesh.faces[triangles])], weight.sum(axis=0))
    state.claim(Claim(plane, 1, triangles))


def claim_wide(state: _State, tolerance: float) -> bool:
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
            claim_plane(state, patch.triangles[patch.facet == facet], tolerance)
            done = True
    return done


FREE = 6  # facets that hang together smoothly without any surface are free form


def claim_flat(state: _State, tolerance: float) -> None:
    """Claim what is left as planes, except where many small facets hang together: that is free form."""
    for patch in list(state.patches(least=1)):
        count = np.bincount(patch.facet)
        if len(count) >= FREE:
            continue
        for facet in range(len(count)):
            claim_plane(state, patch.triangles[patch.facet == facet], tolerance)


__all__ = ["Plane", "SegmentOptions", "connected", "on_surface", "segment"]
