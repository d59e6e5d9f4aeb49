"""Readers of point clouds: text tables (XYZ, TXT, CSV, ASC, PTS), NPY, NPZ; with optional packages LAS, LAZ, E57."""

import importlib
import re
from pathlib import Path

import numpy as np

from cadcode.geometry.cleaning import AS_IT_SAYS, Raw, ReadOptions, Refused
from cadcode.geometry.polygons import triangle_soup

SEPARATORS = (";", "\t", ",", None)  # None: any white space. A comma comes late: it may be a decimal comma
COMMENTS = ("#", "//")
HEADER_ROWS = 100
COLUMN_NAME = re.compile(r"(n?[xyz])(?![a-z])")
SCAN_ADVICE = 'pip install "cadcode[scan]"'
ARRAY_ADVICE = "save an array of shape (N, 3), or an .npz with `points` or with `vertices` and `faces`"


def read_table(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """Rows of numbers: the columns named x, y, z in a header, else the first three; the next three may be normals."""
    data = path.read_bytes()
    if b"\0" in data:
        raise Refused("is no text (it has zero bytes)", "check the file and its suffix")
    lines = [line for line in data.decode("utf-8-sig", errors="replace").splitlines() if line.strip()]
    start, separator = _first_row(lines)
    if separator != ",":
        lines = [line.replace(",", ".") for line in lines]
    header = lines[start - 1] if start else ""
    columns = _columns(header, lines[start], separator)
    body = [line for line in lines[start:] if not line.lstrip().startswith(COMMENTS)]
    table = _numbers(body, separator, columns)
    if header.strip().isdigit() and int(header) != len(table):
        raise Refused(f"is truncated: it declares {int(header):,} points and holds {len(table):,}")
    return Raw(table[:, :3], normals=table[:, 3:] if len(columns) == 6 else None)


def _numbers(body, separator: str | None, columns):
    """The wanted columns (N, 3 or 6) of all rows."""
    try:
        return np.loadtxt(body, delimiter=separator, usecols=columns, comments=None, quotechar='"', ndmin=2)
    except ValueError as error:
        advice = "correct or delete that row (counted from 0 after the header)"
        raise Refused(f"has a row that cannot be read ({error})", advice) from error


def _first_row(lines) -> tuple[int, str | None]:
    """(number of the first line with three numbers, its separator)."""
    for number, line in enumerate(lines[:HEADER_ROWS]):
        for separator in SEPARATORS:
            if sum(_is_number(field, separator) for field in line.split(separator)) >= 3:
                return number, separator
    raise Refused("has no row with three numbers", "give one point a row: x y z")


def _is_number(field: str, separator: str | None) -> bool:
    field = field.strip().strip('"')
    try:
        float(field if separator == "," else field.replace(",", "."))
    except ValueError:
        return False
    return True


def _columns(header: str, row: str, separator: str | None) -> list[int]:
    """The columns of x, y, z and, where there may be normals, of those."""
    names = header.strip().lstrip("#/").lower().split(separator if separator and separator in header else None)
    found = {match[1]: i for i, name in enumerate(names) if (match := COLUMN_NAME.match(name.strip().strip('"')))}
    if all(axis in found for axis in "xyz"):
        wanted = ["x", "y", "z"] + (["nx", "ny", "nz"] if all("n" + axis in found for axis in "xyz") else [])
        return [found[name] for name in wanted]
    fields = row.split(separator)
    return list(range(6 if len(fields) >= 6 and all(_is_number(f, separator) for f in fields[:6]) else 3))


def read_npy(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """An array (N, 3 or more): points, then perhaps normals; or (F, 3, 3): triangles."""
    return _from_array(np.load(path, allow_pickle=False))


def read_npz(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """`vertices` and `faces`; or `points` with perhaps `normals`; or one array of any name."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name.lower(): archive[name] for name in archive.files}
    vertices, faces = _pick(arrays, "vertices", "verts", "v"), _pick(arrays, "faces", "triangles", "f")
    if vertices is not None and faces is not None:
        return Raw(vertices, faces)
    points = _pick(arrays, "points", "xyz", "vertices", "verts", "v")
    if points is None and len(arrays) == 1:
        points = next(iter(arrays.values()))
    if points is None:
        raise Refused(f"holds no known arrays ({', '.join(sorted(arrays)) or 'none at all'})", ARRAY_ADVICE)
    raw = _from_array(points)
    return Raw(raw.vertices, raw.faces, _pick(arrays, "normals") if raw.normals is None else raw.normals)


def _pick(arrays, *names):
    return next((arrays[name] for name in names if name in arrays), None)


def _from_array(array) -> Raw:
    if array.dtype.kind not in "fiu" or array.size == 0:
        raise Refused(f"holds {array.dtype} of shape {array.shape}, not the coordinates of points", ARRAY_ADVICE)
    if array.ndim == 3 and array.shape[1:] == (3, 3):
        return triangle_soup(array.reshape(-1, 3))
    if array.ndim != 2 or array.shape[1] < 3:
        raise Refused(f"holds an array of shape {array.shape}", ARRAY_ADVICE)
    return Raw(array[:, :3], normals=array[:, 3:6] if array.shape[1] >= 6 else None)


def read_las(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """LAS and LAZ: scaled coordinates."""
    _check_las(path)
    laspy = _scan_package("laspy")
    try:
        cloud = laspy.read(path)
    except laspy.errors.LaspyException as error:
        raise Refused(f"cannot be read as LAS ({error})", f"check the file; LAZ needs {SCAN_ADVICE}") from error
    if len(cloud.points) != cloud.header.point_count:
        raise Refused(f"is truncated: it declares {cloud.header.point_count:,} points and holds {len(cloud.points):,}")
    return Raw(np.asarray(cloud.xyz, dtype=np.float64))


def _check_las(path: Path) -> None:
    """Compare the sizes in the header (ASPRS LAS 1.4, table 3) with the file: laspy would read for hours."""
    with open(path, "rb") as file:
        head = file.read(375)
    if head[:4] != b"LASF" or len(head) < 227:
        raise Refused("is no LAS file (it does not start with a LAS header)", "check the file and its suffix")
    start, records = (int.from_bytes(head[i : i + 4], "little") for i in (96, 100))
    more_records = int.from_bytes(head[243:247], "little") if head[25] >= 4 else 0
    needed = max(start, 54 * records, 60 * more_records)
    if head[104] < 128:  # not compressed: points of a fixed size
        count = int.from_bytes(head[247:255] if head[25] >= 4 else head[107:111], "little")
        needed = max(needed, start + count * int.from_bytes(head[105:107], "little"))
    if path.stat().st_size < needed:
        raise Refused(f"is truncated or damaged: it needs {needed:,} bytes and holds {path.stat().st_size:,}")


def read_e57(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """E57: all scans, each in its pose."""
    with open(path, "rb") as file:
        if file.read(8) != b"ASTM-E57":
            raise Refused("is no E57 file (it does not start with ASTM-E57)", "check the file and its suffix")
    pye57 = _scan_package("pye57")
    try:
        with pye57.E57(str(path)) as file:
            scans = [file.read_scan(i, ignore_missing_fields=True) for i in range(file.scan_count)]
    except pye57.libe57.E57Exception as error:
        raise Refused(f"cannot be read as E57 ({error})") from error
    if not scans:
        raise Refused("holds no scans")
    points = np.concatenate([np.stack([scan[f"cartesian{axis}"] for axis in "XYZ"], axis=1) for scan in scans])
    return Raw(points, notes=(f"joined {len(scans)} scans",) if len(scans) > 1 else ())


def _scan_package(name: str):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Refused(f"needs the package {name}, which is not installed", SCAN_ADVICE) from error
