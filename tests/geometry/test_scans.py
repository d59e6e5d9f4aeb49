"""Readers of native code run in a process of their own; scans bring their units, poses and invalid points."""

import sys

import numpy as np
import pytest
from shape_files import SCAN_WRITERS, box_points, write

from cadcode.errors import InputError
from cadcode.geometry.cleaning import Refused
from cadcode.geometry.io.isolated import death, read_apart
from cadcode.geometry.io.load import load_shape

METRE_WKT = (
    'PROJCS["a plane",GEOGCS["a globe",UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'UNIT["metre",1,AUTHORITY["EPSG","9001"]]]'
)


def apart(tmp_path, name: str, seconds: float = 30):
    return read_apart(f"native_faults:{name}", write(tmp_path, "a.bin", "anything"), seconds)


def reason(tmp_path, name: str, seconds: float = 30) -> str:
    with pytest.raises(Refused) as caught:
        apart(tmp_path, name, seconds)
    return caught.value.reason


@pytest.mark.parametrize("name", ["good", "prints"])
def test_a_result_comes_back_whole(tmp_path, name):
    raw = apart(tmp_path, name)
    assert np.array_equal(raw.vertices, np.arange(12.0).reshape(4, 3)) and raw.notes == ("read",) and raw.unit == "m"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_death_is_a_refusal(tmp_path):
    assert reason(tmp_path, "dies") == "its reader died (aborted)"


def test_other_ends_are_refusals(tmp_path):
    assert reason(tmp_path, "fails") == "its reader died (KeyError: 'of a bug')"
    assert reason(tmp_path, "refuses") == "holds nothing"
    assert reason(tmp_path, "sleeps", seconds=1) == "its reader takes longer than 1 s"


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_memory_is_limited(tmp_path):
    assert reason(tmp_path, "fills_the_memory") == "its reader needs more than 2 GB of memory"


def test_a_death_has_one_line():
    assert death(-11, "first\nsecond\n") == "died (segmentation fault)"
    assert death(1, "first\nsecond\n") == "died (second)" and death(3, "") == "died (exit code 3)"


def las_with(tmp_path, *records):
    laspy = pytest.importorskip("laspy")
    cloud = laspy.create()
    cloud.header.scales = [0.001] * 3
    cloud.x, cloud.y, cloud.z = box_points().T
    cloud.header.vlrs.extend(records)
    cloud.write(str(tmp_path / "a.las"))
    return load_shape(tmp_path / "a.las")


def wkt(text: str):
    from laspy.vlrs.known import WktCoordinateSystemVlr

    return WktCoordinateSystemVlr(text)


def geo_key(number: int, value: int):
    from laspy.vlrs.known import GeoKeyDirectoryVlr

    record = GeoKeyDirectoryVlr()
    record.parse_record_data(np.array([1, 1, 0, 1, number, 0, 1, value], dtype="<u2").tobytes())
    return record


def test_las_has_the_unit_that_its_coordinate_system_names(tmp_path):
    pytest.importorskip("laspy")
    assert las_with(tmp_path).unit is None
    assert las_with(tmp_path, wkt(METRE_WKT.replace('UNIT["metre",1', 'UNIT["US survey foot",0.3048006'))).unit is None
    for record in (wkt(METRE_WKT), geo_key(3076, 9001)):
        shape = las_with(tmp_path, record)
        assert shape.unit == "mm" and np.allclose(shape.points, 1000 * box_points(), atol=2)
    assert las_with(tmp_path, geo_key(3076, 9001), geo_key(3076, 9002)).unit is None


def test_invalid_points_of_e57_are_dropped(tmp_path):
    pye57 = pytest.importorskip("pye57")
    columns = {f"cartesian{axis}": column.copy() for axis, column in zip("XYZ", box_points().T, strict=True)}
    columns["cartesianInvalidState"] = (np.arange(40) >= 30).astype(np.int8)
    with pye57.E57(str(tmp_path / "a.e57"), mode="w") as file:
        file.write_scan_raw(columns)
    shape = load_shape(tmp_path / "a.e57")
    assert np.allclose(shape.points, 1000 * box_points()[:30], atol=1e-2)
    assert "dropped 10 points that the scanner marks as invalid" in shape.notes


def test_e57_scans_are_turned_by_their_poses(tmp_path):
    pye57 = pytest.importorskip("pye57")
    columns = {f"cartesian{axis}": column.copy() for axis, column in zip("XYZ", box_points().T, strict=True)}
    turn = np.array([0.5**0.5, 0, 0, 0.5**0.5])  # a quarter about z
    with pye57.E57(str(tmp_path / "a.e57"), mode="w") as file:
        file.write_scan_raw(columns, rotation=turn, translation=np.array([1.0, 2.0, 3.0]))
    x, y, z = box_points().T
    assert np.allclose(load_shape(tmp_path / "a.e57").points, 1000 * np.stack([1 - y, 2 + x, 3 + z], axis=1), atol=1e-2)


@pytest.mark.parametrize("name", SCAN_WRITERS)
def test_points_that_are_missing_are_a_refusal(tmp_path, name):
    package, writer = SCAN_WRITERS[name]
    pytest.importorskip(package)
    path = writer(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError) as caught:
        load_shape(path)
    assert "\n" not in str(caught.value)


def test_a_laz_that_declares_too_much_is_a_refusal(tmp_path):
    pytest.importorskip("laspy")
    path = SCAN_WRITERS["LAZ"][1](tmp_path)
    data = bytearray(path.read_bytes())
    data[107:111] = (1 << 31).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(InputError, match="far more than a cloud does"):
        load_shape(path)
