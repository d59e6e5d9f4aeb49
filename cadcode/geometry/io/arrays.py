"""Readers of numpy's files as clouds or meshes: NPY and NPZ. Sizes are checked before anything is loaded."""

import io
import re
import tokenize
import zipfile
import zlib
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cadcode.geometry.cleaning import AS_IT_SAYS, Raw, ReadOptions, Refused, count_of
from cadcode.geometry.io.isolated import check_unpacked
from cadcode.geometry.io.polygons import triangle_soup
from cadcode.geometry.io.table_text import Columns, asked, by_names, by_numbers, stride_of

ADVICE = "save an array of shape (N, 3), or an .npz with `points` or with `vertices` and `faces`"
AGAIN = "save it again with numpy"
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
HEADER_ERRORS = (ValueError, TypeError, SyntaxError, LookupError, tokenize.TokenError, MemoryError, RecursionError)
ZIP_ERRORS = (
    ValueError,
    LookupError,
    OSError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    MemoryError,
)
MOST_MEMBERS = 1000
WIDE = 16  # points: from here on, an array of 4 or 6 rows is points in columns
MESH_VERTICES, MESH_FACES = ("vertices", "verts", "v"), ("faces", "triangles", "f")
POINTS = ("points", "xyz", "pos", "positions", "coords", "point_cloud", *MESH_VERTICES)
NORMALS = ("normals", "normal", "n")
NO_POINTS = re.compile(r"colou?r|rgb|label|normal|intens|class|ind|face|edge|uv|tex|weight|mask|ids?$|scal|pose|trans")


@dataclass(frozen=True)
class Header:
    """Description of an array, read before its numbers."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype

    @property
    def count(self) -> int:
        return prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.count * self.dtype.itemsize

    @property
    def numbers(self) -> int:
        return self.count * (len(self.dtype.names) if self.dtype.names else 1)


def read_npy(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """An array (N, 3 or more): points, then perhaps normals; (3, N), (1, N, 3), named x, y, z; or (F, 3, 3): triangles.

    Refused for other arrays, for objects, and for headers that are damaged or declare more than the file holds.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        header = read_header(file)
        array = read_numbers(file, header, size - file.tell())
        lost = size - file.tell()
    raw = from_array(array, options)
    return with_notes(raw, f"ignored {count_of(lost, 'byte')} after the array") if lost else raw


def read_header(file: BinaryIO) -> Header:
    """The header of an array of numbers; Refused for a damaged one, and for other things than numbers."""
    try:
        version = np.lib.format.read_magic(file)
        shape, fortran, dtype = HEADERS[version](file)
    except HEADER_ERRORS as error:
        raise Refused("is damaged: the header of its array cannot be read", AGAIN) from error
    header = Header(tuple(shape), fortran, dtype)
    if dtype.hasobject:
        raise Refused("holds Python objects, which are not read", ADVICE)
    if dtype.names is None and dtype.kind not in "fiu":
        raise Refused(f"holds {dtype} of shape {header.shape}, not the coordinates of points", ADVICE)
    if min(header.shape, default=0) < 1 or dtype.itemsize == 0:
        raise Refused(f"holds an array of shape {header.shape}", ADVICE)
    return header


def read_numbers(file: BinaryIO, header: Header, available: int):
    """The array of a header; Refused where fewer bytes follow than it declares."""
    if header.bytes > available:
        raise Refused(f"is truncated: its array needs {header.bytes:,} bytes and {available:,} follow", AGAIN)
    data = file.read(header.bytes)
    if len(data) < header.bytes:
        raise Refused(f"is truncated: its array needs {header.bytes:,} bytes and {len(data):,} follow", AGAIN)
    array = np.frombuffer(data, dtype=header.dtype, count=header.count)
    return array.reshape(header.shape, order="F" if header.fortran else "C")


def read_npz(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """`vertices` and `faces`; or `points` with perhaps `normals`; or x, y, z; or all arrays that can be points, joined.

    Refused where none of its arrays can be used, and where they would unpack to far more than the file's size.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = Archive(archive, path.stat().st_size)
            return from_archive(arrays, options)
    except ZIP_ERRORS as error:
        said = " ".join(str(error).split())[:100] or type(error).__name__
        raise Refused(f"is a damaged NPZ archive ({said})", AGAIN) from error


class Archive:
    """The arrays of an NPZ by lower-case names; their headers are read at once, their numbers when asked for."""

    def __init__(self, archive: zipfile.ZipFile, size: int):
        self._archive, self._size, self._unpacked = archive, size, 0
        members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        if len(members) > MOST_MEMBERS:
            raise Refused(f"holds {len(members):,} arrays", ADVICE)
        self._members = {info.filename[:-4].lower(): info for info in members}
        self.headers, self._reasons = {}, {}
        for name in self._members:
            try:
                self.headers[name] = self._header(name)
            except Refused as refused:
                self._reasons[name] = refused

    def _header(self, name: str) -> Header:
        with self._archive.open(self._members[name]) as file:
            return read_header(io.BytesIO(file.read(12_000)))

    def __getitem__(self, name: str):
        header, info = self.headers[name], self._members[name]
        self._unpacked += max(header.numbers, header.bytes // 8)
        check_unpacked(self._unpacked, self._size)
        with self._archive.open(info) as file:
            read_header(file)
            return read_numbers(file, header, info.file_size)

    def first(self, names: tuple[str, ...]) -> str | None:
        """The first of `names` that is there; Refused where its array is of no use."""
        for name in names:
            if name in self._reasons:
                raise self._reasons[name]
            if name in self.headers:
                return name
        return None

    def reason(self) -> Refused:
        """The refusal where none of them is used."""
        if len(self._reasons) == 1 == len(self._members):
            return next(iter(self._reasons.values()))
        return Refused(f"holds no known arrays ({', '.join(sorted(self._members)) or 'none at all'})", ADVICE)


def from_archive(arrays: Archive, options: ReadOptions) -> Raw:
    vertices, faces = arrays.first(MESH_VERTICES), arrays.first(MESH_FACES)
    if vertices is not None and faces is not None:
        others = [name for name in arrays.headers if name not in (vertices, faces) and can_be_points(arrays, name)]
        raw = Raw(arrays[vertices], arrays[faces])
        return with_notes(raw, f"used the mesh, ignored {', '.join(others)}") if others else raw
    if all(axis in arrays.headers and len(arrays.headers[axis].shape) == 1 for axis in "xyz"):
        return from_array(stacked([arrays[axis] for axis in "xyz"]), options)
    names = cloud_names(arrays)
    if not names:
        raise arrays.reason()
    clouds = [from_array(arrays[name], options) for name in names]
    raw = joined(clouds, names) if len(clouds) > 1 else clouds[0]
    normals = arrays.first(NORMALS) if raw.faces is None and raw.normals is None else None
    return raw if normals is None else replace(raw, normals=arrays[normals])


def cloud_names(arrays: Archive) -> list[str]:
    """The named points; else the only array; else all that can be points."""
    points = arrays.first(POINTS)
    if points is not None:
        return [points]
    if len(arrays.headers) == 1:
        return list(arrays.headers)
    return [name for name in arrays.headers if can_be_points(arrays, name)]


def can_be_points(arrays: Archive, name: str) -> bool:
    header = arrays.headers[name]
    return len(header.shape) == 2 and header.shape[1] in (3, 6) and NO_POINTS.search(name) is None


def joined(clouds: list[Raw], names: list[str]) -> Raw:
    notes = tuple(dict.fromkeys(note for cloud in clouds for note in cloud.notes))
    normals = None
    if all(cloud.normals is not None for cloud in clouds):
        normals = np.concatenate([cloud.normals for cloud in clouds])
    points = np.concatenate([cloud.vertices for cloud in clouds])
    return Raw(points, normals=normals, notes=notes + (f"joined {len(clouds)} clouds: {', '.join(names)[:200]}",))


def from_array(array, options: ReadOptions) -> Raw:
    """Points or triangles of one array; Refused where its shape has no plain meaning."""
    if array.dtype.names is not None:
        return from_fields(array)
    if array.ndim == 3 and array.shape[1:] == (3, 3):
        return triangle_soup(array.reshape(-1, 3))
    table, notes = as_rows(array)
    columns = chosen_columns(table, options)
    table = table[:, columns.places] if columns.places != tuple(range(len(columns.places))) else table
    normals = table[:, 3:6] if len(columns.places) == 6 else None
    return Raw(table[:, :3], normals=normals, notes=notes + columns.notes)


def as_rows(array) -> tuple[np.ndarray, tuple[str, ...]]:
    """(array (N, 3 or more), notes)."""
    shape, notes = array.shape, ()
    if array.ndim > 2:
        array = array.reshape([length for length in shape if length > 1] or [1])
        if array.ndim == 3 and array.shape[2] in (3, 4, 6):
            array = array.reshape(-1, array.shape[2])
        notes = (f"an array of shape {shape} was read as a list of points",)
    height, width = array.shape if array.ndim == 2 else (0, 0)
    if height == 3 < width or height in (4, 6) and width >= WIDE:
        array, notes = array.T, (f"an array of shape {shape} was read as points in columns",)
    if array.ndim != 2 or array.shape[1] < 3:
        raise Refused(f"holds an array of shape {shape}", ADVICE)
    return array, notes


def chosen_columns(table, options: ReadOptions) -> Columns:
    if options.columns is not None:
        return asked(options.columns, table.shape[1])
    if table.shape[1] == 4 and (table[:, 3] == 1).all():
        return Columns((0, 1, 2), notes=("the fourth column is 1 everywhere and was ignored",))
    stride = stride_of(len(table))
    return by_numbers(table[::stride, :9].astype(np.float64), stride)


def from_fields(array) -> Raw:
    """Points of a structured array: by the names of its fields, or of its only field of three numbers."""
    numeric = [name for name in array.dtype.names if array.dtype[name].base.kind in "fiu"]
    columns = by_names([name if array.dtype[name].shape == () else "" for name in numeric])
    if columns is not None:
        table = stacked([array[numeric[place]].ravel() for place in columns.places])
        return Raw(table[:, :3], normals=table[:, 3:] if len(columns.places) == 6 else None, unit=columns.unit)
    triples = [name for name in numeric if array.dtype[name].shape == (3,)]
    named = [name for name in triples if name.lower() in POINTS] or triples
    if len(named) != 1:
        raise Refused(f"has no fields x, y, z ({', '.join(array.dtype.names)[:100]})", ADVICE)
    return Raw(np.asarray(array[named[0]], dtype=np.float64).reshape(-1, 3))


def stacked(columns):
    """Columns (N,) as an array (N, C) of float64; Refused where their lengths differ."""
    if len({len(column) for column in columns}) > 1:
        raise Refused("has coordinates of different lengths", ADVICE)
    return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)


def with_notes(raw: Raw, *notes: str) -> Raw:
    return replace(raw, notes=raw.notes + notes)
