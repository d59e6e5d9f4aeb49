"""The numbers of a program and the moves over them."""

import numpy as np
import pytest

from cadcode.data.shapes import random_program
from cadcode.program.field import bounds, occupancy
from cadcode.program.tree import Arc, Circle, Extrude, Face, Line, Loop, Program, Rect, Step
from cadcode.search.numbers import Parameters, is_sound

PROGRAMS = [random_program(np.random.default_rng([3, i])) for i in range(120)]


def prism(outline, operation="union", holes=()):
    faces = (Face(outline), *(Face(hole, subtract=True) for hole in holes))
    return Program((Step(operation, Extrude("XY", 0.0, 10.0, faces)),))


def tree(program):
    """A program without its numbers."""

    def outline(o):
        return [type(e) for e in o.edges] if isinstance(o, Loop) else type(o)

    bodies = [s.body for s in program.steps]
    faces = [(body.plane, [(outline(f.outline), f.subtract) for f in body.faces]) for body in bodies]
    return [s.operation for s in program.steps], faces


def points_around(program, count=3000):
    low, high = bounds(program)
    return np.random.default_rng(0).uniform(low - 2, high + 2, (count, 3))


def test_the_programs_own_numbers_give_its_solid():
    for program in PROGRAMS:
        parameters = Parameters(program)
        rebuilt, points = parameters.program(parameters.values), points_around(program)
        assert tree(rebuilt) == tree(program)
        assert (occupancy(rebuilt, points) == occupancy(program, points)).all()


def test_numbers_survive_a_round_trip():
    for program in PROGRAMS:
        parameters = Parameters(program)
        again = Parameters(parameters.program(parameters.values))
        assert again.slots == parameters.slots
        assert np.allclose(again.values, parameters.values, atol=1e-6)


def test_every_move_keeps_the_tree_and_touches_only_the_bodies_it_names():
    kept = 0
    for program in PROGRAMS:
        parameters = Parameters(program)
        for move in parameters.moves():
            values = parameters.values.copy()
            values[list(move.slots)] += np.multiply(0.5, move.directions)
            if moved := parameters.program(values):
                kept += 1
                assert tree(moved) == tree(program)
                assert moved != program
                rebuilt = parameters.program(parameters.values)
                others = [i for i in range(len(program.steps)) if i not in move.bodies]
                assert all(moved.steps[i] == rebuilt.steps[i] for i in others)
    assert kept > 1000


def test_every_number_can_be_moved():
    for program in PROGRAMS:
        parameters = Parameters(program)
        reached = {slot for move in parameters.moves() for slot in move.slots}
        assert reached == set(range(len(parameters.values)))


def test_flush_faces_move_together_first_and_then_alone():
    two = Program((*prism(Rect((0.0, 0.0), 20.0, 10.0)).steps, *prism(Rect((5.0, 0.0), 10.0, 4.0)).steps))
    parameters = Parameters(two)
    right = [
        i
        for i, (slot, value) in enumerate(zip(parameters.slots, parameters.values, strict=True))
        if slot.axis == 0 and value == 10.0
    ]
    assert len(right) == 2
    slots = [move.slots for move in parameters.moves()]
    assert slots.index(tuple(right)) < slots.index((right[0],)) < len(slots)


def with_number(program, old, new):
    parameters = Parameters(program)
    return parameters.program(np.where(parameters.values == old, new, parameters.values))


L = Loop((0.0, 0.0), (Line((50.0, 0.0)), Line((50.0, 7.0)), Line((9.0, 7.0)), Line((9.0, 40.0)), Line((0.0, 40.0))))
L = Loop(L.start, (*L.edges, Line(L.start)))
D = Loop((0.0, 0.0), (Line((30.0, 0.0)), Arc((15.0, 12.0), (0.0, 0.0))))


@pytest.mark.parametrize(
    "program, old, new",
    [
        (prism(Circle((0.0, 0.0), 5.0)), 5.0, -1.0),
        (prism(Rect((0.0, 0.0), 20.0, 8.0)), 10.0, -11.0),
        (prism(L), 9.0, 0.0),  # a wall of no thickness
        (prism(L), 9.0, -5.0),  # crosses itself
        (prism(L), 7.0, -3.0),
        (prism(D), -12.0, 0.0),  # an arc through three points in line
    ],
)
def test_numbers_that_break_an_outline_give_none(program, old, new):
    assert with_number(program, old, old) is not None
    assert with_number(program, old, new) is None


def test_a_body_upside_down_is_none_and_a_negative_height_is_the_same_body():
    down = Program((Step("union", Extrude("XY", 10.0, -10.0, (Face(Circle((0.0, 0.0), 5.0)),))),))
    points = points_around(down)
    assert (occupancy(with_number(down, 10.0, 10.0), points) == occupancy(down, points)).all()
    assert with_number(down, 10.0, -1.0) is None


def test_a_half_disc_whose_corners_lie_in_line_is_sound():
    half = Loop((0.0, 0.0), (Line((15.0, 0.0)), Line((30.0, 0.0)), Arc((15.0, 15.0), (0.0, 0.0))))
    assert is_sound(prism(half))
    assert is_sound(prism(D))


def test_an_outline_may_keep_the_fault_it_came_with():
    bow_tie = Loop((0.0, 0.0), (Line((10.0, 9.0)), Line((10.0, 0.0)), Line((0.0, 8.0)), Line((0.0, 0.0))))
    assert is_sound(prism(bow_tie))


def test_what_has_no_size_is_not_sound():
    assert not is_sound(prism(Circle((0.0, 0.0), 0.0)))
    assert not is_sound(Program((Step("union", Extrude("XY", 1.0, 0.0, (Face(Circle((0.0, 0.0), 1.0)),))),)))
    assert all(map(is_sound, PROGRAMS))
