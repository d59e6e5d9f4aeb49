"""Face check of a result: analytic faces of the input that it reproduces, and those that it does not."""

import numpy as np

from cadcode.geometry.shape import Shape
from cadcode.reconstruction.candidate import Verified
from cadcode.surfaces import FaceCheck, Reading, compare_faces, read_faces, segment

MOST_TRIANGLES = 60_000  # of either mesh; reading more takes seconds


def check_faces(shape: Shape, chosen: Verified | None) -> FaceCheck | None:
    """Faces of a mesh against those of the result; None for clouds, large meshes, and parts without a result."""
    if chosen is None or shape.is_cloud or max(len(shape.faces), len(chosen.solid.faces)) > MOST_TRIANGLES:
        return None
    result = _read(chosen.solid.vertices, chosen.solid.faces)
    return compare_faces(_read(shape.vertices, shape.faces), result)


def _read(vertices: np.ndarray, faces: np.ndarray) -> Reading:
    return read_faces(vertices, faces, segment(vertices, faces))
