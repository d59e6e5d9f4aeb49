"""Readers of mesh files: STL, OBJ and OFF in numpy. Declared counts are checked against what is there."""

import re
from pathlib import Path

import numpy as np

from cadcode.geometry.cleaning import AS_IT_SAYS, BLOCK, Raw, ReadOptions, Refused, count_of

STL_HEADER = 84  # 80 bytes of anything, then the number of triangles as uint32
STL_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])  # 50 bytes
ASCII_VERTEX = re.compile(rb"^\s*vertex\s+(\S+)\s+(\S+)\s+(\S+)", re.IGNORECASE | re.MULTILINE)
ASCII_FACET = re.compile(rb"^\s*facet\b", re.IGNORECASE | re.MULTILINE)
ASCII_END_FACET = re.compile(rb"^\s*endfacet\b", re.IGNORECASE | re.MULTILINE)
ASCII_END_SOLID = re.compile(rb"^\s*end\s*solid\b", re.IGNORECASE | re.MULTILINE)


def triangle_soup(corners, notes: tuple[str, ...] = ()) -> Raw:
    """A mesh of triangles that share nothing yet: `corners` (F * 3, 3)."""
    kind = np.int32 if len(corners) < 2**31 else np.int64
    return Raw(corners, np.arange(len(corners), dtype=kind).reshape(-1, 3), notes=notes, soup=True)


def cut_polygons(polygons) -> tuple[np.ndarray, tuple[str, ...]]:
    """(faces (F, 3), notes) from lists of vertex numbers, cut into fans: exact for flat convex polygons."""
    lengths = np.array([len(polygon) for polygon in polygons], dtype=np.int64)
    sizes = [size for size in np.unique(lengths) if size > 2]
    fans = [cut_equal_polygons(np.array([p for p in polygons if len(p) == size])) for size in sizes]
    faces = np.concatenate(fans) if fans else np.empty((0, 3), dtype=np.int64)
    return faces, cut_notes(int((lengths > 3).sum()), int((lengths < 3).sum()))


def cut_equal_polygons(polygons):
    """Triangles (P * (n - 2), 3) of P polygons with n corners each, (P, n)."""
    n = polygons.shape[1]
    fans = [polygons[:, [0, i, i + 1]] for i in range(1, n - 1)]
    return np.stack(fans, axis=1).reshape(-1, 3).astype(np.int64)


def cut_notes(cut: int, dropped: int) -> tuple[str, ...]:
    notes = (f"cut {count_of(cut, 'polygon')} into triangles",) if cut else ()
    return notes + ((f"dropped {count_of(dropped, 'face')} with fewer than 3 corners",) if dropped else ())


def polygon_mesh(vertices, polygons) -> Raw:
    """A mesh from vertices (V, 3) and lists of vertex numbers; without any polygon a cloud."""
    if not polygons:
        return Raw(vertices, notes=("it has no faces, so it was read as a point cloud",))
    faces, notes = cut_polygons(polygons)
    return Raw(vertices, faces, notes=notes)


def read_stl(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """Binary or ASCII STL. The size decides, not the header: many binary files begin with `solid`."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(4096)
    declared = int.from_bytes(head[80:STL_HEADER], "little") if size >= STL_HEADER else -1
    fits = size == STL_HEADER + declared * STL_TRIANGLE.itemsize
    if not fits and head.lstrip()[:5].lower() == b"solid" and b"\0" not in head:
        return _read_ascii_stl(path)
    if declared < 0:
        raise Refused(f"is no STL file ({size} bytes, and neither an ASCII nor a binary header)")
    return _read_binary_stl(path, declared, size)


def _read_binary_stl(path: Path, declared: int, size: int) -> Raw:
    present, left = divmod(size - STL_HEADER, STL_TRIANGLE.itemsize)
    if present < declared:
        raise Refused(f"is truncated or no STL: it declares {count_of(declared, 'triangle')} and holds {present:,}")
    if declared == 0:
        raise Refused(f"declares 0 triangles{f' but holds {present:,}' if present else ''}")
    corners = np.empty((declared, 3, 3), dtype=np.float32)
    with open(path, "rb") as file:
        file.seek(STL_HEADER)
        for start in range(0, declared, BLOCK):
            block = np.fromfile(file, STL_TRIANGLE, min(BLOCK, declared - start))
            corners[start : start + len(block)] = block["corners"]
    extra = left + (present - declared) * STL_TRIANGLE.itemsize
    notes = (f"ignored {count_of(extra, 'byte')} after the last triangle",) if extra else ()
    return triangle_soup(corners.reshape(-1, 3), notes)


def _read_ascii_stl(path: Path) -> Raw:
    text = path.read_bytes().replace(b"\r", b"\n")
    facets, ends = len(ASCII_FACET.findall(text)), len(ASCII_END_FACET.findall(text))
    corners = ASCII_VERTEX.findall(text)
    if facets == 0:
        raise Refused("has no facets")
    if ends != facets or not ASCII_END_SOLID.search(text):
        raise Refused(f"is truncated: {facets:,} facets begin, {ends:,} end")
    if len(corners) != 3 * facets:
        raise Refused(f"has {len(corners):,} readable vertices for {count_of(facets, 'facet')}")
    solids = len(ASCII_END_SOLID.findall(text))
    notes = (f"joined {solids} solids",) if solids > 1 else ()
    return triangle_soup(np.array(corners).astype(np.float64), notes)


def read_obj(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """Wavefront OBJ: `v` and `f` lines of all objects and groups; materials, textures and normals are not read."""
    vertices, polygons = [], []
    for line in path.read_bytes().replace(b"\\\n", b" ").replace(b"\\\r\n", b" ").splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] == b"v":
            vertices.append(words[1:4])
        elif words[0] == b"f":
            corners = [int(word.split(b"/")[0]) for word in words[1:]]
            polygons.append([c - 1 if c > 0 else c + len(vertices) for c in corners])
    if not vertices:
        raise Refused("has no vertices")
    return polygon_mesh(np.array(vertices).astype(np.float64), polygons)


def read_off(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """Text OFF, also with colours or normals (COFF, NOFF, CNOFF), which are not read."""
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = [words for line in text.splitlines() if (words := line.split("#")[0].split())]
    if not lines or lines[0][0].upper() not in ("OFF", "COFF", "NOFF", "CNOFF"):
        raise Refused("is no text OFF file (it does not start with OFF)")
    if len(lines[0]) == 1:
        lines.pop(0)
    else:
        lines[0].pop(0)
    vertex_count, face_count = (int(word) for word in lines[0][:2])
    body = lines[1 : 1 + vertex_count + face_count]
    if min(vertex_count, face_count) < 0 or len(body) < vertex_count + face_count:
        declared = f"{vertex_count} vertices and {face_count} faces"
        raise Refused(f"is truncated: it declares {declared}, {len(body)} lines follow")
    polygons = [[int(word) for word in words[1 : 1 + int(words[0])]] for words in body[vertex_count:]]
    if any(len(polygon) != int(words[0]) for polygon, words in zip(polygons, body[vertex_count:], strict=True)):
        raise Refused("is truncated: a face has fewer corners than it declares")
    return polygon_mesh(np.array([words[:3] for words in body[:vertex_count]]).astype(np.float64), polygons)
