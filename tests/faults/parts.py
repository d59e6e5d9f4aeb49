"""The parts that faulty files are made of: plain meshes, exact, closed and turned outwards."""

import manifold3d
import numpy as np

EXTENTS = (60.0, 40.0, 40.0)  # of the bracket, whose box begins at (-30, -20, 0)


def bracket():
    """(vertices (V, 3), faces (F, 3)) of an L of 6 mm with four holes, mm."""
    cube = manifold3d.Manifold.cube
    solid = cube((60, 40, 6)).translate((-30, -20, 0)) + cube((6, 40, 40)).translate((-30, -20, 0))
    for x in (0.0, 20.0):
        for y in (-10.0, 10.0):
            solid -= manifold3d.Manifold.cylinder(20, 3, circular_segments=48).translate((x, y, -5))
    return arrays(solid)


def box(size=(20.0, 20.0, 20.0), at=(0.0, 0.0, 0.0)):
    """(vertices, faces) of a box with its lowest corner at a place."""
    return arrays(manifold3d.Manifold.cube(size).translate(at))


def arrays(solid: manifold3d.Manifold):
    """(vertices (V, 3) float64, faces (F, 3) int64) of a solid."""
    mesh = solid.to_mesh64()
    return np.array(mesh.vert_properties)[:, :3].copy(), np.array(mesh.tri_verts).astype(np.int64)


def volume(mesh) -> float:
    """By the divergence theorem."""
    a, b, c = np.moveaxis(mesh[0][mesh[1]], 1, 0)
    return float(np.einsum("fi,fi->", a, np.cross(b, c)) / 6)


BRACKET = bracket()
VOLUME = volume(BRACKET)
