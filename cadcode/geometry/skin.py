"""Faces of a mesh that approximate curved ones, through holes, and samples with their faces."""

import numpy as np
import trimesh

from cadcode.geometry.shape import Shape

SMOOTH = np.radians(1.0), np.radians(31.0)  # the bend between two strips of a round wall
ALIKE = 3.0  # largest ratio of the areas of two strips of one wall


def curved_faces(shape: Shape) -> np.ndarray:
    """Whether each triangle (F,) is part of a round wall: flat strips that bend little to one of similar area."""
    mesh = trimesh.Trimesh(shape.vertices, shape.faces, process=False)
    angles, pairs = mesh.face_adjacency_angles, mesh.face_adjacency
    flat = trimesh.graph.connected_component_labels(pairs[angles <= SMOOTH[0]], node_count=len(mesh.faces))
    area = np.bincount(flat, mesh.area_faces)
    a, b = flat[pairs[(angles > SMOOTH[0]) & (angles < SMOOTH[1])]].T
    alike = np.maximum(area[a], area[b]) < ALIKE * np.minimum(area[a], area[b])
    strips = np.zeros(len(area), bool)
    strips[a[alike]] = strips[b[alike]] = True
    return strips[flat]


def through_holes(shape: Shape) -> int | None:
    """The genus of a closed mesh, summed over its pieces; None for one that is not closed."""
    mesh = trimesh.Trimesh(shape.vertices, shape.faces)  # merges equal vertices
    return mesh.body_count - mesh.euler_number // 2 if mesh.is_watertight else None


def sample_faces(shape: Shape, count: int, rng: np.random.Generator):
    """Points (count, 3) uniform over the area, the normals (count, 3) and the numbers (count,) of their triangles."""
    mesh = trimesh.Trimesh(shape.vertices, shape.faces, process=False)
    points, faces = trimesh.sample.sample_surface(mesh, count, seed=int(rng.integers(2**31)))
    return np.asarray(points), mesh.face_normals[faces], faces
