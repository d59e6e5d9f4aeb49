"""Rewards by the field: the truth gets the most, nothing is forgiven, thin parts count."""

import numpy as np
import pytest

from cadcode.data.dataset import DataOptions, held_out
from cadcode.program import field
from cadcode.program.text.compact import compact
from cadcode.program.tokens import END, encode
from cadcode.program.tree import Arc, Circle, Extrude, Face, Line, Loop, Program, Rect, Step
from cadcode.train.reward import (
    NO_SOLID,
    RewardOptions,
    Score,
    fresh_targets,
    held_out_targets,
    make_target,
    nested_queries,
    outlines,
    reward,
    score,
    scores,
    self_intersects,
    spread_points,
    target_of,
)

OPTIONS = RewardOptions(distance_scale=0.2)


def rng(seed=0):
    return np.random.default_rng(seed)


def plate(thickness=4.0, side=200.0, at=0.0, holes=()):
    faces = (Face(Rect((0.0, 0.0), side, side)), *(Face(Circle(c, r), True) for *c, r in holes))
    return Program((Step("union", Extrude("XY", at - thickness / 2, thickness, faces)),))


def ids(program):
    return tuple(encode(compact(program)))


def target(program, seed=0):
    low, high = field.bounds(program)
    grid = np.stack(np.meshgrid(*(np.linspace(0, 1, 12),) * 3), -1).reshape(-1, 3)
    on_box = grid[np.any((grid == 0) | (grid == 1), axis=1)]
    surface = (low + on_box * (high - low)) / 100
    return make_target(surface, lambda points: field.occupancy(program, points), rng(seed), OPTIONS, ids(program))


# --- queries ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("box", [[[-100, -100, -2], [100, 100, 2]], [[-100, -50, -100], [100, 50, 100]]])
def test_queries_stand_for_the_volume_of_the_frame(box):
    box = np.array(box, dtype=float)
    points, weights, outer = nested_queries(box, (2048, 768, 512), rng())
    assert weights.sum() == pytest.approx(np.prod(np.ptp(outer, axis=0)), rel=0.03)
    inside = np.all((points >= box[0]) & (points <= box[1]), axis=1)
    assert inside.sum() == 2048
    assert weights[inside].sum() == pytest.approx(np.prod(np.ptp(box, axis=0)))
    assert (outer[0] <= np.minimum(box[0] - 8, -100)).all() and (outer[1] >= np.maximum(box[1] + 8, 100)).all()


def test_spread_points_fill_the_cube_more_evenly_than_chance():
    points = spread_points(4096, rng())
    counts = np.histogramdd(points, 8, [(0, 1)] * 3)[0]
    assert points.min() >= 0 and points.max() < 1
    assert counts.std() < 0.7 * np.sqrt(4096 / 512)
    assert not np.array_equal(points, spread_points(4096, rng(1)))


def test_a_targets_volume_is_its_programs():
    assert target(plate(4.0)).volume == pytest.approx(4 * 200**2, rel=0.01)
    assert target(plate(4.0, holes=[(20, 30, 40)])).volume == pytest.approx(4 * (200**2 - np.pi * 1600), rel=0.01)


# --- scores ----------------------------------------------------------------------------------------------------------


def test_the_truth_gets_the_highest_reward():
    for part in held_out_targets(40, OPTIONS):
        found = score(part, part.ids, OPTIONS)
        assert found.iou == 1.0 and found.distance < 1e-4
        assert reward(found, OPTIONS) == pytest.approx(OPTIONS.iou_scale, abs=1e-4)


@pytest.mark.parametrize("thickness, iou", [(5.0, 0.8), (8.0, 0.5), (2.0, 0.5), (3.0, 0.75)])
def test_the_thickness_of_a_thin_plate_counts(thickness, iou):
    assert score(target(plate(4.0)), ids(plate(thickness)), OPTIONS).iou == pytest.approx(iou, abs=0.04)


@pytest.mark.parametrize(
    "other, iou",
    [
        (plate(40.0, at=50.0), 0.0),
        (plate(40.0, 100.0), 0.25),
        (plate(40.0, at=20.0), 1 / 3),
        (plate(40.0, holes=[(0, 0, 60)]), 1 - np.pi * 3600 / 40000),
    ],
)
def test_iou_is_that_of_the_solids(other, iou):
    found = score(target(plate(40.0)), ids(other), OPTIONS)
    assert found.iou == pytest.approx(iou, abs=0.02)
    assert found.distance > 0.5
    assert reward(found, OPTIONS) == pytest.approx(10 * found.iou - 0.2 * found.distance)


def test_what_reaches_out_of_the_frame_is_not_free():
    """The queries end at the frame; the rest of a tower beyond it must cost all the same."""
    tower = Program((Step("union", Extrude("XY", 0.0, 200.0, (Face(Rect((0.0, 0.0), 20.0, 20.0)),))),))
    short = Program((Step("union", Extrude("XY", 0.0, 100.0, (Face(Rect((0.0, 0.0), 20.0, 20.0)),))),))
    assert score(target(short), ids(tower), OPTIONS).iou == pytest.approx(0.5, abs=0.05)


def test_no_solid_gets_the_penalty():
    part = target(plate())
    gone = Program((*plate(4.0).steps, Step("cut", plate(40.0).steps[0].body)))
    for text in ((), ids(plate())[:-1], ids(gone), (7, 8, 9, END)):
        assert score(part, text, OPTIONS) == NO_SOLID
    assert reward(NO_SOLID, OPTIONS) == -10.0 < reward(Score(0.0, OPTIONS.far), OPTIONS)


def test_an_outline_that_crosses_itself_is_no_solid():
    corners = [(80.0, 0.0), (0.0, 80.0), (80.0, 80.0), (0.0, 0.0)]
    bow = Loop((0.0, 0.0), tuple(Line(c) for c in corners))
    square = Loop((0.0, 0.0), tuple(Line(c) for c in [(80.0, 0.0), (80.0, 80.0), (0.0, 80.0), (0.0, 0.0)]))
    dented = Loop((0.0, 0.0), (Arc((40.0, 30.0), (80.0, 0.0)), *square.edges[1:]))
    through = Loop((0.0, 0.0), (Arc((40.0, 90.0), (80.0, 0.0)), *square.edges[1:]))
    assert [self_intersects(loop) for loop in (bow, square, dented, through)] == [True, False, False, True]
    assert not self_intersects(Circle((0.0, 0.0), 5.0))
    part = target(plate())
    solid = Program((Step("union", Extrude("XY", 0.0, 5.0, (Face(bow),))),))
    assert score(part, ids(solid), OPTIONS) == NO_SOLID


def test_true_programs_do_not_cross_themselves():
    found = [self_intersects(outline) for part in held_out(150, 64) for outline in outlines(part.program)]
    assert len(found) > 200 and not any(found)


def test_scores_keep_the_order_of_their_programs():
    parts = [target(plate(4.0)), target(plate(40.0))]
    groups = [[ids(plate(8.0)), ids(plate(4.0)), ids(plate(8.0))], [(), ids(plate(40.0)), ids(plate(20.0))]]
    found = [[s.iou for s in some] for some in scores(parts, groups, OPTIONS)]
    assert found[0] == [pytest.approx(0.5, abs=0.03), 1.0, found[0][0]]
    assert found[1] == [None, 1.0, pytest.approx(0.5, abs=0.03)]


# --- parts -----------------------------------------------------------------------------------------------------------


def test_fresh_targets_are_those_of_their_seed():
    data = DataOptions(surface_points=64)
    a, b, c = (fresh_targets(seed, 3, OPTIONS, data) for seed in ((1, 2), (1, 2), (1, 3)))
    assert [t.ids for t in a] == [t.ids for t in b] != [t.ids for t in c]
    assert all(np.array_equal(s.queries, t.queries) for s, t in zip(a, b, strict=True))


def test_a_target_needs_no_program():
    """Of a mesh: points on its surface and an answer to what is inside."""
    [part] = held_out(1)
    inside = lambda points: np.linalg.norm(points, axis=1) < 80  # noqa: E731
    directions = rng().normal(size=(500, 3))
    ball = make_target(0.8 * directions / np.linalg.norm(directions, axis=1)[:, None], inside, rng(), OPTIONS)
    assert ball.ids == () and ball.volume == pytest.approx(4 / 3 * np.pi * 80**3, rel=0.02)
    assert 0 < score(ball, target_of(part, rng(), OPTIONS).ids, OPTIONS).iou < 1
