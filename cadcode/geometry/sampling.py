"""Points on a surface: area-weighted samples, and the farthest of them as input of the networks."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cadcode.errors import InputError, UsageError
from cadcode.geometry.frame import Frame
from cadcode.geometry.mesh import face_areas
from cadcode.geometry.points import farthest_points
from cadcode.geometry.shape import Shape


@dataclass(frozen=True)
class SamplingOptions:
    """`surface_points` random points on the surface, of which the `model_points` farthest go to the network."""

    surface_points: int = 8192
    model_points: int = 256
    seed: int = 0

    def __post_init__(self):
        if self.surface_points < 1 or self.model_points < 1:
            raise UsageError("surface_points and model_points must be at least 1")
        if self.seed < 0:
            raise UsageError("the seed must not be negative")


def sample_surface(shape: Shape, count: int, rng: np.random.Generator):
    """(points (count, 3), normals (count, 3) or None), float64, in the world frame.

    Meshes: uniform over the area, with the normals of the faces. Clouds: a choice without repetition (with, where the
    cloud has fewer points than `count`), with their own normals if they have some.
    """
    if shape.is_cloud:
        chosen = rng.choice(len(shape.vertices), count, replace=len(shape.vertices) < count)
        return shape.vertices[chosen], None if shape.normals is None else shape.normals[chosen]
    return _sample_triangles(shape.vertices, shape.faces, count, rng)


def _sample_triangles(vertices, faces, count: int, rng: np.random.Generator):
    """Uniform points on triangles: Osada et al. 2002, "Shape Distributions", section 4.2."""
    summed = np.cumsum(face_areas(vertices, faces))
    last = np.searchsorted(summed, summed[-1])  # the last face with an area, should rounding reach the end
    chosen = np.minimum(np.searchsorted(summed, rng.random(count) * summed[-1], side="right"), last)
    a, b, c = vertices[faces[chosen]].transpose(1, 0, 2)  # (count, 3) each
    root, along = np.sqrt(rng.random((count, 1))), rng.random((count, 1))
    points = (1 - root) * a + root * (1 - along) * b + root * along * c
    normals = np.cross(b - a, c - a)
    return points, normals / np.linalg.norm(normals, axis=1, keepdims=True)


def points_with_normals(shape: Shape, frame: Frame, options: SamplingOptions = SamplingOptions()):  # noqa: B008
    """The input of CAD-Recode v1: (options.model_points, 6) float32, random points (model frame) and their normals,
    sorted by z, then y, then x. InputError for a cloud without normals.
    """
    points, normals = sample_surface(shape, options.model_points, np.random.default_rng(options.seed))
    if normals is None:
        raise InputError(shape.path, "has no normals, which this model needs", "use a mesh or another model")
    cloud_model = np.hstack([frame.to_model(points), normals]).astype(np.float32)
    return cloud_model[np.lexsort(cloud_model[:, :3].T)]


def model_points(shape: Shape, frame: Frame, options: SamplingOptions = SamplingOptions()):  # noqa: B008 (frozen)
    """The network's input: (options.model_points, 3) float32 in the model frame, the same for the same seed."""
    points, _ = sample_surface(shape, options.surface_points, np.random.default_rng(options.seed))
    cloud_model = frame.to_model(points).astype(np.float32)
    return cloud_model[farthest_points(cloud_model, options.model_points)]


def nearest_distances(points: np.ndarray, most: int | None = None) -> np.ndarray:
    """Distances of points (N, 3) to their nearest neighbour, (N,); of the first `most` of them where there are more."""
    return cKDTree(points).query(points[:most], 2)[0][:, 1]


def spacing(points: np.ndarray, most: int | None = 20_000) -> float:
    """Mean distance of points (N, 3) to their nearest neighbour; of the first `most` of them where there are more."""
    return float(nearest_distances(points, most).mean())
