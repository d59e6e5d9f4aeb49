"""Curved faces of a mesh, claimed in rounds from seeds of several kinds."""

import numpy as np

from cadcode.surfaces.faces import Cone, Cylinder
from cadcode.surfaces.grow import Gate, try_kinds
from cadcode.surfaces.patch import Claim, Patch, Tried, connected, on_surface
from cadcode.surfaces.rows import Rows
from cadcode.surfaces.seeds import DEEP, Rings, depths
from cadcode.surfaces.state import State

TILT = 0.02  # share of a facet's height
MANY = 30  # consecutive seeds that may fail in one patch before the next kind of seed
RIM = 0.05  # share of a border beyond which smooth neighbours across a rim make a claim wait
RULING = 0.98  # cosine between an edge and the line of the cone or cylinder


Known = dict[bytes, list[tuple[Claim, bool]]]


def claim_curved(state: State, gate: Gate, known: Known, tried: Tried) -> bool:
    """One round over all patches; claims that may be part of a larger face wait until no other claim is found.

    `known` caches the result of each patch, by its triangles; `tried` are attempts that failed.
    """
    done, waiting = False, []
    for patch in state.patches(tried=tried):
        key = patch.triangles.tobytes()
        if key not in known:
            known[key] = known_claims(patch, key, gate)
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


def known_claims(patch: Patch, key: bytes, gate: Gate) -> list[tuple[Claim, bool]]:
    """Curved claims of a patch, but none if all its attempts at another gate missed this tolerance."""
    tried = patch.tried
    if tried.patches.get(key, 0.0) > gate.tolerance:
        return []
    tried.least = np.inf
    pairs = curved_claims(patch, gate)
    if not pairs:
        tried.patches[key] = tried.least
    return pairs


def curved_claims(patch: Patch, gate: Gate) -> list[tuple[Claim, bool]]:
    """(claim, whether it must wait) of one patch, from all kinds of seeds; only waiting claims may overlap."""
    everything = np.arange(len(patch.triangles))
    claim = try_kinds(patch, everything, gate)
    if claim is not None and len(claim.triangles) == len(patch.triangles):
        return [(claim, False)]
    taken = np.zeros(len(patch.triangles), dtype=bool)
    depth = depths(patch)
    pairs = ring_claims(patch, gate, taken, depth, DEEP)
    pairs += row_claims(patch, gate, taken)
    if not any(not waits for _, waits in pairs):
        pairs += ring_claims(patch, gate, taken, depth, 1)
    return pairs


def ring_claims(
    patch: Patch, gate: Gate, taken: np.ndarray, depth: np.ndarray, least_depth: int
) -> list[tuple[Claim, bool]]:
    """Claims from rings around the innermost triangles, those of the largest `depth` (K,); marks `taken` (K,)."""
    if depth.max() < least_depth:
        return []
    rings, tried, pairs, failed = Rings(patch), taken.copy(), [], 0
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
        pairs.append((claim, smooth_rim(patch, claim)))
        failed = 0
    return pairs


def row_claims(patch: Patch, gate: Gate, taken: np.ndarray) -> list[tuple[Claim, bool]]:
    """Claims from rows of facets: strips of cylinders and cones; marks `taken` (K,) for claims that need not wait."""
    seeds, pairs, failed = Rows(patch, gate), [], 0
    used = np.zeros(len(seeds.normals), dtype=bool)
    used[patch.facet[taken]] = True
    for facet in range(len(used)):
        if used[facet] or failed > 3 * MANY:
            continue
        claim = seeds.claim(facet, used)
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
        pairs.append((claim, waits))
    return pairs


def smooth_rim(patch: Patch, claim: Claim) -> bool:
    """Whether the patch continues smoothly across the round border of a cylinder or cone, as in a belt of a torus."""
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
    around = np.linalg.norm(np.roll(corners, 1, axis=1) - corners, axis=2).sum() - 2 * inner_length(patch, inside)
    return bool(length[cosine < RULING].sum() > RIM * around)


def inner_length(patch: Patch, inside: np.ndarray) -> float:
    edges = patch.edges[inside[patch.links].all(axis=1)]
    ends = patch.mesh.vertices[patch.mesh.ends[edges]]
    return float(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1).sum())


def belt_claims(state: State, waiting: list[Claim], gate: Gate) -> list[Claim]:
    """Spheres and tori that contain three neighbouring belts of `waiting`, each the round facets of one height."""
    label = np.full(len(state.mesh.faces), -1)
    for row, claim in enumerate(waiting):
        label[claim.triangles] = row
    sides = label[state.mesh.pairs[state.smooth]]
    sides = np.unique(np.sort(sides[(sides >= 0).all(axis=1) & (sides[:, 0] != sides[:, 1])], axis=1), axis=0)
    merged: list[Claim] = []
    done: set[int] = set()
    patches = list(state.patches()) if len(sides) > 1 else []
    for middle in range(len(waiting)):
        near = [*sides[sides[:, 0] == middle, 1].tolist(), *sides[sides[:, 1] == middle, 0].tolist()]
        if len(near) != 2 or done & {middle, *near}:
            continue
        seeds = np.concatenate([waiting[row].triangles for row in (middle, *near)])
        patch = next(patch for patch in patches if seeds[0] in patch.triangles)
        whole = try_kinds(patch, np.searchsorted(patch.triangles, np.sort(seeds)), gate, ("sphere", "torus"))
        if whole is not None:
            done |= set(label[whole.triangles].tolist())
            merged.append(whole)
    return merged


def extend(state: State, tolerance: float) -> None:
    """Extend claims by smooth neighbours that are off their surface by the error of an approximated curve.

    Such a facet is tilted little: the error is small against its height.
    """
    mesh = state.mesh
    first, second = mesh.pairs[state.smooth].T
    border = (state.label[first] < 0) != (state.label[second] < 0)
    swap = state.label[first[border]] >= 0
    inner, outer = np.where(swap, (second[border], first[border]), (first[border], second[border]))
    patch_of = np.full(len(mesh.faces), -1)
    patches = list(state.patches(least=1))
    for number, patch in enumerate(patches):
        patch_of[patch.triangles] = number
    for number in np.unique(patch_of[inner]):
        if number >= 0:
            members = patch_of[inner] == number
            take_neighbours(state, patches[number], inner[members], state.label[outer[members]], tolerance)


def take_neighbours(state: State, patch: Patch, inner: np.ndarray, beyond: np.ndarray, tolerance: float) -> None:
    """Extend claims `beyond` (B,) the border by triangles connected to the triangles `inner` (B,) of the patch."""
    allowed = np.minimum(tolerance, TILT * state.mesh.heights[patch.triangles])
    taken = np.zeros(len(patch.triangles), dtype=bool)
    local = np.searchsorted(patch.triangles, inner)
    for row in np.unique(beyond):
        claim = state.claims[row]
        mask = on_surface(patch, claim.surface, claim.sign, allowed) & ~taken
        for seed in np.unique(local[beyond == row]):
            if mask[seed] and not taken[seed]:
                rows = connected(patch, mask, np.array([seed]))
                taken[rows] = True
                state.add(row, patch.triangles[rows])
