"""Readers made of native code, which may abort the process: run through `isolated.read_apart` only."""

import re
from pathlib import Path

import numpy as np

from cadcode.geometry.cleaning import Raw, Refused, count_of
from cadcode.geometry.io.limits import check_unpacked

LINEAR_UNITS = {9001: "m", 9002: "foot"}  # of GeoTIFF; the foot of the US survey is none of ours
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
