"""What the page's 3D view needs of a part: small meshes of input and result, coloured by their distance to each other.

A view is one array of uint16, little-endian, each less the one before it, deflated: the longest edge, then for the
input, and for the result where there is one, the counts of vertices, faces (0: a cloud) and colours; the vertices' x, y
and z; the faces' first, second and third corners; the colours, 0 to 255, of all vertices with those that `split` adds.
`page/view.js` reads it.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from cadcode.geometry.distance import Surface, cloud_surface, mesh_surface

GRID = 65535  # steps along the longest side of the box around both
FACES = 6000  # of a mesh at most; finer ones are simplified
POINTS = 3000  # of a cloud at most
PIECES = 24000  # triangles that colours may need
EDGE = 1 / 24  # of the longest side: the size of those triangles, where they are not too many
LEAST = 0.005  # of the longest side: distances that are drawn like the largest one, if that is smaller still
CELLS = 160  # along the longest side, of the first grid that simplifies
SEARCHED = 2048  # points that speed up the search for the nearest triangle


@dataclass(frozen=True, eq=False)
class _Shape:
    """Vertices (V, 3) in whole steps of the grid as floats, and faces (F, 3); of a cloud none."""

    vertices: np.ndarray
    faces: np.ndarray


def view_bytes(shape, result=None, largest: float = 0.0) -> bytes:
    """The view of an input and perhaps a result, each (vertices (V, 3), faces (F, 3) or None for a cloud).

    `largest` is the distance that gets the last colour, in their units. Meshes are simplified, so colours are those of
    what is shown, good for looking; the numbers of the table come from the whole meshes.
    """
    shapes = [_simple(*mesh) for mesh in (shape, result) if mesh is not None]
    corners = np.concatenate([one.vertices for one in shapes])
    low, side = corners.min(axis=0), float(np.ptp(corners, axis=0).max()) or 1.0
    shapes = [_Shape(np.round((one.vertices - low) / side * GRID), one.faces) for one in shapes]
    edge = _edge(shapes)
    points = [split(one.vertices, one.faces, edge)[0] for one in shapes]
    colours = [np.zeros(len(p)) for p in points]
    if len(shapes) == 2 and largest > 0:
        surfaces = [_surface(one) for one in shapes]
        colours = [
            255 * other.distances(p) / (largest / side * GRID) for p, other in zip(points, surfaces[::-1], strict=True)
        ]
    arrays = [np.array([edge])]
    for one, colour in zip(shapes, colours, strict=True):
        arrays.append(np.array([len(one.vertices), len(one.faces), len(colour)]))
        arrays += [one.vertices.T.ravel(), one.faces.T.ravel(), np.round(colour).clip(0, 255)]
    steps = np.diff(np.concatenate(arrays).astype("<u2"), prepend=np.uint16(0))  # pack better than the numbers
    return zlib.compress(steps.astype("<u2").tobytes(), 9)


def largest_colour(max_deviation: float, extents) -> float:
    """The distance with the last colour: the largest one, unless it is too small to matter to the eye."""
    return max(max_deviation, LEAST * max(extents))


def split(points: np.ndarray, faces: np.ndarray, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """Halve triangles at their longest edge until none is longer than `edge`: points (P, 3), faces (F, 3) of all.

    New points come in the order in which the triangles, level by level, first need them: `view.js` does the same.
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
    """The different ones of pairs (N, 2) as they first appear, and for each of N which it is."""
    _, first, which = np.unique(pairs[:, 0] << 32 | pairs[:, 1], return_index=True, return_inverse=True)
    order = np.argsort(first)
    return pairs[first[order]], np.argsort(order)[which.ravel()]


def _edge(shapes: list[_Shape]) -> int:
    edge = GRID * EDGE
    while sum(len(split(one.vertices, one.faces, edge)[1]) for one in shapes) > PIECES and edge < GRID:
        edge *= 1.5
    return min(int(edge), GRID)


def _surface(shape: _Shape) -> Surface:
    rng, (a, b, c) = np.random.default_rng(0), np.moveaxis(shape.vertices[shape.faces], 1, 0)
    if np.cross(b - a, c - a).any():
        return mesh_surface(shape.vertices, shape.faces, SEARCHED, rng)
    return cloud_surface(shape.vertices, SEARCHED, rng)


# --- fewer triangles -------------------------------------------------------------------------------------------------


def _simple(vertices, faces) -> _Shape:
    vertices = np.asarray(vertices, dtype=float)
    if faces is None or not len(faces):
        kept = np.linspace(0, len(vertices) - 1, min(len(vertices), POINTS)).astype(int)
        return _Shape(vertices[kept], np.empty((0, 3), dtype=int))
    return _Shape(*simplified(vertices, np.asarray(faces, dtype=np.int64), FACES))


def simplified(vertices: np.ndarray, faces: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """A mesh of about `most` faces or fewer that looks alike; one that is small enough stays as it is.

    Vertices in one cell of a grid become one, where the planes of their faces meet (Lindstrom 2000, "Out-of-core
    simplification of large polygonal models"); then those of a coarser grid, until there are few enough.
    """
    cells = CELLS
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
    """For each cell the point nearest to the planes of its faces, weighted by area, and else to its mean. (C, 3)"""
    count, a, b, c = cell.max() + 1, *np.moveaxis(vertices[faces], 1, 0)
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
    far = np.linalg.norm(moved, axis=1) > 1.01 * reach  # planes that hardly meet
    return mean + np.where(far[:, None], 0, moved)


def _compact(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Without faces that are there twice and vertices that no face has; without faces all vertices."""
    if not len(faces):
        return vertices, faces
    faces = faces[np.sort(np.unique(np.sort(faces, axis=1), axis=0, return_index=True)[1])]
    used, places = np.unique(faces, return_inverse=True)
    return vertices[used], places.reshape(-1, 3)
