"""Ordinary programs: the right solid, exports that can be read again, failures with a kind and one line."""

import math
import struct

import numpy as np
import pytest

from cadcode.errors import UsageError
from cadcode.sandbox import Failed, Solid
from cadcode.sandbox.outcome import mesh_volume

START = "import cadquery as cq\n"
PLATE = START + "r = cq.Workplane().box(10, 20, 30).cut(cq.Workplane().cylinder(40, 3))"
PLATE_VOLUME = 10 * 20 * 30 - math.pi * 9 * 30

VOLUMES = {
    "dialect": (
        "w0=cq.Workplane('XY',origin=(0,0,-8))\n"
        "r=w0.sketch().segment((0,0),(9,0)).segment((9,9)).segment((0,9))"
        ".close().assemble().push([(4,4)]).circle(2,mode='s').finalize().extrude(-5)"
        ".union(w0.workplane(offset=-6/2).moveTo(30,0).box(2,3,6))",
        (81 - 4 * math.pi) * 5 + 36,
    ),
    "the name result": ("result = cq.Workplane().box(1, 2, 3)", 6),
    "result before r": ("r = cq.Workplane().box(1, 1, 1)\nresult = cq.Workplane().box(1, 2, 3)", 6),
    "shown": ("cq_part = 1\nshow_object(cq.Workplane().box(1, 2, 3), name='part')", 6),
    "the last value": ("a = cq.Workplane().box(1, 1, 1)\nb = a.translate((9, 0, 0)).union(a)", 2),
    "a shape": ("r = cq.Solid.makeBox(1, 2, 3)", 6),
    "a selected face": ("r = cq.Workplane().box(1, 2, 3).faces('>Z')", 6),
    "a workplane on a face": ("r = cq.Workplane().box(1, 2, 3).faces('>Z').workplane()", 6),
    "bodies on the stack": (
        "r = cq.Workplane().pushPoints([(0, 0), (9, 0)]).eachpoint("
        "lambda place: cq.Solid.makeBox(1, 2, 3).located(place))",
        12,
    ),
    "overlapping bodies": (
        "r = cq.Workplane().pushPoints([(i / 10, 0) for i in range(10)]).eachpoint("
        "lambda place: cq.Solid.makeBox(1, 1, 1).located(place))",
        1.9,
    ),
    "the same body twice": (
        "r = cq.Workplane().pushPoints([(0, 0), (0, 0), (5, 0)]).eachpoint("
        "lambda place: cq.Solid.makeBox(1, 2, 3).located(place))",
        12,
    ),
    "mirrored": ("r = cq.Workplane().box(1, 2, 3).translate((5, 0, 0)).mirror('YZ')", 6),
    "a function and a loop": (
        "def hole(x):\n    return cq.Workplane().box(1, 1, 9).translate((x, 0, 0))\n"
        "r = cq.Workplane().box(10, 2, 1)\n"
        "for x in range(-4, 5, 2):\n    r = r.cut(hole(x))",
        15,
    ),
}


@pytest.mark.parametrize("name", VOLUMES)
def test_the_solid_has_its_volume(sandbox, name):
    text, volume = VOLUMES[name]
    outcome = sandbox.run(START + text)
    assert isinstance(outcome, Solid), outcome
    assert outcome.volume == pytest.approx(volume, rel=1e-6)
    assert mesh_volume(outcome.vertices, outcome.faces) == pytest.approx(volume, rel=0.02)
    assert outcome.valid


def test_the_mesh_is_closed_and_in_place(sandbox):
    outcome = sandbox.run(PLATE)
    faces = outcome.faces
    half_edges = np.concatenate((faces[:, :2], faces[:, 1:], faces[:, [2, 0]]))
    assert outcome.vertices.dtype == np.float64 and faces.dtype == np.int32
    assert {tuple(edge) for edge in half_edges} == {tuple(edge) for edge in half_edges[:, ::-1]}
    assert len(np.unique(half_edges, axis=0)) == len(half_edges)
    np.testing.assert_allclose(outcome.vertices.min(axis=0), (-5, -10, -15))
    np.testing.assert_allclose(outcome.vertices.max(axis=0), (5, 10, 15))


def test_the_mesh_stays_near_the_surface(sandbox):
    outcome = sandbox.run(START + "r = cq.Workplane().sphere(50)")
    middles = outcome.vertices[outcome.faces].mean(axis=1)
    assert np.abs(np.linalg.norm(outcome.vertices, axis=1) - 50).max() < 1e-6
    assert np.linalg.norm(middles, axis=1).min() > 50 - 0.002 * 100


def test_bodies_are_counted(sandbox):
    apart = sandbox.run(START + "r = cq.Workplane().box(1,1,1).union(cq.Workplane().box(1,1,1).translate((5,0,0)))")
    assert apart.solids == 2 and sandbox.run(PLATE).solids == 1


@pytest.mark.parametrize("name", ["step", "brep"])
def test_exports_read_again_as_the_same_solid(sandbox, tmp_path, name):
    outcome = sandbox.run(PLATE, export=("step", "brep", "stl"))
    path = tmp_path / f"part.{name}"
    path.write_bytes(outcome.exports[name])
    vertices, faces, _, _ = sandbox.read_cad(path)
    assert mesh_volume(vertices, faces) == pytest.approx(mesh_volume(outcome.vertices, outcome.faces), rel=1e-6)


def test_step_reads_again_in_cadquery_itself(sandbox, tmp_path):
    importers = pytest.importorskip("cadquery").importers
    path = tmp_path / "part.step"
    path.write_bytes(sandbox.run(PLATE, export=("step",)).exports["step"])
    assert importers.importStep(str(path)).val().Volume() == pytest.approx(PLATE_VOLUME, rel=1e-6)


def test_stl_holds_the_mesh(sandbox):
    outcome = sandbox.run(PLATE, export=("stl",))
    data = outcome.exports["stl"]
    assert struct.unpack("<I", data[80:84]) == (len(outcome.faces),)
    records = np.frombuffer(data[84:], dtype=[("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("spare", "<u2")])
    np.testing.assert_allclose(records["corners"], outcome.vertices[outcome.faces], rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(records["normal"], axis=1), 1, rtol=1e-5)


def test_only_what_is_asked_is_exported(sandbox):
    assert sandbox.run(PLATE).exports == {}
    with pytest.raises(UsageError, match="dwg"):
        sandbox.run(PLATE, export=("dwg",))


FAILURES = {
    "nothing": ("x = 1", "empty", "no result"),
    "sketch": ("r = cq.Sketch().circle(3)", "empty", "Sketch"),
    "wire": ("r = cq.Workplane().circle(3)", "empty", "no solid"),
    "face": ("r = cq.Face.makePlane(1, 1)", "empty", "no solid"),
    "cut away": ("r = cq.Workplane().box(1, 1, 1).cut(cq.Workplane().box(2, 2, 2))", "empty", "no solid"),
    "nothing in common": (
        "a = cq.Workplane().box(1, 1, 1)\nr = a.intersect(a.translate((5, 0, 0)))",
        "empty",
        "no solid",
    ),
    "a figure of eight": (
        "r = cq.Workplane().polyline([(0, 0), (9, 9), (9, 0), (0, 9)]).close().extrude(5)",
        "empty",
        "no volume",
    ),
    "wrong call": ("w = cq.Workplane()\nr = w.box(1, 2, 3, 4, 5, 6, 7)", "error", "line 3: TypeError"),
    "no such fillet": ("r = cq.Workplane().box(1, 1, 1).edges().fillet(5)", "error", "line 2: StdFail_NotDone"),
    "division": ("r = 1 / 0", "error", "line 2: ZeroDivisionError"),
    "refused": ("import os", "rejected", "line 2: import of 'os'"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_has_a_kind_and_a_reason(sandbox, name):
    text, kind, words = FAILURES[name]
    outcome = sandbox.run(START + text)
    assert isinstance(outcome, Failed) and outcome.kind == kind and words in outcome.reason
    assert "\n" not in outcome.reason


def test_nothing_is_left_for_the_next_program(sandbox):
    assert isinstance(sandbox.run(PLATE), Solid)
    assert sandbox.run(START + "x = 1").kind == "empty"
    assert sandbox.run(START + "cq.Workplane.box = None", checked=False).kind == "empty"
    assert isinstance(sandbox.run(PLATE), Solid)


def test_many_programs_keep_their_order(sandbox):
    texts = [START + f"r = cq.Workplane().box(1, 1, {n})" for n in range(1, 6)]
    assert [round(outcome.volume, 6) for outcome in sandbox.run_many(texts)] == [1, 2, 3, 4, 5]
