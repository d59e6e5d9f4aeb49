"""Packed files give the file in them, and leave nothing behind."""

import gzip
import hashlib
import tempfile
import zipfile

import numpy as np
import pytest
from shape_files import BOUNDS, CLOUD_WRITERS, CORNERS, FACES, MESH_WRITERS, stl_bytes, write

from cadcode.errors import InputError
from cadcode.geometry.io.load import is_shape_file, load_shape, stem_of, suffix_of
from cadcode.sandbox.outcome import CadMesh

WRITERS = {name: writer for name, writer in (MESH_WRITERS | CLOUD_WRITERS).items() if "GLTF" not in name}


@pytest.fixture
def unpacked_here(tmp_path, monkeypatch):
    """The folder that files are unpacked in."""
    folder = tmp_path / "unpacked"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("name", WRITERS)
def test_a_packed_file_is_the_file(tmp_path, unpacked_here, name):
    path = WRITERS[name](tmp_path)
    plain, data = load_shape(path), path.read_bytes()
    packed = write(tmp_path, path.name + ".gz", gzip.compress(data))
    archive = tmp_path / "any name.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(f"folder/{path.name}", data)
    for other in (packed, archive):
        shape = load_shape(other)
        assert np.array_equal(shape.vertices, plain.vertices) and shape.notes == plain.notes
        assert shape.path == str(other) and shape.format == plain.format
        assert shape.sha256 == hashlib.sha256(other.read_bytes()).hexdigest()
    assert list(unpacked_here.iterdir()) == []


def test_a_packed_cad_file_is_read_by_the_kernel_and_named_as_it_is(tmp_path, unpacked_here):
    path = write(tmp_path, "a.step.gz", gzip.compress(b"ISO-10303-21;\nEND-ISO-10303-21;\n"))

    def read(path):
        if path.name != "part.step":
            raise AssertionError(path)
        return CadMesh(CORNERS, FACES)

    def refuse(path):
        raise InputError(path, "is bad", "mend it")

    assert np.allclose(load_shape(path, read).bounds, BOUNDS)
    with pytest.raises(InputError) as caught:
        load_shape(path, refuse)
    assert caught.value.path == str(path) and list(unpacked_here.iterdir()) == []


def test_tables_in_an_archive_count_where_nothing_else_is_a_shape(tmp_path):
    points = "0 0 0\n1 0 0\n0 1 0\n0 0 1\n"
    for names in (("list.txt", "a.stl"), ("a.txt", "photo.jpg")):
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w") as file:
            for name in names:
                file.writestr(name, stl_bytes(CORNERS, FACES) if name.endswith("stl") else points)
            file.writestr("__MACOSX/._a.stl", b"x")
        shape = load_shape(path)
        assert shape.is_cloud == ("a.stl" not in names)
        assert any("ignored 1 other file of the archive" in note for note in shape.notes)


@pytest.mark.parametrize(
    ("name", "suffix", "stem"),
    [
        ("a/part.stl", ".stl", "part"),
        ("a/part.v2.STL.GZ", ".stl.gz", "part.v2"),
        ("part.zip", ".zip", "part"),
        ("part.obj.zip", ".obj.zip", "part"),
        ("part.v2.zip", ".zip", "part.v2"),
    ],
)
def test_names_of_shapes_have_suffixes_and_stems(name, suffix, stem):
    assert suffix_of(name) == suffix and stem_of(name) == stem and is_shape_file(name)


def test_other_names_are_no_shapes():
    assert not any(map(is_shape_file, ("a.gz", "a.tar.gz", "a.png", "a", ".stl", "a.stl.bak", "stl.gz")))
    assert [stem_of(name) for name in ("a.tar.gz", "a.png", "a", ".stl")] == ["a.tar", "a", "a", ".stl"]


def test_a_gltf_with_separate_buffers_in_an_archive_is_refused_in_one_line(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("scene.gltf", "{}")
        file.writestr("scene.bin", b"0000")
    with pytest.raises(InputError) as caught:
        load_shape(path)
    assert caught.value.reason == "is an archive of a .gltf with separate .bin files, which are not read together"
    assert "unpack it" in caught.value.advice and "\n" not in str(caught.value)
