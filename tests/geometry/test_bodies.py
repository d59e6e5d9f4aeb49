"""Bodies of a mesh: counted, split, united, measured without the faces between them."""

import numpy as np
import pytest
from faults.parts import BRACKET, VOLUME, box

from cadcode.geometry.bodies import split
from cadcode.geometry.holes import loops
from cadcode.geometry.io.load import load_shape
from cadcode.geometry.mending import mend
from cadcode.geometry.mesh import signed_volume
from cadcode.geometry.metrics import compare, measure_target
from cadcode.geometry.shape import Shape
from cadcode.sandbox.outcome import CadMesh, validate_mesh
from cadcode.sandbox.wire import pack


def joined(*meshes):
    starts = np.cumsum([0] + [len(vertices) for vertices, _ in meshes])
    faces = [faces + start for (_, faces), start in zip(meshes, starts, strict=False)]
    return np.concatenate([vertices for vertices, _ in meshes]), np.concatenate(faces)


def inwards(mesh):
    return mesh[0], mesh[1][:, ::-1]


CUBE, CORE = box(), box((10, 10, 10), (5, 5, 5))


@pytest.mark.parametrize("mesh", [BRACKET, joined(CUBE, box(at=(20, 20, 0))), joined(CUBE, inwards(CORE))])
def test_clean_meshes_come_back_as_they_are(mesh):
    shape = Shape.from_arrays(*mesh)
    again = mend(shape.vertices, shape.faces)
    assert again.vertices is shape.vertices and again.faces is shape.faces and again.warnings == ()


def test_split_gives_each_body_with_its_cavity():
    shape = Shape.from_arrays(*joined(BRACKET, box(at=(100, 0, 0)), inwards(box((10, 10, 10), (105, 5, 5)))))
    first, second = split(shape)
    assert shape.bodies == 2 and "1 closed cavity inside" in shape.notes
    assert np.isclose(signed_volume(first.vertices, first.faces), VOLUME)
    assert np.isclose(signed_volume(second.vertices, second.faces), 7000)
    assert first.bodies == second.bodies == 1 and second.notes[-1] == "body 2 of 2" and second.path == shape.path


def test_one_body_a_surface_and_a_cloud_are_not_split():
    for shape in (Shape.from_arrays(*CUBE), Shape.from_arrays(CUBE[0], CUBE[1][:6]), Shape.from_arrays(CUBE[0])):
        assert split(shape) == [shape] and shape.bodies == bool(shape.watertight)


def test_a_body_in_a_cavity_is_a_body():
    shape = Shape.from_arrays(*joined(CUBE, inwards(CORE), box((2, 2, 2), (9, 9, 9))))
    assert shape.bodies == 2 and np.isclose(signed_volume(shape.vertices, shape.faces), 7008)


def touching_solids(tmp_path):
    path = tmp_path / "two.brep"
    path.write_text("DBRep_DrawableShape")
    mesh = CadMesh(*joined(CUBE, box(at=(20, 0, 0))), bodies=(8, 8))
    return load_shape(path, lambda _: mesh)


def test_solids_of_a_cad_file_stay_apart_where_they_touch(tmp_path):
    shape = touching_solids(tmp_path)
    assert shape.bodies == 2 and len(shape.vertices) == 16 and len(shape.faces) == 24
    assert [part.extents.tolist() for part in split(shape)] == [[20, 20, 20]] * 2


def test_faces_between_solids_are_no_surface(tmp_path):
    target = measure_target(touching_solids(tmp_path))
    errors = compare(*box((40, 20, 20)), target)
    assert errors.max_deviation < 1e-6 and errors.iou == pytest.approx(1)


def test_loops_part_where_they_touch():
    found = loops(np.array([0, 1, 2, 2, 3, 4]), np.array([1, 2, 0, 3, 4, 2]))
    assert sorted(sorted(loop.tolist()) for loop in found) == [[0, 1, 2], [2, 3, 4]]


def report(**header):
    blobs = {"vertices": CUBE[0].tobytes(), "faces": CUBE[1].astype("<i4").tobytes()}
    return validate_mesh(pack(header, blobs), 1000)


@pytest.mark.parametrize(
    "forged",
    [
        {"notes": "text"},
        {"notes": [1]},
        {"notes": ["a"] * 100},
        {"bodies": [7]},
        {"bodies": [True] * 8},
        {"bodies": [-1, 9]},
        {"bodies": "8"},
    ],
)
def test_forged_words_about_a_cad_file_are_refused(forged):
    assert report(**forged).kind == "forged"


def test_notes_about_a_cad_file_are_short_lines():
    mesh = report(notes=["two\nlines " + 999 * "x"], bodies=[8])
    assert mesh.bodies == (8,) and "\n" not in mesh.notes[0] and len(mesh.notes[0]) <= 200


def test_repairs_that_are_skipped_are_noted():
    corners = np.random.default_rng(0).random((70_000, 1, 3)) * 100 + np.eye(3)
    notes = mend(corners.reshape(-1, 3), np.arange(len(corners) * 3).reshape(-1, 3)).notes
    assert "holes were not closed: it has 210,000 open edges" in notes
    assert "closed none but the 200 largest of 70,000 open pieces" in notes
