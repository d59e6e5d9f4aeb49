"""Frames: the box fills the cube, and every way there leads back."""

import numpy as np
import pytest

from cadcode.geometry.frame import Frame, model_to_program, program_to_model

BOUNDS = np.array([[10.0, -5.0, 7.0], [12.0, 15.0, 11.0]])
POINTS = np.random.default_rng(0).uniform(-30, 30, (50, 3))


def test_the_box_is_centred_and_its_longest_side_is_two():
    frame = Frame.around(BOUNDS)
    assert np.allclose(frame.to_model(BOUNDS), [[-0.1, -1, -0.2], [0.1, 1, 0.2]])
    assert np.allclose(frame.to_program(BOUNDS), [[-10, -100, -20], [10, 100, 20]])


@pytest.mark.parametrize("scale", [1e-9, 1.0, 25.4, 1e9])
def test_frames_round_trip(scale):
    frame = Frame.around(BOUNDS * scale)
    world = POINTS * scale
    assert np.allclose(frame.to_world(frame.to_model(world)), world, rtol=1e-12, atol=1e-12 * scale)
    assert np.allclose(frame.program_to_world(frame.to_program(world)), world, rtol=1e-12, atol=1e-12 * scale)
    assert np.allclose(program_to_model(model_to_program(POINTS)), POINTS)


def test_the_program_frame_is_the_model_frame_times_a_hundred():
    frame = Frame.around(BOUNDS)
    assert np.allclose(frame.to_program(POINTS), 100 * frame.to_model(POINTS))
    assert np.allclose(frame.to_program(POINTS), model_to_program(frame.to_model(POINTS)))
    assert frame.program_scale == pytest.approx(20 / 200)


def test_the_transform_of_a_solid_agrees_with_that_of_its_points():
    frame = Frame.around(BOUNDS)
    scale, translation = frame.program_to_world_transform()
    assert np.allclose(scale * POINTS + translation, frame.program_to_world(POINTS))


def test_other_units_and_another_place_give_the_same_model():
    moved = Frame.around(BOUNDS * 25.4 + 1000)
    assert np.allclose(moved.to_model(POINTS * 25.4 + 1000), Frame.around(BOUNDS).to_model(POINTS))


def test_single_precision_comes_back_in_double():
    frame = Frame.around(BOUNDS + 1e6)
    assert frame.to_world(np.zeros(3, dtype=np.float32)).dtype == np.float64
    assert frame.to_world(np.zeros((2, 5, 3), dtype=np.float32)).shape == (2, 5, 3)


def test_a_frame_keeps_no_hold_on_its_arguments():
    centre = np.zeros(3)
    frame = Frame(centre, 1)
    centre[0] = 5
    frame.program_to_world_transform()[1][0] = 5
    assert frame.centre.tolist() == [0, 0, 0]


IMPOSSIBLE = [([0, 0, 0], 0.0), ([0, 0, 0], np.nan), ([0, 0], 1.0), ([0, 0, np.inf], 1)]


@pytest.mark.parametrize(("centre", "scale"), IMPOSSIBLE)
def test_impossible_frames_are_refused(centre, scale):
    with pytest.raises(ValueError):
        Frame(centre, scale)
