"""Changing the structure: what is missing is added, what is too much is cut, what does nothing goes."""

from dataclasses import replace

import numpy as np
import pytest

from cadcode.program.field import occupancy
from cadcode.program.surface import sample_surface
from cadcode.program.tree import Circle, Extrude, Face, Program, Rect, Step
from cadcode.search.options import RefineOptions, RestructureOptions
from cadcode.search.refine import Variant
from cadcode.search.residual import proposals
from cadcode.search.restructure import restructure, simpler_programs, simplest
from cadcode.search.volume_goal import MARGIN, VolumeGoal

BLOCK = Step("union", Extrude("XY", -50.0, 60.0, (Face(Rect((0.0, 0.0), 200.0, 120.0)),)))
BOSS = Step("union", Extrude("XY", 10.0, 40.0, (Face(Circle((-40.0, 0.0), 30.0)),)))
HOLE = Step("cut", Extrude("ZX", -60.0, 120.0, (Face(Circle((-20.0, 60.0), 14.0)),)))
SMALL_HOLE = Step("cut", Extrude("XY", -50.0, 60.0, (Face(Circle((80.0, 40.0), 2.0)),)))
BURIED = Step("union", Extrude("YZ", -20.0, 40.0, (Face(Circle((0.0, -20.0), 10.0)),)))
TRUTH = Program((BLOCK, BOSS, HOLE))


def exact_goal(program: Program) -> VolumeGoal:
    """The goal of a part that is a program: its points get their sides from the field."""
    box, grid, rng = np.array([[-104.0, -64.0, -54.0], [104.0, 64.0, 54.0]]), (29, 18, 15), np.random.default_rng(0)
    cells = np.indices(grid).reshape(3, -1).T
    points = box[0] + (cells + rng.random(cells.shape)) * (box[1] - box[0]) / grid
    everywhere = rng.uniform(*box, (60_000, 3))
    filled = occupancy(program, everywhere)
    aside = everywhere + rng.normal(0, 1.5, everywhere.shape)
    near = everywhere[filled != occupancy(program, aside)][:6000]
    points = np.concatenate([points, near])
    surface = sample_surface(program, 1500, rng)[0]
    return VolumeGoal(points, occupancy(program, points), grid, box, (np.empty(0),) * 3, surface)


GOAL = exact_goal(TRUTH)


def restructured(program, goal=GOAL, options=RestructureOptions()):  # noqa: B008
    return restructure(program, goal, options, RefineOptions())


def iou(program, truth=TRUTH):
    points = np.random.default_rng(1).uniform(GOAL.box[0] - MARGIN, GOAL.box[1] + MARGIN, (40_000, 3))
    a, b = occupancy(program, points), occupancy(truth, points)
    return (a & b).sum() / (a | b).sum()


def test_a_block_gets_its_boss_and_its_hole():
    found = restructured(Program((BLOCK,)))
    assert iou(Program((BLOCK,))) < 0.93
    assert iou(found.program()) > 0.99
    assert sorted(s.operation for s in found.program().steps) == ["cut", "union", "union"]
    assert {type(s.body.faces[0].outline) for s in found.program().steps[1:]} == {Circle}


@pytest.mark.parametrize("missing", [BOSS, HOLE])
def test_one_missing_feature_is_found(missing):
    found = restructured(Program(tuple(s for s in TRUTH.steps if s != missing)))
    assert iou(found.program()) > 0.99
    assert found.program().steps[-1].operation == missing.operation


def test_a_whole_program_stays_as_it_is():
    assert restructured(TRUTH).program() == TRUTH


def test_nothing_is_added_that_does_not_pay():
    costly = RestructureOptions(feature_cost=0.5)
    assert restructured(Program((BLOCK,)), options=costly).program() == Program((BLOCK,))
    assert restructured(Program((BLOCK,)), options=RestructureOptions(additions=0)).program() == Program((BLOCK,))


def test_the_score_never_falls_by_more_than_idle_features_are_worth():
    for steps in [(BLOCK,), (BOSS,), (BLOCK, BURIED), (BLOCK, SMALL_HOLE), (BURIED, HOLE)]:
        program = Program(steps)
        assert restructured(program).score >= Variant(program, GOAL).score - len(steps) * RestructureOptions().idle


def test_idle_features_are_dropped():
    padded = Program((BLOCK, BURIED, BOSS, HOLE, HOLE))
    assert simplest(Variant(padded, GOAL)).program() == TRUTH
    holes = (Face(Circle((-300.0, 0.0), 5.0), subtract=True),)
    body = Extrude(BLOCK.body.plane, BLOCK.body.offset, BLOCK.body.height, BLOCK.body.faces + holes)
    assert simplest(Variant(Program((Step("union", body), BOSS, HOLE)), GOAL)).program() == TRUTH


def test_a_small_hole_that_is_right_stays():
    truth = Program((*TRUTH.steps, SMALL_HOLE))
    goal = exact_goal(truth)
    assert simplest(Variant(truth, goal)).program() == truth


def test_simpler_programs_have_one_feature_less_and_start_with_a_union():
    holes = (Face(Circle((0.0, 0.0), 5.0), subtract=True), Face(Circle((30.0, 0.0), 5.0), subtract=True))
    body = Extrude("XY", 0.0, 10.0, (Face(Rect((0.0, 0.0), 100.0, 50.0)), *holes))
    program = Program((Step("union", body), HOLE, BOSS))
    found = list(simpler_programs(program))
    assert len(found) == 5  # without the hole, the boss, either hole of the sketch, or block and boss as one
    assert all(p.steps[0].operation == "union" for p in found)
    assert list(simpler_programs(Program((BLOCK,)))) == []


def test_proposals_add_where_something_is_missing_and_cut_where_there_is_too_much():
    program = Program((BLOCK,))
    steps = proposals(Variant(program, GOAL))
    assert {s.operation for s in steps} == {"union", "cut"}
    assert all(s.body.offset + s.body.height / 2 > 10 for s in steps if s.operation == "union" and s.body.plane == "XY")
    assert proposals(Variant(TRUTH, GOAL)) == []


def test_the_same_every_time():
    assert restructured(Program((BLOCK,))).program() == restructured(Program((BLOCK,))).program()


def test_two_that_say_the_same_become_one():
    left, right = (Extrude("XY", 0.0, 10.0, (Face(Rect((x, 0.0), 100.0, 50.0)),)) for x in (-50.0, 50.0))
    assert left.joined(right) == Extrude("XY", 0.0, 10.0, (Face(Rect((0.0, 0.0), 200.0, 50.0)),))
    disc = (Face(Circle((0.0, 0.0), 5.0)),)
    low = Extrude("XY", 0.0, 10.0, disc)
    assert low.joined(Extrude("XY", 10.0, 5.0, disc)) == Extrude("XY", 0.0, 15.0, disc)
    assert low.joined(Extrude("YZ", 0.0, 10.0, disc)) is None
    halves = [replace(BLOCK, body=replace(BLOCK.body, offset=z, height=30.0)) for z in (-50.0, -20.0)]
    assert simplest(Variant(Program((*halves, BOSS, HOLE)), GOAL)).program() == TRUTH


def test_a_wire_that_fills_no_cell_is_found_by_its_surface():
    wire = Step("union", Extrude("XY", -50.0, 100.0, (Face(Circle((90.0, 50.0), 0.4)),)))
    truth = Program((replace(BLOCK, body=replace(BLOCK.body, height=10.0)), wire))
    goal = exact_goal(truth)
    rng = np.random.default_rng(3)
    rows = np.concatenate([goal.surface[:1400], sample_surface(Program((wire,)), 100, rng)[0]])
    goal = replace(goal, surface=rng.permutation(rows))
    found = restructure(Program(truth.steps[:1]), goal, RestructureOptions(), RefineOptions()).program()
    assert len(found.steps) == 2
    (x0, y0, z0), (x1, y1, z1) = found.steps[1].body.bounds()
    assert np.abs(np.subtract([x0, y0, x1, y1, z1], [89.6, 49.6, 90.4, 50.4, 50.0])).max() < 3
    assert z0 < -36  # the block ends at -40
