"""Reader of PLY meshes and clouds, ASCII and binary, with polygons and strips of any length."""

from pathlib import Path

import numpy as np

from cadcode.geometry.cleaning import AS_IT_SAYS, Raw, ReadOptions, Refused, count_of
from cadcode.geometry.io.ply_rows import Columns, Element, read_header, read_lines, read_stream
from cadcode.geometry.io.polygons import Rows, check_numbers, polygon_mesh, precision_notes
from cadcode.geometry.io.text import as_text, numbers_by_line

INDEX_NAMES = ("vertex_indices", "vertex_index")
STRIP_END = -1
UNSIGNED_END = 2**32 - 1  # the same as uint32


def read_ply(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """The elements `vertex`, `face` and `tristrips`; without the last two a cloud, with its normals nx, ny, nz.

    Raises Refused for a damaged header or body, and for faces without vertex_indices.
    """
    data, notes = as_text(path.read_bytes())
    encoding, elements, start = read_header(data)
    if encoding == "ascii":
        columns, body_notes = _read_ascii(elements, data[start:])
    else:
        columns, body_notes = _read_binary(elements, data, start)
    if "vertex" not in columns:
        raise Refused("has no vertices")
    return _assemble(columns, {element.name for element in elements}, notes + body_notes)


def _read_binary(elements: list[Element], data: bytes, place: int) -> tuple[dict[str, Columns], tuple[str, ...]]:
    columns = {}
    for element in elements:
        if element.count:
            columns[element.name], place = read_stream(element, data, place)
    extra = len(data) - place
    return columns, (f"ignored {count_of(extra, 'byte')} after the last row",) if extra else ()


def _read_ascii(elements: list[Element], text: bytes) -> tuple[dict[str, Columns], tuple[str, ...]]:
    """Line by line where there are as many lines as rows, else as one stream of numbers."""
    numbers, lines = numbers_by_line(text.rstrip(b"\0\x1a"))
    if len(lines) - 1 != sum(element.count for element in elements):
        columns, notes = _read_binary(elements, numbers.tobytes(), 0)
        return columns, ("ignored more numbers than its header declares",) if notes else ()
    columns, notes, row = {}, (), 0
    for element in elements:
        if element.count:
            starts, ends = (lines[row + i : row + i + element.count] for i in (0, 1))
            columns[element.name], more = read_lines(element, numbers, starts, ends)
            row, notes = row + element.count, notes + more
    return columns, notes


def _assemble(columns: dict[str, Columns], names: set[str], notes: tuple[str, ...]) -> Raw:
    vertex = columns["vertex"]
    vertices, warnings = _axes(vertex, ("x", "y", "z")), ()
    if vertices is None:
        raise Refused(f"has vertices without x, y, z ({', '.join(vertex)})")
    if all(vertex[axis].dtype.str[1:] == "f4" for axis in "xyz"):
        coarse, warnings = precision_notes(vertices)
        notes += coarse
    vertices = vertices.astype(np.float64)
    polygons = _polygons(columns["face"]) if "face" in columns else None
    if "tristrips" in columns:
        strips = _strips(columns["tristrips"], len(vertices))
        notes += (f"read {count_of(int(strips.lengths.sum()) // 3, 'triangle')} of triangle strips",)
        polygons = strips if polygons is None else _joined(polygons, strips)
    if polygons is not None or names & {"face", "tristrips"}:
        return polygon_mesh(vertices, polygons or Rows(np.empty(0), np.empty(0)), notes, warnings)
    return Raw(vertices, normals=_axes(vertex, ("nx", "ny", "nz")), notes=notes, warnings=warnings)


def _axes(vertex: Columns, names: tuple[str, str, str]):
    """Three columns of numbers as one array (V, 3), None where one is missing."""
    columns = [vertex.get(name) for name in names]
    return np.stack(columns, axis=1) if all(isinstance(column, np.ndarray) for column in columns) else None


def _indices(columns: Columns, element: str) -> Rows:
    """Lists of vertex numbers, as whole numbers."""
    rows = next((columns[name] for name in INDEX_NAMES if isinstance(columns.get(name), Rows)), None)
    if rows is None:
        raise Refused(f"has rows of '{element}' without lists of vertex_indices ({', '.join(columns)})")
    if rows.values.dtype.kind == "f" and not (
        np.isfinite(rows.values).all() and (rows.values == np.floor(rows.values)).all()
    ):
        raise Refused(f"has rows of '{element}' whose vertex_indices are not whole numbers")
    return Rows(rows.values.astype(np.int64), rows.lengths)


def _polygons(face: Columns) -> Rows:
    rows = _indices(face, "face")
    if len(rows.lengths) and rows.lengths.max() < 3:
        raise Refused("has faces of fewer than 3 corners only")
    return rows


def _strips(columns: Columns, count: int) -> Rows:
    """The triangles of strips: any three numbers in turn, every other one reversed; -1 begins a new strip.

    Triangles with a corner twice only lead from one part of a strip to the next.
    """
    rows = _indices(columns, "tristrips")
    numbers = np.insert(rows.values, rows.starts, STRIP_END)
    numbers[numbers == UNSIGNED_END] = STRIP_END
    check_numbers(numbers[numbers != STRIP_END], count)
    places = np.arange(len(numbers))
    begun = np.maximum.accumulate(np.where(numbers == STRIP_END, places, 0)) + 1
    triangles = np.stack([numbers[:-2], numbers[1:-1], numbers[2:]], axis=1)
    odd = (places - begun)[:-2] % 2 == 1
    triangles[odd] = triangles[odd][:, [1, 0, 2]]
    a, b, c = triangles.T
    triangles = triangles[(triangles != STRIP_END).all(axis=1) & (a != b) & (b != c) & (c != a)]
    return Rows(triangles.reshape(-1), np.full(len(triangles), 3))


def _joined(first: Rows, second: Rows) -> Rows:
    return Rows(np.concatenate([first.values, second.values]), np.concatenate([first.lengths, second.lengths]))
