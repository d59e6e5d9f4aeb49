"""Readers of laser scans: LAS, LAZ and E57, by the optional packages laspy and pye57 in a process of their own."""

import importlib.util
import re
from pathlib import Path

import numpy as np

from cadcode.geometry.cleaning import AS_IT_SAYS, Raw, ReadOptions, Refused, count_of
from cadcode.geometry.io.isolated import check_unpacked, read_apart

SCAN_ADVICE = 'pip install "cadcode[scan]"'
LINEAR_UNITS = {9001: "m", 9002: "foot"}  # of GeoTIFF; the US survey foot is not supported
PROJECTED_UNIT = 3076  # ProjLinearUnitsGeoKey
WKT_UNIT = re.compile(r'(?:LENGTH)?UNIT\["(met(?:re|er)|foot)",\s*([0-9.]+)', re.IGNORECASE)
WKT_PLANE = ("PROJCS", "PROJCRS", "LOCAL_CS", "ENGCRS")
ANY_ERROR = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    EOFError,
    OSError,
)


def read_las(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """LAS and LAZ: scaled coordinates; Refused for damaged files and where laspy is missing."""
    check_las(path)
    check_package("laspy")
    return read_apart("cadcode.geometry.io.scans:las_points", path)


def read_e57(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """E57: all scans, each in its pose, in metres; Refused for damaged files and where pye57 is missing."""
    with open(path, "rb") as file:
        if file.read(8) != b"ASTM-E57":
            raise Refused("is not an E57 file (it does not start with ASTM-E57)", "check the file and its suffix")
    check_package("pye57")
    return read_apart("cadcode.geometry.io.scans:e57_points", path)


def check_package(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        raise Refused(f"needs the package {name}, which is not installed", SCAN_ADVICE)


def check_las(path: Path) -> None:
    """Compare the sizes in the header (ASPRS LAS 1.4, table 3) with the file: laspy would read for hours."""
    with open(path, "rb") as file:
        head = file.read(375)
    if head[:4] != b"LASF" or len(head) < 227:
        raise Refused("is not a LAS file (it does not start with a LAS header)", "check the file and its suffix")
    start, records = (int.from_bytes(head[i : i + 4], "little") for i in (96, 100))
    more_records = int.from_bytes(head[243:247], "little") if head[25] >= 4 else 0
    needed, size = max(start, 54 * records, 60 * more_records), path.stat().st_size
    count = int.from_bytes(head[247:255] if head[25] >= 4 else head[107:111], "little")
    if head[104] < 128:  # not compressed: points of a fixed size
        needed = max(needed, start + count * int.from_bytes(head[105:107], "little"))
    if size < needed:
        raise Refused(f"is truncated or damaged: it needs {needed:,} bytes and holds {size:,}")
    check_unpacked(3 * count, 2 * size)


def las_points(path: Path) -> Raw:
    """The points of a LAS or LAZ file; Refused for a damaged file and for a kind that laspy does not read."""
    import laspy

    try:
        cloud = laspy.read(path)
        points, declared = np.asarray(cloud.xyz, dtype=np.float64), cloud.header.point_count
        unit = las_unit(cloud.header.vlrs)
    except (laspy.errors.LaspyException, *ANY_ERROR) as error:
        raise Refused(f"cannot be read as LAS ({plain(error)})") from error
    except BaseException as error:  # noqa: BLE001  lazrs's errors and panics have a class of their own
        if type(error).__module__.partition(".")[0] not in ("lazrs", "pyo3_runtime"):
            raise
        raise Refused(f"cannot be read as LAZ ({plain(error)})", "save it as LAS") from error
    if len(points) != declared:
        raise Refused(f"is truncated: it declares {declared:,} points and holds {len(points):,}")
    return Raw(points, unit=unit)


def las_unit(records) -> str | None:
    """The unit of the plane that a coordinate system plainly names; None where it names none or two."""
    units = set()
    for record in records:
        if hasattr(record, "geo_keys"):
            units |= {
                LINEAR_UNITS.get(key.value_offset)
                for key in record.geo_keys
                if key.id == PROJECTED_UNIT and key.tiff_tag_location == 0
            }
        text = getattr(record, "string", "")
        if isinstance(text, str) and any(word in text.upper() for word in WKT_PLANE):
            units |= {wkt_unit(*match) for match in WKT_UNIT.findall(text)}
    return units.pop() if len(units) == 1 else None


def wkt_unit(name: str, metres: str) -> str | None:
    size = float(metres) if metres.count(".") <= 1 and metres.strip(".") else 0
    return {1.0: "m", 0.3048: "foot"}.get(size)


def e57_points(path: Path) -> Raw:
    """The valid points of all scans, each in its pose, in metres as ASTM E2807 says; Refused for a damaged file."""
    import pye57

    size, numbers, scans, invalid = path.stat().st_size, 0, [], 0
    try:
        with pye57.E57(str(path)) as file:
            for i in range(file.scan_count):
                count = file.get_header(i).point_count
                numbers += 3 * count
                check_unpacked(numbers, 2 * size)
                points = scan_points(file, i)
                scans.append(points)
                invalid += count - len(points)
    except (pye57.libe57.E57Exception, *ANY_ERROR) as error:
        raise Refused(f"cannot be read as E57 ({plain(error)})") from error
    if not scans:
        raise Refused("holds no scans")
    notes = (f"joined {len(scans)} scans",) if len(scans) > 1 else ()
    notes += (f"dropped {count_of(invalid, 'point')} that the scanner marks as invalid",) if invalid else ()
    return Raw(np.concatenate(scans), notes=notes, unit="m")


def scan_points(file, number: int):
    """The points (N, 3) of one scan in its pose."""
    scan = file.read_scan(number, ignore_missing_fields=True)
    missing = [axis for axis in "XYZ" if f"cartesian{axis}" not in scan]
    if missing:
        raise Refused(f"has a scan without {' '.join(missing)}")
    return np.stack([scan[f"cartesian{axis}"] for axis in "XYZ"], axis=1)


def plain(error: BaseException) -> str:
    return " ".join(str(error).split())[:150] or type(error).__name__
