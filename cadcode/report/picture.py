"""Renderings of meshes and clouds with numpy: a z-buffer that needs no graphics driver and no window."""

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from cadcode.geometry.render import FINER, draw_mesh, draw_points, empty_buffers, shaded

BACKGROUND = (255, 255, 255)
INPUT_COLOUR = (200, 200, 205)
RESULT_COLOUR = (255, 200, 90)
MARGIN = 0.92  # share of the picture that the shape fills


@dataclass(frozen=True, eq=False)
class Camera:
    """Orthographic camera: world = centre + right * x + up * y + towards * z; `width` world units per image width."""

    axes: np.ndarray  # (3, 3) rows right, up, towards the viewer
    centre: np.ndarray  # (3,)
    width: float

    def pixels(self, vertices: np.ndarray, size: int) -> np.ndarray:
        """Column, row and height towards the viewer (V, 3) of vertices (V, 3), in pixels."""
        x, y, z = ((vertices - self.centre) @ self.axes.T / self.width * size).T
        return np.stack((x + size / 2, size / 2 - y, z), axis=1)


def render(meshes, size: int = 256, direction=(1, 1, 1), up=(0, 0, 1), fit=None) -> np.ndarray:
    """Draw [(vertices (V, 3), faces (F, 3) or None for a cloud, colour (3,) 0..255)], seen from `direction`.

    The image contains the points `fit` (N, 3), by default all vertices. Invalid faces are skipped. Returns
    (size, size, 3) uint8.
    """
    meshes = [(np.asarray(corners, dtype=float).reshape(-1, 3), faces, colour) for corners, faces, colour in meshes]
    points = np.concatenate([vertices for vertices, _, _ in meshes]) if fit is None else np.asarray(fit, dtype=float)
    camera, fine = look_at(points, direction, up), size * FINER
    buffers = empty_buffers(fine, BACKGROUND)
    for vertices, faces, colour in meshes:
        if faces is None:
            draw_points(buffers, camera.pixels(vertices, fine), colour)
        else:
            draw_mesh(buffers, camera.pixels(vertices, fine), np.asarray(faces), colour)
    image = shaded(buffers).reshape(size, FINER, size, FINER, 3).mean(axis=(1, 3))
    return image.round().astype(np.uint8)


def look_at(points: np.ndarray, direction, up) -> Camera:
    """Camera that sees all points (N, 3) from `direction`; if `up` is parallel to it, another vector is used."""
    points = points[np.isfinite(points).all(axis=1)]
    towards = np.asarray(direction, dtype=float) / np.linalg.norm(direction)
    right = np.cross(up, towards)
    if np.linalg.norm(right) < 1e-6:
        right = np.cross(np.roll(towards, 1), towards)
    right /= np.linalg.norm(right)
    axes = np.stack((right, np.cross(towards, right), towards))
    if not len(points):
        return Camera(axes, np.zeros(3), 1.0)
    seen = points @ axes.T
    low, high = seen.min(axis=0), seen.max(axis=0)
    width = float((high - low)[:2].max()) / MARGIN
    return Camera(axes, (low + high) / 2 @ axes, width or 1.0)


def side_by_side(input_mesh, result_mesh, size: int = 256, direction=(1, 1, 1), up=(0, 0, 1)) -> np.ndarray:
    """Image of input (left) and result (right) at the same scale: each (vertices, faces or None).

    Returns (size, 2 * size, 3) uint8.
    """
    fit = np.concatenate([np.asarray(mesh[0], dtype=float).reshape(-1, 3) for mesh in (input_mesh, result_mesh)])
    pairs = ((input_mesh, INPUT_COLOUR), (result_mesh, RESULT_COLOUR))
    return np.hstack([render([(*mesh, colour)], size, direction, up, fit) for mesh, colour in pairs])


def sheet(images: list[np.ndarray], columns: int) -> np.ndarray:
    """Sheet of one or more images (H, W, 3) of any sizes, in rows of `columns`."""
    height, width = (max(image.shape[axis] for image in images) for axis in (0, 1))
    rows = -(-len(images) // columns)
    page = np.empty((rows * height, columns * width, 3), dtype=np.uint8)
    page[:] = BACKGROUND
    for i, image in enumerate(images):
        top, left = i // columns * height, i % columns * width
        page[top : top + image.shape[0], left : left + image.shape[1]] = image
    return page


def png_bytes(image: np.ndarray) -> bytes:
    """An image (H, W, 3) uint8 as a PNG file (ISO/IEC 15948)."""
    height, width, _ = image.shape
    lines = np.zeros((height, 1 + 3 * width), dtype=np.uint8)  # the first byte of a line is its filter, 0: none
    lines[:, 1:] = image.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, RGB
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def write_png(path, image: np.ndarray) -> None:
    """Write an image (H, W, 3) uint8."""
    with open(path, "wb") as file:
        file.write(png_bytes(image))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
