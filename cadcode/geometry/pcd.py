"""PCD clouds of the Point Cloud Library (file format 0.7): ascii, binary and binary_compressed."""

from pathlib import Path

import numpy as np

from cadcode.geometry.cleaning import AS_IT_SAYS, Raw, ReadOptions, Refused

KINDS = {"F": "f", "I": "i", "U": "u"}


def read_pcd(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """The fields x, y, z and, where there are, normal_x, normal_y, normal_z."""
    data = path.read_bytes()
    header, body = _split(data)
    row = _row_type(header)
    count = int(header["POINTS"][0]) if "POINTS" in header else int(header["WIDTH"][0]) * int(header["HEIGHT"][0])
    kind = header["DATA"][0].lower()
    if kind not in DECODERS:
        raise Refused(f"has an unknown kind of data '{kind}'", "save it as ascii or binary")
    if count <= 0:
        raise Refused("declares no points")
    columns = DECODERS[kind](body, row, count)
    if any(axis not in columns for axis in "xyz"):
        raise Refused(f"has no fields x, y, z ({', '.join(columns)})")
    names = ("normal_x", "normal_y", "normal_z")
    normals = np.stack([columns[name] for name in names], axis=1) if all(name in columns for name in names) else None
    return Raw(np.stack([np.asarray(columns[axis], dtype=np.float64) for axis in "xyz"], axis=1), normals=normals)


def _split(data: bytes) -> tuple[dict[str, list[str]], bytes]:
    """(header words by keyword, body): the header ends with the DATA line."""
    header, offset = {}, 0
    while "DATA" not in header:
        end = data.find(b"\n", offset)
        if end < 0 or offset > 10_000:
            raise Refused("is no PCD file (it has no DATA line)")
        words = data[offset:end].decode("latin-1").split()
        if words and not words[0].startswith("#"):
            header[words[0].upper()] = words[1:]
        offset = end + 1
    missing = [key for key in ("FIELDS", "SIZE", "TYPE") if key not in header]
    if missing:
        raise Refused(f"is no complete PCD file (its header lacks {' '.join(missing)})")
    return header, data[offset:]


def _row_type(header) -> np.dtype:
    """One point as a structured type; padding fields (named `_`) get names of their own."""
    fields = header["FIELDS"]
    counts = [int(word) for word in header.get("COUNT", ["1"] * len(fields))]
    names = [f"_{i}" if name == "_" else name for i, name in enumerate(fields)]
    types = [f"<{KINDS[kind]}{size}" for kind, size in zip(header["TYPE"], header["SIZE"], strict=True)]
    rows = zip(names, types, counts, strict=True)
    return np.dtype([(name, type) if count == 1 else (name, type, (count,)) for name, type, count in rows])


def _ascii(body: bytes, row: np.dtype, count: int):
    width = sum(int(np.prod(row[name].shape)) for name in row.names)
    numbers = np.array(body.split()).astype(np.float64)
    if len(numbers) < count * width:
        raise Refused(f"is truncated: it declares {count:,} points and holds {len(numbers) // width:,}")
    table = numbers[: count * width].reshape(count, width)
    columns, start = {}, 0
    for name in row.names:
        columns[name] = table[:, start]
        start += int(np.prod(row[name].shape))
    return columns


def _binary(body: bytes, row: np.dtype, count: int):
    if len(body) < count * row.itemsize:
        raise Refused(f"is truncated: it declares {count:,} points and holds {len(body) // row.itemsize:,}")
    points = np.frombuffer(body, dtype=row, count=count)
    return {name: points[name] for name in row.names}


def _compressed(body: bytes, row: np.dtype, count: int):
    """Two uint32 (packed and unpacked size), then LZF; unpacked, the fields follow one another."""
    packed, size = np.frombuffer(body, dtype="<u4", count=2).tolist()
    if len(body) < 8 + packed or size != count * row.itemsize:
        raise Refused(f"is truncated or damaged: {packed:,} packed bytes declared, {len(body) - 8:,} present")
    data = unpack_lzf(body[8 : 8 + packed], size)
    columns, start = {}, 0
    for name in row.names:
        field = row[name]
        columns[name] = np.frombuffer(data, dtype=field.base, count=count * (field.itemsize // field.base.itemsize),
                                      offset=start).reshape((count, *field.shape))  # fmt: skip
        start += count * field.itemsize
    return columns


def unpack_lzf(packed: bytes, size: int) -> bytes:
    """LZF (Lehmann's liblzf): runs of literal bytes and copies of up to 264 bytes from at most 8 KiB back."""
    out, i = bytearray(), 0
    while i < len(packed):
        control = packed[i]
        i += 1
        if control < 32:  # control + 1 literal bytes
            out += packed[i : i + control + 1]
            i += control + 1
            continue
        length = control >> 5
        if length == 7:
            length += packed[i]
            i += 1
        start = len(out) - ((control & 31) << 8) - packed[i] - 1
        i += 1
        if start < 0 or len(out) > size:
            break
        for j in range(start, start + length + 2):  # may overlap what is being written
            out.append(out[j])
    if len(out) != size:
        raise Refused("is damaged: its compressed data do not unpack to the declared size")
    return bytes(out)


DECODERS = {"ascii": _ascii, "binary": _binary, "binary_compressed": _compressed}
