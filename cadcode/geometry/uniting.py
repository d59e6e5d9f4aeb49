"""Unite closed shells that overlap or touch face to face: the volume of the union counts, inner faces do not."""

import manifold3d
import numpy as np

from cadcode.geometry.edges import joined
from cadcode.geometry.mesh import closed_by_edges, merge_vertices, signed_volume
from cadcode.geometry.shells import Shells
from cadcode.geometry.solidity import manifold_of

TOUCH = 1e-6  # of the longest side: boxes this close may touch
LOST = 1e-3  # relative difference of volumes beyond which a solid does not represent its body
SAME = 1e-6  # relative difference of volumes and areas that is rounding
CHANGED = 0.01  # share of the volume of all bodies; uniting that changes more is worth a warning


def united(found: Shells):
    """(vertices, faces, notes, warnings): shells that are apart stay as they are, in order; united ones come last."""
    body = found.bodies()
    keep, made, notes, before, after = np.ones(len(found), dtype=bool), [], (), 0, 0
    for own in _groups(found, body):
        parts = [own[body[own] == number] for number in np.unique(body[own])]
        solids = [_solid(found, part) for part in parts]
        union = _union(solids, [found.volume[part].sum() for part in parts])
        if isinstance(union, str):
            notes += (union,)
            continue
        new, same = _new_shells(union, found, own)
        keep[own] = same
        made += new
        before += int((~same[found.volume[own] > 0]).sum())
        after += sum(shell.volume() > 0 for shell in new)
    if not before:
        return found.vertices, found.faces, notes, ()
    vertices, faces = _assembled(found, keep, made)
    if not closed_by_edges(faces, len(vertices))[0]:
        return found.vertices, found.faces, notes + (_failed(before),), ()
    if not made:
        inside = f"{before} bodies lie" if before > 1 else "1 body lies"
        return vertices, faces, notes, (f"{inside} inside another and {'do' if before > 1 else 'does'} not count",)
    note = f"united {before} bodies that overlap or touch{f' into {after}' if after > 1 else ''}"
    share = signed_volume(vertices, faces) / found.volume.sum() - 1
    if abs(share) <= CHANGED:
        return vertices, faces, notes + (note,), ()
    return vertices, faces, notes, (f"{note}: {abs(share):.1%} of their volume overlaps and counts once",)


def _groups(found: Shells, body: np.ndarray) -> list[np.ndarray]:
    """Shells (n,) of bodies whose boxes are linked by overlaps; `body` (S,) is the body of each shell."""
    left, right = found.touching(TOUCH * (found.high.max(axis=0) - found.low.min(axis=0)).max())
    apart = (body[left] == left) & (body[right] == right)  # outer shells, both
    label = joined(left[apart], right[apart], len(found))[body]
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    return [group for group in groups if len(np.unique(body[group])) > 1]


def _solid(found: Shells, part: np.ndarray) -> manifold3d.Manifold | None:
    """A body, an outer shell and its cavities, as a solid; None where it is another volume than the shells'."""
    used, corners = np.unique(found.faces_of(part), return_inverse=True)
    solid, volume = manifold_of(found.vertices[used], corners.reshape(-1, 3)), found.volume[part].sum()
    return solid if solid is not None and abs(solid.volume() - volume) <= LOST * volume else None


def _union(solids: list, volumes: list) -> manifold3d.Manifold | str:
    """The union, or a note why there is none."""
    if any(solid is None for solid in solids):
        return _failed(len(solids))
    union = manifold3d.Manifold.batch_boolean(solids, manifold3d.OpType.Add)
    total, size = sum(volumes), union.volume()
    if union.status() != manifold3d.Error.NoError or not max(volumes) * (1 - SAME) <= size <= total * (1 + SAME):
        return _failed(len(solids))
    return union


def _failed(count: int) -> str:
    return f"{count} bodies may overlap or touch and could not be united: faces between them count as surface"


def _new_shells(union: manifold3d.Manifold, found: Shells, own: np.ndarray) -> tuple[list, np.ndarray]:
    """(shells of the union that are new, which of shells `own` are in it as they were)."""
    same, new = np.zeros(len(own), dtype=bool), []
    size = (found.high.max(axis=0) - found.low.min(axis=0)).max()
    for shell in union.decompose():
        box = np.reshape(shell.bounding_box(), (2, 3))
        alike = np.abs(found.volume[own] - shell.volume()) <= SAME * np.abs(found.volume[own])
        alike &= (np.abs(found.low[own] - box[0]).max(axis=1) <= SAME * size) & ~same
        alike &= np.abs(found.high[own] - box[1]).max(axis=1) <= SAME * size
        if alike.any():
            same[alike.argmax()] = True
        else:
            new.append(shell)
    return new, same


def _assembled(found: Shells, keep: np.ndarray, made: list) -> tuple[np.ndarray, np.ndarray]:
    vertices, faces = [found.vertices], [found.faces[keep[found.label]]]
    start = len(found.vertices)
    for shell in made:
        mesh = shell.to_mesh64()
        vertices.append(np.array(mesh.vert_properties)[:, :3])
        faces.append(np.array(mesh.tri_verts).astype(np.int64) + start)
        start += len(vertices[-1])
    vertices, faces = np.concatenate(vertices), np.concatenate(faces)
    bounds = np.stack([vertices.min(axis=0), vertices.max(axis=0)])
    vertices, faces, _, _ = merge_vertices(vertices, faces, bounds)
    return vertices, faces.astype(np.int64)
