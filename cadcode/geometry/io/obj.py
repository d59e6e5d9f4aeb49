"""Reader of Wavefront OBJ."""

from array import array
from collections import Counter
from pathlib import Path

import numpy as np

from cadcode.geometry.cleaning import AS_IT_SAYS, Raw, ReadOptions, Refused, count_of
from cadcode.geometry.io.polygons import Rows, polygon_mesh
from cadcode.geometry.io.text import as_text, shown

WIRES = (b"l", b"p")
FREE_FORM = (b"curv", b"curv2", b"surf")


def read_obj(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """Wavefront OBJ: `v` and `f` lines of all objects and groups; materials, textures and normals are not read.

    Lines, points and free-form curves and surfaces are left out with a note. Raises Refused for a line that cannot be
    read, and for a file of nothing but curves and surfaces.
    """
    text, notes = as_text(path.read_bytes())
    vertices, polygons, left_out = _read_lines(_joined_lines(text))
    if len(vertices) == 0:
        raise Refused("has no vertices")
    wires, free = (sum(left_out[key] for key in keys) for keys in (WIRES, FREE_FORM))
    if free and len(polygons.lengths) == 0:
        raise Refused("holds free-form curves and surfaces, but no mesh", "export it as a mesh, or as STEP")
    notes += (f"ignored {count_of(wires, 'line or point', 'lines and points')} without faces",) if wires else ()
    lost = (f"ignored {count_of(free, 'free-form curve or surface', 'free-form curves and surfaces')}",) if free else ()
    return polygon_mesh(vertices, polygons, notes + lost, lost if left_out[b"surf"] else (), first=1)


def _joined_lines(text: bytes) -> list[bytes]:
    """A backslash at its end continues a line in the next one."""
    if b"\\" in text:
        for end in (b"\r\n", b"\n", b"\r"):
            text = text.replace(b"\\" + end, b" ")
    return text.splitlines()


def _read_lines(lines: list[bytes]) -> tuple[np.ndarray, Rows, Counter]:
    """(vertices (V, 3), polygons of vertex numbers from 0, how often each other key of geometry occurs)."""
    vertices, corners, lengths, left_out = array("d"), array("q"), array("q"), Counter()
    for line in lines:
        words = line.split()
        if not words or words[0] not in (b"v", b"f", b"fo", *WIRES, *FREE_FORM):
            continue
        try:
            if words[0] == b"v":
                x, y, z = map(float, words[1:4])
                vertices.extend((x, y, z))
            elif words[0] in (b"f", b"fo"):
                numbers = _corners(words[1:], len(vertices) // 3)
                corners.extend(numbers)
                lengths.append(len(numbers))
            else:
                left_out[words[0]] += 1
        except (ValueError, OverflowError) as error:
            raise Refused(f"has a line that cannot be read: '{shown(b' '.join(words))}'") from error
    polygons = Rows(np.array(corners, dtype=np.int64), np.array(lengths, dtype=np.int64))
    return np.array(vertices, dtype=np.float64).reshape(-1, 3), polygons, left_out


def _corners(words: list[bytes], count: int) -> list[int]:
    """Vertex numbers from 0 of a face, written from 1, or backwards from the last of `count` vertices so far."""
    if b"#" in b"".join(words):
        words = b" ".join(words).partition(b"#")[0].split()
    numbers = [int(word.partition(b"/")[0]) for word in words]
    if 0 in numbers:
        raise Refused("has a face with vertex 0, but vertices are counted from 1")
    return [number - 1 if number > 0 else number + count for number in numbers]
