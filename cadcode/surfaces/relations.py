"""Relations between faces: parallel, perpendicular, coaxial, coplanar, of equal radius, on one surface, tangent.

Faces are named by their row numbers in `Segmentation.faces`. Each group is made around its largest face, so that
members differ from that face by at most the tolerance (orientation, placement, then equality, as Li and others,
"GlobFit: consistently fitting primitives by discovering global relations", SIGGRAPH 2011).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np

from cadcode.surfaces.faces import AnalyticFace, Cone, Cylinder, Plane, Segmentation, Sphere, Torus


@dataclass(frozen=True)
class RelationOptions:
    """Tolerances of the relations."""

    angle: float = 0.05  # degrees
    length: float = 1e-4  # share of the square root of the area


@dataclass(frozen=True, eq=False)
class Direction:
    """Faces with parallel axes or normals, one sign or the other."""

    direction: np.ndarray  # (3,), of the largest face
    faces: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Axis:
    """Coaxial faces: cylinders, cones, tori, and spheres with their centre on the axis."""

    point: np.ndarray  # (3,)
    direction: np.ndarray  # (3,)
    faces: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Relations:
    """Groups contain one face or more, the group of the largest face first; pairs have rising row numbers."""

    directions: tuple[Direction, ...]  # parallel faces
    perpendicular: tuple[tuple[int, int], ...]  # row numbers in `directions`
    axes: tuple[Axis, ...]
    coplanar: tuple[tuple[int, ...], ...]  # planes on one plane, whichever side is matter; two or more
    radii: tuple[tuple[float, tuple[int, ...]], ...]  # cylinders, spheres and tubes of tori of equal radius
    same: tuple[tuple[int, ...], ...]  # curved faces on one surface that do not touch; two or more
    tangent: tuple[tuple[int, int], ...]  # neighbours with a smooth transition


def relate(segmentation: Segmentation, options: RelationOptions | None = None) -> Relations:
    """Relations between the faces of a segmentation."""
    options = options or RelationOptions()
    faces, length = segmentation.faces, options.length * span_of(segmentation)
    turn = radians(options.angle)
    pointed = [row for row, face in enumerate(faces) if not isinstance(face.surface, Sphere)]
    parallel = grouped(pointed, lambda a, b: are_parallel(direction_of(faces[a]), direction_of(faces[b]), turn))
    directions = tuple(Direction(direction_of(faces[group[0]]), group) for group in parallel)
    square = tuple(
        (first, second)
        for first in range(len(directions))
        for second in range(first + 1, len(directions))
        if abs(directions[first].direction @ directions[second].direction) < sin(turn)
    )
    planes = [row for row, face in enumerate(faces) if isinstance(face.surface, Plane)]
    coplanar = grouped(planes, lambda a, b: same_surface(faces[a], faces[b], turn, length))
    curved = [row for row in range(len(faces)) if row not in planes]
    same = grouped(curved, lambda a, b: same_surface(faces[a], faces[b], turn, length))
    round_ = [row for row, face in enumerate(faces) if isinstance(face.surface, Cylinder | Sphere | Torus)]
    radii = grouped(round_, lambda a, b: abs(radius_of(faces[a]) - radius_of(faces[b])) <= length)
    return Relations(
        directions,
        square,
        axes_of(faces, turn, length),
        several(coplanar),
        tuple((radius_of(faces[group[0]]), group) for group in radii),
        several(same),
        tuple((contact.first, contact.second) for contact in segmentation.contacts if contact.smooth),
    )


def grouped(rows: Iterable[int], alike: Callable[[int, int], bool]) -> list[tuple[int, ...]]:
    """Groups of rows similar to their first, which is the largest face of the group."""
    groups: list[list[int]] = []
    for row in rows:
        group = next((group for group in groups if alike(group[0], row)), None)
        if group is None:
            groups.append([row])
        else:
            group.append(row)
    return [tuple(group) for group in groups]


def several(groups: list[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    return tuple(group for group in groups if len(group) > 1)


def axes_of(faces: tuple[AnalyticFace, ...], turn: float, length: float) -> tuple[Axis, ...]:
    turned = [row for row, face in enumerate(faces) if isinstance(face.surface, Cylinder | Cone | Torus)]
    axes = []
    for group in grouped(turned, lambda a, b: are_coaxial(faces[a], faces[b], turn, length)):
        point, direction = faces[group[0]].surface.origin, direction_of(faces[group[0]])
        spheres = [row for row, face in enumerate(faces) if isinstance(face.surface, Sphere)]
        balls = [row for row in spheres if off_axis(faces[row].surface.origin, point, direction) <= length]
        axes.append(Axis(point, direction, tuple(sorted((*group, *balls)))))
    return tuple(axes)


def direction_of(face: AnalyticFace) -> np.ndarray:
    """Normal of a plane, axis of a cylinder, cone or torus. TypeError for a sphere."""
    match face.surface:
        case Plane(normal=normal):
            return normal
        case Cylinder(direction=direction) | Cone(direction=direction) | Torus(direction=direction):
            return direction
        case _:
            raise TypeError(f"a {face.kind} has no direction")


def radius_of(face: AnalyticFace) -> float:
    """Radius of a cylinder or sphere, minor radius of a torus. TypeError for other kinds."""
    match face.surface:
        case Cylinder(radius=radius) | Sphere(radius=radius) | Torus(minor=radius):
            return radius
        case _:
            raise TypeError(f"a {face.kind} has no radius")


def are_parallel(first: np.ndarray, second: np.ndarray, turn: float) -> bool:
    return bool(np.linalg.norm(np.cross(first, second)) <= sin(turn))


def off_axis(point: np.ndarray, axis_point: np.ndarray, direction: np.ndarray) -> float:
    return float(np.linalg.norm(np.cross(point - axis_point, direction)))


def are_coaxial(first: AnalyticFace, second: AnalyticFace, turn: float, length: float) -> bool:
    if not are_parallel(direction_of(first), direction_of(second), turn):
        return False
    return off_axis(second.surface.origin, first.surface.origin, direction_of(first)) <= length


def same_surface(first: AnalyticFace, second: AnalyticFace, turn: float, length: float) -> bool:
    """Whether both faces are on one surface, convex or concave."""
    if first.kind != second.kind:
        return False
    away = second.surface.origin - first.surface.origin
    match first.surface, second.surface:
        case Plane(), Plane():
            return (
                are_parallel(direction_of(first), direction_of(second), turn)
                and abs(away @ first.surface.normal) <= length
            )
        case Cylinder(), Cylinder():
            return are_coaxial(first, second, turn, length) and abs(radius_of(first) - radius_of(second)) <= length
        case Cone(half_angle=first_angle), Cone(half_angle=second_angle):
            aligned = direction_of(first) @ direction_of(second) >= cos(turn)
            return bool(aligned) and abs(first_angle - second_angle) <= turn and bool(np.linalg.norm(away) <= length)
        case Sphere(), Sphere():
            return bool(np.linalg.norm(away) <= length) and abs(radius_of(first) - radius_of(second)) <= length
        case Torus(major=first_major), Torus(major=second_major):
            aligned = are_parallel(direction_of(first), direction_of(second), turn) and np.linalg.norm(away) <= length
            same_radii = max(abs(first_major - second_major), abs(radius_of(first) - radius_of(second))) <= length
            return bool(aligned) and same_radii
    return False


def span_of(segmentation: Segmentation) -> float:
    """Reference length of the tolerances: the square root of the total area."""
    return float(np.sqrt(sum(face.area for face in segmentation.faces)))
