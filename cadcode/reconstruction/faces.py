"""Face check of a result: analytic faces of the input that it reproduces, and those that it does not."""

import numpy as np

from cadcode.surfaces import FaceCheck, Reading, compare_faces, read_faces, segment

MOST_TRIANGLES = 60_000  # of either mesh; reading more takes seconds


def read(vertices: np.ndarray, faces: np.ndarray) -> Reading | None:
    """The analytic faces of a mesh with vertices (V, 3) and faces (F, 3); None for a large one, and without faces."""
    if not 0 < len(faces) <= MOST_TRIANGLES:
        return None
    return read_faces(vertices, faces, segment(vertices, faces))


def check_faces(given: Reading | None, vertices: np.ndarray, faces: np.ndarray) -> FaceCheck | None:
    """The faces of an input against those of a result's mesh; None where either are not read."""
    result = None if given is None else read(vertices, faces)
    return None if result is None else compare_faces(given, result)
