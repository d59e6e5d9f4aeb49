"""Judging reports: laws of the mesh's volume, and limits that no process has to be started for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadcode.sandbox.outcome import Failed, Solid, mesh_volume, one_line, validate_mesh, validate_report
from cadcode.sandbox.wire import pack, unpack

CORNERS = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)], dtype=float)
FACES = np.array([(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)], dtype=np.int32)


def report(corners=CORNERS, faces=FACES, blobs=None, **header):
    told = {"volume": 1 / 6, "valid": True, "solids": 1, **header}
    return pack(told, {"vertices": corners.tobytes(), "faces": faces.tobytes(), **(blobs or {})})


def verdict(data, export=(), max_triangles=100):
    return validate_report(data, export, max_triangles, 0.001, 0.5)


def test_volume_moves_with_its_mesh():
    moved = CORNERS * (2, 3, 4) + (1000, -2000, 5)
    assert mesh_volume(moved, FACES) == pytest.approx(24 / 6)
    assert mesh_volume(moved, FACES[:, ::-1]) == pytest.approx(-24 / 6)


def test_an_honest_report():
    outcome = verdict(report())
    assert isinstance(outcome, Solid) and outcome.volume == pytest.approx(1 / 6) and outcome.seconds == 0.5
    np.testing.assert_array_equal(outcome.vertices, CORNERS)
    outcome.vertices[0] = 1  # ours to change


def test_an_invalid_shape_has_the_volume_of_its_mesh():
    outcome = verdict(report(valid=False, volume=7.0))
    assert isinstance(outcome, Solid) and not outcome.valid and outcome.volume == pytest.approx(1 / 6)


def test_too_many_triangles():
    assert "more than 3 triangles" in verdict(report(), max_triangles=3).reason


def test_exports_must_be_there_and_look_right():
    assert verdict(report(), export=("step",)).kind == "forged"
    assert verdict(report(blobs={"step": b"#!/bin/sh"}), export=("step",)).kind == "forged"
    good = verdict(report(blobs={"step": b"ISO-10303-21;\n", "extra": b"x"}), export=("step", "stl"))
    assert sorted(good.exports) == ["step", "stl"]


def test_reported_failures_are_one_line():
    outcome = verdict(pack({"failed": "error", "reason": "a\nb\x1b[31m" + "c" * 9999}))
    assert outcome.kind == "error" and outcome.reason.isprintable() and len(outcome.reason) <= 200


@given(st.binary(max_size=200))
def test_any_bytes_get_a_verdict(data):
    assert verdict(data).kind == "forged"
    assert isinstance(validate_mesh(data, 100), Failed)


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_damaged_report_never_raises(place, value):
    data = bytearray(report())
    data[place % len(data)] = value
    assert isinstance(verdict(bytes(data)), Solid | Failed)


@given(st.dictionaries(st.text(max_size=5), st.binary(max_size=9), max_size=4))
def test_frames_round_trip(blobs):
    header, back = unpack(pack({"x": [1, "two"]}, blobs))
    assert header["x"] == [1, "two"] and back == blobs


@given(st.text())
def test_one_line_is_one_line(text):
    assert len(one_line(text).splitlines()) <= 1
