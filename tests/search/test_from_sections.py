"""Programs read off the sections of a mesh."""

import numpy as np
import pytest

from cadcode.geometry.frame import Frame
from cadcode.geometry.shape import Shape
from cadcode.program.text.compact import compact
from cadcode.program.tree import Circle, Extrude, Face, Program, Rect, Step
from cadcode.sandbox.sandbox import Sandbox
from cadcode.search.from_sections import from_sections, prisms, rings_at
from cadcode.search.refine import Variant
from cadcode.search.volume_goal import measure_volume_goal

PLAIN = Frame(np.zeros(3), 100.0)


def prism(low, high, outline, *holes, operation="union"):
    faces = (Face(outline), *(Face(hole, subtract=True) for hole in holes))
    return Step(operation, Extrude("XY", low, high - low, faces))


HOLE = Circle((-60.0, 0.0), 12.0)
PARTS = {
    "plate with a hole": [prism(-10.0, 10.0, Rect((0.0, 0.0), 200.0, 80.0), HOLE)],
    "boss": [prism(-20.0, 0.0, Rect((0.0, 0.0), 200.0, 80.0)), prism(0.0, 20.0, Circle((40.0, 0.0), 25.0))],
    "pocket": [
        prism(-20.0, 20.0, Rect((0.0, 0.0), 200.0, 80.0)),
        prism(0.0, 20.0, Rect((20.0, 0.0), 100.0, 40.0), operation="cut"),
    ],
    "island in a pocket": [
        prism(-20.0, 20.0, Rect((0.0, 0.0), 200.0, 80.0)),
        prism(0.0, 20.0, Rect((0.0, 0.0), 100.0, 60.0), operation="cut"),
        prism(0.0, 10.0, Circle((10.0, 0.0), 15.0)),
    ],
    "bored shaft": [
        prism(-20.0, 0.0, Circle((0.0, 0.0), 100.0)),
        prism(0.0, 20.0, Circle((0.0, 0.0), 50.0)),
        prism(-20.0, 20.0, Circle((0.0, 0.0), 20.0), operation="cut"),
    ],
}


@pytest.fixture(scope="module")
def goals():
    with Sandbox() as sandbox:
        solids = {name: sandbox.run(compact(Program(tuple(steps)))) for name, steps in PARTS.items()}
    return {name: measure_volume_goal(Shape.from_arrays(s.vertices, s.faces), PLAIN) for name, s in solids.items()}


def levels(goal):
    heights = goal.sections.vertices[:, 2]
    return np.unique([*goal.planes[2], heights.min(), heights.max()])


@pytest.mark.parametrize("name", PARTS)
def test_what_was_extruded_along_z_is_found_again(goals, name):
    found = prisms(goals[name].sections, 2, levels(goals[name]))
    assert Variant(found, goals[name]).score > 0.995
    assert len(found.steps) == len(PARTS[name])
    assert [s.operation for s in found.steps].count("cut") == [s.operation for s in PARTS[name]].count("cut")


def test_a_hole_as_long_as_its_body_belongs_to_the_sketch(goals):
    (step,) = prisms(goals["plate with a hole"].sections, 2, np.array([-10.0, 10.0])).steps
    assert [face.subtract for face in step.body.faces] == [False, True]
    hole = step.body.faces[1].outline
    assert isinstance(hole, Circle) and (*hole.centre, hole.radius) == pytest.approx((-60, 0, 12), abs=0.05)


def test_each_axis_has_a_stack_and_the_right_one_fits_best(goals):
    goal = goals["island in a pocket"]
    found = dict(from_sections(goal.sections))
    assert set(found) <= {f"sections along {axis}" for axis in "xyz"}
    scores = {name: Variant(program, goal).score for name, program in found.items()}
    assert max(scores, key=scores.get) == "sections along z"


def test_sections_know_what_lies_inside_what(goals):
    rings = rings_at(goals["island in a pocket"].sections, 2, 5.0)
    assert sorted((ring.depth, ring.solid) for ring in rings) == [(0, True), (1, False), (2, True)]


def test_a_stair_of_many_levels_is_read_from_all_sides():
    """A stair of 12 steps: 12 slabs from above, one outline of many lines from the side."""
    steps = tuple(prism(-50.0, -50 + 8.0 * n, Rect((15.0 * n - 90, 0.0), 15.0, 40.0)) for n in range(1, 13))
    with Sandbox() as sandbox:
        solid = sandbox.run(compact(Program(steps)))
    goal = measure_volume_goal(Shape.from_arrays(solid.vertices, solid.faces), PLAIN)
    found = dict(reversed(from_sections(goal.sections)))  # of two for one axis the first, with all levels
    assert len(found["sections along z"].steps) == 12 and len(found["sections along y"].steps) == 1
    assert all(Variant(found[f"sections along {axis}"], goal).score > 0.99 for axis in "xyz")


def test_no_hole_of_many_is_left_out():
    holes = [Face(Circle((6.0 * i - 57, 6.0 * j - 27), 1.5), subtract=True) for i in range(20) for j in range(10)]
    plate = Program((Step("union", Extrude("XY", -2.0, 4.0, (Face(Rect((0.0, 0.0), 130.0, 70.0)), *holes))),))
    with Sandbox() as sandbox:
        solid = sandbox.run(compact(plate))
    goal = measure_volume_goal(Shape.from_arrays(solid.vertices, solid.faces), PLAIN)
    (step,) = dict(from_sections(goal.sections))["sections along z"].steps
    assert len(step.body.faces) == 201
    assert all(face.outline.radius == pytest.approx(1.5, abs=1e-3) for face in step.body.faces if face.subtract)
