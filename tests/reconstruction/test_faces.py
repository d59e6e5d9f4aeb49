"""The face check of a result: a lost feature is named, whatever the IoU."""

import json

import manifold3d
import numpy as np
import pytest
from told import Told

from cadcode.geometry.sampling import sample_surface
from cadcode.geometry.shape import Shape
from cadcode.model.generate import DecodeOptions
from cadcode.program.text.compact import compact
from cadcode.program.tree import Circle, Extrude, Face, Program, Rect, Step
from cadcode.reconstruction.options import Options
from cadcode.reconstruction.run import reconstruct
from cadcode.report.table import error_console, result_table
from cadcode.sandbox.sandbox import Sandbox
from cadcode.search.options import SearchOptions

OPTIONS = Options(
    decoding=DecodeOptions("sample", candidates=8, max_new_tokens=4), search=SearchOptions(refine=False), export=()
)
HOLE = Face(Circle((50.0, 0.0), 20.0), subtract=True)
PLATE = compact(Program((Step("union", Extrude("XY", -10.0, 20.0, (Face(Rect((0.0, 0.0), 200.0, 100.0)), HOLE))),)))


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as opened:
        yield opened


def plate(countersunk: bool) -> Shape:
    """A plate of 200 x 100 x 20 with a hole of radius 20, perhaps countersunk by 5."""
    solid = manifold3d.Manifold.cube((200, 100, 20), center=True)
    solid -= manifold3d.Manifold.cylinder(30, 20, circular_segments=90, center=True).translate((50, 0, 0))
    if countersunk:
        solid -= manifold3d.Manifold.cylinder(10, 20, 30, circular_segments=90).translate((50, 0, 5))
    mesh = solid.to_mesh64()
    return Shape.from_arrays(np.array(mesh.vert_properties)[:, :3], np.array(mesh.tri_verts).astype(np.int64))


def test_all_faces_of_a_right_result_are_found(sandbox):
    result = reconstruct(plate(countersunk=False), Told(PLATE), sandbox, OPTIONS)
    assert result.faces.f1 == 1.0 and result.faces.counts() == {"plane": (6, 6), "hole": (1, 1)}


def test_a_lost_countersink_is_named_with_its_place(sandbox, capsys):
    result = reconstruct(plate(countersunk=True), Told(PLATE), sandbox, OPTIONS)
    assert result.chosen.error.iou > 0.97
    told = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert told["faces"]["counts"]["countersink"] == [0, 1]
    (missing,) = told["faces"]["missing"]
    assert missing["feature"] == "countersink" and missing["at"][0] == pytest.approx(50, abs=0.5)
    error_console().print(result_table(told))
    assert "countersink 0 of 1" in capsys.readouterr().err


def test_a_cloud_has_no_face_check(sandbox):
    points, _ = sample_surface(plate(countersunk=False), 2000, np.random.default_rng(0))
    result = reconstruct(Shape.from_arrays(points), Told(PLATE), sandbox, OPTIONS)
    assert result.faces is None and result.as_dict()["faces"] is None
