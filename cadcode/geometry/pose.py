"""Pose of tilted parts: the frame in which most of the surface is vertical or horizontal, from the flat faces."""

from dataclasses import dataclass, replace

import numpy as np

from cadcode.geometry.mesh import double_area_vectors

PARALLEL = 0.99999  # cosine of the angle between normals that are one direction
TRIED = 12  # directions, those with most area first
BETTER = 0.2  # share of the surface that the pose has to align beyond the axes of the file
LEAST = 0.05  # of the surface, for a direction to count


@dataclass(frozen=True, eq=False)
class Pose:
    """A part's own frame: the rows of `rotation` (3, 3) are its axes in the world, `origin` (3,) is a point there."""

    rotation: np.ndarray
    origin: np.ndarray

    def to_own(self, shape):
        """The same shape in this frame."""
        normals = None if shape.normals is None else shape.normals @ self.rotation.T
        return replace(shape, vertices=(shape.vertices - self.origin) @ self.rotation.T, normals=normals)


def pose_of(shape) -> Pose | None:
    """The pose of a tilted mesh, with its origin in the middle of its box; None for other meshes and for clouds.

    Candidate directions are the normals of flat faces, by area. One is an axis of the pose if much more of the surface
    is parallel or perpendicular to it than to any axis of the file; the second is the largest direction across it.
    """
    if shape.is_cloud:
        return None
    normals, areas = _normals(shape.vertices, shape.faces)
    directions, weights = _directions(normals, areas)
    if not len(directions):
        return None
    shares = [_prismatic(normals, areas, direction) for direction in directions]
    least = max(_prismatic(normals, areas, axis) for axis in np.eye(3)) + BETTER
    if max(shares) < least:
        return None
    up = directions[int(np.argmax(shares))]
    return Pose(_axes(up, directions), shape.bounds.mean(axis=0))


def _normals(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(unit normals (F, 3), areas (F,) as shares of the whole) of the faces that have an area."""
    normals = double_area_vectors(vertices[faces])
    areas = np.linalg.norm(normals, axis=1)
    kept = areas > 0
    return normals[kept] / areas[kept, None], areas[kept] / areas.sum()


def _directions(normals: np.ndarray, areas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(directions (D, 3) that many faces share, either way round, their shares (D,) of the surface), largest first."""
    left = np.ones(len(normals), dtype=bool)
    found, shares = [], []
    for _ in range(TRIED):
        if not left.any():
            break
        seed = normals[np.flatnonzero(left)[areas[left].argmax()]]
        along = normals @ seed
        near = left & (np.abs(along) > PARALLEL)
        share = float(areas[near].sum())
        mean = (areas[near] * np.sign(along[near])) @ normals[near]
        left &= ~near
        if share >= LEAST:
            found.append(mean / np.linalg.norm(mean))
            shares.append(share)
    order = np.argsort(shares)[::-1]
    return np.array(found).reshape(-1, 3)[order], np.array(shares)[order]


def _prismatic(normals: np.ndarray, areas: np.ndarray, axis: np.ndarray) -> float:
    """Share of the surface whose normal is parallel or perpendicular to an axis."""
    along = np.abs(normals @ axis)
    return float(areas[(along > PARALLEL) | (along < np.sqrt(1 - PARALLEL**2))].sum())


def _axes(up: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """A right-handed frame (3, 3), rows x, y, z: z is up, x the largest direction across it or, without one, any."""
    across = np.abs(directions @ up) < np.sqrt(1 - PARALLEL**2)
    x = directions[across][0] if across.any() else np.eye(3)[np.abs(up).argmin()]
    x = x - (x @ up) * up
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(up, x), up])
