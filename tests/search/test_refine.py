"""Moving the numbers: never worse, and back to the part that a program was moved away from."""

from dataclasses import replace

import numpy as np
import pytest

from cadcode.program.tree import Circle, Extrude, Face, Program, Rect, Step
from cadcode.search.least_squares import PolishOptions
from cadcode.search.numbers import Parameters
from cadcode.search.refine import RefineOptions, Variant, refine

QUICK = RefineOptions(steps=(4.0, 1.0))


def bar(low, height, width):
    return Program((Step("union", Extrude("XY", low, height, (Face(Rect((0.0, 0.0), width, 200.0)),))),))


def test_moved_programs_come_back(parts, fits):
    ious = {}
    for name, part in parts.items():
        moved = part.moved(5.0)
        ious[name] = part.iou(refine(moved, fits[name]).program())
        assert part.iou(moved) < 0.95, name
    assert sum(iou >= 0.99 for iou in ious.values()) >= 5, ious
    assert ious["plate of 1 unit"] >= 0.99


@pytest.mark.parametrize("seed", range(3))
def test_never_worse_by_the_score(parts, fits, seed):
    for name, part in parts.items():
        program = part.moved(20.0, seed)
        assert refine(program, fits[name], QUICK).score >= Variant(program, fits[name]).score
        assert refine(part.program, fits[name], QUICK).score >= Variant(part.program, fits[name]).score


def test_the_score_kept_is_the_score_of_the_program(parts, fits):
    for name, part in parts.items():
        variant = refine(part.moved(5.0), fits[name], QUICK)
        again = Variant(variant.program(), fits[name])
        assert again.score == pytest.approx(variant.score, abs=2e-4)
        assert np.allclose(again.values, variant.values, atol=1e-6)


def test_without_a_step_that_helps_nothing_changes(parts, fits):
    for name, part in parts.items():
        none = RefineOptions(steps=(0.0,), plane_reach=0.0, snap_reach=0.0, polish=PolishOptions(numbers=0))
        assert refine(part.moved(5.0), fits[name], none).program() == part.moved(5.0)


def test_the_same_every_time(parts, fits):
    part, fit = parts["step"], fits["step"]
    assert refine(part.moved(5.0), fit, QUICK).program() == refine(part.moved(5.0), fit, QUICK).program()


def test_only_one_body_moves_when_asked(parts, fits):
    program = parts["step"].moved(5.0)
    refined = refine(program, fits["step"], QUICK, only=1).program()
    assert refined.steps[0] == program.steps[0]
    assert refined.steps[1] != program.steps[1]


def test_faces_take_the_planes_of_the_input_exactly(parts, fits):
    part = parts["step"]
    values = Parameters(refine(part.moved(5.0), fits["step"]).program()).values
    outer = Parameters(part.program).values[:6]
    assert np.allclose(values[:6], outer, atol=1e-3)


def test_snapping_costs_no_more_than_was_won(parts, fits):
    """Nothing was won, so a face that fits better beside a plane stays there."""
    program, fit = parts["step"].program, fits["step"]
    beside = replace(fit, planes=tuple(planes + 2.0 for planes in fit.planes))
    eager = RefineOptions((), plane_reach=0.0, snap_reach=5.0, snap_cost=1.0, polish=PolishOptions(numbers=0))
    assert refine(program, beside, eager).score >= Variant(program, fit).score
    assert refine(program, fit, eager).program() == program


def test_a_slanted_side_lets_go_when_both_of_its_ends_move(parts, fits):
    """A rib that ends just before the wall: moved alone, neither the face nor the corner fits better."""
    parameters = Parameters(parts["bracket and rib"].program)
    exact, values = parameters.values, parameters.values.copy()
    rib = [i for i, slot in enumerate(parameters.slots) if slot.body == 2]
    [face], [corner] = ([i for i in rib if exact[i] == value] for value in (48.0, -3.0))
    values[face], values[corner] = 47.9, -3.0 - 0.1 * 21 / 65  # along the slanted side
    gap = parameters.program(values)
    found = Parameters(refine(gap, fits["bracket and rib"]).program()).values
    assert np.allclose(found[[face, corner]], exact[[face, corner]], atol=2e-3)


def test_a_trial_that_breaks_a_body_is_refused(fits):
    variant = Variant(bar(-10.0, 20.0, 50.0), fits["step"])
    upside_down = np.where(variant.values == 10.0, -20.0, variant.values)
    before = variant.program(), variant.score
    assert not variant.attempt(upside_down, (0,), allowance=1.0)
    assert (variant.program(), variant.score) == before


def test_a_body_that_vanishes_in_a_cut_stays_in_the_program(fits):
    """Refining never changes the structure, not even where a body does nothing."""
    idle = Step("cut", Extrude("XY", 300.0, 10.0, (Face(Circle((0.0, 0.0), 5.0)),)))
    program = Program((*bar(-80.0, 150.0, 60.0).steps, idle))
    refined = refine(program, fits["step"], QUICK).program()
    assert [s.operation for s in refined.steps] == ["union", "cut"]
