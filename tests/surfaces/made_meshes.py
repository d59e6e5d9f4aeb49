"""Meshes that tests make themselves: vertices (V, 3) and faces (F, 3) that look outwards."""

import numpy as np
from manifold3d import CrossSection, Manifold, OpType

Add = OpType.Add


def arrays(solid: Manifold):
    """(vertices (V, 3), faces (F, 3)) in float64, of float32 coordinates."""
    mesh = solid.to_mesh()
    return np.asarray(mesh.vert_properties[:, :3], dtype=float), np.asarray(mesh.tri_verts, dtype=np.int64)


def box(x, y, z):
    return arrays(Manifold.cube([x, y, z], True))


def prism(sides: int, radius: float = 10.0, height: float = 20.0):
    """A right prism with its `sides` corners on a circle."""
    return arrays(Manifold.cylinder(height, radius, radius, sides))


def frustum(low: float, high: float, height: float, sides: int = 36):
    return arrays(Manifold.cylinder(height, low, high, sides))


def turned(profile, sides: int):
    """Profile (P, 2) of (radius, height), counter-clockwise, turned about z with exact vertices in float64."""
    profile = np.asarray(profile, dtype=float)
    angle = 2 * np.pi * np.arange(sides) / sides
    rings = np.stack([profile[:, :1] * np.cos(angle), profile[:, :1] * np.sin(angle),
                      np.broadcast_to(profile[:, 1:], (len(profile), sides))], axis=2)  # (P, sides, 3)  # fmt: skip
    p, s = np.meshgrid(np.arange(len(profile)), np.arange(sides), indexing="ij")
    here, up = p * sides + s, (p + 1) % len(profile) * sides + s
    here_next, up_next = p * sides + (s + 1) % sides, (p + 1) % len(profile) * sides + (s + 1) % sides
    faces = np.concatenate([np.stack([here, here_next, up], -1).reshape(-1, 3),
                            np.stack([here_next, up_next, up], -1).reshape(-1, 3)])  # fmt: skip
    return merged(rings.reshape(-1, 3), faces)


def merged(vertices, faces):
    """The same with equal vertices made one and collapsed faces dropped."""
    _, first, number = np.unique(vertices.round(9), axis=0, return_index=True, return_inverse=True)
    faces = number.ravel()[faces]
    whole = (faces != np.roll(faces, 1, axis=1)).all(axis=1)
    return vertices[first], faces[whole]


def arc(centre, radius, start, end, steps):
    """Points (steps + 1, 2) of an arc, degrees."""
    angle = np.radians(np.linspace(start, end, steps + 1))
    return np.asarray(centre) + radius * np.column_stack([np.cos(angle), np.sin(angle)])


def sphere(radius: float, steps: int = 16):
    return turned(arc((0, 0), radius, -90, 90, steps), 2 * steps)


def torus(major: float, minor: float, sides: int = 36, steps: int = 16):
    return turned(arc((major, 0), minor, 0, 360, steps)[:-1], sides)


def extruded(outline, height: float):
    """An outline (P, 2), counter-clockwise, from z = 0 up to `height`."""
    return arrays(Manifold.extrude(CrossSection([np.asarray(outline, dtype=float)]), height))


def rounded_plate(x: float, y: float, radius: float, height: float, steps: int):
    """A plate with rounded vertical edges."""
    corners = [(x - radius, radius, -90), (x - radius, y - radius, 0), (radius, y - radius, 90), (radius, radius, 180)]
    return extruded(np.concatenate([arc((a, b), radius, c, c + 90, steps) for a, b, c in corners]), height)


def moved(mesh, rotation=None, shift=(0, 0, 0), scale: float = 1.0):
    vertices, faces = mesh
    rotation = np.eye(3) if rotation is None else rotation
    return scale * vertices @ rotation.T + np.asarray(shift, dtype=float), faces


def stored(mesh):
    """As a binary STL stores it: corners rounded to float32."""
    return mesh[0].astype(np.float32).astype(float), mesh[1]
