"""The 48 symmetries of the cube, on points and on programs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import programs

from cadcode.data.shapes import random_program
from cadcode.program.field import bounds, occupancy
from cadcode.program.symmetry import ROTATIONS, SYMMETRIES, CubeSymmetry, transformed
from cadcode.program.tree import Arc, Circle, Extrude, Face, Line, Loop, Program, Rect, Step

# One of everything, without any symmetry of its own.
ARC = Loop((-40, -30), (Line((35, -42)), Arc((60, 10), (20, 50)), Line((-20, 40)), Line((-40, -30))))
ODD = Program(
    (
        Step("union", Extrude("XY", -70, 90, (Face(ARC), Face(Circle((5, 0), 12), True)))),
        Step("union", Extrude("YZ", 10, 60, (Face(Rect((20, -35), 50, 22)),))),
        Step("cut", Extrude("ZX", -50, 65, (Face(Rect((-20, 14), 30, 9)), Face(Circle((-30, -20), 8))))),
        Step("intersect", Extrude("YZ", -38, 100, (Face(Circle((0, -10), 75)),))),
    )
)


def random_points(program, count=2000, seed=0):
    """Points (count, 3) in a box a little larger than the program's."""
    low, high = bounds(program)
    return np.random.default_rng(seed).uniform(low - 5, high + 5, (count, 3))


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_the_image_is_filled_where_the_original_is(symmetry):
    points = random_points(ODD)
    filled = occupancy(ODD, points)
    assert 0.1 < filled.mean() < 0.9
    assert np.array_equal(occupancy(transformed(ODD, symmetry), symmetry.apply(points)), filled)


@settings(max_examples=40, deadline=None)
@given(programs(), st.sampled_from(SYMMETRIES), st.integers(0, 9))
def test_any_image_is_filled_where_its_original_is(program, symmetry, seed):
    points = random_points(program, 500, seed)
    image = transformed(program, symmetry)
    assert np.array_equal(occupancy(image, symmetry.apply(points)), occupancy(program, points))
    assert np.allclose(np.sort(symmetry.apply(bounds(program)), axis=0), bounds(image), atol=1e-9)


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_the_inverse_undoes(symmetry):
    points = random_points(ODD, 20)
    back = symmetry.inverse()
    assert np.array_equal(back.apply(symmetry.apply(points)), points)
    assert np.array_equal(back.matrix() @ symmetry.matrix(), np.eye(3))
    assert transformed(transformed(ODD, symmetry), back) == ODD


def test_there_are_48_and_24_of_them_are_rotations():
    matrices = {s.matrix().tobytes() for s in SYMMETRIES}
    assert len(matrices) == len(SYMMETRIES) == 48
    assert len(ROTATIONS) == 24
    assert all(np.linalg.det(s.matrix()) == pytest.approx(1) for s in ROTATIONS)


def test_one_after_the_other_is_another_of_the_48():
    table = {s.matrix().tobytes(): s for s in SYMMETRIES}
    for a in SYMMETRIES[::7]:
        for b in SYMMETRIES[::5]:
            both = table[(b.matrix() @ a.matrix() + 0.0).tobytes()]
            assert transformed(transformed(ODD, a), b) == transformed(ODD, both)


def test_all_images_of_a_part_without_symmetry_are_different():
    assert len({transformed(ODD, s) for s in SYMMETRIES}) == 48
    assert transformed(ODD, CubeSymmetry()) == ODD


def test_numbers_keep_their_grid_and_zeros_their_sign():
    program = random_program(np.random.default_rng(0))
    for symmetry in SYMMETRIES:
        text = repr(transformed(program, symmetry))
        assert "-0.0" not in text
