"""Rimmed and tapered prisms: volumes of the CAD kernel, and texts that are refused."""

import math

import cadquery as cq
import numpy as np
import pytest

from cadcode.program.features.rimmed import Rimmed
from cadcode.program.features.tapered import Tapered
from cadcode.program.parse import parse
from cadcode.program.rims import Rim
from cadcode.program.text.compact import compact
from cadcode.program.text.readable import readable
from cadcode.program.tree import Arc, Circle, Extrude, Face, Line, Loop, Program, Rect, Rejected, Step

CELLS = 160
PLATE = (Face(Rect((0.0, 0.0), 60.0, 40.0)), Face(Circle((15.0, 0.0), 8.0), subtract=True))
CORNERS = ((0, 0), (60, 0), (60, 20), (25, 20), (25, 50), (0, 50))
BRACKET = Loop(CORNERS[-1], tuple(Line(corner) for corner in CORNERS))
SHALLOW = Loop((0, 0), (Line((60, 0)), Line((60, 40)), Line((30, 41)), Line((0, 40)), Line((0, 0))))
TAB = Loop(
    (0, 0), (Line((60, 0)), Line((60, 40)), Line((42, 40)), Arc((30, 52), (18, 40)), Line((0, 40)), Line((0, 0)))
)


def program_of(feature):
    return Program((Step("union", feature),))


def executed(feature):
    return run(compact(program_of(feature)))


def run(text):
    names = {}
    exec(text, names)  # text of our own making
    return names["r"].val()


def volume_of_field(feature):
    low, high = feature.bounds()
    lines = (low + (high - low) * (np.arange(CELLS)[:, None] + 0.5) / CELLS).T
    return feature.inside_lattice(*lines).mean() * np.prod(high - low)


def rimmed(faces, *rims, height=12.0):
    return Rimmed(Extrude("XY", 0.0, height, faces), rims)


def test_fillets_of_an_angle_have_mitred_corners_convex_and_concave():
    feature = rimmed((Face(BRACKET),), Rim("fillet", "high", 5.0), height=30.0)
    assert executed(feature).Volume() == pytest.approx(57367.625, abs=0.01)
    assert volume_of_field(feature) == pytest.approx(57367.625, rel=2e-3)
    assert volume_of_field(feature) - volume_of_field(feature.body) == pytest.approx(57367.625 - 58500, rel=0.02)


@pytest.mark.parametrize("kind", ["fillet", "chamfer"])
@pytest.mark.parametrize("inner", [True, False])
def test_rims_of_a_plate_with_a_hole(kind, inner):
    feature = rimmed(PLATE, Rim(kind, "low", 3.0, inner), Rim(kind, "high", 1.5, inner))
    shape = executed(feature)
    taken = feature.body.faces[0].outline.area() * 12 - math.pi * 64 * 12 - shape.Volume()
    assert volume_of_field(feature.body) - volume_of_field(feature) == pytest.approx(taken, rel=0.03)
    assert len(shape.Faces()) == 7 + (10 if inner else 8)


def test_equal_rims_at_both_ends_share_a_call():
    feature = rimmed(PLATE, Rim("chamfer", "low", 2.0), Rim("chamfer", "high", 2.0))
    assert compact(program_of(feature)).endswith(".faces('|Z').edges().chamfer(2)")
    assert parse(compact(program_of(feature))) == program_of(feature)
    assert "chamfer = 2\n" in readable(program_of(feature))


def test_the_outline_alone_is_selected_by_its_area():
    feature = rimmed(PLATE, Rim("fillet", "high", 2.0, inner=False))
    assert ".wires(cq.selectors.AreaNthSelector(-1)).edges().fillet(2)" in compact(program_of(feature))


@pytest.mark.parametrize(
    "faces, rim, reason",
    [
        (PLATE, Rim("fillet", "high", 3.6), "too large for the outline"),  # 7 between the hole and the side
        (PLATE, Rim("fillet", "high", 12.0), "higher than their prism"),
        (PLATE, Rim("fillet", "high", 0.0), "above 0"),
        ((Face(SHALLOW),), Rim("fillet", "high", 2.0), "corner"),
        ((Face(TAB),), Rim("fillet", "high", 2.0), "corner"),
        ((*PLATE, Face(Circle((17.0, 0.0), 8.0), subtract=True)), Rim("fillet", "high", 1.0), "touch"),
        ((*PLATE, Face(Circle((30.0, 0.0), 8.0))), Rim("fillet", "high", 1.0), "one outline"),
    ],
)
def test_rims_that_the_kernel_does_not_make_are_refused(faces, rim, reason):
    feature = rimmed(faces, rim)
    with pytest.raises(ValueError, match=reason):
        feature.check()
    numbers = rimmed(PLATE, Rim("fillet", "high", 1.0)).numbers()
    assert numbers.rebuild([*numbers.values[:-1], 3.6]) is None


@pytest.mark.parametrize(
    "calls, reason",
    [
        ("faces('>X').edges().fillet(1)", "caps of a prism"),
        ("faces('>Z').edges().fillet(1).faces('|Z').edges().fillet(1)", "two rims at one end"),
        ("faces('>Z').wires(cq.selectors.AreaNthSelector(0)).edges().fillet(1)", "only understood with -1"),
        ("faces('>Z').edges().fillet(9)", "higher than their prism"),
        ("union(cq.Workplane('XY').box(5,5,50)).faces('>Z').edges().fillet(1)", "nothing was combined with"),
    ],
)
def test_other_selections_are_outside_of_the_dialect(calls, reason):
    found = parse(f"import cadquery as cq\nr=cq.Workplane('XY').box(60,40,8).{calls}")
    assert isinstance(found, Rejected) and reason in found.reason


def test_holes_are_drilled_into_faces_with_rims():
    chain = "box(60,40,8).faces('>Z').edges().fillet(1).faces('>Z').workplane().hole(6)"
    text = f"import cadquery as cq\nr=cq.Workplane('XY').{chain}"
    steps = parse(text).steps
    assert [step.body.kind for step in steps] == ["rimmed", "hole"] and steps[1].body.level == 4.0
    assert run(compact(parse(text))).Volume() == pytest.approx(run(text).Volume())


def test_a_tapered_circle_is_a_cone_frustum():
    feature = Tapered("YZ", -5.0, -30.0, Circle((3.0, 4.0), 20.0), 15.0)
    small = 20.0 - 30.0 * math.tan(math.radians(15.0))
    volume = math.pi * 30.0 / 3 * (400 + 20 * small + small**2)
    assert executed(feature).Volume() == pytest.approx(volume)
    assert volume_of_field(feature) == pytest.approx(volume, rel=2e-3)


@pytest.mark.parametrize("outline, taper, faces", [(BRACKET, 15.0, 9), (BRACKET, -15.0, 13)])
def test_corners_that_a_taper_opens_are_cones(outline, taper, faces):
    feature = Tapered("XY", 0.0, 30.0, outline, taper)
    shape = executed(feature)
    assert len(shape.Faces()) == faces and volume_of_field(feature) == pytest.approx(shape.Volume(), rel=3e-3)


def test_a_taper_of_0_is_an_extrusion_and_too_large_ones_are_refused():
    text = "import cadquery as cq\nr=cq.Workplane('XY').sketch().rect(60,40).finalize().extrude(30,taper={})"
    assert parse(text.format(0)).steps[0].body.kind == "extrude"
    assert parse(text.format(20)).steps[0].body.kind == "tapered"
    assert "too large" in parse(text.format(40)).reason
    nearly = Loop((0, 0), (Line((40, 0)), Arc((60.001, 20), (40, 40)), Line((0, 40)), Line((0, 0))))
    with pytest.raises(ValueError, match="tangent"):
        Tapered("XY", 0.0, 10.0, nearly, 5.0).check()


def test_cadquery_refuses_tapers_of_sketches_with_holes():
    text = "rect(60,40).circle(5,mode='s').finalize().extrude(30,taper=5)"
    with pytest.raises(ValueError, match="Inner wires"):
        cq.Workplane("XY").sketch().rect(60, 40).circle(5, mode="s").finalize().extrude(30, taper=5)
    found = parse(f"import cadquery as cq\nr=cq.Workplane('XY').sketch().{text}")
    assert "more than one outline" in found.reason
