"""Conversion of claims to faces with their measures, and the contacts between faces."""

from dataclasses import replace
from math import cos, pi

import numpy as np

from cadcode.surfaces.evidence import turns
from cadcode.surfaces.faces import AnalyticFace, Contact, Cylinder, Plane, Segmentation, Sphere, polar
from cadcode.surfaces.facets import Mesh
from cadcode.surfaces.patch import Claim

SMOOTH = 0.05  # radians between the surfaces' normals at a shared edge, up to which they are tangent


def finish(mesh: Mesh, claims: list[Claim], label: np.ndarray, tolerance: float) -> Segmentation:
    unsorted = [measured(mesh, claim) for claim in claims]
    order = sorted(range(len(unsorted)), key=lambda row: -unsorted[row].area)
    place = np.full(len(unsorted) + 1, -1)
    place[order] = np.arange(len(unsorted))
    labels = place[label]
    faces = tuple(unsorted[row] for row in order)
    return Segmentation(faces, np.flatnonzero(labels < 0), contacts(mesh, faces, labels), tolerance, labels)


def measured(mesh: Mesh, claim: Claim) -> AnalyticFace:
    triangles = np.sort(claim.triangles)
    points = mesh.vertices[np.unique(mesh.faces[triangles])]
    surface = claim.surface
    span, heights = 2 * pi, (0.0, 0.0)
    if not isinstance(surface, Plane | Sphere):
        origin = surface.origin
        height = polar(points, origin, surface.direction)[0]
        if isinstance(surface, Cylinder):
            middle = (height.min() + height.max()) / 2
            surface = replace(surface, point=origin + middle * surface.direction)
            height = height - middle
        heights = float(height.min()), float(height.max())
        span = covered(mesh, triangles, origin, surface.direction)
    residual = float(np.abs(surface.signed(points)).max())
    return AnalyticFace(
        surface,
        triangles,
        float(mesh.areas[triangles].sum()),
        claim.sign < 0,
        span,
        span > 2 * pi - 1e-6,
        heights,
        residual,
    )


def covered(mesh: Mesh, triangles: np.ndarray, origin: np.ndarray, direction: np.ndarray) -> float:
    """Angle about an axis that triangles cover, up to 2 pi."""
    corners = mesh.vertices[mesh.faces[triangles]]
    angle = turns(corners.reshape(-1, 3), origin, direction).reshape(-1, 3)
    radius = polar(corners, origin, direction)[1]
    outermost = np.take_along_axis(angle, radius.argmax(axis=1)[:, None], 1)
    angle = np.where(radius < 1e-6 * radius.max(), outermost, angle)  # an apex is at no angle
    from_first = (angle - angle[:, :1] + pi) % (2 * pi) - pi
    start = (angle[:, 0] + from_first.min(axis=1)) % (2 * pi)
    end = start + np.ptp(from_first, axis=1)
    order = np.argsort(start)
    start, end = start[order], end[order]
    start, end = np.concatenate([start, start + 2 * pi]), np.maximum.accumulate(np.concatenate([end, end + 2 * pi]))
    gap = np.maximum(start[1:] - end[:-1], 0)
    gap[gap < 1e-5] = 0
    return float(max(2 * pi - gap[: len(order)].sum(), 0.0))


def contacts(mesh: Mesh, faces: tuple[AnalyticFace, ...], labels: np.ndarray) -> tuple[Contact, ...]:
    """Pairs of faces that share edges, by their row numbers."""
    sides = np.sort(labels[mesh.pairs], axis=1)
    shared = np.flatnonzero((sides[:, 0] >= 0) & (sides[:, 0] != sides[:, 1]))
    if len(shared) == 0:
        return ()
    pairs, group = np.unique(sides[shared], axis=0, return_inverse=True)
    group = group.ravel()
    ends = mesh.vertices[mesh.ends[shared]]
    length = np.maximum(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1), 1e-300)
    total = np.bincount(group, length)
    angle = np.bincount(group, length * mesh.angles[shared]) / total
    convex = np.bincount(group, length * mesh.convex[shared]) > total / 2
    order = np.argsort(group, kind="stable")
    points = np.split(ends[order], np.cumsum(np.bincount(group))[:-1])  # points of each pair
    return tuple(
        Contact(
            first,
            second,
            float(total[row]),
            float(angle[row]),
            bool(convex[row]),
            tangent(faces[first], faces[second], points[row].reshape(-1, 3)),
        )
        for row, (first, second) in enumerate(pairs.tolist())
    )


def tangent(first: AnalyticFace, second: AnalyticFace, points: np.ndarray) -> bool:
    """Whether the outward normals of two surfaces agree at their common points (N, 3)."""
    first_normals, second_normals = (
        (-1 if face.concave else 1) * face.surface.normals(points) for face in (first, second)
    )
    return bool(np.median(np.einsum("ij,ij->i", first_normals, second_normals)) > cos(SMOOTH))
