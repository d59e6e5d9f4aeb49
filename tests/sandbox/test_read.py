"""CAD files as meshes; files that are broken or something else raise InputError with one line."""

import numpy as np
import pytest

from cadcode.errors import InputError
from cadcode.sandbox.outcome import mesh_volume

PART = "import cadquery as cq\nr = cq.Workplane().box(10, 20, 30).edges('|Z').fillet(2).translate((100, 0, 0))"


@pytest.fixture(scope="module")
def part(sandbox):
    return sandbox.run(PART, export=("step", "brep"))


@pytest.mark.parametrize("suffix", [".step", ".stp", ".STEP", ".brep"])
def test_files_keep_size_and_place(sandbox, part, tmp_path, suffix):
    path = tmp_path / f"part{suffix}"
    path.write_bytes(part.exports["brep" if suffix == ".brep" else "step"])
    vertices, faces, _, _ = sandbox.read_cad(path)
    assert vertices.dtype == np.float64 and faces.dtype == np.int32
    np.testing.assert_allclose(vertices.min(axis=0), (95, -10, -15), atol=1e-6)
    np.testing.assert_allclose(vertices.max(axis=0), (105, 10, 15), atol=1e-6)
    assert mesh_volume(vertices, faces) == pytest.approx(part.volume, rel=0.01)


def test_iges_faces_are_sewn_into_a_closed_mesh(sandbox, tmp_path):
    """An IGES file holds six loose faces; sewn, every edge has two neighbours and the box its volume."""
    cq = pytest.importorskip("cadquery")
    writer_module = pytest.importorskip("OCP.IGESControl")
    writer = writer_module.IGESControl_Writer()
    writer.AddShape(cq.Solid.makeBox(1, 2, 3).wrapped)
    path = tmp_path / "box.igs"
    assert writer.Write(str(path))
    vertices, faces, _, _ = sandbox.read_cad(path)
    edges = np.sort(np.concatenate((faces[:, :2], faces[:, 1:], faces[:, ::2])), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    assert mesh_volume(vertices, faces) == pytest.approx(6)


def test_metres_become_millimetres(sandbox, part, tmp_path):
    text = part.exports["step"].decode()
    assert "SI_UNIT(.MILLI.,.METRE.)" in text
    path = tmp_path / "metres.step"
    path.write_text(text.replace("SI_UNIT(.MILLI.,.METRE.)", "SI_UNIT($,.METRE.)"))
    vertices = sandbox.read_cad(path).vertices
    np.testing.assert_allclose(np.ptp(vertices, axis=0), (10_000, 20_000, 30_000), rtol=1e-6)


def broken_files(part):
    step, brep = part.exports["step"], part.exports["brep"]
    return {
        "garbage.step": b"\x00\xff" * 500,
        "garbage.brep": b"\x00\xff" * 500,
        "garbage.igs": b"\x00\xff" * 500,
        "empty.step": b"",
        "cut.step": step[: len(step) // 3],
        "cut.brep": brep[: len(brep) // 3],
        "other.step": brep,
        "other.brep": step,
        "other.igs": step,
        "part.dwg": step,
        "hollow.step": step.split(b"DATA;")[0] + b"DATA;\nENDSEC;\nEND-ISO-10303-21;\n",
    }


@pytest.mark.parametrize(
    "name",
    [
        "garbage.step",
        "garbage.brep",
        "garbage.igs",
        "empty.step",
        "cut.step",
        "cut.brep",
        "other.step",
        "other.brep",
        "other.igs",
        "part.dwg",
        "hollow.step",
    ],
)
def test_broken_files_are_named_in_one_line(sandbox, part, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(broken_files(part)[name])
    with pytest.raises(InputError) as caught:
        sandbox.read_cad(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file(sandbox, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        sandbox.read_cad(tmp_path / "missing.step")
