"""From a mesh to its analytic faces.

A mesh of a CAD part knows its surfaces: corners are on them to rounding, and facets turn by equal steps. So faces are
grown, without random samples, in rounds that ask for less each time: whole patches between sharp edges, rings of
triangles, rows of facets, and flat facets. A claim is accepted if every corner is within the tolerance, if normals
agree with the surface (`patch.on_surface`), and if there are more corners than the surface needs (`patch.enough`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import radians

import numpy as np

from cadcode.surfaces import fit
from cadcode.surfaces.absorb import absorb, drop_free_form, join
from cadcode.surfaces.faces import Cone, Cylinder, Plane, Segmentation
from cadcode.surfaces.facets import Mesh, components, prepare, rows_by_group
from cadcode.surfaces.finish import finish
from cadcode.surfaces.patch import NEEDLE, Claim, Gate, Patch, connected, make_patch, on_surface, try_kinds
from cadcode.surfaces.seeds import DEEP, Rings, chains, depths, facet_neighbours, facet_normals

CERTAIN = 40.0  # log odds of faces that are found whole
TILT = 0.02  # of a facet's height
MANY = 30  # seeds in a row that may fail in one patch before the next kind of seed is tried
WIDE = 3.0  # a facet so many times larger than its smooth neighbours is a plane
RIM = 0.05  # share of a border beyond which smooth neighbours across a rim make a claim wait
RULING = 0.98  # cosine between an edge and the line of the cone or cylinder


@dataclass(frozen=True)
class SegmentOptions:
    """How closely corners have to follow a surface. Lengths are shares of the longest side."""

    tolerance: float = 2e-6  # corners of a clean mesh
    rough: tuple[float, ...] = (20.0, 200.0)  # multiples of it, for corners on curves that the kernel approximated
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

    def add(self, row: int, triangles) -> None:
        claim = self.claims[row]
        self.claims[row] = Claim(claim.surface, claim.sign, np.concatenate([claim.triangles, triangles]))
        self.label[triangles] = row

    def free(self, triangles) -> bool:
        return bool((self.label[triangles] < 0).all())

    def patches(self, least: int = 2, failed: set | None = None) -> Iterator[Patch]:
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
            yield make_patch(mesh, triangles, local[mesh.pairs[inside]], inside, failed)


def segment(vertices: np.ndarray, faces: np.ndarray, options: SegmentOptions | None = None) -> Segmentation:
    """Analytic faces of a mesh with vertices (V, 3), each once, and faces (F, 3) that look outwards.

    Lengths are in the mesh's units. A `ValueError` says that options or arrays cannot be used.
    """
    options = options or SegmentOptions()
    mesh = prepare(vertices, faces)
    state = _State(mesh, options)
    tolerance = options.tolerance * mesh.size + 2 * mesh.rounding
    claim_many_cornered(state, tolerance)
    for gate in gates(mesh, options):
        known = {}
        while claim_curved(state, gate, known) or claim_wide(state, tolerance):
            pass
        extend(state, options.rough[0] * tolerance)
    claim_flat(state, tolerance)
    claims, label = state.claims, state.label
    for step in (join, absorb, join, drop_free_form):
        claims, label = step(mesh, claims, label)
    return finish(mesh, claims, label, tolerance)


def gates(mesh: Mesh, options: SegmentOptions) -> Iterator[Gate]:
    """What is exact and certain comes first, then what is rough but certain, then what few corners say."""
    exact, tolerance = 2 * mesh.rounding, options.tolerance * mesh.size + 2 * mesh.rounding
    yield Gate(exact, CERTAIN)
    for rough in options.rough:
        yield Gate(rough * tolerance, 2 * CERTAIN)
    yield Gate(tolerance)
    yield Gate(options.rough[0] * tolerance)


def claim_curved(state: _State, gate: Gate, known: dict) -> bool:
    """One round over all patches; claims that may be a part of something larger wait until nothing else is found.

    `known` remembers what came out for each patch, by its triangles, and which seeds failed.
    """
    done, waiting = False, []
    failed = known.setdefault("failed", set())
    for patch in state.patches(failed=failed):
        key = patch.triangles.tobytes()
        if key not in known:
            known[key] = curved_claims(patch, gate)
        for claim, waits in known[key]:
            if waits:
                waiting.append(claim)
            else:
                state.claim(claim)
                done = True
    if done:
        return True
    waiting = [*belt_claims(state, waiting, gate), *waiting]
    for claim in sorted(waiting, key=lambda claim: -len(claim.triangles)):
        if state.free(claim.triangles):
            state.claim(claim)
            done = True
    return done


def extend(state: _State, tolerance: float) -> None:
    """Let claims take smooth neighbours that are off their surface by the error of an approximated curve.

    Such a facet is tilted little: the error is small against its height.
    """
    mesh = state.mesh
    for patch in list(state.patches(least=1)):
        inside = np.zeros(len(mesh.faces), dtype=bool)
        inside[patch.triangles] = True
        border = np.flatnonzero(state.smooth & (inside[mesh.pairs].sum(axis=1) == 1))
        ends = mesh.pairs[border]
        outer = state.label[np.where(inside[ends[:, 0]], ends[:, 1], ends[:, 0])]
        inner = np.searchsorted(patch.triangles, np.where(inside[ends[:, 0]], ends[:, 0], ends[:, 1]))
        allowed = np.minimum(tolerance, TILT * mesh.heights[patch.triangles])
        taken = np.zeros(len(patch.triangles), dtype=bool)
        for row in np.unique(outer[outer >= 0]):
            claim = state.claims[row]
            mask = on_surface(patch, claim.surface, claim.sign, allowed) & ~taken
            for seeds in np.unique(inner[outer == row]):
                if mask[seeds] and not taken[seeds]:
                    rows = connected(patch, mask, np.array([seeds]))
                    taken[rows] = True
                    state.add(row, patch.triangles[rows])


def curved_claims(patch: Patch, gate: Gate):
    """(claim, whether it has to wait) of one patch, by all kinds of seeds; claims without overlap unless they wait."""
    everything = np.arange(len(patch.triangles))
    claim = try_kinds(patch, everything, gate)
    if claim is not None and len(claim.triangles) == len(patch.triangles):
        return [(claim, False)]
    taken = np.zeros(len(patch.triangles), dtype=bool)
    found = ring_claims(patch, gate, taken, DEEP)
    found += row_claims(patch, gate, taken)
    if not any(not waits for _, waits in found):
        found += ring_claims(patch, gate, taken, 1)
    return found


def belt_claims(state: _State, waiting: list[Claim], gate: Gate) -> list[Claim]:
    """Spheres and tori that have three neighbouring belts of `waiting` in them, each the round facets of one height."""
    label = np.full(len(state.mesh.faces), -1)
    for row, claim in enumerate(waiting):
        label[claim.triangles] = row
    sides = label[state.mesh.pairs[state.smooth]]
    sides = np.unique(np.sort(sides[(sides >= 0).all(axis=1) & (sides[:, 0] != sides[:, 1])], axis=1), axis=0)
    found, done = [], set()
    for middle in range(len(waiting)):
        near = [*sides[sides[:, 0] == middle, 1].tolist(), *sides[sides[:, 1] == middle, 0].tolist()]
        if len(near) != 2 or done & {middle, *near}:
            continue
        seeds = np.concatenate([waiting[row].triangles for row in (middle, *near)])
        patch = next(patch for patch in state.patches() if np.isin(seeds[0], patch.triangles))
        claim = try_kinds(patch, np.searchsorted(patch.triangles, np.sort(seeds)), gate, ("sphere", "torus"))
        if claim is not None:
            done |= set(label[claim.triangles].tolist())
            found.append(claim)
    return found


def ring_claims(patch: Patch, gate: Gate, taken: np.ndarray, least_depth: int):
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
        claim = try_kinds(patch, around, gate) if len(around) > 3 else None
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


def row_claims(patch: Patch, gate: Gate, taken: np.ndarray):
    """Claims from rows of facets: strips of cylinders and cones; marks `taken` (K,) for those that need not wait."""
    neighbours, normals = facet_neighbours(patch), facet_normals(patch)
    members = rows_by_group(patch.facet, len(normals))
    used, found, failed = np.zeros(len(normals), dtype=bool), [], 0
    used[patch.facet[taken]] = True
    for facet in range(len(normals)):
        if used[facet] or failed > 3 * MANY:
            continue
        claim = None
        for row in chains(facet, neighbours, normals):
            claim = row_claim(patch, row, members, gate)
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


def row_claim(patch: Patch, row, members, gate: Gate) -> Claim | None:
    """The claim of a row of facets, or of the three in its middle."""
    middle = len(row) // 2
    for part, kinds in ((row, ("cylinder", "cone")), (row[middle - 1 : middle + 2], ("cylinder",))):
        seeds = np.concatenate([members.indices[members.indptr[f] : members.indptr[f + 1]] for f in part])
        claim = try_kinds(patch, seeds, gate, kinds)
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
