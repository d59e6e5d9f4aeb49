"""Segmentations of moved meshes: the same faces in another frame."""

from dataclasses import replace

import numpy as np

from cadcode.surfaces.faces import AnalyticFace, Cone, Cylinder, Plane, Segmentation, Sphere, Surface, Torus


def moved_segmentation(
    found: Segmentation, rotation: np.ndarray, scale: float, translation: np.ndarray
) -> Segmentation:
    """The segmentation of the mesh whose corners are `scale * rotation @ x + translation`.

    `rotation` (3, 3) is a rotation, `scale` is positive, `translation` has shape (3,).
    """
    faces = tuple(_moved_face(face, rotation, scale, translation) for face in found.faces)
    contacts = tuple(replace(contact, length=contact.length * scale) for contact in found.contacts)
    return replace(found, faces=faces, contacts=contacts, tolerance=found.tolerance * scale)


def _moved_face(face: AnalyticFace, rotation: np.ndarray, scale: float, translation: np.ndarray) -> AnalyticFace:
    low, high = face.heights
    return replace(
        face,
        surface=_moved_surface(face.surface, rotation, scale, translation),
        area=face.area * scale**2,
        heights=(low * scale, high * scale),
        residual=face.residual * scale,
    )


def _moved_surface(surface: Surface, rotation: np.ndarray, scale: float, translation: np.ndarray) -> Surface:
    at = scale * rotation @ surface.origin + translation
    match surface:
        case Plane():
            return Plane(at, rotation @ surface.normal)
        case Cylinder():
            return Cylinder(at, rotation @ surface.direction, surface.radius * scale)
        case Cone():
            return Cone(at, rotation @ surface.direction, surface.half_angle)
        case Sphere():
            return Sphere(at, surface.radius * scale)
        case Torus():
            return Torus(at, rotation @ surface.direction, surface.major * scale, surface.minor * scale)
