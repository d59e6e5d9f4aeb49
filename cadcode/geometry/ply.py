"""PLY meshes and clouds, ASCII and binary, with polygons of any length (Turk's format, Stanford 1994).

An ASCII body is turned into 64-bit floats first, so that one reader serves both kinds.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cadcode.geometry.cleaning import AS_IT_SAYS, Raw, ReadOptions, Refused
from cadcode.geometry.mesh_formats import cut_equal_polygons, cut_notes, polygon_mesh

TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
ORDERS = {"ascii": "<", "binary_little_endian": "<", "binary_big_endian": ">"}
INDEX_NAMES = ("vertex_indices", "vertex_index")


@dataclass(frozen=True)
class Property:
    """A number, or (`count_type` given) a list of numbers with its length in front."""

    name: str
    type: str
    count_type: str | None = None


@dataclass(frozen=True)
class Element:
    name: str
    count: int
    properties: tuple[Property, ...]


def read_ply(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """The `vertex` and `face` elements; without faces a cloud, with its normals nx, ny, nz."""
    data = path.read_bytes()
    encoding, elements, offset = _read_header(data)
    body = memoryview(data)[offset:]
    if encoding == "ascii":
        body = memoryview(np.array(bytes(body).split()).astype(np.float64).tobytes())
    columns = {}
    for element in elements:
        if element.count:
            columns[element.name], used = _read_element(element, body)
            body = body[used:]
    if "vertex" not in columns:
        raise Refused("has no vertices")
    return _assemble(columns["vertex"], columns.get("face", {}))


def _read_header(data: bytes) -> tuple[str, list[Element], int]:
    """(encoding, elements, where the body starts)."""
    end = data.find(b"end_header")
    if data[:3] != b"ply" or end < 0:
        raise Refused("is no PLY file (its header does not begin with `ply` or does not end)")
    offset = data.index(b"\n", end) + 1
    lines = [words for line in data[:end].decode("latin-1").splitlines() if (words := line.split())]
    encoding = next((words[1] for words in lines if words[0] == "format"), "missing")
    if encoding not in ORDERS:
        raise Refused(f"has an unknown PLY format '{encoding}'")
    return encoding, _read_elements(lines, encoding), offset


def _read_elements(lines, encoding: str) -> list[Element]:
    elements = []
    for words in lines:
        if words[0] == "element":
            elements.append(Element(words[1], int(words[2]), ()))
        elif words[0] == "property":
            last = elements[-1]
            elements[-1] = Element(last.name, last.count, last.properties + (_property(words, encoding),))
    return elements


def _property(words, encoding: str) -> Property:
    *types, name = words[2:] if words[1] == "list" else words[1:]
    types = ["<f8" if encoding == "ascii" else ORDERS[encoding] + TYPES[word] for word in types]
    return Property(name, types[-1], types[0] if len(types) == 2 else None)


def _read_element(element: Element, body: memoryview):
    """({property: column (N,) or, for lists, (N, n) or a list of N arrays}, bytes used).

    Nearly always the lists of all rows are as long as those of the first: then the element is one structured array.
    """
    lengths, _, _ = _read_row(element, body, 0)
    fields = []
    for prop, length in zip(element.properties, lengths, strict=True):
        if prop.count_type:
            fields.append((f"{prop.name} length", prop.count_type))
        fields.append((prop.name, prop.type, (length,)) if prop.count_type else (prop.name, prop.type))
    row = np.dtype(fields)
    if len(body) >= row.itemsize * element.count:
        rows = np.frombuffer(body, dtype=row, count=element.count)
        lists = [(p, n) for p, n in zip(element.properties, lengths, strict=True) if p.count_type]
        if all((rows[f"{prop.name} length"] == length).all() for prop, length in lists):
            return {prop.name: rows[prop.name] for prop in element.properties}, row.itemsize * element.count
    elif not any(prop.count_type for prop in element.properties):
        _refuse_truncated(element)
    return _read_rows(element, body)


def _read_rows(element: Element, body: memoryview):
    """The slow way, row by row, for lists of different lengths."""
    columns = {prop.name: [] for prop in element.properties}
    offset = 0
    for _ in range(element.count):
        _, values, offset = _read_row(element, body, offset)
        for prop, value in zip(element.properties, values, strict=True):
            columns[prop.name].append(value if prop.count_type else value[0])
    return columns, offset


def _read_row(element: Element, body: memoryview, offset: int):
    """(list lengths, values, offset behind the row)."""
    lengths, values = [], []
    for prop in element.properties:
        length = 1
        if prop.count_type:
            length, offset = int(_take(element, body, prop.count_type, 1, offset)[0]), offset + _size(prop.count_type)
        values.append(_take(element, body, prop.type, length, offset))
        offset += length * _size(prop.type)
        lengths.append(length)
    return lengths, values, offset


def _size(type: str) -> int:
    return int(type[2:])


def _take(element: Element, body: memoryview, type: str, count: int, offset: int):
    if count < 0 or offset + count * _size(type) > len(body):
        _refuse_truncated(element)
    return np.frombuffer(body, dtype=type, count=count, offset=offset)


def _refuse_truncated(element: Element):
    raise Refused(f"is truncated or damaged: not all {element.count:,} rows of '{element.name}' are there")


def _assemble(vertex, face) -> Raw:
    if any(axis not in vertex for axis in "xyz"):
        raise Refused(f"has vertices without x, y, z ({', '.join(vertex)})")
    vertices = np.stack([np.asarray(vertex[axis], dtype=np.float64) for axis in "xyz"], axis=1)
    indices = next((face[name] for name in INDEX_NAMES if name in face), None)
    if indices is None:
        has_normals = all(name in vertex for name in ("nx", "ny", "nz"))
        normals = np.stack([vertex[name] for name in ("nx", "ny", "nz")], axis=1) if has_normals else None
        return Raw(vertices, normals=normals)
    if isinstance(indices, list):
        return polygon_mesh(vertices, [row.astype(np.int64) for row in indices])
    if indices.shape[1] < 3:
        raise Refused("has faces of fewer than 3 corners only")
    faces = cut_equal_polygons(indices)
    return Raw(vertices, faces, notes=cut_notes(len(indices) if indices.shape[1] > 3 else 0, 0))
