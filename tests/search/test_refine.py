"""Moving the numbers: never worse, and back to the part that a program was moved away from."""

from dataclasses import replace

import numpy as np
import pytest

from cadcode.program.tree import Circle, Extrude, Face, Program, Rect, Step
from cadcode.search.numbers import Parameters
from cadcode.search.options import LeastSquaresOptions, RefineOptions
from cadcode.search.refine import Variant, refine

NO_LEAST_SQUARES = LeastSquaresOptions(numbers=0)
QUICK = RefineOptions(steps=(4.0, 1.0))


def bar(low, height, width):
    return Program((Step("union", Extrude("XY", low, height, (Face(Rect((0.0, 0.0), width, 200.0)),))),))


def test_moved_programs_come_back(parts, goals):
    ious = {}
    for name, part in parts.items():
        moved = part.moved(5.0)
        ious[name] = part.iou(refine(moved, goals[name]).program())
        assert part.iou(moved) < 0.95, name
    assert sum(iou >= 0.99 for iou in ious.values()) >= 5, ious
    assert ious["plate of 1 unit"] >= 0.99


@pytest.mark.parametrize("seed", range(3))
def test_never_worse_by_the_score(parts, goals, seed):
    for name, part in parts.items():
        program = part.moved(20.0, seed)
        assert refine(program, goals[name], QUICK).score >= Variant(program, goals[name]).score
        assert refine(part.program, goals[name], QUICK).score >= Variant(part.program, goals[name]).score


def test_the_score_kept_is_the_score_of_the_program(parts, goals):
    for name, part in parts.items():
        variant = refine(part.moved(5.0), goals[name], QUICK)
        again = Variant(variant.program(), goals[name])
        assert again.score == pytest.approx(variant.score, abs=2e-4)
        assert np.allclose(again.values, variant.values, atol=1e-6)


def test_without_a_step_that_helps_nothing_changes(parts, goals):
    for name, part in parts.items():
        none = RefineOptions(steps=(0.0,), plane_reach=0.0, snap_reach=0.0, least_squares=NO_LEAST_SQUARES)
        assert refine(part.moved(5.0), goals[name], none).program() == part.moved(5.0)


def test_the_same_every_time(parts, goals):
    part, goal = parts["step"], goals["step"]
    assert refine(part.moved(5.0), goal, QUICK).program() == refine(part.moved(5.0), goal, QUICK).program()


def test_only_one_body_moves_when_asked(parts, goals):
    program = parts["step"].moved(5.0)
    refined = refine(program, goals["step"], QUICK, only=1).program()
    assert refined.steps[0] == program.steps[0]
    assert refined.steps[1] != program.steps[1]


def test_faces_take_the_planes_of_the_input_exactly(parts, goals):
    part = parts["step"]
    values = Parameters(refine(part.moved(5.0), goals["step"]).program()).values
    outer = Parameters(part.program).values[:6]
    assert np.allclose(values[:6], outer, atol=1e-3)


def test_snapping_costs_no_more_than_was_won(parts, goals):
    """Nothing was won, so a face that goals better beside a plane stays there."""
    program, goal = parts["step"].program, goals["step"]
    beside = replace(goal, planes=tuple(planes + 2.0 for planes in goal.planes))
    eager = RefineOptions((), plane_reach=0.0, snap_reach=5.0, snap_cost=1.0, least_squares=NO_LEAST_SQUARES)
    assert refine(program, beside, eager).score >= Variant(program, goal).score
    assert refine(program, goal, eager).program() == program


def test_a_slanted_side_lets_go_when_both_of_its_ends_move(parts, goals):
    """A rib that ends just before the wall: moved alone, neither the face nor the corner goals better."""
    parameters = Parameters(parts["bracket and rib"].program)
    exact, values = parameters.values, parameters.values.copy()
    rib = [i for i, slot in enumerate(parameters.slots) if slot.body == 2]
    [face], [corner] = ([i for i in rib if exact[i] == value] for value in (48.0, -3.0))
    values[face], values[corner] = 47.9, -3.0 - 0.1 * 21 / 65  # along the slanted side
    gap = parameters.program(values)
    found = Parameters(refine(gap, goals["bracket and rib"]).program()).values
    assert np.allclose(found[[face, corner]], exact[[face, corner]], atol=2e-3)


def test_a_trial_that_breaks_a_body_is_refused(goals):
    variant = Variant(bar(-10.0, 20.0, 50.0), goals["step"])
    upside_down = np.where(variant.values == 10.0, -20.0, variant.values)
    before = variant.program(), variant.score
    assert not variant.attempt(upside_down, (0,), allowance=1.0)
    assert (variant.program(), variant.score) == before


def test_a_body_that_vanishes_in_a_cut_stays_in_the_program(goals):
    """Refining never changes the structure, not even where a body does nothing."""
    idle = Step("cut", Extrude("XY", 300.0, 10.0, (Face(Circle((0.0, 0.0), 5.0)),)))
    program = Program((*bar(-80.0, 150.0, 60.0).steps, idle))
    refined = refine(program, goals["step"], QUICK).program()
    assert [s.operation for s in refined.steps] == ["union", "cut"]
