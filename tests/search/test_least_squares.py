"""The last digits: exact where the coordinate search is stuck or at its smallest step."""

from dataclasses import replace

import numpy as np
import pytest

from cadcode.program.field import signed_distance
from cadcode.program.surface import sample_surface
from cadcode.program.tree import Circle, Extrude, Face, Line, Loop, Program, Rect, Step
from cadcode.search.least_squares import fitted_values
from cadcode.search.numbers import Parameters
from cadcode.search.options import LeastSquaresOptions, RefineOptions
from cadcode.search.refine import Variant, refine

SLANTED = Loop((-36.0, -90.0), (Line((69.0, 81.0)), Line((36.0, 90.0)), Line((-69.0, -81.0)), Line((-36.0, -90.0))))
HOLES = tuple(Face(Circle((x, 40.0), 12.0), subtract=True) for x in (-20.0, 30.0))
PLATE = Program((Step("union", Extrude("XY", -5.0, 10.0, (Face(Rect((0.0, 0.0), 150.0, 180.0)), *HOLES))),))
BAR = Program((Step("union", Extrude("YZ", -11.0, 22.0, (Face(SLANTED),))),))


def fitted(program, values, surface, **options):
    return fitted_values(Parameters(program), values, surface, 0.2, LeastSquaresOptions(**options))


def moved(program, reach, seed=0):
    """Values that differ by up to `reach`, by the same amount where numbers are equal."""
    parameters = Parameters(program)
    values, rng = parameters.values.copy(), np.random.default_rng(seed)
    for group in parameters.groups(values):
        values[group] += rng.uniform(-reach, reach)
    return values


@pytest.mark.parametrize("program", [PLATE, BAR])
def test_numbers_come_back_exactly(program):
    surface, _ = sample_surface(program, 1500, np.random.default_rng(0))
    found = fitted(program, moved(program, 0.5), surface, evaluations=20)
    assert np.abs(found - Parameters(program).values).max() < 2e-3


def test_equal_numbers_stay_equal():
    surface, _ = sample_surface(PLATE, 1500, np.random.default_rng(0))
    surface += np.random.default_rng(1).normal(0, 0.3, surface.shape)
    parameters = Parameters(PLATE)
    found = fitted(PLATE, moved(PLATE, 0.5), surface)
    for group in parameters.groups(parameters.values):
        assert np.ptp(found[group]) < 1e-9


def test_points_far_off_bend_little():
    surface, _ = sample_surface(PLATE, 1500, np.random.default_rng(0))
    surface[:75] += [0.0, 0.0, 20.0]
    found = fitted(PLATE, moved(PLATE, 0.5), surface, evaluations=20)
    assert np.abs(found - Parameters(PLATE).values).max() < 0.1


def test_what_cannot_get_nearer_gives_none():
    surface, _ = sample_surface(PLATE, 1500, np.random.default_rng(0))
    assert fitted(PLATE, Parameters(PLATE).values, surface) is None
    assert fitted(PLATE, moved(PLATE, 0.5), surface, numbers=5) is None


def test_it_never_leaves_the_programs_that_make_sense():
    """A plate far thicker than the points say: least squares would turn it inside out."""
    thin = Program((Step("union", Extrude("XY", 0.0, 0.02, (Face(Rect((0.0, 0.0), 150.0, 180.0)),))),))
    surface = np.random.default_rng(0).uniform([-75.0, -90.0, -1.0], [75.0, 90.0, -1.0], (300, 3))
    found = fitted(thin, Parameters(thin).values, surface)
    assert found is None or Parameters(thin).program(found) is not None


def test_refining_ends_nearer_to_the_part_with_it(parts, goals):
    errors = {"with": [], "without": []}
    for name, part in parts.items():
        off = RefineOptions(least_squares=LeastSquaresOptions(numbers=0))
        surface, _ = sample_surface(part.program, 1000, np.random.default_rng(5))
        for key, options in (("with", RefineOptions()), ("without", off)):
            program = refine(part.moved(3.0), goals[name], options).program()
            errors[key].append(np.abs(signed_distance(program, surface)).mean())
    assert np.mean(errors["with"]) < 0.6 * np.mean(errors["without"])


def test_it_costs_no_more_score_than_was_won(parts, goals):
    """On the part itself nothing can be won, so points that lie elsewhere move nothing."""
    goal, program = goals["step"], parts["step"].program
    elsewhere = replace(goal, surface=goal.surface + 3.0, far_points=0)
    only_fitted = RefineOptions(steps=(), plane_reach=0.0, snap_reach=0.0, least_squares=LeastSquaresOptions(cost=1.0))
    assert refine(program, elsewhere, only_fitted).score >= Variant(program, goal).score
