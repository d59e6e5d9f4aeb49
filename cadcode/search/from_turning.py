"""Turned parts read off the input: the axis about which most of its surface is round, and the profile that was turned.

The profile is a section through the axis. Its sides are the lines and arcs of the faces that they come from.
"""

from dataclasses import dataclass

import numpy as np

from cadcode.geometry.section import traced_section
from cadcode.program.tree import Outline
from cadcode.search.outline_fit import polygon_area
from cadcode.search.traced_outline import PlaneCurve, Round, Straight, traced_outline
from cadcode.surfaces import Cone, Cylinder, Plane, Segmentation, Sphere, Torus, relate

LEAST_ROUND, LEAST_TURNED = 0.15, 0.6  # shares of the surface: round about the axis, and that or level to it
ALIGNED = 0.9999995  # cosine of the angle between the axis and a coordinate axis
PLANES, FIRST = 12, 0.013  # half planes of the section, and the angle of the first, radians: off the corners' own
LEAST_AREA = 0.01  # square program units of a profile
COAXIAL = 2e-3  # program units between two axes that are one
ON_AXIS = -2  # the label of a profile's side on the axis


Labelled = list[tuple[np.ndarray, np.ndarray]]  # polygons (n, 2) with the face (n,) of each side


@dataclass(frozen=True)
class Ring:
    """An outline in (radius, height) coordinates, around matter (`solid`) or a groove inside `depth` other ones."""

    outline: Outline
    solid: bool
    depth: int


@dataclass(frozen=True)
class Turning:
    """A turned body: along coordinate axis `axis`, through `centre` in the two axes that follow it in cyclic order."""

    axis: int
    centre: tuple[float, float]
    rings: tuple[Ring, ...]


def turning(vertices: np.ndarray, faces: np.ndarray, segmentation: Segmentation) -> Turning | None:
    """The body that most of a mesh was turned to, program frame; None where no coordinate axis is its axis."""
    found = turning_axis(segmentation)
    if found is None:
        return None
    axis, centre = found
    order = [(axis + 1) % 3, (axis + 2) % 3, axis]
    local = vertices[:, order] - [*centre, 0.0]
    angles = FIRST + np.pi * np.arange(PLANES) / PLANES
    profiles = [halves for angle in angles if (halves := profile(local, faces, angle))]
    if not profiles:
        return None

    def curve_of(triangle_label: int) -> PlaneCurve | None:
        return profile_curve(segmentation, triangle_label, order, centre)

    labelled = [
        [(polygon, np.where(rows < 0, ON_AXIS, segmentation.labels[rows])) for polygon, rows in halves]
        for halves in profiles
    ]
    rings = nested(typical(labelled, curve_of), curve_of)
    return Turning(axis, centre, rings) if rings else None


def profile_curve(segmentation: Segmentation, label: int, order: list[int], centre) -> PlaneCurve | None:
    """The curve of a face, by its row number, in (radius, height) about the axis; None for one not turned about it."""
    if label == ON_AXIS:
        return Straight(np.array([1.0, 0.0]), 0.0)
    if label < 0:
        return None
    surface, axis = segmentation.faces[label].surface, order[2]
    if isinstance(surface, Plane):
        return Straight(np.array([0.0, 1.0]), float(surface.point[axis])) if _level(surface, axis) else None
    off = np.linalg.norm(surface.origin[order[:2]] - centre)
    if off > COAXIAL or not isinstance(surface, Sphere) and abs(surface.direction[axis]) < ALIGNED:
        return None
    height = float(surface.origin[axis])
    match surface:
        case Cylinder(radius=radius):
            return Straight(np.array([1.0, 0.0]), float(radius))
        case Sphere(radius=radius):
            return Round(np.array([0.0, height]), float(radius))
        case Torus(major=major, minor=minor):
            return Round(np.array([float(major), height]), float(minor))
        case Cone(half_angle=half_angle):
            way = 1.0 if surface.direction[axis] > 0 else -1.0
            normal = np.array([np.cos(half_angle), -way * np.sin(half_angle)])
            return Straight(normal, float(normal[1] * height))
    return None


def turning_axis(segmentation: Segmentation) -> tuple[int, tuple[float, float]] | None:
    """(coordinate axis, place in the two axes that follow it) about which most of the surface is turned, or None."""
    whole = sum(face.area for face in segmentation.faces)
    best, most = None, LEAST_ROUND * whole
    for one in relate(segmentation).axes:
        axis = int(np.abs(one.direction).argmax())
        if abs(one.direction[axis]) < ALIGNED:
            continue
        round_area = sum(segmentation.faces[row].area for row in one.faces)
        level = sum(f.area for f in segmentation.faces if isinstance(f.surface, Plane) and _level(f.surface, axis))
        if round_area > most and round_area + level >= LEAST_TURNED * whole:
            best, most = (axis, (float(one.point[(axis + 1) % 3]), float(one.point[(axis + 2) % 3]))), round_area
    return best


def _level(plane: Plane, axis: int) -> bool:
    return bool(abs(plane.normal[axis]) > ALIGNED)


def typical(profiles: list[Labelled], curve_of) -> Labelled:
    """The profile at an angle without flats and keys: with the fewest sides without a curve, and the middle area."""
    odd = [sum(curve_of(label) is None for _, labels in halves for label in labels) for halves in profiles]
    regular = [halves for halves, count in zip(profiles, odd, strict=True) if count == min(odd)]
    sizes = [sum(abs(polygon_area(polygon)) for polygon, _ in halves) for halves in regular]
    return regular[int(np.argsort(sizes, kind="stable")[len(sizes) // 2])]


def profile(local: np.ndarray, faces: np.ndarray, angle: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """The half plane at an angle about the third axis, as it cuts a mesh.

    Closed polygons (n, 2), radius and height, each with the row number (n,) of the triangle from each point to the
    next, -1 on the axis.
    """
    c, s = np.cos(angle), np.sin(angle)
    turned = local @ np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    halves = [_right_half(polygon[:, ::-1], rows) for polygon, rows in traced_section(turned, faces, 1, 0.0)]
    return [(half, rows) for half, rows in halves if len(half) >= 3 and abs(polygon_area(half)) >= LEAST_AREA]


def _right_half(polygon: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of a closed polygon (n, 2) whose first coordinate is not negative, its sides with their rows."""
    points, kept = [], []
    for (ax, ay), (bx, by), row in zip(polygon, np.roll(polygon, -1, axis=0), rows, strict=True):
        if ax >= 0:
            points.append((ax, ay))
            kept.append(row)
        if (ax >= 0) != (bx >= 0):
            points.append((0.0, ay + ax / (ax - bx) * (by - ay)))
            kept.append(row if bx >= 0 else -1)
    return np.array(points).reshape(-1, 2), np.array(kept, dtype=int)


def nested(polygons: Labelled, curve_of) -> tuple[Ring, ...]:
    """The outlines of labelled polygons, outer ones first."""
    traced = [(polygon, traced_outline(polygon, labels, curve_of)) for polygon, labels in polygons]
    fitted = [(polygon, outline) for polygon, outline in traced if outline is not None]
    rings = []
    for polygon, outline in fitted:
        depth = sum(bool(other.inside(polygon[:1])[0]) for _, other in fitted if other is not outline)
        rings.append(Ring(outline, depth % 2 == 0, depth))
    return tuple(sorted(rings, key=lambda ring: ring.depth))
