import math
import re

import cadquery as cq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import programs

from cadcode.program.text.compact import compact, number
from cadcode.program.text.readable import readable
from cadcode.program.tree import Arc, Circle, Extrude, Face, Line, Loop, Program, Rect, Step

TOMBSTONE = Loop((0, 0), (Line((40, 0)), Arc((50, 10), (40, 20)), Line((0, 20)), Line((0, 0))))
TOMBSTONE_AREA = 40 * 20 + math.pi * 10**2 / 2
DISC = Loop((10, 5), (Arc((5, 10), (10, 15)), Arc((15, 10), (10, 5))))  # two arcs: no straight edge to close
TRIANGLE = Loop((20, 5), (Line((30, 5)), Line((25, 10)), Line((20, 5))))
PLATE = Extrude("XY", -5, 10, (Face(Rect((0, 0), 60, 40)),))


def one(plane, offset, height, *faces) -> Program:
    return Program((Step("union", Extrude(plane, offset, height, faces)),))


def holes(*centres, radius=3):
    return [Face(Circle(centre, radius), subtract=True) for centre in centres]


def run(text: str, name: str):
    namespace = {}
    exec(text, namespace)  # our own text
    return namespace[name].val()


def test_compact_spelling_of_a_sketch_with_everything():
    faces = (Face(TOMBSTONE), *holes((10, 10), (30, 10)), Face(Rect((60, 10), 30, 2.5)), Face(TRIANGLE, True))
    program = Program((*one("ZX", -3, -10, *faces).steps, Step("cut", PLATE), Step("intersect", PLATE)))
    plate = "cq.Workplane('XY').workplane(offset=-5).sketch().push([(0,0)]).rect(60,40).finalize().extrude(10)"
    assert compact(program) == (
        "import cadquery as cq\n"
        "r=cq.Workplane('ZX').workplane(offset=-3).sketch()"
        ".segment((0,0),(40,0)).arc((50,10),(40,20)).segment((0,20)).close().assemble()"
        ".push([(10,10),(30,10)]).circle(3,mode='s').push([(60,10)]).rect(30,2.5)"
        ".reset().face(cq.Sketch().segment((20,5),(30,5)).segment((25,10)).close().assemble(),mode='s')"
        f".finalize().extrude(-10).cut({plate}).intersect({plate})"
    )


def test_compact_leaves_out_close_where_the_last_edge_is_an_arc():
    assert ".arc((10,5),(5,10),(10,15)).arc((15,10),(10,5)).assemble()" in compact(one("XY", 0, 1, Face(DISC)))


def test_compact_groups_neighbours_only():
    faces = (*holes((1, 1), (2, 2)), *holes((9, 9), radius=4), *holes((3, 3)))
    text = compact(one("XY", 0, 1, Face(Rect((0, 0), 90, 90)), *faces))
    assert re.findall(r"push\((\[[^]]*\])\)\.circle", text) == ["[(1,1),(2,2)]", "[(9,9)]", "[(3,3)]"]


@given(st.floats(-1e9, 1e9) | st.floats(-1e-3, 1e-3))
def test_numbers_are_plain_and_close(value):
    text = number(value)
    assert re.fullmatch(r"-?(0|[1-9]\d*)(\.\d{0,5}[1-9])?", text) and text != "-0"
    assert float(text) == pytest.approx(value, abs=5.1e-7, rel=1e-15)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_are_finite(value):
    with pytest.raises(ValueError, match="not a number"):
        number(value)


VOLUMES = {
    "outline, extruded backwards": (one("XY", 3, -10, Face(TOMBSTONE)), 10 * TOMBSTONE_AREA),
    "outlines taken away": (
        one("XY", 3, 10, Face(TOMBSTONE), Face(DISC, True), Face(TRIANGLE, True)),
        10 * (TOMBSTONE_AREA - 25 * math.pi - 25),
    ),
    "push of several points after an outline": (
        one("YZ", 0, 10, Face(TOMBSTONE), *holes((10, 10), (30, 10))),
        10 * (TOMBSTONE_AREA - 18 * math.pi),
    ),
    "an outline after a push": (
        one("ZX", -2, 10, Face(Circle((0, 0), 2)), Face(Circle((90, 0), 2)), Face(TRIANGLE)),
        10 * (8 * math.pi + 25),
    ),
    "holes in a rectangle, then a rectangle added": (
        one("XY", 0, 2, Face(Rect((0, 0), 20, 10)), *holes((-5, 0), (5, 0)), Face(Rect((0, 20), 4, 5))),
        2 * (200 - 18 * math.pi + 20),
    ),
    "union of touching bodies": (
        Program((Step("union", PLATE), Step("union", Extrude("XY", 5, 4, (Face(Circle((0, 0), 6)),))))),
        24000 + 144 * math.pi,
    ),
    "cut": (
        Program((Step("union", PLATE), Step("cut", Extrude("XY", 9, -99, (Face(Circle((0, 0), 6)),))))),
        24000 - 360 * math.pi,
    ),
    "intersect": (
        Program((Step("union", PLATE), Step("intersect", Extrude("YZ", 0, 99, (Face(Rect((0, 0), 4, 4)),))))),
        30 * 4 * 4,
    ),
}


@pytest.mark.parametrize("program, volume", VOLUMES.values(), ids=VOLUMES.keys())
def test_both_spellings_run_and_have_the_volume_of_the_tree(program, volume):
    for solid in (run(compact(program), "r"), run(readable(program), "result")):
        assert solid.isValid() and solid.Volume() == pytest.approx(volume, rel=1e-6)


def test_planes_lie_as_the_tree_says():
    for plane, low in {"XY": (10, 20, 5), "YZ": (5, 10, 20), "ZX": (20, 5, 10)}.items():
        box = run(compact(one(plane, 5, 3, Face(Rect((11, 22), 2, 4)))), "r").BoundingBox()
        assert (box.xmin, box.ymin, box.zmin) == pytest.approx(low, abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(programs(most=2, whole=False))
def test_both_spellings_say_the_same_solid(program):
    def measure(solid):
        return solid.Volume() if isinstance(solid, cq.Shape) else 0.0

    volume = measure(run(compact(program), "r"))
    assert measure(run(readable(program), "result")) == pytest.approx(volume, rel=1e-4, abs=1e-3)


BAD_TREES = {
    "no body": Program(()),
    "starts with a cut": Program((Step("cut", PLATE),)),
    "unknown operation": Program((Step("union", PLATE), Step("add", PLATE))),
    "unknown plane": one("XZ", 0, 1, Face(DISC)),
    "no faces": one("XY", 0, 1),
    "first face subtracts": one("XY", 0, 1, Face(DISC, True)),
    "one edge": one("XY", 0, 1, Face(Loop((0, 0), (Line((0, 0)),)))),
    "open outline": one("XY", 0, 1, Face(Loop((0, 0), (Line((1, 0)), Line((1, 1)))))),
}


@pytest.mark.parametrize("spell", [compact, readable])
@pytest.mark.parametrize("program", BAD_TREES.values(), ids=BAD_TREES.keys())
def test_trees_that_no_text_can_say_are_refused(program, spell):
    with pytest.raises(ValueError):
        spell(program)
