"""Features read off the input's faces make programs whose numbers are those of the part, to the last digit."""

import numpy as np
import pytest

from cadcode.geometry.frame import Frame
from cadcode.geometry.shape import Shape
from cadcode.program.heads import Counterbore, Countersink
from cadcode.program.parse import parse
from cadcode.program.tree import Program, Step
from cadcode.sandbox.sandbox import Sandbox
from cadcode.search.coaxial import coaxial_features
from cadcode.search.finish import finish
from cadcode.search.from_surfaces import TURNED, readings
from cadcode.search.goal import never
from cadcode.search.options import RestructureOptions
from cadcode.search.refine import Variant
from cadcode.search.volume_goal import measure_volume_goal

PLATE = "cq.Workplane('XY').box(120,80,20)"
PARTS = {
    "countersunk": f"{PLATE}.faces('>Z').workplane().pushPoints([(-30,0),(30,10)]).cskHole(10,22,82)",
    "counterbored": f"{PLATE}.faces('<Y').workplane().pushPoints([(-30,0)]).cboreHole(5,9,30)",
    "boss with a fillet": f"{PLATE}.union(cq.Workplane('XZ').moveTo(0,0).lineTo(24,10)"
    ".threePointArc((19.757359,11.757359),(18,16)).lineTo(18,40).lineTo(0,40).close().revolve(360,(0,0,0),(0,1,0)))",
    "pocket from the side": f"{PLATE}.faces('>X').workplane().rect(30,10).cutBlind(-25)",
    "step across": f"{PLATE}.cut(cq.Workplane('XZ').rect(30,14).extrude(100,both=True).translate((40,0,6)))",
    "oblique hole": f"{PLATE}.cut(cq.Workplane('XY').transformed(rotate=(0,30,0)).circle(6).extrude(80,both=True))",
    "rounded rim": f"{PLATE}.faces('>Z').edges().fillet(3)",
    "both rims bevelled": f"{PLATE}.faces('|Z').edges().chamfer(2)",
    "drafted boss": f"{PLATE}.union(cq.Workplane('XY').workplane(offset=10).rect(60,40).extrude(30,taper=5))",
    "knob": "cq.Workplane('XZ').moveTo(0,0).lineTo(20,0).lineTo(25,5).lineTo(25,20).threePointArc((18,27),(12,40))"
    ".lineTo(0,40).close().revolve(360,(0,0,0),(0,1,0))",
}


@pytest.fixture(scope="module")
def goals():
    found = {}
    with Sandbox() as sandbox:
        for name, text in PARTS.items():
            solid = sandbox.run(f"import cadquery as cq\nresult = {text}")
            found[name] = measure_volume_goal(Shape.from_arrays(solid.vertices, solid.faces), Frame(np.zeros(3), 100.0))
    return found


def best_of_readings(goal) -> Program:
    found = [finish(Variant(p, goal), RestructureOptions(), never) for _, p in readings(goal.sections)]
    return max(found, key=lambda variant: variant.whole_worth).program()


def plate(goal) -> Variant:
    return Variant(parse(f"import cadquery as cq\nr={PLATE}"), goal)


@pytest.mark.parametrize("name", [name for name in PARTS if name not in ("knob", "rounded rim", "both rims bevelled")])
def test_missing_features_are_added_exactly(goals, name):
    goal = goals[name]
    before = plate(goal)
    after = finish(before, RestructureOptions(), never)
    assert before.faces_found.min() < 0.5
    assert after.faces_found.min() > 0.9 and after.score > before.score


@pytest.mark.parametrize("name", PARTS)
def test_some_reading_finds_every_face(goals, name):
    goal = goals[name]
    found = [finish(Variant(p, goal), RestructureOptions(), never) for _, p in readings(goal.sections)]
    assert max(variant.faces_found.mean() for variant in found) > 0.97


def test_a_countersink_has_its_angle_and_depth(goals):
    features = coaxial_features(goals["countersunk"].sections)
    profiles = [feature.faces[0].outline for feature, _ in features]
    depth = 6 / np.tan(np.radians(41))  # from 22 to 10 across
    corners = {(round(x, 6), round(y, 6)) for x, y in profiles[0].points()}
    assert len(profiles) == 2
    assert {(5.0, -10.0), (5.0, round(10 - depth, 6)), (11.0, 10.0), (0.0, 10.0)} <= corners
    holes = [hole for _, hole in features]
    assert sorted(round(hole.points[0][0]) for hole in holes) == [-30, 30]
    assert all(hole.head == Countersink(pytest.approx(22), pytest.approx(82)) for hole in holes)


def test_a_counterbore_is_drilled_from_its_own_side(goals):
    ((_, hole),) = coaxial_features(goals["counterbored"].sections)
    assert hole.plane == "XZ" and hole.level == pytest.approx(-40) and hole.depth == pytest.approx(80)
    assert (hole.diameter, hole.head) == (pytest.approx(5), Counterbore(pytest.approx(9), pytest.approx(30)))


def test_a_boss_keeps_the_fillet_at_its_foot(goals):
    ((boss, hole),) = coaxial_features(goals["boss with a fillet"].sections)
    assert hole is None
    (arc,) = [edge for edge in boss.faces[0].outline.edges if edge.bent]
    assert arc.end == pytest.approx((18, 16), abs=1e-6)


def test_a_turned_part_is_one_revolution(goals):
    programs = dict(readings(goals["knob"].sections))
    assert [step.body.kind for step in programs[TURNED].steps] == ["revolve"]


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("oblique hole", ["extrude", "tilted"]),
        ("rounded rim", ["rimmed"]),
        ("both rims bevelled", ["rimmed"]),
        ("drafted boss", ["extrude", "tapered"]),
        ("countersunk", ["extrude", "hole"]),
    ],
)
def test_a_part_is_the_features_that_it_was_drawn_with(goals, name, kinds):
    program = best_of_readings(goals[name])
    assert sorted(step.body.kind for step in program.steps) == kinds


def test_rims_and_drafts_have_their_sizes(goals):
    (rim,) = best_of_readings(goals["rounded rim"]).steps[0].body.rims
    assert (rim.kind, rim.end, rim.size) == ("fillet", "high", pytest.approx(3, abs=1e-5))
    low, high = best_of_readings(goals["both rims bevelled"]).steps[0].body.rims
    assert low.size == pytest.approx(2, abs=1e-5) and high.size == pytest.approx(2, abs=1e-5)
    (boss,) = [s.body for s in best_of_readings(goals["drafted boss"]).steps if s.body.kind == "tapered"]
    assert boss.taper == pytest.approx(5) and boss.outline.width == pytest.approx(60, abs=1e-3)


def test_probes_tell_lacking_from_excess(goals):
    goal = goals["pocket from the side"]
    lacks, has = plate(goal).faces_lacking
    assert not lacks.any() and has.any()  # the plate fills the pocket: matter before its five faces
    hollow = parse(f"import cadquery as cq\nr={PLATE}.cut(cq.Workplane('XY').box(110,70,30))")
    lacks, _ = Variant(hollow, goal).faces_lacking
    assert isinstance(hollow, Program) and isinstance(hollow.steps[1], Step) and lacks.any()
