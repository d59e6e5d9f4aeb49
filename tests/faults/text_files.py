"""Writers of the bracket and other small parts as STL, OBJ, OFF, PLY and ZIP."""

import io
import struct
import zipfile

import numpy as np
from faults.parts import BRACKET, box

TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
BOX = box((20, 20, 20), (0, 0, 50))  # beside the bracket
U_PROFILE = np.array([[0, 0], [60, 0], [60, 40], [50, 40], [50, 10], [10, 10], [10, 40], [0, 40]])  # area 1,200
DART = np.array([[0, 0], [40, 20], [0, 40], [10, 20]])  # area 600, concave at its last corner


def text_stl(mesh=BRACKET, name: str = "part", number: str = "{:.6f}") -> str:
    facets = "".join(
        " facet normal 0 0 0\n  outer loop\n"
        + "".join(f"   vertex {' '.join(map(number.format, corner))}\n" for corner in triangle)
        + "  endloop\n endfacet\n"
        for triangle in mesh[0][mesh[1]]
    )
    return f"solid {name}\n{facets}endsolid {name}\n"


def binary_stl(mesh=BRACKET, header: bytes = b"solid exported", count: int | None = None, shift=0.0) -> bytes:
    rows = np.zeros(len(mesh[1]), dtype=TRIANGLE)
    rows["corners"] = mesh[0][mesh[1]] + shift
    return header.ljust(80)[:80] + struct.pack("<I", len(rows) if count is None else count) + rows.tobytes()


def obj(mesh=BRACKET, face: str = "f {} {} {}\n", start: int = 1) -> str:
    return "".join("v {:.6f} {:.6f} {:.6f}\n".format(*v) for v in mesh[0]) + "".join(
        face.format(*row) for row in mesh[1] + start
    )


def off(mesh=BRACKET, counts: str = "OFF\n{} {} 0\n", separator: str = " ", after: str = "", colour: str = "") -> str:
    vertices = "".join(separator.join(f"{x:.6f}" for x in row) + f"{after}\n" for row in mesh[0])
    return (
        counts.format(*map(len, mesh))
        + vertices
        + "".join(separator.join(map(str, (3, *row))) + f"{colour}\n" for row in mesh[1])
    )


def ply(format: str, body: bytes, faces: str, types: str = "float") -> bytes:
    axes = "".join(f"property {types} {axis}\n" for axis in "xyz")
    return f"ply\nformat {format} 1.0\nelement vertex {len(BRACKET[0])}\n{axes}{faces}end_header\n".encode() + body


def ascii_ply(extra: str = "", lost: str = "") -> bytes:
    vertices = "".join("{:.6f} {:.6f} {:.6f}\n".format(*v) for v in BRACKET[0])
    faces = "".join(f"3 {a} {b} {c}{extra}\n" for a, b, c in BRACKET[1])
    faces = faces.removesuffix(f"{lost}\n") + "\n" if lost else faces
    header = f"element face {len(BRACKET[1])}\nproperty list uchar int vertex_indices\n"
    return ply("ascii", (vertices + faces).encode(), header)


def big_endian_ply() -> bytes:
    rows = np.zeros(len(BRACKET[1]), dtype=[("flags", "u1"), ("count", "u1"), ("corners", ">u4", 3)])
    rows["count"], rows["corners"] = 3, BRACKET[1]
    faces = f"obj_info columns 5\nelement face {len(rows)}\nproperty uchar flags\n"
    faces += "property list uchar uint vertex_index\n"
    edge = "element edge 1\nproperty int vertex1\nproperty int vertex2\n"
    body = BRACKET[0].astype(">f8").tobytes() + rows.tobytes() + bytes(8)
    return ply("binary_big_endian", body, faces + edge, "double")


def strips_ply() -> bytes:
    """Every triangle a strip of its own, but the first two, which share an edge, with the second turned round."""
    strips = np.insert(BRACKET[1], 3, -1, axis=1).reshape(-1).astype("<i4")
    header = "element tristrips 1\nproperty list int int vertex_indices\n"
    body = BRACKET[0].astype("<f4").tobytes() + struct.pack("<i", len(strips)) + strips.tobytes()
    return ply("binary_little_endian", body, header)


def prism(outline, first: int) -> tuple[list, list[list[int]]]:
    """(vertices, polygons) of an outline, 25 high, whose caps begin at corner `first`."""
    n = len(outline)
    caps = [(first + i) % n for i in range(n)]
    sides = [[i, (i + 1) % n, (i + 1) % n + n, i + n] for i in range(n)]
    return [(*p, z) for z in (0, 25) for p in outline], [caps[::-1], [c + n for c in caps], *sides]


def prism_obj(outline, first: int) -> str:
    vertices, polygons = prism(outline, first)
    return "".join(f"v {x} {y} {z}\n" for x, y, z in vertices) + "".join(
        f"f {' '.join(str(c + 1) for c in polygon)}\n" for polygon in polygons
    )


def prism_ply() -> str:
    vertices, polygons = prism(U_PROFILE, 0)
    axes = "".join(f"property float {axis}\n" for axis in "zxy")
    header = f"ply\nformat ascii 1.0\ncomment element face 3\nelement vertex {len(vertices)}\n{axes}"
    faces = f"element face {len(polygons)}\nproperty list uchar int vertex_index\nend_header\n"
    return (
        header
        + faces
        + "".join(f"{z} {x} {y}\n" for x, y, z in vertices)
        + "".join(f"{len(p)} {' '.join(map(str, p))}\n" for p in polygons)
    )


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return buffer.getvalue()
