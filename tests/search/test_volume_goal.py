"""What the search measures of a mesh: points with known sides, and the planes of its faces."""

from dataclasses import replace

import numpy as np
import pytest

from cadcode.geometry.frame import Frame
from cadcode.geometry.shape import Shape
from cadcode.program.field import occupancy, signed_distance
from cadcode.program.tree import Circle, Extrude, Face, Program, Rect, Step
from cadcode.search.from_sections import axis_aligned_planes
from cadcode.search.options import VolumeOptions
from cadcode.search.volume_goal import FAR, MARGIN, measure_volume_goal

PLAIN = Frame(np.zeros(3), 100.0)
CORNERS = np.array([[x, y, z] for x in (-40.0, 40.0) for y in (-100.0, 100.0) for z in (-7.5, 7.5)])
SIDES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]  # clockwise
FACES = np.array([t for a, b, c, d in SIDES for t in ((a, b, c), (a, c, d))])
BOX = Shape.from_arrays(CORNERS, FACES)
BOX_PROGRAM = Program((Step("union", Extrude("XY", -7.5, 15.0, (Face(Rect((0.0, 0.0), 80.0, 200.0)),))),))


def score(goal, program):
    return goal.score(program, [goal.measure(step.body) for step in program.steps])


def test_inside_agrees_with_the_program_that_made_the_mesh(parts, goals):
    for name, part in parts.items():
        goal = goals[name]
        assert np.mean(goal.inside != occupancy(part.program, goal.points[: len(goal.inside)])) < 1e-3, name
        assert 0.2 < goal.inside[goal.grid_size :].mean() < 0.8, name


def test_the_program_itself_scores_nearly_1_and_any_other_less(parts, goals):
    for name, part in parts.items():
        assert 0.999 < score(goals[name], part.program) <= 1
        assert score(goals[name], part.moved(3.0)) < score(goals[name], part.program) - 0.01


def test_a_program_elsewhere_scores_0_by_volume():
    goal = measure_volume_goal(BOX, PLAIN)
    far = Program((Step("union", Extrude("XY", 300.0, 10.0, (Face(Circle((0.0, 0.0), 5.0)),))),))
    empty = np.zeros(len(goal.points), bool)
    assert goal.agreement(empty) == 0.5 * np.mean(~goal.inside[goal.grid_size :])
    assert score(goal, far) < 0.2 * goal.agreement(empty)


def test_a_needle_out_of_the_box_costs_though_no_point_lies_on_it():
    goal = measure_volume_goal(BOX, PLAIN)
    (x0, y0, z0), (x1, y1, z1) = CORNERS.min(0), CORNERS.max(0)
    box = Extrude("XY", z0, z1 - z0, (Face(Rect(((x0 + x1) / 2, (y0 + y1) / 2), x1 - x0, y1 - y0)),))
    needle = Extrude("XY", z1, 60.0, (Face(Circle(((x0 + x1) / 2, (y0 + y1) / 2), 1e-3)),))
    plain, spiked = (Program(tuple(Step("union", b) for b in bodies)) for bodies in ([box], [box, needle]))
    assert score(goal, spiked) < 0.5 * score(goal, plain)


def test_the_score_of_a_smaller_box_is_its_share_of_the_volume():
    goal = measure_volume_goal(BOX, PLAIN)
    half = Program((Step("union", Extrude("XY", -7.5, 15.0, (Face(Rect((0.0, -50.0), 80.0, 100.0)),))),))
    n = goal.grid_size
    filled = occupancy(half, goal.points)
    assert (filled[:n] & goal.inside[:n]).sum() / goal.inside[:n].sum() == pytest.approx(0.5, abs=0.02)
    far = np.abs(signed_distance(half, goal.surface[: goal.far_points])).mean()
    assert score(goal, half) == pytest.approx(goal.agreement(filled) / (1 + far / FAR))


def test_cells_cover_the_box_and_its_margin_one_point_each():
    goal = measure_volume_goal(BOX, PLAIN)
    cells = goal.points[: goal.grid_size]
    assert np.allclose(goal.box, [CORNERS.min(0) - MARGIN, CORNERS.max(0) + MARGIN])
    numbers = np.floor((cells - goal.box[0]) / (goal.box[1] - goal.box[0]) * goal.grid).astype(int)
    assert (np.unique(numbers, axis=0, return_counts=True)[1] == 1).all()


def test_the_other_points_lie_beside_the_surface_most_of_them_close():
    options = VolumeOptions()
    goal = measure_volume_goal(BOX, PLAIN, options)
    near = goal.points[goal.grid_size : len(goal.inside)]
    away = np.abs(np.abs(near) - [40.0, 100.0, 7.5]).min(axis=1)  # to the nearest of the six planes
    assert len(near) == options.near_points
    assert away.max() <= options.farthest and np.median(away) < 1


def test_the_box_has_its_six_planes():
    for found, half in zip(measure_volume_goal(BOX, PLAIN).planes, (40.0, 100.0, 7.5), strict=True):
        assert found.tolist() == [-half, half]


def test_planes_follow_the_frame():
    shape = Shape.from_arrays(CORNERS * 0.5 + 1000, FACES)
    planes = measure_volume_goal(shape, Frame.around(shape.bounds)).planes
    assert [p.tolist() for p in planes] == [[-40, 40], [-100, 100], [-7.5, 7.5]]


def test_slanted_and_tiny_faces_are_no_planes():
    turned = CORNERS @ np.array([[0.96, -0.28, 0.0], [0.28, 0.96, 0.0], [0.0, 0.0, 1.0]])
    assert [len(p) for p in axis_aligned_planes(turned, FACES, 0.002)] == [0, 0, 2]
    assert [len(p) for p in axis_aligned_planes(CORNERS, FACES, 0.06)] == [2, 0, 2]  # the ends are 5 % of the surface


def test_a_mesh_with_a_hole_or_turned_inside_out_keeps_its_inside():
    whole = measure_volume_goal(BOX, PLAIN)
    for faces in (FACES[:, ::-1], FACES[1:]):
        other = measure_volume_goal(replace(BOX, faces=faces), PLAIN)
        n = whole.grid_size
        assert np.mean(other.inside[:n] == whole.inside[:n]) > 0.9


def test_the_same_seed_measures_the_same():
    one, two, other = (measure_volume_goal(BOX, PLAIN, VolumeOptions(seed=s)) for s in (1, 1, 2))
    assert (one.points == two.points).all() and (one.inside == two.inside).all()
    assert (one.points != other.points).any()
    assert score(one, BOX_PROGRAM) == score(two, BOX_PROGRAM) > 0.99
