"""Changing the structure: what is missing is added, what is too much is cut, what does nothing goes."""

import numpy as np
import pytest

from cadcode.program.field import occupancy
from cadcode.program.syntax import Circle, Extrude, Face, Program, Rect, Step
from cadcode.search.edit import EditOptions, drop_idle, edit, missing_and_surplus, simpler_programs
from cadcode.search.fit import MARGIN, Fit
from cadcode.search.refine import RefineOptions, Variant

BLOCK = Step("union", Extrude("XY", -50.0, 60.0, (Face(Rect((0.0, 0.0), 200.0, 120.0)),)))
BOSS = Step("union", Extrude("XY", 10.0, 40.0, (Face(Circle((-40.0, 0.0), 30.0)),)))
HOLE = Step("cut", Extrude("ZX", -60.0, 120.0, (Face(Circle((-20.0, 60.0), 14.0)),)))
SMALL_HOLE = Step("cut", Extrude("XY", -50.0, 60.0, (Face(Circle((80.0, 40.0), 2.0)),)))
BURIED = Step("union", Extrude("YZ", -20.0, 40.0, (Face(Circle((0.0, -20.0), 10.0)),)))
TRUTH = Program((BLOCK, BOSS, HOLE))


def exact_fit(program: Program) -> Fit:
    """The fit of a part that is a program: its points get their sides from the field."""
    box, grid, rng = np.array([[-104.0, -64.0, -54.0], [104.0, 64.0, 54.0]]), (29, 18, 15), np.random.default_rng(0)
    cells = np.indices(grid).reshape(3, -1).T
    points = box[0] + (cells + rng.random(cells.shape)) * (box[1] - box[0]) / grid
    everywhere = rng.uniform(*box, (60_000, 3))
    filled = occupancy(program, everywhere)
    aside = everywhere + rng.normal(0, 1.5, everywhere.shape)
    near = everywhere[filled != occupancy(program, aside)][:6000]
    points = np.concatenate([points, near])
    return Fit(points, occupancy(program, points), grid, box, (np.empty(0),) * 3, near[:500])


FIT = exact_fit(TRUTH)


def edited(program, fit=FIT, options=EditOptions()):  # noqa: B008
    return edit(program, fit, options, RefineOptions())


def iou(program, truth=TRUTH):
    points = np.random.default_rng(1).uniform(FIT.box[0] - MARGIN, FIT.box[1] + MARGIN, (40_000, 3))
    a, b = occupancy(program, points), occupancy(truth, points)
    return (a & b).sum() / (a | b).sum()


def test_a_block_gets_its_boss_and_its_hole():
    found = edited(Program((BLOCK,)))
    assert iou(Program((BLOCK,))) < 0.93
    assert iou(found.program()) > 0.99
    assert sorted(s.operation for s in found.program().steps) == ["cut", "union", "union"]
    assert {type(s.body.faces[0].outline) for s in found.program().steps[1:]} == {Circle}


@pytest.mark.parametrize("missing", [BOSS, HOLE])
def test_one_missing_feature_is_found(missing):
    found = edited(Program(tuple(s for s in TRUTH.steps if s != missing)))
    assert iou(found.program()) > 0.99
    assert found.program().steps[-1].operation == missing.operation


def test_a_whole_program_stays_as_it_is():
    assert edited(TRUTH).program() == TRUTH


def test_nothing_is_added_that_does_not_pay():
    costly = EditOptions(feature_cost=0.5)
    assert edited(Program((BLOCK,)), options=costly).program() == Program((BLOCK,))
    assert edited(Program((BLOCK,)), options=EditOptions(additions=0)).program() == Program((BLOCK,))


def test_the_score_never_falls_by_more_than_idle_features_are_worth():
    for steps in [(BLOCK,), (BOSS,), (BLOCK, BURIED), (BLOCK, SMALL_HOLE), (BURIED, HOLE)]:
        program = Program(steps)
        assert edited(program).score >= Variant(program, FIT).score - len(steps) * EditOptions().idle


def test_idle_features_are_dropped():
    padded = Program((BLOCK, BURIED, BOSS, HOLE, HOLE))
    assert drop_idle(Variant(padded, FIT), FIT).program() == TRUTH
    holes = (Face(Circle((-300.0, 0.0), 5.0), subtract=True),)
    body = Extrude(BLOCK.body.plane, BLOCK.body.offset, BLOCK.body.height, BLOCK.body.faces + holes)
    assert drop_idle(Variant(Program((Step("union", body), BOSS, HOLE)), FIT), FIT).program() == TRUTH


def test_a_small_hole_that_is_right_stays():
    truth = Program((*TRUTH.steps, SMALL_HOLE))
    fit = exact_fit(truth)
    assert drop_idle(Variant(truth, fit), fit).program() == truth


def test_simpler_programs_have_one_feature_less_and_start_with_a_union():
    holes = (Face(Circle((0.0, 0.0), 5.0), subtract=True), Face(Circle((30.0, 0.0), 5.0), subtract=True))
    body = Extrude("XY", 0.0, 10.0, (Face(Rect((0.0, 0.0), 100.0, 50.0)), *holes))
    program = Program((Step("union", body), HOLE, BOSS))
    found = list(simpler_programs(program))
    assert len(found) == 4  # without the hole, without the boss, without either hole of the sketch
    assert all(p.steps[0].operation == "union" for p in found)
    assert list(simpler_programs(Program((BLOCK,)))) == []


def test_proposals_add_where_something_is_missing_and_cut_where_there_is_too_much():
    program = Program((BLOCK,))
    steps = missing_and_surplus(program, FIT, EditOptions())
    assert {s.operation for s in steps} == {"union", "cut"}
    assert all(s.body.offset + s.body.height / 2 > 10 for s in steps if s.operation == "union" and s.body.plane == "XY")
    assert missing_and_surplus(TRUTH, FIT, EditOptions()) == []


def test_the_same_every_time():
    assert edited(Program((BLOCK,))).program() == edited(Program((BLOCK,))).program()
