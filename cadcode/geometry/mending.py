"""Repair a mesh once, for everything that follows: each step says in a note what it changed.

A closed mesh goes to `bodies.sorted_out` alone. Of an open one, copies of faces go first; faces are turned alike;
vertices that nearly meet are joined; flaps and loose pieces without thickness are left out; holes are closed. Steps
that would not lead to a closed body are not taken: a surface stays the open surface that it is.
"""

import numpy as np
from scipy.spatial import cKDTree

from cadcode.geometry import loose
from cadcode.geometry.bodies import outwards, sorted_out
from cadcode.geometry.cleaning import count_of
from cadcode.geometry.edges import edge_runs, joined, open_edges, turned_alike
from cadcode.geometry.holes import MOST_OPEN
from cadcode.geometry.mended import Mended
from cadcode.geometry.mesh import closed_by_edges, drop_unused

NEAR = (1e-5, 1e-4, 1e-3, 1e-2, 5e-2)  # distances (in longest sides) at which vertices on open edges may be one
SHORTER = 0.3  # of the shortest open edge at either of them: nearer than this, too
NEIGHBOURS = 8  # vertices looked at for that
MOST_SORTED = 500_000  # faces of a closed mesh beyond which bodies are not looked for while reading
LARGE, TANGLED = 100_000, 0.1  # faces, and share of the edges with more than two of them
CHANGED = 0.01  # of the longest side: a box that changes by more is worth a warning


def mend(vertices: np.ndarray, faces: np.ndarray, separate: bool = False) -> Mended:
    """The repaired mesh of vertices (V, 3) and faces (F, 3); a clean closed one comes back as it is.

    `separate`: bodies that touch or overlap stay as they are, as the solids of a CAD file.
    """
    mesh = Mended(vertices, faces, closed_by_edges(faces, len(vertices))[0])
    if mesh.closed and len(faces) > MOST_SORTED:
        vertices, faces, notes = outwards(mesh.vertices, mesh.faces)
        return mesh.then(vertices, faces, (*notes, f"not checked for overlapping bodies: over {MOST_SORTED:,} faces"))
    if is_tangled(mesh):
        return mesh.then(vertices, faces, ("not repaired: many of its edges belong to more than two faces",))
    if not separate:
        mesh = mesh.then(*without_copies(mesh))
    turned = False
    if not mesh.closed:
        mesh, turned = _turned(mesh)
    if not mesh.closed:
        mesh = mesh.then(*near_joined(mesh))
    if not mesh.closed:
        mesh = loose.closed(mesh)
    if mesh.closed:
        mesh = sorted_out(mesh, turned, separate)
    return mesh if mesh.faces is faces else _compact(_with_box_warning(mesh, vertices))


def is_tangled(mesh: Mended) -> bool:
    """Whether a large open mesh is not a surface, so that repairs would be long and useless."""
    return not mesh.closed and len(mesh.faces) > LARGE and (edge_runs(mesh.faces)[2] > 2).mean() > TANGLED


def without_copies(mesh: Mended):
    """Faces on the same three corners: one stays of a doubled surface, none of a wall within a body or of a fold."""
    if edge_runs(mesh.faces)[2].max() < 3:
        return mesh.vertices, mesh.faces, ()
    _, first, copy, count = np.unique(
        np.sort(mesh.faces, axis=1), axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    if len(first) == len(mesh.faces):
        return mesh.vertices, mesh.faces, ()
    keep = _one_or_none(mesh.faces, first, copy.reshape(-1), count)
    faces = mesh.faces[keep]
    worse = mesh.closed and len(faces) and not closed_by_edges(faces, len(mesh.vertices))[1]
    if worse or not len(faces):
        return mesh.vertices, mesh.faces, ()
    left = np.bincount(copy.reshape(-1)[keep], minlength=len(first))
    copies, walls = int((count - 1)[left == 1].sum()), int(count[left == 0].sum())
    notes = (f"dropped {count_of(copies, 'duplicate face')}",) if copies else ()
    notes += (f"dropped {count_of(walls, 'face')} that lie on each other and enclose nothing",) if walls else ()
    return mesh.vertices, faces, notes


def _one_or_none(faces, first, copy, count) -> np.ndarray:
    """Faces that stay (F,): `first` and `count` describe the sets of equal faces, `copy` (F,) is the set of each face.

    A set with an odd number stays once. Patches of even sets stay once where they continue the faces around them, or
    have no border; they go where the others are closed without them.
    """
    keep = np.zeros(len(faces), dtype=bool)
    keep[first] = True
    even = np.flatnonzero(count % 2 == 0)
    if not len(even):
        return keep
    rest = keep.copy()
    rest[first[even]] = False
    both = np.concatenate((faces[first[even]], faces[rest]))
    slots, starts, sizes = edge_runs(both)
    run = np.repeat(np.arange(len(starts)), sizes)
    doubled = slots // 3 < len(even)
    here = np.bincount(run[doubled], minlength=len(starts))
    around = sizes - here
    face, edge = slots[doubled] // 3, run[doubled]
    pairs = np.flatnonzero((edge[1:] == edge[:-1]) & (here[edge[1:]] == 2))
    patch = joined(face[pairs], face[pairs + 1], len(even))
    border = here[edge] % 2 == 1
    continues = np.where(around[edge] % 2 == 1, 1, -1) * border
    votes = np.bincount(patch[face], continues, patch.max() + 1)
    forward = np.where(_is_even_permutation(faces), 1, -1)
    opposite = np.bincount(copy, forward, len(first))[even] == 0
    votes += np.bincount(patch, np.where(opposite, 0, 1e9), patch.max() + 1)
    keep[first[even[votes[patch] < 0]]] = False
    return keep


def _is_even_permutation(faces) -> np.ndarray:
    """Whether the corners of each face, from the lowest on, rise: equal faces differ in this if wound otherwise."""
    start = faces.argmin(axis=1)
    rows = np.arange(len(faces))
    return faces[rows, (start + 1) % 3] < faces[rows, (start + 2) % 3]


def near_joined(mesh: Mended):
    """Vertices on open edges that nearly meet are made one, where that closes the surface around them.

    The smallest distance that leaves the fewest open edges is taken; no face may collapse.
    """
    starts, ends = open_edges(mesh.faces)
    left, best, near = len(starts), None, 0
    if left > MOST_OPEN:
        return mesh.vertices, mesh.faces, (f"holes were not closed: it has {left:,} open edges",)
    border, apart, pairs = _near_pairs(mesh.vertices, starts, ends)
    for distance in NEAR:
        close = apart < distance * np.ptp(mesh.vertices, axis=0).max()
        if close.sum() == near:
            continue
        near = close.sum()
        target = _most_used(mesh.faces, border, joined(*pairs[close].T, len(border)))
        faces, target = _joined_where_closed(mesh, border, target)
        still_open = len(open_edges(faces)[0])
        if still_open < left:
            best, left = (faces, border, target), still_open
        if not left:
            break
    if best is None:
        return mesh.vertices, mesh.faces, ()
    faces, border, target = best
    apart = np.linalg.norm(mesh.vertices[border] - mesh.vertices[target], axis=1).max()
    count = count_of(int((border != target).sum()), "vertex", "vertices")
    return mesh.vertices, faces, (f"joined {count} on open edges with others up to {apart:.2g} away",)


def _joined_where_closed(mesh: Mended, border, target):
    """(faces, target) with vertices `border` (B,) replaced by `target` (B,), where that closes the surface."""
    for _ in range(3):
        number = np.arange(len(mesh.vertices))
        number[border] = target
        faces = number[mesh.faces]
        a, b, c = faces.T
        wrong = np.concatenate((open_edges(faces)[0], faces[(a == b) | (b == c) | (c == a)].ravel()))
        still = np.isin(target, wrong) & np.isin(target, target[border != target])
        if not still.any():
            return faces, target
        target = np.where(still, border, target)
    return mesh.faces, border


def _near_pairs(vertices, starts, ends) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(vertices on open edges (B,), distances (P,) and pairs (P, 2) of them that are nearer than their edges are long).

    `starts` and `ends` (E,) are the open edges.
    """
    length = np.linalg.norm(vertices[starts] - vertices[ends], axis=1)
    border, place = np.unique(np.concatenate((starts, ends)), return_inverse=True)
    reach = np.full(len(border), np.inf)
    np.minimum.at(reach, place.reshape(-1), SHORTER * np.concatenate((length, length)))
    apart, other = cKDTree(vertices[border]).query(vertices[border], min(NEIGHBOURS, len(border)))
    rows, columns = np.nonzero((apart < reach[:, None]) & (apart < reach[other]))
    other = other[rows, columns]
    return border, apart[rows, columns], np.stack([rows, other], axis=1)


def _most_used(faces, border, cluster) -> np.ndarray:
    """For each of the vertices `border` (B,) the one of its `cluster` (B,) that most faces use. (B,)"""
    uses = np.bincount(faces.ravel(), minlength=border.max() + 1)[border]
    order = np.lexsort((-uses, cluster))
    best = order[np.flatnonzero(np.diff(cluster[order], prepend=-1))]
    return border[best[cluster]]


def _turned(mesh: Mended) -> tuple[Mended, bool]:
    faces = turned_alike(mesh.faces)
    count = int((faces != mesh.faces).any(axis=1).sum())
    if not count:
        return mesh, False
    note = f"turned {count_of(count, 'face')} wound against {'its' if count == 1 else 'their'} neighbours"
    return mesh.then(mesh.vertices, faces, (note,)), True


def _compact(mesh: Mended) -> Mended:
    vertices, faces, unused, _ = drop_unused(mesh.vertices, mesh.faces)
    return mesh.with_arrays(vertices, faces) if unused else mesh


def _with_box_warning(mesh: Mended, before: np.ndarray) -> Mended:
    """The same with its notes as warnings where repairs changed the box."""
    after = mesh.vertices[np.unique(mesh.faces)] if mesh.notes else before
    old, new = (np.stack([points.min(axis=0), points.max(axis=0)]) for points in (before, after))
    changed = np.abs(new - old).max() > CHANGED * np.ptp(old, axis=0).max()
    return mesh.warned(mesh.notes) if changed and not mesh.warnings else mesh
