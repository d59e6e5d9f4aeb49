"""The volume that a cloud encloses, as a goal: with an inside, clouds have sections and residuals as meshes do.

What comes of it are drafts. Between points the volume is a guess, so these are refined on the points themselves.
"""

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from cadcode.geometry.enclosing import enclosed
from cadcode.geometry.frame import Frame
from cadcode.geometry.io.load import Shape
from cadcode.geometry.sampling import sample_surface
from cadcode.search.surface_goal import NEIGHBOURS, CloudFit, scatter
from cadcode.search.volume_goal import Fit, FitOptions, measure_fit

MOST_POINTS = 8000
UPRIGHT = 0.95  # cosine between an axis and the normal of a point on a plane across it
LEAST_SHARE = 0.01  # of the points, on a plane that counts


def enclosed_fit(shape: Shape, frame: Frame, cloud: CloudFit, options: FitOptions) -> Fit | None:
    """The goal for a cloud; None where its points enclose nothing."""
    rng = np.random.default_rng([options.seed, 4])
    found = enclosed(sample_surface(shape, min(MOST_POINTS, len(shape.vertices)), rng)[0])
    if found is None:
        return None
    vertices, faces = found
    fit = measure_fit(replace(shape, vertices=vertices, faces=faces, normals=None, watertight=True), frame, options)
    planes = point_planes(frame.to_program(vertices), cloud.blur)
    surface = cloud.surface[: options.surface_points]
    return replace(fit, surface=surface, planes=planes, blur=cloud.blur, roughness=cloud.spacing + 2 * cloud.blur)


def point_planes(points: np.ndarray, blur: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per axis, sorted, where many of the points (N, 3) lie that have their neighbours in a plane across it."""
    groups = points[cKDTree(points).query(points, min(NEIGHBOURS, len(points)))[1]]
    normals = np.linalg.eigh(scatter(groups))[1][:, :, 0]
    upright, least = np.abs(normals) > UPRIGHT, LEAST_SHARE * len(points)
    return tuple(_peaks(np.sort(points[upright[:, axis], axis]), 2 * blur, least) for axis in range(3))


def _peaks(values: np.ndarray, width: float, least: float) -> np.ndarray:
    """Medians of the windows of a `width` that hold most of the sorted values, at least `least`, and lie apart."""
    found = []
    while len(values):
        ends = np.searchsorted(values, values + width, side="right")
        first = int((ends - np.arange(len(values))).argmax())
        if ends[first] - first < least:
            break
        found.append(float(np.median(values[first : ends[first]])))
        values = values[np.abs(values - found[-1]) > 1.5 * width]
    return np.sort(found)
