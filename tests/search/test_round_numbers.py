"""Round numbers: the right ones come back, nothing moves further than allowed, relations become exact."""

import math

import numpy as np
import pytest

from cadcode.data.shapes import random_program
from cadcode.geometry.frame import Frame
from cadcode.program.text.readable import readable
from cadcode.program.transform import control_box, moved
from cadcode.program.tree import Arc, Circle, Extrude, Face, Line, Loop, Program, Rect, Step
from cadcode.search.numbers import BULGE, Parameters
from cadcode.search.round_numbers import ACCURACY, round_in_world, round_numbers, roundest

SEEDS = range(30)


def one(plane, offset, height, *faces) -> Program:
    return Program((Step("union", Extrude(plane, offset, height, faces)),))


def shaken(program: Program, reach: float, seed: int = 0) -> Program:
    """Every edge, centre and radius moved by up to `reach`, each on its own."""
    parameters, rng = Parameters(program), np.random.default_rng(seed)
    off = rng.uniform(-reach, reach, len(parameters.values))
    off[[slot.kind == BULGE for slot in parameters.slots]] = 0
    return parameters.program(parameters.values + off)


def numbers(program: Program) -> np.ndarray:
    """Edges, levels, centres and radii."""
    parameters = Parameters(program)
    return parameters.values[[slot.kind != BULGE for slot in parameters.slots]]


def size_of(program: Program) -> float:
    return float(np.ptp(control_box(program), axis=0).max())


def world(seed: int) -> Program:
    rng = np.random.default_rng([3, seed])
    return moved(random_program(rng), math.exp(rng.uniform(-5, 5)), rng.normal(size=3) * 100)


# --- laws ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_moves_further_than_the_accuracy(seed):
    there = world(seed)
    moved_by = np.abs(numbers(round_numbers(there)) - numbers(there)).max()
    assert moved_by <= ACCURACY * size_of(there) * 1.001


@pytest.mark.parametrize("seed", SEEDS)
def test_round_numbers_come_back(seed):
    true = random_program(np.random.default_rng([4, seed]))  # whole and half units, size 200
    found = round_numbers(shaken(true, 0.3 * ACCURACY * 200, seed))
    np.testing.assert_allclose(numbers(found), numbers(true), atol=1e-9)


def test_round_numbers_are_left_alone():
    """Nearly all: a pair that was made symmetric may reach rounder numbers the second time."""
    once = [round_numbers(world(seed)) for seed in SEEDS]
    moved_by = [np.abs(numbers(round_numbers(there)) - numbers(there)) / size_of(there) for there in once]
    assert (np.concatenate(moved_by) < 1e-9).mean() > 0.95


def test_units_do_not_matter():
    there = shaken(one("XY", 0.0, 3.0, Face(Rect((5.0, 2.0), 30.0, 20.0)), Face(Circle((5.0, 2.0), 4.0), True)), 1e-3)
    small, large = round_numbers(there, 2e-3), round_numbers(moved(there, 1000.0, (0, 0, 0)), 2.0)
    np.testing.assert_allclose(numbers(large), 1000 * numbers(small), rtol=1e-12, atol=1e-12)


# --- held against the input --------------------------------------------------------------------------------------


class Strict:
    """A goal that wants one set of numbers and nothing else."""

    def __init__(self, program: Program, price: float):
        self.wanted, self.price = numbers(program), price

    def measure(self, body):
        return None

    def score(self, program, measured):
        return 1.0 - self.price * float(np.abs(numbers(program) - self.wanted).max() > 1e-6)


class Near(Strict):
    """A goal that bears numbers within a reach of those it wants."""

    def score(self, program, measured):
        return float(np.abs(numbers(program) - self.wanted).max() <= self.price)


@pytest.mark.parametrize("price, rounds", [(0.0, True), (1.9e-3, True), (2.1e-3, False)])
def test_rounding_may_cost_little(price, rounds):
    frame = Frame(np.array([4.0, 5.0, 6.0]), 50.0)  # half a unit of the world each
    found = shaken(one("XY", 0.0, 8.0, Face(Rect((2.0, 4.0), 60.0, 40.0))), 3e-3)
    world = moved(round_in_world(found, frame, Strict(found, price)), *frame.program_to_world_transform())
    assert np.allclose(numbers(world), [6, 10, -10, 20, -3, 17], atol=1e-9) is rounds


def test_what_may_not_be_rounded_much_is_rounded_less():
    frame = Frame(np.zeros(3), 100.0)
    found = one("XY", 0.0, 8.0007, Face(Rect((0.0000004, 0.0), 60.0, 40.0)))
    after = round_in_world(found, frame, Near(found, 1e-5))
    assert numbers(after) == pytest.approx([0, 8.0007, -30, 30, -20, 20], abs=1e-12)


# --- what is asked for -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, reach, found",
    [
        (12.4997, 0.01, 12.5),
        (-0.1499999, 1e-4, -0.15),
        (1e-7, 1e-4, 0.0),
        (-1e-7, 1e-4, 0.0),
        (99.996, 0.01, 100.0),
        (4.7625, 0.01, 4.7625),
        (25.4000004, 0.01, 25.4),
        (37.0, 0.0, 37.0),
        (0.333333333, 1e-4, 0.3333),
    ],
)
def test_the_number_a_designer_typed(value, reach, found):
    assert roundest(value, reach) == found


@pytest.mark.parametrize("value", [0.7312984, 12.3487123, 812.23451, 1e-3 * math.pi])
def test_other_numbers_get_few_digits_and_stay_close(value):
    found = roundest(value, 1e-3 * value)
    assert abs(found - value) <= 1e-3 * value and len(f"{found:.12g}".replace(".", "").lstrip("0")) <= 5


def test_flush_faces_become_flush_and_stay_in_the_text():
    plate = Step("union", Extrude("XY", 0.00002, 5.0007, (Face(Rect((30.0012, 20.0), 60.0, 40.0)),)))
    boss = Step("union", Extrude("XY", 5.0021, 12.0, (Face(Circle((29.9993, 20.001), 8.0)),)))
    found = round_numbers(Program((plate, boss)))
    low, high = found.steps
    assert low.body.offset == 0 and low.body.offset + low.body.height == pytest.approx(high.body.offset, abs=1e-12)
    assert high.body.faces[0].outline.centre == pytest.approx((30, 20), abs=1e-12)
    assert ".workplane(offset=plate_thickness)" in readable(found)


def test_symmetric_pairs_become_exactly_symmetric():
    holes = [Face(Circle((x, y), 3.0), True) for x, y in ((-21.3347, 4.0), (21.3391, 4.001))]
    found = round_numbers(one("XY", 0.0, 5.0, Face(Rect((0.001, 0.0), 61.2343, 40.0)), *holes))
    left, right = (face.outline.centre for face in found.steps[0].body.faces[1:])
    assert left[0] == pytest.approx(-right[0], abs=1e-12) and left[1] == pytest.approx(right[1], abs=1e-12)
    assert found.steps[0].body.faces[0].outline.centre[0] == pytest.approx(0, abs=1e-12)


def test_equal_radii_become_equal():
    holes = [Face(Circle((x, 4.0), r), True) for x, r in ((-21.0, 3.3301), (0.0, 3.3349), (21.0, 3.3342))]
    found = round_numbers(one("XY", 0.0, 5.0, Face(Rect((0.0, 0.0), 60.0, 40.0)), *holes), accuracy=0.006)
    assert len({round(face.outline.radius, 12) for face in found.steps[0].body.faces[1:]}) == 1


@pytest.mark.parametrize("found, true", [(31.98538, 32), (3.2982, 3.3), (7.99654, 8), (31.93, 31.93), (12.71, 12.71)])
def test_radii_of_polygons_become_those_of_the_circle_about_them(found, true):
    disc = one("XY", 0.0, 5.0, Face(Circle((0.0, 0.0), found)))
    rounded = round_numbers(disc, 1e-3, flattened=1e-3).steps[0].body.faces[0].outline
    assert rounded.radius == pytest.approx(true, abs=1e-9)
    assert round_numbers(disc, 1e-3).steps[0].body.faces[0].outline.radius == pytest.approx(found, abs=1e-3)


def test_what_is_thinner_than_the_accuracy_stays_a_body():
    sheet = one("ZX", 3.0, 1e-3, Face(Rect((0.0, 0.0), 100.0002, 80.0)))
    found = round_numbers(sheet)
    assert found.steps[0].body.height == pytest.approx(1e-3, rel=0.05)
    assert found.steps[0].body.faces[0].outline.width == pytest.approx(100, abs=3e-4)


@pytest.mark.parametrize("height", [10.0017, 9.9991])
def test_half_circles_become_half_circles(height):
    slot = Loop(
        (0.0, 0.0),
        (Line((40.0, 0.0)), Arc((40 + height, 10.0), (40.0, 20.0)), Line((0.0, 20.0)), Arc((-10.0, 10.0), (0.0, 0.0))),
    )
    found = round_numbers(one("XY", 0.0, 5.0, Face(slot))).steps[0].body.faces[0].outline
    assert found.edges[1].middle == pytest.approx((50, 10), abs=1e-9)
    assert found.edges[3].middle == pytest.approx((-10, 10), abs=1e-9)


def test_other_arcs_stay_what_they_are():
    lines = (Line((40.0, 20.0)), Line((0.0, 20.0)), Line((0.0, 0.0)))
    shallow = Loop((0.0, 0.0), (Arc((20.0, -3.0), (40.0, 0.0)), *lines))
    found = round_numbers(one("XY", 0.0, 5.0, Face(shallow))).steps[0].body.faces[0].outline
    assert found.edges[0].middle == pytest.approx((20, -3), abs=1e-3)
