"""Frames in which the input is looked at: its own, and one for each oblique direction of its faces.

In a view, an oblique hole or boss is upright, so it is read and proposed as any other feature and then placed.
"""

from dataclasses import dataclass, replace

import numpy as np

from cadcode.program.feature import Feature
from cadcode.program.features.tilted import tilted
from cadcode.program.place import Placement
from cadcode.search.from_sections import Planes, Sections, axis_aligned_planes
from cadcode.surfaces import Cone, Cylinder, Segmentation, Torus, moved_segmentation, relate

OBLIQUE = 0.99999  # cosine of the angle to the nearest coordinate axis, below which a direction is oblique
MOST_VIEWS = 4
LEAST_AREA = 0.002  # of the surface, of the faces of an oblique direction
PLANE_AREA = 0.002  # of the surface, for a plane of a view to count
UPRIGHT = (0, 1, 2)
ALONG = (2,)  # in an oblique view, features are looked for along its own direction only


@dataclass(frozen=True, eq=False)
class View:
    """A mesh in a frame of its own; `place` is that frame in the program's, None where it is the same."""

    mesh: Sections
    planes: Planes
    axes: tuple[int, ...] = UPRIGHT  # along which features are looked for
    place: Placement | None = None

    def local(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 3) of the program frame in the view's."""
        return points if self.place is None else self.place.local(points)

    def placed(self, feature: Feature) -> Feature:
        """A feature of the view's frame in the program's."""
        return feature if self.place is None else tilted(feature, self.place)


def views_of(mesh: Sections, planes: Planes) -> list[View]:
    """The mesh as it is, and turned to its oblique directions, those with the largest faces first."""
    read = mesh.segmentation
    if read is None:
        return [View(mesh, planes)]
    return [View(mesh, planes), *(_view(mesh, direction) for direction in oblique_directions(read))]


def oblique_directions(read: Segmentation) -> list[np.ndarray]:
    """Directions (3,) of round faces that are along no coordinate axis."""
    whole, found = sum(face.area for face in read.faces), []
    for group in relate(read).directions:
        area = sum(read.faces[row].area for row in group.faces)
        is_round = any(isinstance(read.faces[row].surface, Cylinder | Cone | Torus) for row in group.faces)
        if is_round and np.abs(group.direction).max() < OBLIQUE and area > LEAST_AREA * whole:
            found.append((area, group.direction))
    found.sort(key=lambda pair: -pair[0])
    return [direction for _, direction in found[:MOST_VIEWS]]


def _view(mesh: Sections, direction: np.ndarray) -> View:
    """The mesh turned so that a direction is z; x is level where it can be."""
    place = Placement.of((0.0, 0.0, 0.0), _frame(direction))
    rotation = place.rotation.T
    vertices = mesh.vertices @ rotation.T
    known = moved_segmentation(mesh.segmentation, rotation, 1.0, np.zeros(3))
    turned = replace(mesh, vertices=vertices, known=known)
    return View(turned, axis_aligned_planes(vertices, mesh.faces, PLANE_AREA), ALONG, place)


def _frame(direction: np.ndarray) -> np.ndarray:
    """A rotation (3, 3) whose last column is the direction and whose first is perpendicular to a coordinate axis."""
    way = direction * np.sign(direction[np.abs(direction).argmax()])
    level = np.cross(np.eye(3)[np.abs(way).argmin()], way)
    x = level / np.linalg.norm(level)
    return np.stack([x, np.cross(way, x), way], axis=1)
