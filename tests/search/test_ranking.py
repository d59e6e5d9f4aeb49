"""Ranking candidate programs by their distance to the input."""

import math

import numpy as np
import pytest

from cadcode.data.shapes import random_program
from cadcode.program.surface import sample_surface
from cadcode.program.symmetry import SYMMETRIES, transformed
from cadcode.program.transform import moved
from cadcode.program.tree import Circle, Extrude, Face, Program, Rect, Step
from cadcode.search.ranking import SearchTarget, distance_to_input

RNG = np.random.default_rng(12)
PROGRAMS = [random_program(RNG) for _ in range(8)]


def body(outline, offset=-20.0, height=40.0, plane="XY"):
    return Extrude(plane, offset, height, (Face(outline),))


def program(*steps):
    return Program(tuple(Step(operation, one) for operation, one in steps))


def target_of(one, count=1500, seed=99):
    """The target of a program's own surface, sampled unlike the candidates."""
    return SearchTarget.of(sample_surface(one, count, np.random.default_rng(seed))[0])


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_the_true_program_is_the_nearest(number):
    target = target_of(PROGRAMS[number])
    distances = [distance_to_input(p, target) for p in PROGRAMS]
    assert int(np.argmin(distances)) == number


def test_the_farther_off_the_larger_the_distance():
    true = program(("union", body(Rect((0.0, 0.0), 200.0, 120.0))), ("cut", body(Circle((30.0, 0.0), 25.0))))
    target = target_of(true)
    off = [distance_to_input(moved(true, 1.0, (0.0, 0.0, shift)), target) for shift in (0, 6, 12, 24)]
    assert off == sorted(off) and off[-1] > off[0] + 5
    wrong_hole = program(("union", body(Rect((0.0, 0.0), 200.0, 120.0))), ("cut", body(Circle((-30.0, 0.0), 25.0))))
    no_hole = program(("union", body(Rect((0.0, 0.0), 200.0, 120.0))))
    assert off[0] < distance_to_input(no_hole, target) < distance_to_input(wrong_hole, target)


def test_what_is_missing_counts_as_much_as_what_is_too_much():
    """Both ways are averaged: a part of the input, and the input with something more, are both away from it."""
    pin = ("union", body(Circle((70.0, 0.0), 15.0), 20.0, 60.0))
    plate = ("union", body(Rect((0.0, 0.0), 200.0, 120.0)))
    whole, bare = program(plate, pin), program(plate)
    same = distance_to_input(whole, target_of(whole))
    missing, extra = distance_to_input(bare, target_of(whole)), distance_to_input(whole, target_of(bare))
    assert missing > same + 0.5 and extra > same + 0.5
    assert missing == pytest.approx(extra, rel=0.1)


def test_turning_program_and_input_alike_changes_little():
    """Only the samples are others: the distance itself knows no direction."""
    one, other = PROGRAMS[0], PROGRAMS[1]
    plain = distance_to_input(other, target_of(one))
    for symmetry in SYMMETRIES[5::11]:
        turned = distance_to_input(transformed(other, symmetry), target_of(transformed(one, symmetry)))
        assert turned == pytest.approx(plain, rel=0.1)


@pytest.mark.parametrize(
    "nothing",
    [
        program(("union", body(Rect((0.0, 0.0), 20.0, 20.0))), ("cut", body(Rect((0.0, 0.0), 40.0, 40.0)))),
        program(("union", body(Circle((0.0, 0.0), 5.0))), ("intersect", body(Circle((50.0, 0.0), 5.0)))),
    ],
)
def test_programs_without_a_solid_are_infinitely_far(nothing):
    assert distance_to_input(nothing, target_of(PROGRAMS[0])) == math.inf


def test_the_seed_decides_the_samples():
    target = target_of(PROGRAMS[2])
    same = [distance_to_input(PROGRAMS[2], target, seed) for seed in (4, 4, 5)]
    assert same[0] == same[1] != same[2]
    assert same[2] == pytest.approx(same[0], rel=0.1)
