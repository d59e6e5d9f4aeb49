"""Every damaged file is an InputError in one line, and no damage whatever is anything else."""

import os
import warnings

import numpy as np
import pytest
from broken_files import make_broken_files

from cadcode.errors import InputError
from cadcode.geometry.io.load import SUFFIXES, load_shape
from cadcode.geometry.shape import Shape


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    return make_broken_files(tmp_path_factory.mktemp("broken") / "files")


def refusal(path) -> InputError:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("error", UserWarning)
        with pytest.raises(InputError) as caught:
            load_shape(path)
    return caught.value


def test_every_broken_file_is_refused_in_one_line(broken):
    assert len(broken) > 80 and len(set(broken)) == len(broken)
    for path in broken:
        error = refusal(path)
        assert str(error).startswith(str(path)) and "\n" not in str(error), path
        assert error.reason.strip() and error.advice.strip(), path
        assert len(str(error)) < len(str(path)) + 400, path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("empty.stl", "empty"),
        ("truncated.stl", "declares 12 triangles and holds 2"),
        ("truncated_solid.stl", "truncated"),
        ("all_nan.stl", "NaN"),
        ("zero_extent.stl", "no size"),
        ("all_degenerate.stl", "degenerate"),
        ("huge.stl", "overflows"),
        ("ascii_truncated.stl", "truncated"),
        ("no_such_vertex.obj", "1 to 9, but it has 1 to 3"),
        ("truncated_ascii.ply", "truncated"),
        ("truncated_faces.off", "truncated"),
        ("truncated.glb", "truncated"),
        ("one_place.xyz", "coincide"),
        ("count_lies.pts", "declares 9 points and holds 4"),
        ("unknown_names.npz", "colours, labels"),
        ("truncated_binary.pcd", "declares 5 points and holds 3"),
        ("garbage.step", "ISO-10303-21"),
        ("truncated.stp", "truncated"),
        ("part.docx", "'.docx'"),
        ("folder.stl", "folder"),
        ("missing.stl", "does not exist"),
    ],
)
def test_the_reason_is_the_right_one(broken, name, words):
    path = next(path for path in broken if path.name == name)
    assert words in refusal(path).reason


def test_all_suffixes_are_listed_for_an_unknown_one(broken):
    advice = refusal(next(path for path in broken if path.suffix == ".docx")).advice
    assert all(suffix[1:] in advice.split() for suffix in SUFFIXES)


def test_standard_input_is_refused():
    assert "standard input" in refusal("-").reason


def test_an_impossible_path_is_refused(tmp_path):
    assert "cannot be opened" in refusal(tmp_path / ("long" * 500 + ".stl")).reason
    refusal(str(tmp_path / "zero\0byte.stl"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe.stl")
    assert "regular" in refusal(tmp_path / "pipe.stl").reason


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="everything is readable for root")
def test_an_unreadable_file_is_refused(tmp_path):
    path = tmp_path / "secret.xyz"
    path.write_text("0 0 0\n1 1 1\n1 0 0\n0 1 0\n")
    path.chmod(0)
    assert "cannot be opened" in refusal(path).reason


@pytest.mark.parametrize("package", ["laspy", "pye57"])
def test_a_missing_scan_package_says_what_to_install(tmp_path, monkeypatch, package):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    path = tmp_path / {"laspy": "cloud.las", "pye57": "cloud.e57"}[package]
    path.write_bytes(b"LASF" + bytes(400) if package == "laspy" else b"ASTM-E57" + bytes(400))
    error = refusal(path)
    assert package in error.reason and error.advice == 'pip install "cadcode[scan]"'


def test_cad_files_need_a_kernel(tmp_path):
    for name in ("part.step", "part.brep", "part.igs"):
        (tmp_path / name).write_text("ISO-10303-21;\nEND-ISO-10303-21;\n")
        assert "CAD kernel" in refusal(tmp_path / name).reason


def test_the_words_of_a_parser_become_one_line(tmp_path):
    def read(path):
        raise ValueError("first line\nsecond line\n" + "and more " * 100)

    (tmp_path / "part.brep").write_text("anything")
    with pytest.raises(InputError) as caught:
        load_shape(tmp_path / "part.brep", cad_reader=read)
    assert "first line second line" in caught.value.reason and len(caught.value.reason) < 250


@pytest.mark.parametrize(
    ("vertices", "faces"),
    [
        ([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, -1]]),
        ([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 3]]),
        ([[0, 0], [1, 0], [0, 1]], [[0, 1, 2]]),
        ([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.empty((0, 3), dtype=int)),
        (np.empty((0, 3)), None),
        ([["a", "b", "c"]] * 5, None),
    ],
)
def test_unusable_arrays_are_refused(vertices, faces):
    with pytest.raises(InputError):
        Shape.from_arrays(vertices, faces)
