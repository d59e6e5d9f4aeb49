import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import programs

from cadcode.program.field import occupancy
from cadcode.program.transform import control_box, moved
from cadcode.program.tree import Arc, Circle, Extrude, Face, Line, Loop, Program, Rect, Step

SHIFTS = st.tuples(*[st.integers(-50, 50)] * 3)


@settings(max_examples=30, deadline=None)
@given(programs(), st.sampled_from([0.5, 2.0, 4.0]), SHIFTS, st.integers(0, 2**32 - 1))
def test_a_point_is_inside_the_program_where_its_image_is_inside_the_moved_one(program, scale, shift, seed):
    low, high = control_box(program)
    points = np.random.default_rng(seed).uniform(low, high, (500, 3))
    image = occupancy(moved(program, scale, shift), scale * points + shift)
    assert np.array_equal(image, occupancy(program, points))


@settings(max_examples=30, deadline=None)
@given(programs(), SHIFTS)
def test_moves_can_be_taken_back_and_move_the_box(program, shift):
    there = moved(program, 4.0, shift)
    assert moved(moved(there, 1.0, [-s for s in shift]), 0.25, (0, 0, 0)) == program
    assert np.array_equal(control_box(there), 4.0 * control_box(program) + shift)


def test_control_box_knows_planes_backward_heights_and_every_outline():
    arc = Loop((0, 0), (Arc((5, 5), (10, 0)), Line((0, 0))))
    faces = (Face(Circle((0, 0), 1)), Face(Rect((20, 0), 4, 6)), Face(arc, True))
    program = Program((Step("union", Extrude("ZX", 7, -2, faces)),))
    assert control_box(program).tolist() == [[-3, 5, -1], [5, 7, 22]]  # local x is world z, local y world x


@pytest.mark.parametrize("scale", [0, -1, float("nan")])
def test_only_positive_scales(scale):
    with pytest.raises(ValueError, match="positive"):
        moved(Program(()), scale, (0, 0, 0))
