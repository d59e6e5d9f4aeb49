"""Data of the 3D view of a part: small meshes of input and result, coloured by their distance to each other.

A view is one array of uint16, little-endian, delta-encoded and deflated: the longest edge, then for the input, and for
the result if it exists, the counts of vertices, faces (0: a cloud) and colours; x, y and z of the vertices; first,
second and third corners of the faces; the colours, 0 to 255, of all vertices, including those that `split` adds.
`page/view.js` reads it.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from cadcode.geometry.distance import Surface, cloud_surface, mesh_surface

GRID = 65535  # steps along the longest side of the box around both
FACES = 6000  # maximum faces of a mesh; finer meshes are simplified
POINTS = 3000  # maximum points of a cloud
PIECES = 24000  # maximum triangles after splitting for colours
EDGE = 1 / 24  # share of the longest side: edge length of these triangles, unless they are too many
LEAST = 0.005  # share of the longest side: lower limit of the distance with the last colour
CELLS = 160  # cells along the longest side in the first simplification grid
SEARCHED = 2048  # points that speed up the search for the nearest triangle


@dataclass(frozen=True, eq=False)
class _Shape:
    """Vertices (V, 3) in whole steps of the grid as floats, and faces (F, 3), empty for a cloud."""

    vertices: np.ndarray
    faces: np.ndarray


def view_bytes(shape, result=None, largest: float = 0.0) -> bytes:
    """View of an input and an optional result, each (vertices (V, 3), faces (F, 3) or None for a cloud).

    `largest` is the distance with the last colour, in input units. Colours show distances of the simplified meshes; the
    numbers of the table come from the full meshes.
    """
    shapes = [_simple(*mesh) for mesh in (shape, result) if mesh is not None]
    corners = np.concatenate([mesh.vertices for mesh in shapes])
    low, side = corners.min(axis=0), float(np.ptp(corners, axis=0).max()) or 1.0
    shapes = [_Shape(np.round((mesh.vertices - low) / side * GRID), mesh.faces) for mesh in shapes]
    edge = _edge(shapes)
    points = [split(mesh.vertices, mesh.faces, edge)[0] for mesh in shapes]
    colours = [np.zeros(len(p)) for p in points]
    if len(shapes) == 2 and largest > 0:
        surfaces = [_surface(mesh) for mesh in shapes]
        colours = [
            255 * other.distances(p) / (largest / side * GRID) for p, other in zip(points, surfaces[::-1], strict=True)
        ]
    arrays = [np.array([edge])]
    for mesh, colour in zip(shapes, colours, strict=True):
        arrays.append(np.array([len(mesh.vertices), len(mesh.faces), len(colour)]))
        arrays += [mesh.vertices.T.ravel(), mesh.faces.T.ravel(), np.round(colour).clip(0, 255)]
    steps = np.diff(np.concatenate(arrays).astype("<u2"), prepend=np.uint16(0))  # compress better than the values
    return zlib.compress(steps.astype("<u2").tobytes(), 9)


def largest_colour(max_deviation: float, extents) -> float:
    """Distance with the last colour: the largest distance, with a visible lower limit."""
    return max(max_deviation, LEAST * max(extents))


def split(points: np.ndarray, faces: np.ndarray, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """Bisect triangles at their longest edge until no edge is longer than `edge`; returns points (P, 3), faces (F, 3).

    New points are ordered by first use, level by level, as in `view.js`.
    """
    done = []
    while len(faces):
        corners = points[faces]
        sides = ((corners - np.roll(corners, -1, axis=1)) ** 2).sum(axis=2)  # (F, 3) of edges 0-1, 1-2, 2-0
        long = sides.max(axis=1) > edge**2
        done.append(faces[~long])
        first = sides[long].argmax(axis=1)[:, None]
        a, b, c = np.take_along_axis(faces[long], (first + np.arange(3)) % 3, axis=1).T
        ends, places = _in_order(np.sort(np.stack((a, b), axis=1), axis=1))
        middle = len(points) + places
        points = np.concatenate((points, points[ends].mean(axis=1)))
        faces = np.stack((a, middle, c, middle, b, c), axis=1).reshape(-1, 3)
    return points, np.concatenate(done) if done else faces


def _in_order(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct pairs (M, 2) of pairs (N, 2) in order of first appearance, and the index (N,) of each."""
    _, first, which = np.unique(pairs[:, 0] << 32 | pairs[:, 1], return_index=True, return_inverse=True)
    order = np.argsort(first)
    return pairs[first[order]], np.argsort(order)[which.ravel()]


def _edge(shapes: list[_Shape]) -> int:
    edge = GRID * EDGE
    while sum(len(split(mesh.vertices, mesh.faces, edge)[1]) for mesh in shapes) > PIECES and edge < GRID:
        edge *= 1.5
    return min(int(edge), GRID)


def _surface(shape: _Shape) -> Surface:
    rng, (a, b, c) = np.random.default_rng(0), np.moveaxis(shape.vertices[shape.faces], 1, 0)
    if np.cross(b - a, c - a).any():
        return mesh_surface(shape.vertices, shape.faces, SEARCHED, rng)
    return cloud_surface(shape.vertices, SEARCHED, rng)


# --- simplification --------------------------------------------------------------------------------------------------


def _simple(vertices, faces) -> _Shape:
    vertices = np.asarray(vertices, dtype=float)
    if faces is None or not len(faces):
        kept = np.linspace(0, len(vertices) - 1, min(len(vertices), POINTS)).astype(int)
        return _Shape(vertices[kept], np.empty((0, 3), dtype=int))
    return _Shape(*simplified(vertices, np.asarray(faces, dtype=np.int64), FACES))


def simplified(vertices: np.ndarray, faces: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """A similar mesh of about `most` faces or fewer; a mesh that is small enough is unchanged.

    Vertices in one grid cell are merged into the point nearest to the planes of their faces (Lindstrom 2000,
    "Out-of-core simplification of large polygonal models"), on coarser and coarser grids.
    """
    cells: float = CELLS
    while len(faces) > most and cells > 4:
        vertices, faces = _clustered(vertices, faces, int(cells))
        cells /= 1.5
    return _compact(vertices, faces)


def _clustered(vertices: np.ndarray, faces: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    low = vertices.min(axis=0)
    place = ((vertices - low) / np.ptp(vertices, axis=0).max() * (cells - 1e-6)).astype(np.int64)
    _, cell = np.unique(place @ (1, cells, cells**2), return_inverse=True)
    cell = cell.ravel()
    kept = np.sort(cell[faces], axis=1)
    kept = (kept[:, 0] < kept[:, 1]) & (kept[:, 1] < kept[:, 2])
    return _compact(_meeting_points(vertices, faces, cell), cell[faces[kept]])


def _meeting_points(vertices: np.ndarray, faces: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Points (C, 3): for each cell the point nearest to the planes of its faces, weighted by area, else to its mean."""
    count, (a, b, c) = int(cell.max()) + 1, np.moveaxis(vertices[faces], 1, 0)
    owner, normals = cell[faces].ravel(), np.repeat(np.cross(b - a, c - a), 3, axis=0)

    def summed(values: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(owner, column, count) for column in values.T], axis=1)

    mean = np.stack([np.bincount(cell, column, count) for column in vertices.T], axis=1) / np.bincount(cell)[:, None]
    corners = vertices[faces].reshape(-1, 3) - mean[owner]
    matrix = summed((normals[:, :, None] * normals[:, None, :]).reshape(-1, 9)).reshape(-1, 3, 3)
    right = summed(normals * (normals * corners).sum(axis=1, keepdims=True))
    moved = np.einsum("cij,cj->ci", np.linalg.pinv(matrix, rcond=0.05, hermitian=True), right)
    reach = np.zeros(count)
    np.maximum.at(reach, cell, np.linalg.norm(vertices - mean[cell], axis=1))
    far = np.linalg.norm(moved, axis=1) > 1.01 * reach  # nearly parallel planes
    return mean + np.where(far[:, None], 0, moved)


def _compact(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mesh without duplicate faces and unused vertices; without faces, all vertices are kept."""
    if not len(faces):
        return vertices, faces
    faces = faces[np.sort(np.unique(np.sort(faces, axis=1), axis=0, return_index=True)[1])]
    used, places = np.unique(faces, return_inverse=True)
    return vertices[used], places.reshape(-1, 3)
