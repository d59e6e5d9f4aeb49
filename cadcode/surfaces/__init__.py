"""Analytic faces of a mesh: planes, cylinders, cones, spheres and tori, and how they relate."""

from cadcode.surfaces.faces import AnalyticFace, Cone, Contact, Cylinder, Plane, Segmentation, Sphere, Surface, Torus
from cadcode.surfaces.matching import FaceCheck, FaceRow, MatchOptions, Reading, compare_faces, read_faces
from cadcode.surfaces.moved import moved_segmentation
from cadcode.surfaces.relations import Axis, Direction, RelationOptions, Relations, relate
from cadcode.surfaces.segment import SegmentOptions, segment

__all__ = [
    "AnalyticFace",
    "Axis",
    "Cone",
    "Contact",
    "Cylinder",
    "Direction",
    "FaceCheck",
    "FaceRow",
    "MatchOptions",
    "Plane",
    "Reading",
    "RelationOptions",
    "Relations",
    "SegmentOptions",
    "Segmentation",
    "Sphere",
    "Surface",
    "Torus",
    "compare_faces",
    "moved_segmentation",
    "read_faces",
    "relate",
    "segment",
]
