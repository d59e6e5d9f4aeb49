"""Analytic surfaces, and the faces of a mesh on them."""

from dataclasses import dataclass, field
from math import cos, inf, sin
from typing import ClassVar

import numpy as np


@dataclass(frozen=True, eq=False)
class Plane:
    """All points x with (x - point) . normal = 0; `normal` looks out of the part."""

    point: np.ndarray  # (3,)
    normal: np.ndarray  # (3,), unit length
    kind: ClassVar[str] = "plane"

    def signed(self, points: np.ndarray) -> np.ndarray:
        """Signed distances (N,) of points (N, 3)."""
        return (points - self.point) @ self.normal

    def normals(self, points: np.ndarray) -> np.ndarray:
        """Unit normals (N, 3) of the surface nearest to points (N, 3)."""
        return np.broadcast_to(self.normal, points.shape)

    @property
    def origin(self) -> np.ndarray:
        return self.point

    @property
    def bends(self) -> tuple[float, float]:
        """Smallest and largest radius of curvature, infinite where it depends on the place."""
        return inf, inf


@dataclass(frozen=True, eq=False)
class Cylinder:
    """A round cylinder without ends; `point` is the middle of the face's height on the axis."""

    point: np.ndarray  # (3,)
    direction: np.ndarray  # (3,), unit length
    radius: float
    kind: ClassVar[str] = "cylinder"

    def signed(self, points: np.ndarray) -> np.ndarray:
        return heights_and_radii(points, self.point, self.direction)[1] - self.radius

    def normals(self, points: np.ndarray) -> np.ndarray:
        return polar(points, self.point, self.direction)[2]

    @property
    def origin(self) -> np.ndarray:
        return self.point

    @property
    def bends(self) -> tuple[float, float]:
        return self.radius, self.radius


@dataclass(frozen=True, eq=False)
class Cone:
    """One half of a round cone: it opens from `apex` along `direction`, `half_angle` in radians."""

    apex: np.ndarray  # (3,)
    direction: np.ndarray  # (3,), unit length
    half_angle: float
    kind: ClassVar[str] = "cone"

    def signed(self, points: np.ndarray) -> np.ndarray:
        height, radius, _ = heights_and_radii(points, self.apex, self.direction)
        return radius * cos(self.half_angle) - height * sin(self.half_angle)

    def normals(self, points: np.ndarray) -> np.ndarray:
        _, _, outward = polar(points, self.apex, self.direction)
        return outward * cos(self.half_angle) - self.direction * sin(self.half_angle)

    @property
    def origin(self) -> np.ndarray:
        return self.apex

    @property
    def bends(self) -> tuple[float, float]:
        return inf, inf


@dataclass(frozen=True, eq=False)
class Sphere:
    centre: np.ndarray  # (3,)
    radius: float
    kind: ClassVar[str] = "sphere"

    def signed(self, points: np.ndarray) -> np.ndarray:
        return np.linalg.norm(points - self.centre, axis=-1) - self.radius

    def normals(self, points: np.ndarray) -> np.ndarray:
        return unit_length(points - self.centre)

    @property
    def origin(self) -> np.ndarray:
        return self.centre

    @property
    def bends(self) -> tuple[float, float]:
        return self.radius, self.radius


@dataclass(frozen=True, eq=False)
class Torus:
    """A circle of radius `minor` turned about the axis at the distance `major`."""

    centre: np.ndarray  # (3,)
    direction: np.ndarray  # (3,), unit length
    major: float
    minor: float
    kind: ClassVar[str] = "torus"

    def signed(self, points: np.ndarray) -> np.ndarray:
        height, radius, _ = heights_and_radii(points, self.centre, self.direction)
        return np.hypot(radius - self.major, height) - self.minor

    def normals(self, points: np.ndarray) -> np.ndarray:
        height, radius, outward = polar(points, self.centre, self.direction)
        return unit_length((radius - self.major)[..., None] * outward + height[..., None] * self.direction)

    @property
    def origin(self) -> np.ndarray:
        return self.centre

    @property
    def bends(self) -> tuple[float, float]:
        return self.minor, self.major + self.minor


Surface = Plane | Cylinder | Cone | Sphere | Torus


@dataclass(frozen=True, eq=False)
class AnalyticFace:
    """One connected region of triangles on one surface."""

    surface: Surface
    triangles: np.ndarray  # (K,) row numbers of the mesh's faces, rising
    area: float
    concave: bool  # the part's matter surrounds the surface's axis or centre, as in a hole; False for a plane
    span: float  # angle about the axis that the triangles cover, radians; 2 pi for a plane and a sphere
    closed: bool  # a full turn about the axis
    heights: tuple[float, float]  # lowest and highest along the axis, from the surface's point, apex or centre
    residual: float  # largest distance of a corner of the triangles from the surface

    @property
    def kind(self) -> str:
        return self.surface.kind


@dataclass(frozen=True)
class Contact:
    """Two faces that share edges."""

    first: int  # row numbers in `Segmentation.faces`, first < second
    second: int
    length: float  # length of the shared edges
    angle: float  # radians between the normals across the shared edges, the mean; 0 goes straight on
    convex: bool  # the shared edges stick out of the part
    smooth: bool  # tangent: the surfaces' own normals agree along the shared edges


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Faces of a mesh, largest first, and the rest."""

    faces: tuple[AnalyticFace, ...]
    unclaimed: np.ndarray  # (U,) row numbers of triangles on no analytic surface: free form
    contacts: tuple[Contact, ...]
    tolerance: float  # distance from its surface up to which a corner counts as on it, in the mesh's units
    labels: np.ndarray = field(repr=False)  # (F,) row number of each triangle's face, -1 for unclaimed


def unit_length(vectors: np.ndarray) -> np.ndarray:
    length = np.sqrt(np.einsum("...x,...x->...", vectors, vectors))
    return vectors / np.maximum(length, 1e-300)[..., None]


def polar(points: np.ndarray, origin: np.ndarray, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(height (N,) along an axis, distance (N,) from it, unit vectors (N, 3) away from it) of points (N, 3)."""
    height, radius, away = heights_and_radii(points, origin, direction)
    return height, radius, away / np.maximum(radius, 1e-300)[..., None]


def heights_and_radii(
    points: np.ndarray, origin: np.ndarray, direction: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(height (N,) along an axis, distance (N,) from it, vectors (N, 3) of this length away from it)."""
    offset = points - origin
    height = offset @ direction
    away = offset - height[..., None] * direction
    return height, np.sqrt(np.einsum("...x,...x->...", away, away)), away
