"""Triangles and points into pixels: a z-buffer in numpy, flat shading and dark edges."""

from dataclasses import dataclass

import numpy as np

LIGHT = np.array((-0.35, 0.45, 0.82))  # right, up, towards the viewer
AMBIENT = 0.35
EDGE = 0.45  # how dark edges are
CREASE = 0.9  # cosine between the normals of neighbouring pixels below which there is an edge
STEP = 0.03  # height between neighbouring pixels, in picture widths, above which there is an edge
FRAGMENTS = 2_000_000  # at a time: bounds the memory
FINER = 2  # pixels each way behind one pixel of the picture


@dataclass(frozen=True, eq=False)
class Buffers:
    """The nearest surface of each pixel; flat arrays of size * size."""

    size: int
    height: np.ndarray  # towards the viewer, -inf where there is nothing
    normal: np.ndarray  # (size * size, 3) in the camera's axes; 0 for points of a cloud
    colour: np.ndarray  # (size * size, 3)
    face: np.ndarray  # number of the face drawn last there, -1 where there is none


def empty_buffers(size: int, background) -> Buffers:
    """A square of size * size pixels without anything in it."""
    count = size * size
    colour = np.tile(np.array(background, dtype=float), (count, 1))
    return Buffers(size, np.full(count, -np.inf), np.zeros((count, 3)), colour, np.full(count, -1))


def draw_mesh(buffers: Buffers, pixels: np.ndarray, faces: np.ndarray, colour) -> None:
    """Rasterise faces over `pixels` (V, 3), some triangles at a time."""
    size, faces = buffers.size, faces.reshape(-1, 3)
    numbers = np.flatnonzero(((faces >= 0) & (faces < len(pixels))).all(axis=1))
    triangles = pixels[faces[numbers]]  # (F, 3, 3)
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    drawn = np.isfinite(triangles).all(axis=(1, 2)) & (np.abs(normals[:, 2]) > 1e-12)
    triangles, normals, numbers = triangles[drawn], normals[drawn], numbers[drawn]
    first = np.ceil(triangles[:, :, :2].min(axis=1) - 0.5).clip(0, size).astype(int)  # pixel centres inside the box
    beyond = np.floor(triangles[:, :, :2].max(axis=1) - 0.5).clip(-1, size - 1).astype(int) + 1
    spans = np.maximum(beyond - first, 0)  # (F, 2) columns and rows
    batch = np.cumsum(spans.prod(axis=1)) // FRAGMENTS
    for number in np.unique(batch):
        some = batch == number
        _draw_triangles(buffers, triangles[some], normals[some], numbers[some], first[some], spans[some], colour)


def _draw_triangles(buffers, triangles, normals, numbers, first, spans, colour) -> None:
    """One fragment for each pixel centre in each triangle's box, kept where it is in the triangle and the nearest."""
    size, counts = buffers.size, spans.prod(axis=1)
    owner = np.repeat(np.arange(len(triangles)), counts)
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    row, column = np.divmod(place, spans[owner, 0])
    row, column = row + first[owner, 1], column + first[owner, 0]
    x, y = column + 0.5, row + 0.5
    inside = np.ones(len(owner), dtype=bool)
    facing = np.sign(normals[:, 2])[owner]
    for i in range(3):
        start, edge = triangles[:, i, :2], triangles[:, (i + 1) % 3, :2] - triangles[:, i, :2]
        side = edge[owner, 0] * (y - start[owner, 1]) - edge[owner, 1] * (x - start[owner, 0])
        inside &= side * facing >= -1e-9
    owner, row, x, y = owner[inside], row[inside], x[inside], y[inside]
    corner, normal = triangles[owner, 0], normals[owner]
    height = corner[:, 2] - ((x - corner[:, 0]) * normal[:, 0] + (y - corner[:, 1]) * normal[:, 1]) / normal[:, 2]
    won = _nearest(buffers, row * size + column[inside], height)
    pixel = (row * size + column[inside])[won]
    unit = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    buffers.normal[pixel] = unit[owner[won]] * (1, -1, 1)  # rows run down
    buffers.colour[pixel], buffers.face[pixel] = colour, numbers[owner[won]]


def draw_points(buffers: Buffers, pixels: np.ndarray, colour) -> None:
    """Each point a dot of FINER + 1 pixels, darker further away."""
    size, pixels = buffers.size, pixels[np.isfinite(pixels).all(axis=1)]
    if not len(pixels):
        return
    offsets = np.stack(np.meshgrid(*[np.arange(FINER + 1) - FINER / 2] * 2), axis=-1).reshape(-1, 1, 2)
    columns, rows = np.moveaxis(np.floor(pixels[:, :2] + offsets).astype(int), -1, 0).reshape(2, -1)
    depth = (pixels[:, 2].max() - pixels[:, 2]) / max(np.ptp(pixels[:, 2]), 1e-9)
    shades = np.asarray(colour) * (0.85 - 0.55 * depth[:, None])
    shades, heights = np.tile(shades, (len(offsets), 1)), np.tile(pixels[:, 2], len(offsets))
    seen = (columns >= 0) & (columns < size) & (rows >= 0) & (rows < size)
    pixel = (rows * size + columns)[seen]
    won = _nearest(buffers, pixel, heights[seen])
    buffers.normal[pixel[won]], buffers.face[pixel[won]] = 0, -1
    buffers.colour[pixel[won]] = shades[seen][won]


def _nearest(buffers: Buffers, pixel: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Enter fragments into the height buffer; which of them are now the nearest of their pixel. (N,) bool"""
    np.maximum.at(buffers.height, pixel, height)
    return height >= buffers.height[pixel]


def shaded(buffers: Buffers) -> np.ndarray:
    """Light from both sides (meshes may be inside out), and dark lines where the surface bends or breaks off."""
    size, lit = buffers.size, np.abs(buffers.normal).any(axis=1)
    light = np.abs(buffers.normal @ LIGHT)
    brightness = np.where(lit, AMBIENT + (1 - AMBIENT) * np.minimum(light, 1), 1.0).reshape(size, size)
    brightness[_edges(buffers, lit)] *= EDGE
    return buffers.colour.reshape(size, size, 3) * brightness[:, :, None]


def _edges(buffers: Buffers, lit: np.ndarray) -> np.ndarray:
    """Pixels of a mesh at creases, at steps of height and at outlines. (size, size)"""
    size = buffers.size
    normal, lit = buffers.normal.reshape(size, size, 3), lit.reshape(size, size)
    height = np.where(np.isfinite(buffers.height), buffers.height, -10.0 * size).reshape(size, size)
    edges = np.zeros((size, size), dtype=bool)
    for here, there in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        bend = np.abs(np.einsum("ijk,ijk->ij", normal[here], normal[there])) < CREASE
        step = np.abs(height[here] - height[there]) > STEP * size
        edges[here] |= bend | step
        edges[there] |= step
    return edges & lit
