"""Images for cadrille: four views of a part on one sheet, drawn without a graphics driver, or a user's pictures.

The convention is that of cadrille's source (Kolodiazhnyi et al. 2025, arXiv:2505.22914), which draws with Open3D's
`Visualizer`: a perspective of 60 degrees, one colour, flat faces, and Phong's light (1975) from behind the viewer.
Lengths are those of the model frame, directions those of the part.
"""

from pathlib import Path

import numpy as np

from cadcode.errors import InputError
from cadcode.geometry.render import draw_mesh, empty_buffers

FRONTS = ((1, 1, 1), (-1, -1, -1), (-1, 1, -1), (1, -1, 1))  # viewing directions
DOWN = (0, 1, 0)  # y runs down the picture: the source's camera is upside down
EYE, LIGHT = 1.8, 4.0  # distance to the part's centre, in lengths of a front
COLOUR = np.array((255, 255, 136)) / 255
DIFFUSE, SPECULAR, SHININESS = 2 * 0.66, 2 * 0.2, 100  # two lights at one place
FIELD = 60  # degrees
DRAWN, SIDE, BORDER = 500, 128, 3  # pixels: of a view as drawn, as shown, and of the black border around it
SHEET = 2 * (SIDE + 2 * BORDER)
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


def four_views(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The sheet (268, 268, 3) uint8 of a mesh: vertices (V, 3) in the model frame, faces (F, 3)."""
    return arranged([shrunk(view(vertices, faces, front)) for front in FRONTS])


def arranged(views: list[np.ndarray]) -> np.ndarray:
    """Four pictures (128, 128, 3) in two rows of two, each with a black border."""
    framed = [np.pad(picture, ((BORDER, BORDER), (BORDER, BORDER), (0, 0))) for picture in views]
    return np.vstack([np.hstack(framed[:2]), np.hstack(framed[2:])])


# --- drawing ---------------------------------------------------------------------------------------------------------


def view(vertices: np.ndarray, faces: np.ndarray, front) -> np.ndarray:
    """A mesh in the model frame as seen along `front`, on white. (500, 500, 3) uint8"""
    axes, eye = camera(front)
    buffers = empty_buffers(DRAWN, (1.0, 1.0, 1.0))
    draw_mesh(buffers, projected(vertices, axes, eye), faces, COLOUR)
    seen = np.flatnonzero(buffers.face >= 0)
    image = buffers.colour
    image[seen] = lit(vertices[faces[buffers.face[seen]]], rays(seen, axes), eye, np.asarray(front, float))
    return (image.clip(0, 1) * 255).astype(np.uint8).reshape(DRAWN, DRAWN, 3)


def camera(front) -> tuple[np.ndarray, np.ndarray]:
    """(3, 3) rows right, down and into the picture, and the place of the eye (3,)."""
    into = np.asarray(front, float) / np.linalg.norm(front)
    right = np.cross(DOWN, into)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(into, right), into]), -EYE * np.asarray(front, float)


FOCAL = DRAWN / 2 / np.tan(np.radians(FIELD / 2))  # pixels


def projected(vertices: np.ndarray, axes: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """Column, row and height of vertices (V, 3). Over the picture a plane is linear in 1 / depth, not in depth."""
    right, down, depth = ((vertices - eye) @ axes.T).T
    return np.stack([FOCAL * right / depth + DRAWN / 2, FOCAL * down / depth + DRAWN / 2, DRAWN / depth], axis=1)


def rays(pixels: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Directions (N, 3) from the eye through the centres of pixels, given by their numbers (N,)."""
    rows, columns = np.divmod(pixels, DRAWN)
    offsets = np.stack([columns + 0.5 - DRAWN / 2, rows + 0.5 - DRAWN / 2, np.full(len(pixels), FOCAL)], axis=1)
    return offsets @ axes


def lit(triangles: np.ndarray, directions: np.ndarray, eye: np.ndarray, front: np.ndarray) -> np.ndarray:
    """Colours (N, 3) where rays from the eye (N, 3) meet the planes of triangles (N, 3, 3), in either winding.

    Two lights are used, on the viewer's side and at the same distance on the far side of the part.
    """
    normals = unit(np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]))
    along = dot(triangles[:, 0] - eye, normals) / dot(directions, normals)
    places = eye + along[:, None] * directions
    normals *= -np.sign(dot(directions, normals))[:, None]  # towards the eye
    colours = np.zeros((len(places), 3))
    for light in (-LIGHT * front, LIGHT * front):
        towards = unit(light - places)
        cosine = dot(normals, towards)
        mirrored = 2 * cosine[:, None] * normals - towards
        gloss = dot(unit(-directions), mirrored).clip(0, 1) ** SHININESS
        colours += DIFFUSE * cosine.clip(0, 1)[:, None] * COLOUR + SPECULAR * gloss[:, None]
    return colours


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=-1)


def shrunk(image: np.ndarray) -> np.ndarray:
    """A view (500, 500, 3) as it is shown: blurred against aliasing, then splines of order 2. (128, 128, 3) uint8"""
    from scipy.ndimage import gaussian_filter, zoom  # half a second to load, and few runs draw

    factor = DRAWN / SIDE
    smooth = gaussian_filter(image.astype(float), ((factor - 1) / 2,) * 2 + (0,), mode="mirror")
    small = zoom(smooth, (1 / factor, 1 / factor, 1), order=2, mode="mirror", grid_mode=True)
    return small.clip(image.min(), image.max()).astype(np.uint8)  # cut off, not rounded, as in the source


# --- a user's pictures -----------------------------------------------------------------------------------------------


def is_picture(path: Path) -> bool:
    """Whether an input is a picture, or a folder of them, by its name."""
    return path.suffix.lower() in PICTURES or path.is_dir()


def read_sheet(path: Path) -> np.ndarray:
    """The sheet (H, H, 3) uint8 of a picture that is one, or of a folder of four views, by their names. InputError."""
    if not path.is_dir():
        return _square(_read(path), path)
    views = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES)
    if len(views) != 4:
        raise InputError(path, f"has {len(views)} pictures", "a folder needs four, one for each view")
    return arranged([scaled(_square(_read(file), file), SIDE) for file in views])


def _read(path: Path) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))
    except UnidentifiedImageError as error:
        raise InputError(path, "is no picture that can be read", "save it as PNG") from error
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(path, f"cannot be read ({error})", "save it as PNG") from error


def _square(image: np.ndarray, path: Path) -> np.ndarray:
    height, width, _ = image.shape
    if height != width:
        raise InputError(path, f"is {width} x {height} pixels", "make it square: two rows of two views")
    return image


def scaled(image: np.ndarray, side: int) -> np.ndarray:
    """An image (H, H, 3) uint8 with so many pixels a side, by bicubic interpolation: that of Pillow, as published."""
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC))
