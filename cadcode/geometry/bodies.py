"""Bodies of a closed mesh: turned outwards, united where they touch or overlap, counted, split into shapes."""

from dataclasses import replace

import numpy as np

from cadcode.geometry.cleaning import count_of
from cadcode.geometry.edges import shells
from cadcode.geometry.mended import Mended, named
from cadcode.geometry.mesh import drop_unused, signed_volume
from cadcode.geometry.shells import Shells, shells_of
from cadcode.geometry.uniting import united

SLIVERS = 1e-3  # of the surface; folded sheets of less are what closing a hole leaves


def count_bodies(vertices: np.ndarray, faces: np.ndarray) -> int:
    """Number of separate bodies of a closed mesh; a cavity belongs to the body around it."""
    label = shells(vertices, faces)
    return len(np.unique(shells_of(vertices, faces, label).bodies())) if label.any() else 1


def split(shape) -> list:
    """Each body of a shape as a Shape of its own, in the order of their first faces; a cavity goes with its body.

    A shape of one body, an open surface and a cloud come back as they are. Path and digest stay those of the file;
    the notes say which body it is.
    """
    if shape.is_cloud or not shape.watertight or shape.bodies < 2:
        return [shape]
    found = shells_of(shape.vertices, shape.faces)
    body = found.bodies()
    numbers = np.unique(body)
    parts = [drop_unused(shape.vertices, found.faces_of(np.flatnonzero(body == number)))[:2] for number in numbers]
    return [
        replace(shape, vertices=vertices, faces=faces, notes=(*shape.notes, f"body {i} of {len(parts)}"))
        for i, (vertices, faces) in enumerate(parts, 1)
    ]


def sorted_out(mesh: Mended, turned: bool, separate: bool) -> Mended:
    """A closed mesh whose bodies look outwards and do not touch; `turned` says that winding was not to be trusted.

    `separate`: bodies that touch or overlap stay, as the solids of a CAD file, which says itself what is a body.
    """
    label = shells(mesh.vertices, mesh.faces)
    if not label.any():  # the one shell that most meshes are
        return mesh.then(*outwards(mesh.vertices, mesh.faces))
    found = shells_of(mesh.vertices, mesh.faces, label)
    if found.flat.any() and not found.flat.all():
        kept = found.faces_of(np.flatnonzero(~found.flat))
        mesh = mesh.then(mesh.vertices, kept, *_fold_notes(found))
        found = shells_of(mesh.vertices, mesh.faces)
    mesh = mesh.then(*_turned_outwards(found, turned))
    if len(found) > 1:
        found = shells_of(mesh.vertices, mesh.faces)
        mesh = mesh if separate else mesh.then(*united(found))
        mesh = mesh.then(mesh.vertices, mesh.faces, _body_notes(shells_of(mesh.vertices, mesh.faces)))
    return mesh


def _fold_notes(found: Shells) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(notes, warnings) of shells without volume that are left out; slivers are not worth a word."""
    area = found.areas()
    if area[found.flat].sum() < SLIVERS * area.sum():
        return (), ()
    groups = [found.vertices[found.faces_of([number])].reshape(-1, 3) for number in np.flatnonzero(found.flat)]
    return (), (f"left out {named('folded sheet without thickness', 'folded sheets without thickness', groups)}",)


def outwards(vertices: np.ndarray, faces: np.ndarray):
    """(vertices, faces, notes) of a closed mesh, the whole of it flipped where it looks inwards."""
    if signed_volume(vertices, faces) >= 0:
        return vertices, faces, ()
    return vertices, faces[:, ::-1].copy(), ("its faces looked inwards and were flipped",)


def _turned_outwards(found: Shells, turned: bool):
    """(vertices, faces, notes): the whole mesh turned, or the shells of it that look the wrong way."""
    flip = _wrong_way(found, turned)
    if not flip.any():
        return found.vertices, found.faces, ()
    if flip.all():
        return found.vertices, found.faces[:, ::-1].copy(), ("its faces looked inwards and were flipped",)
    faces = np.where(flip[found.label][:, None], found.faces[:, ::-1], found.faces)
    return found.vertices, faces, (f"flipped {count_of(int(flip.sum()), 'shell')} whose faces looked the wrong way",)


def _wrong_way(found: Shells, turned: bool) -> np.ndarray:
    """Shells (S,) to flip: bodies that look inwards; cavities too where shells were turned before."""
    if turned:
        return (found.volume > 0) == (found.depth() % 2 == 1)
    inverted = found.volume.sum() < 0
    inwards = found.volume > 0 if inverted else found.volume < 0
    if not inwards.any():
        return np.full(len(found), inverted)
    return inverted ^ (inwards & (found.holders(inwards) < 0))


def _body_notes(found: Shells) -> tuple[str, ...]:
    bodies, cavities = len(np.unique(found.bodies())), int((found.volume < 0).sum())
    notes = (f"holds {bodies} separate bodies; --split converts each by itself",) if bodies > 1 else ()
    inside = count_of(cavities, "closed cavity", "closed cavities")
    return notes + ((f"{inside} inside",) if cavities else ())
