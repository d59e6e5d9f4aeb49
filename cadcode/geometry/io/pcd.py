"""PCD clouds of the Point Cloud Library (file format 0.7): ascii, binary and binary_compressed."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cadcode.geometry.cleaning import AS_IT_SAYS, Raw, ReadOptions, Refused
from cadcode.geometry.io.isolated import check_unpacked

TYPES = {
    ("F", "4"): "<f4",
    ("F", "8"): "<f8",
    ("I", "1"): "<i1",
    ("I", "2"): "<i2",
    ("I", "4"): "<i4",
    ("I", "8"): "<i8",
    ("U", "1"): "<u1",
    ("U", "2"): "<u2",
    ("U", "4"): "<u4",
    ("U", "8"): "<u8",
}
LONGEST_HEADER = 10_000
LARGEST_COUNT = 1 << 40
NORMALS = ("normal_x", "normal_y", "normal_z")
STILL = [0.0, 0, 0, 1, 0, 0, 0]  # a viewpoint at the origin that looks ahead
BYTES_OF_A_NUMBER = 4


@dataclass(frozen=True)
class Field:
    """One column, or several of one name: `offset` in bytes of the point, `column` of the point's numbers."""

    name: str
    dtype: np.dtype
    count: int
    offset: int
    column: int


@dataclass(frozen=True)
class Layout:
    fields: dict[str, Field]
    bytes: int  # a point
    columns: int

    def wanted(self) -> list[Field]:
        """The fields x, y, z and perhaps of the normal; Refused where coordinates are missing."""
        if any(axis not in self.fields for axis in "xyz"):
            raise Refused(f"has no fields x, y, z ({', '.join(self.fields)[:100]})")
        names = ["x", "y", "z", *(NORMALS if all(name in self.fields for name in NORMALS) else ())]
        return [self.fields[name] for name in names]


def read_pcd(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """The fields x, y, z and, where there are, normal_x, normal_y, normal_z, in any order and case.

    The viewpoint is the sensor's pose when the cloud was taken: it moves no points, as in the Point Cloud Library.
    """
    header, body = split_header(path.read_bytes())
    kind = (header["DATA"] or [""])[0].lower()
    if kind not in DECODERS:
        raise Refused(f"has an unknown kind of data '{kind[:40]}'", "save it as ascii or binary")
    layout = layout_of(header)
    wanted = layout.wanted()
    count, notes = declared_points(header)
    columns, more_notes = DECODERS[kind](body, layout, wanted, count)
    table = np.stack(columns, axis=1)
    notes += more_notes + viewpoint_note(header)
    return Raw(table[:, :3], normals=table[:, 3:] if len(wanted) == 6 else None, notes=notes)


def split_header(data: bytes) -> tuple[dict[str, list[str]], bytes]:
    """(header words by keyword, body): the header ends with the DATA line."""
    header, offset = {}, 0
    while "DATA" not in header:
        end = data.find(b"\n", offset, LONGEST_HEADER)
        if end < 0:
            raise Refused("is not a PCD file (it has no DATA line)")
        words = data[offset:end].decode("latin-1").split()
        if words and not words[0].startswith("#"):
            header[words[0].upper()] = words[1:]
        offset = end + 1
    if "FIELDS" not in header and "COLUMNS" in header:  # of version 0.5
        header["FIELDS"] = header["COLUMNS"]
    missing = [key for key in ("FIELDS", "SIZE", "TYPE") if key not in header]
    if missing:
        raise Refused(f"is not a complete PCD file (its header lacks {' '.join(missing)})")
    return header, data[offset:]


def layout_of(header) -> Layout:
    """Position of each field in a point; Refused for unknown types, and where the header's lists differ in length."""
    names = [name.lower() for name in header["FIELDS"]]
    counts = header.get("COUNT") or ["1"] * len(names)
    if not len(names) == len(counts) == len(header["TYPE"]) == len(header["SIZE"]):
        raise Refused("is damaged: FIELDS, SIZE, TYPE and COUNT of its header differ in length")
    fields, offset, column = {}, 0, 0
    for name, kind, size, word in zip(names, header["TYPE"], header["SIZE"], counts, strict=True):
        type = TYPES.get((kind.upper(), size))
        count = whole(word)
        if type is None or not 1 <= count <= LARGEST_COUNT:
            said = f"TYPE {kind[:9]} SIZE {size[:9]} COUNT {word[:20]}"
            raise Refused(f"has a field '{name[:40]}' of unknown kind ({said})")
        field = Field(name, np.dtype(type), count, offset, column)
        fields.setdefault(name, field)
        offset, column = offset + field.dtype.itemsize * count, column + count
    return Layout(fields, offset, column)


def whole(word: str) -> int:
    """A whole number of a header; -1 for anything else."""
    return int(word) if word.isascii() and word.isdigit() and len(word) < 18 else -1


def declared_points(header) -> tuple[int, tuple[str, ...]]:
    """(how many points the header declares, notes)."""
    grid = [whole((header.get(key) or [""])[0]) for key in ("WIDTH", "HEIGHT")]
    size = grid[0] * grid[1] if min(grid) >= 0 else -1
    count = whole((header.get("POINTS") or [""])[0]) if "POINTS" in header else size
    if count <= 0:
        raise Refused("declares no points")
    differs = size >= 0 and size != count
    return count, (f"its WIDTH and HEIGHT say {size:,} points, POINTS {count:,}",) if differs else ()


def viewpoint_note(header) -> tuple[str, ...]:
    try:
        pose = [float(word) for word in header.get("VIEWPOINT", ())]
    except ValueError:
        return ()
    return ("the viewpoint of its sensor was not applied",) if pose and pose != STILL else ()


def read_ascii(body: bytes, layout: Layout, wanted: list[Field], count: int):
    """(columns (N,) of the `wanted` fields, notes) of rows of text."""
    rows = [row for row in body.decode("latin-1").split("\n") if row.strip()]
    if len(rows) < count:
        raise Refused(f"is truncated: it declares {count:,} points and holds {len(rows):,}")
    try:
        table = np.loadtxt(rows[:count], usecols=[field.column for field in wanted], comments=None, ndmin=2)
    except ValueError as error:
        raise Refused("has a row that lacks a number") from error
    return list(table.T), left_note(len(rows) - count, "row")


def read_binary(body: bytes, layout: Layout, wanted: list[Field], count: int):
    """The same of points one after another."""
    if len(body) < count * layout.bytes:
        raise Refused(f"is truncated: it declares {count:,} points and holds {len(body) // layout.bytes:,}")
    point = np.dtype(
        {
            "names": [field.name for field in wanted],
            "formats": [field.dtype for field in wanted],
            "offsets": [field.offset for field in wanted],
            "itemsize": layout.bytes,
        }
    )
    points = np.frombuffer(body, dtype=point, count=count)
    columns = [points[field.name].astype(np.float64) for field in wanted]
    return columns, left_note(len(body) - count * layout.bytes, "byte")


def read_compressed(body: bytes, layout: Layout, wanted: list[Field], count: int):
    """The same of two uint32 (packed and unpacked size), then LZF; unpacked, the fields follow one another."""
    packed, size = (int.from_bytes(body[i : i + 4], "little") for i in (0, 4))
    if len(body) < 8 + packed or size != count * layout.bytes:
        raise Refused(f"is truncated or damaged: {packed:,} packed bytes declared, {max(len(body) - 8, 0):,} present")
    check_unpacked(max(3 * count, size // BYTES_OF_A_NUMBER), len(body))
    data = unpack_lzf(body[8 : 8 + packed], size)
    if data is None:
        raise Refused("is damaged: its compressed data do not unpack to the declared size")
    columns = [
        np.frombuffer(data, field.dtype, count * field.count, field.offset * count)[:: field.count].astype(np.float64)
        for field in wanted
    ]
    return columns, left_note(len(body) - 8 - packed, "byte")


def left_note(left: int, unit: str) -> tuple[str, ...]:
    return (f"ignored {left:,} {unit}{'s' if left > 1 else ''} after the last point",) if left else ()


DECODERS = {"ascii": read_ascii, "binary": read_binary, "binary_compressed": read_compressed}


def unpack_lzf(packed: bytes, size: int) -> bytearray | None:
    """The `size` bytes that were `packed`; None where they do not unpack to that many."""
    out, i, end = bytearray(), 0, len(packed)
    try:
        while i < end and len(out) <= size:
            control = packed[i]
            if control < 32:  # control + 1 literal bytes
                out += packed[i + 1 : i + control + 2]
                i += control + 2
                continue
            length = (control >> 5) + 2
            i += 1
            if length == 9:
                length += packed[i]
                i += 1
            back = ((control & 31) << 8) + packed[i] + 1
            i += 1
            start = len(out) - back
            if start < 0:
                return None
            if back >= length:
                out += out[start : start + length]
            else:  # the copy overlaps what it writes: it repeats
                out += (out[start:] * (length // back + 1))[:length]
    except IndexError:  # the last copy is cut off
        return None
    return out if len(out) == size else None
