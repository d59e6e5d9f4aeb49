"""One spelling for one shape: whatever order, direction and plane, the program is the same, and so is the solid."""

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import programs

from cadcode.data.shapes import random_program
from cadcode.program.canonical import canonical, rounded
from cadcode.program.field import bounds, occupancy
from cadcode.program.normal_form import FINE
from cadcode.program.tree import AXES, Arc, Circle, Extrude, Face, Line, Loop, Program, Rect, Step

RNG = np.random.default_rng(21)
GENERATED = [random_program(RNG) for _ in range(40)]
HALF_DISC = Loop((-10.0, 0.0), (Line((10.0, 0.0)), Arc((0.0, 10.0), (-10.0, 0.0))))


def same_solid(a, b, seed=0, count=1500):
    low, high = bounds(a)
    points = np.random.default_rng(seed).uniform(low - 3, high + 3, (count, 3))
    assert np.array_equal(occupancy(a, points), occupancy(b, points))


# --- the solid stays -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", GENERATED[:25])
def test_the_solid_of_generated_programs_stays(program):
    rng = np.random.default_rng(3)
    same_solid(program, canonical(respelled(program, rng)))


@settings(max_examples=80, deadline=None)
@given(programs(), st.integers(0, 9))
def test_the_solid_of_any_program_stays(program, seed):
    same_solid(program, canonical(program), seed)


# --- one spelling ----------------------------------------------------------------------------------------------------


def respelled(program: Program, rng) -> Program:
    """The same solid, said otherwise: unions, faces and loops in another order and direction, boxes on other planes."""
    steps = _shuffled(program.steps, lambda step: step.operation, rng)
    return Program(tuple(Step(s.operation, _body(s.body, rng)) for s in steps))


def _shuffled(items, kind, rng):
    """Neighbours of one kind in another order."""
    runs = [list(run) for _, run in groupby(items, key=kind)]
    return [run[i] for run in runs for i in rng.permutation(len(run))]


def _body(body: Extrude, rng) -> Extrude:
    if len(body.faces) == 1 and isinstance(body.faces[0].outline, Rect):
        return _box_elsewhere(body, rng)
    faces = _shuffled(body.faces, lambda face: face.subtract, rng)
    offset, height = body.offset, body.height
    if rng.random() < 0.5:
        offset, height = offset + height, -height
    return Extrude(body.plane, offset, height, tuple(Face(_outline(f.outline, rng), f.subtract) for f in faces))


def _outline(outline, rng):
    if isinstance(outline, Circle):
        return outline
    loop = outline.loop() if isinstance(outline, Rect) else outline
    if rng.random() < 0.5:
        loop = loop.reversed()
    first = rng.integers(len(loop.edges))
    edges = loop.edges[first:] + loop.edges[:first]
    return Loop(edges[-1].end, edges)


def _box_elsewhere(body: Extrude, rng) -> Extrude:
    low, high = bounds(Program((Step("union", body),)))
    plane = ("XY", "YZ", "ZX")[rng.integers(3)]
    i, j, k = AXES[plane]
    middle, size = (low + high) / 2, high - low
    rect = Rect((float(middle[i]), float(middle[j])), float(size[i]), float(size[j]))
    return Extrude(plane, float(low[k]), float(size[k]), (Face(_outline(rect, rng)),))


@pytest.mark.parametrize("program", GENERATED)
def test_other_spellings_of_one_shape_become_the_same_program(program):
    for seed in range(3):
        other = respelled(program, np.random.default_rng(seed))
        assert canonical(other) == program


@settings(max_examples=60, deadline=None)
@given(programs(), st.integers(0, 2**32 - 1))
def test_other_spellings_of_any_shape_become_the_same_program(program, seed):
    assert canonical(respelled(canonical(program), np.random.default_rng(seed))) == canonical(program)


@settings(max_examples=60, deadline=None)
@given(programs())
def test_canonical_is_idempotent(program):
    once = canonical(program)
    assert canonical(once) == once


# --- outlines --------------------------------------------------------------------------------------------------------


def test_an_upright_rectangle_is_a_rect_and_a_turned_one_is_not():
    rect = Rect((3.0, -2.0), 8.0, 5.0)
    for seed in range(8):
        assert _outline(rect, np.random.default_rng(seed)).canonical() == rect
    turned = Loop((0.0, -5.0), (Line((5.0, 0.0)), Line((0.0, 5.0)), Line((-5.0, 0.0)), Line((0.0, -5.0))))
    assert turned.canonical() == turned


def test_loops_run_counter_clockwise_from_their_lowest_then_leftmost_corner():
    for loop in (HALF_DISC, HALF_DISC.reversed()):
        assert loop.canonical() == HALF_DISC
    assert HALF_DISC.reversed().reversed() == HALF_DISC
    assert HALF_DISC.reversed().area() == pytest.approx(HALF_DISC.area())


def test_backward_bodies_are_written_forward():
    backward = Program((Step("union", Extrude("YZ", 5.0, -20.0, (Face(HALF_DISC),))),))
    [step] = canonical(backward).steps
    assert (step.body.offset, step.body.height) == (-15.0, 20.0)


# --- rounding --------------------------------------------------------------------------------------------------------


def one_body(*outlines, plane="XY", offset=-10.0, height=20.0):
    faces = tuple(Face(o, i > 0) for i, o in enumerate(outlines))
    return Program((Step("union", Extrude(plane, offset, height, faces)),))


def test_rounding_puts_numbers_on_the_grid_and_leaves_those_on_it():
    for program in GENERATED:
        assert rounded(program) == program
    found = rounded(one_body(Circle((3.2, -4.4), 20.3), Circle((3.3, 4.2), 2.2), height=20.6))
    assert found == one_body(Circle((3.0, -4.5), 20.0), Circle((3.5, 4.0), 2.0), height=21.0)


@pytest.mark.parametrize("thin, kept", [(0.3, 0.5), (1.3, 1.5), (2.2, 2.0), (7.4, 7.5), (8.4, 8.0)])
def test_thin_sizes_keep_half_units(thin, kept):
    found = rounded(one_body(Rect((0.0, 0.0), 100.0, thin)))
    assert found.steps[0].body.faces[0].outline.height == kept
    found = rounded(one_body(Circle((0.0, 0.0), 50.0), offset=0.0, height=thin))
    assert found.steps[0].body.height == kept
    assert (kept == round(kept)) or kept < FINE


def test_what_vanishes_on_the_grid_is_no_program():
    assert rounded(one_body(Rect((0.0, 0.0), 100.0, 0.2))) is None
    assert rounded(one_body(Circle((0.0, 0.0), 50.0), Circle((9.0, 0.0), 0.1))) is None
    assert rounded(one_body(Circle((0.0, 0.0), 50.0), height=0.2)) is None
    sliver = Loop((0.0, 0.0), (Line((50.0, 0.1)), Line((25.0, 0.3)), Line((0.0, 0.0))))
    assert rounded(one_body(sliver)) is None


def test_rounding_joins_lines_that_became_one_and_straightens_arcs_that_lost_their_bend():
    loop = Loop(
        (0.0, 0.0),
        (Line((10.0, 0.2)), Line((20.0, 0.0)), Line((20.0, 20.0)), Arc((10.0, 20.2), (0.0, 20.0)), Line((0.0, 0.0))),
    )
    outline = rounded(one_body(loop)).steps[0].body.faces[0].outline
    assert [type(e) for e in outline.edges] == [Line] * 4
    assert outline.canonical() == Rect((10.0, 10.0), 20.0, 20.0)
