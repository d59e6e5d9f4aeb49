"""Files of 5 MB are read or refused in little time, whatever is in them."""

import struct
import time

import numpy as np
import pytest
from shape_files import write

from cadcode.errors import InputError
from cadcode.geometry.io.load import load_shape

LIMIT = 5.0  # seconds of processor; each takes about one
SIZE = 5_000_000  # bytes
POINTS = np.random.default_rng(0).random((1000, 3))
POINT_ROWS = "".join(f"{x:.3f} {y:.3f} {z:.3f}\n" for x, y, z in POINTS)
PLY = (
    "ply\nformat {} 1.0\nelement vertex 1000\nproperty float x\nproperty float y\nproperty float z\n"
    "element face {}\nproperty list int int vertex_indices\nend_header\n"
)


def polygons_of_all_lengths(width: float) -> list:
    """Polygons of 3, 4, 5 and more corners, all of different lengths, that take SIZE bytes in all."""
    count = int((2 * SIZE / width) ** 0.5)
    return [np.random.default_rng(n).integers(0, 1000, n) for n in range(3, count)]


def lines_of(polygons, start: str = "{} ") -> str:
    return "".join(start.format(len(p)) + " ".join(map(str, p)) + "\n" for p in polygons)


def obj() -> str:
    vertices = POINT_ROWS.replace("\n", "\nv ").removesuffix("v ")
    return "v " + vertices + lines_of([p + 1 for p in polygons_of_all_lengths(4)], "f ")


def binary_ply() -> bytes:
    polygons = polygons_of_all_lengths(4)
    rows = b"".join(struct.pack("<i", len(p)) + p.astype("<i4").tobytes() for p in polygons)
    return PLY.format("binary_little_endian", len(polygons)).encode() + POINTS.astype("<f4").tobytes() + rows


def ascii_ply() -> str:
    polygons = polygons_of_all_lengths(4)
    return PLY.format("ascii", len(polygons)) + POINT_ROWS + lines_of(polygons)


def off() -> str:
    polygons = polygons_of_all_lengths(4)
    return f"OFF 1000 {len(polygons)} 0 {POINT_ROWS}{lines_of(polygons)}".replace("\n", " ")


def text_stl() -> str:
    facet = "facet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 {}\nendloop\nendfacet\n"
    return "solid a\n" + "".join(facet.format(i) for i in range(SIZE // len(facet))) + "endsolid a\n"


FILES = {
    "text.stl": text_stl,
    "blank.stl": lambda: "solid a\n" + "\n" * SIZE + "facet\n",
    "spaces.stl": lambda: "solid a\n" + " " * SIZE + "facet\n",
    "ends.stl": lambda: "solid a\n" + "endsolid\n" * (SIZE // 9),
    "loops.stl": lambda: "solid a\nfacet\n" + "vertex " * (SIZE // 7),
    "parts.stl": lambda: (bytes(80) + struct.pack("<I", 1) + bytes(50)) * (SIZE // 134) + b"rest",
    "kinds.obj": obj,
    "one.obj": lambda: "v 0 0 0\nv 1 0 0\nv 0 1 0\nf " + "1 2 3 " * (SIZE // 6),
    "kinds.ply": binary_ply,
    "kinds_text.ply": ascii_ply,
    "word.ply": lambda: PLY.format("ascii", 1) + POINT_ROWS + "1" * SIZE,
    "kinds.off": off,
    "comment.off": lambda: "OFF\n" + "#" * SIZE,
}


@pytest.mark.parametrize("name", FILES)
def test_a_large_file_is_read_or_refused_soon(tmp_path, name):
    content = FILES[name]()
    path = write(tmp_path, name, content)
    began = time.process_time()
    try:
        load_shape(path)
    except InputError as error:
        assert "\n" not in str(error)
    assert time.process_time() - began < LIMIT
