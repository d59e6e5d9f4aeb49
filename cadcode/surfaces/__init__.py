"""Analytic faces of a mesh: planes, cylinders, cones, spheres and tori, and how they relate."""

from cadcode.surfaces.faces import AnalyticFace, Cone, Contact, Cylinder, Plane, Segmentation, Sphere, Surface, Torus
from cadcode.surfaces.segment import SegmentOptions, segment

__all__ = [
    "AnalyticFace", "Cone", "Contact", "Cylinder", "Plane", "SegmentOptions", "Segmentation", "Sphere", "Surface",
    "Torus", "segment",
]  # fmt: skip
