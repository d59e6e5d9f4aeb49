"""Readers of laser scans: LAS, LAZ and E57, which need the optional packages laspy and pye57."""

import importlib.util
from pathlib import Path

from cadcode.geometry.cleaning import AS_IT_SAYS, Raw, ReadOptions, Refused
from cadcode.geometry.io.isolated import read_apart
from cadcode.geometry.io.limits import check_unpacked

SCAN_ADVICE = 'pip install "cadcode[scan]"'


def read_las(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """LAS and LAZ: scaled coordinates; Refused for damaged files and where laspy is missing."""
    check_las(path)
    check_package("laspy")
    return read_apart("cadcode.geometry.io.native:las_points", path)


def read_e57(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """E57: all scans, each in its pose, in metres; Refused for damaged files and where pye57 is missing."""
    with open(path, "rb") as file:
        if file.read(8) != b"ASTM-E57":
            raise Refused("is no E57 file (it does not start with ASTM-E57)", "check the file and its suffix")
    check_package("pye57")
    return read_apart("cadcode.geometry.io.native:e57_points", path)


def check_package(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        raise Refused(f"needs the package {name}, which is not installed", SCAN_ADVICE)


def check_las(path: Path) -> None:
    """Compare the sizes in the header (ASPRS LAS 1.4, table 3) with the file: laspy would read for hours."""
    with open(path, "rb") as file:
        head = file.read(375)
    if head[:4] != b"LASF" or len(head) < 227:
        raise Refused("is no LAS file (it does not start with a LAS header)", "check the file and its suffix")
    start, records = (int.from_bytes(head[i : i + 4], "little") for i in (96, 100))
    more_records = int.from_bytes(head[243:247], "little") if head[25] >= 4 else 0
    needed, size = max(start, 54 * records, 60 * more_records), path.stat().st_size
    count = int.from_bytes(head[247:255] if head[25] >= 4 else head[107:111], "little")
    if head[104] < 128:  # not compressed: points of a fixed size
        needed = max(needed, start + count * int.from_bytes(head[105:107], "little"))
    if size < needed:
        raise Refused(f"is truncated or damaged: it needs {needed:,} bytes and holds {size:,}")
    check_unpacked(3 * count, 2 * size)
