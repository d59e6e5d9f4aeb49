"""Surface points: on the surface, uniform in area, normals outward, shared faces once."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from strategies import programs

from cadcode.program.field import EmptySolid, bounds, occupancy, signed_distance
from cadcode.program.surface import STEP_ASIDE, sample_surface
from cadcode.program.tree import Circle, Extrude, Face, Line, Loop, Program, Rect, Step

laws = settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
COUNT = 20000


def sample(*steps, count=COUNT):
    return sample_surface(Program(tuple(Step(*step) for step in steps)), count, np.random.default_rng(0))


def box(x, y, z, plane="XY"):
    """A prism over the ranges of the plane's own x, y and normal."""
    outline = Rect(((x[0] + x[1]) / 2, (y[0] + y[1]) / 2), x[1] - x[0], y[1] - y[0])
    return Extrude(plane, z[0], z[1] - z[0], (Face(outline),))


def assert_share(chosen, part, whole):
    """The share of the points is that of the areas, within five standard deviations."""
    share = part / whole
    assert np.mean(chosen) == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / len(chosen)) + 1e-9)


@laws
@given(programs())
def test_points_lie_between_inside_and_outside(program):
    points, normals = sample_surface(program, 500, np.random.default_rng(0))
    assert points.shape == normals.shape == (500, 3) and points.dtype == normals.dtype == np.float64
    off = np.abs(signed_distance(program, points))  # where two walls touch, a point between them may pass for both
    assert (off < 1e-6).mean() > 0.99 and off.max() < STEP_ASIDE * np.ptp(bounds(program), axis=0).max()
    assert np.allclose(np.linalg.norm(normals, axis=1), 1)
    step = 1e-3 * normals
    wrong = occupancy(program, points + step) | ~occupancy(program, points - step)
    assert wrong.mean() <= 0.01  # next to a sharp edge the step itself can cross another face


@pytest.mark.parametrize("plane, sides", [("XY", (20, 40, 80)), ("YZ", (80, 20, 40)), ("ZX", (40, 80, 20))])
def test_the_sides_of_a_box_get_points_by_area(plane, sides):
    points, normals = sample(("union", box((-10, 10), (-20, 20), (40, -40), plane)))
    a, b, c = sides
    for axis, area in enumerate([b * c, c * a, a * b]):
        for sign in (-1, 1):
            chosen = normals[:, axis] == sign
            assert np.allclose(points[chosen, axis], sign * sides[axis] / 2)
            assert_share(chosen, area, 2 * (a * b + b * c + c * a))


def test_a_cut_turns_the_normals_into_the_hole():
    hole = Extrude("XY", -20.0, 40.0, (Face(Circle((0, 0), 5)),))
    points, normals = sample(("union", box((-10, 10), (-10, 10), (-10, 10))), ("cut", hole))
    wall = np.abs(np.hypot(*points[:, :2].T) - 5) < 1e-9
    assert np.all(np.einsum("ij,ij->i", points[wall, :2], normals[wall, :2]) < 0)
    assert_share(wall, 200 * math.pi, 200 * math.pi + 2400 - 50 * math.pi)


def test_a_hole_in_the_sketch_is_the_same_as_a_cut():
    faces = (Face(Rect((0, 0), 20, 20)), Face(Circle((0, 0), 5), True))
    points, normals = sample(("union", Extrude("XY", -10.0, 20.0, faces)))
    wall = np.abs(np.hypot(*points[:, :2].T) - 5) < 1e-9
    assert np.all(np.einsum("ij,ij->i", points[wall, :2], normals[wall, :2]) < 0)
    assert_share(wall, 200 * math.pi, 200 * math.pi + 2400 - 50 * math.pi)


def test_faces_that_two_bodies_share_count_once():
    left, right = box((-30, 10), (-10, 10), (-10, 10)), box((-10, 30), (-10, 10), (-10, 10))
    points, _ = sample(("union", left), ("union", right))
    assert_share(np.abs(points[:, 0]) < 10, 4 * 20 * 20, 4 * 60 * 20 + 2 * 400)


def test_walls_that_two_faces_of_a_sketch_share_count_once():
    faces = (Face(Rect((-10, 0), 40, 20)), Face(Rect((10, 0), 40, 20)))
    points, _ = sample(("union", Extrude("XY", -10.0, 20.0, faces)))
    assert_share(np.abs(points[:, 0]) < 10, 4 * 20 * 20, 4 * 60 * 20 + 2 * 400)


def test_bodies_that_touch_leave_nothing_between_them():
    points, _ = sample(("union", box((-10, 10), (-10, 10), (-10, 0))), ("union", box((-5, 5), (-5, 5), (0, 10))))
    between = (np.abs(points[:, 2]) < 1e-9) & (np.abs(points[:, 0]) < 5) & (np.abs(points[:, 1]) < 5)
    assert not between.any()


def test_a_cut_flush_with_a_side_removes_that_side():
    points, _ = sample(("union", box((-10, 10), (-10, 10), (-10, 10))), ("cut", box((0, 10), (-10, 10), (0, 10))))
    assert not np.any((points[:, 0] > 1e-6) & (points[:, 2] > 1e-6))
    assert_share((points[:, 0] == 0) | (points[:, 2] == 0), 400, 80 * 20 + 2 * 300)


def test_an_intersection_keeps_what_both_have():
    other = box((0, 30), (-30, 30), (-30, 30))
    points, _ = sample(("union", box((-10, 10), (-10, 10), (-10, 10))), ("intersect", other))
    assert points[:, 0].min() == 0
    assert_share(points[:, 0] == 0, 400, 2 * 400 + 4 * 200)


def test_a_loop_gets_points_by_length_whatever_its_sense():
    corners = [(0.0, 0.0), (0.0, 30.0), (40.0, 0.0)]  # clockwise
    loop = Loop(corners[-1], tuple(Line(corner) for corner in corners))
    points, normals = sample(("union", Extrude("XY", 0.0, 10.0, (Face(loop),))))
    slanted = np.einsum("ij,j->i", normals, [0.6, 0.8, 0.0]) > 0.999
    assert np.allclose(points[slanted] @ [0.6, 0.8, 0.0], 24)
    assert_share(slanted, 50 * 10, 120 * 10 + 2 * 600)


def test_the_same_generator_state_gives_the_same_points():
    steps = [("union", box((-30, 10), (-10, 10), (-10, 10))), ("cut", box((-10, 30), (-5, 5), (-10, 10)))]
    for first, second in zip(sample(*steps, count=300), sample(*steps, count=300), strict=True):
        assert np.array_equal(first, second)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e6])
def test_any_scale_works(size):
    points, normals = sample(("union", box((-size, size), (-size, size), (-size, size))), count=600)
    assert np.allclose(np.abs(points).max(axis=1), size)
    assert np.all(np.einsum("ij,ij->i", points, normals) > 0)


def test_a_small_rest_still_gets_all_its_points():
    small = box((9, 10), (9, 10), (9, 10))
    points, _ = sample(("union", box((-100, 100), (-100, 100), (-100, 100))), ("intersect", small), count=1000)
    assert len(points) == 1000 and points.min() >= 9 and points.max() <= 10


def test_nothing_left_is_an_error():
    part = box((-10, 10), (-10, 10), (-10, 10))
    with pytest.raises(EmptySolid):
        sample(("union", part), ("cut", part))
    with pytest.raises(EmptySolid):
        sample(("union", part), ("intersect", box((20, 30), (-10, 10), (-10, 10))))
