"""From claims to faces with their measures, and the contacts between them."""

from dataclasses import replace
from math import pi

import numpy as np

from cadcode.surfaces.faces import AnalyticFace, Cone, Contact, Cylinder, Plane, Segmentation, Sphere, Torus, _polar
from cadcode.surfaces.facets import Mesh
from cadcode.surfaces.patch import Claim, _turns

SMOOTH = 0.05  # radians between the surfaces' normals at a shared edge, up to which they are tangent


def finish(mesh: Mesh, claims: list[Claim], label: np.ndarray, tolerance: float) -> Segmentation:
    faces = [measured(mesh, claim) for claim in claims]
    order = sorted(range(len(faces)), key=lambda row: -faces[row].area)
    place = np.full(len(faces) + 1, -1)
    place[order] = np.arange(len(faces))
    labels = place[label]
    faces = tuple(faces[row] for row in order)
    return Segmentation(faces, np.flatnonzero(labels < 0), (), tolerance, labels)


def measured(mesh: Mesh, claim: Claim) -> AnalyticFace:
    triangles = np.sort(claim.triangles)
    points = mesh.vertices[np.unique(mesh.faces[triangles])]
    surface = claim.surface
    span, heights = 2 * pi, (0.0, 0.0)
    if not isinstance(surface, Plane | Sphere):
        origin = surface.apex if isinstance(surface, Cone) else surface.centre if isinstance(surface, Torus) else surface.point
        height = _polar(points, origin, surface.direction)[0]
        if isinstance(surface, Cylinder):
            middle = (height.min() + height.max()) / 2
            surface = replace(surface, point=origin + middle * surface.direction)
            height = height - middle
        heights = float(height.min()), float(height.max())
        span = covered(mesh, triangles, origin, surface.direction)
    residual = float(np.abs(surface.signed(points)).max())
    return AnalyticFace(surface, triangles, float(mesh.areas[triangles].sum()), claim.sign < 0, span,
                        span > 2 * pi - 1e-6, heights, residual)


def covered(mesh: Mesh, triangles, origin, direction) -> float:
    """Angle about an axis that triangles cover, up to 2 pi."""
    corners = mesh.vertices[mesh.faces[triangles]]
    angle, radius = _turns(corners.reshape(-1, 3), origin, direction).reshape(-1, 3), _polar(corners, origin, direction)[1]
    angle = np.where(radius < 1e-6 * radius.max(), np.take_along_axis(angle, radius.argmax(axis=1)[:, None], 1), angle)
    from_first = (angle - angle[:, :1] + pi) % (2 * pi) - pi
    start = (angle[:, 0] + from_first.min(axis=1)) % (2 * pi)
    end = start + np.ptp(from_first, axis=1)
    order = np.argsort(start)
    start, end = start[order], end[order]
    start, end = np.concatenate([start, start + 2 * pi]), np.maximum.accumulate(np.concatenate([end, end + 2 * pi]))
    gap = np.maximum(start[1:] - end[:-1], 0)
    gap[gap < 1e-5] = 0
    return float(max(2 * pi - gap[: len(order)].sum(), 0.0))
