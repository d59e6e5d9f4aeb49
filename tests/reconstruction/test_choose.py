"""The choice among measured candidates, and the judgement of results."""

from dataclasses import replace

import numpy as np
import pytest
from plates import FAST, plate

from cadcode.geometry.metrics import Errors
from cadcode.program.tree import Program
from cadcode.reconstruction.candidate import Failure, FreeText, Proposed, Provenance, Verified
from cadcode.reconstruction.choose import at_floor, badness, choose, finished, stage_errors
from cadcode.sandbox.outcome import Solid

TETRAHEDRON = Solid(np.eye(4, 3), np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]]), 1 / 6, True)
GREEDY, SAMPLE = Provenance("greedy"), Provenance("sample", index=1)
NOTHING = FreeText("")


def tried(iou, chamfer, program=NOTHING, provenance=SAMPLE, reason=None, **facts):
    error, solid = Errors(iou=iou, chamfer=chamfer, iou_reason=reason), replace(TETRAHEDRON, **facts)
    return Verified(Proposed(program, provenance), "", solid, error)


# --- stages -----------------------------------------------------------------------------------------------------------


def test_provenance_reads_as_text():
    assert str(GREEDY) == "greedy" and str(Provenance("beam", index=4)) == "beam of 4"
    assert str(Provenance("sample", 1, 2, ("refined", "edited"))) == "view 1, sample 2, refined, edited"
    assert str(Provenance("section", index=2)) == "sections along z" and str(Provenance("box")) == "bounding box"


def test_stages_without_a_measured_candidate_are_left_out():
    third = Provenance("sample", index=3, stages=("refined",))
    candidates = [
        tried(0.9, 0.1, provenance=Provenance("box")),
        tried(0.5, 0.2, provenance=third),
        Failure(Proposed(FreeText(""), GREEDY), "error: no"),
    ]
    refined = {"refined": {"source": "sample 3, refined", "iou": 0.5, "chamfer": 0.2}}
    assert stage_errors(candidates, 1.0) == refined
    edited = tried(0.6, 0.1, provenance=replace(third, stages=("refined", "edited")))
    found = stage_errors([edited, *candidates], 1.0)
    assert found == refined | {"edited": {"source": "sample 3, refined, edited", "iou": 0.6, "chamfer": 0.1}}


# --- the best one -----------------------------------------------------------------------------------------------------


def test_iou_and_distance_and_length_are_weighed():
    by_badness = lambda candidates: sorted(candidates, key=lambda c: badness(c, size=100.0))  # noqa: E731
    order = [tried(0.9, 1.0), tried(0.899, 2.0), tried(0.8, 0.1), tried(0.8, 0.2)]
    assert by_badness(order[::-1]) == order
    clouds = [tried(None, 0.1), tried(None, 0.3)]
    assert by_badness(clouds[::-1]) == clouds
    short, long = plate(), Program((*plate().steps, *plate(radius=5.0).steps))
    alike = [tried(0.9, 1.0, short), tried(0.9001, 1.0, long)]
    assert by_badness(alike[::-1]) == alike


def test_a_missing_wire_outweighs_a_little_volume():
    whole, without = tried(0.998, 0.01), tried(0.9985, 1.0)
    assert badness(whole, size=100.0) < badness(without, size=100.0)


def test_nothing_below_the_greedy_draft_is_chosen(shape):
    greedy, far = tried(0.95, 5.0, provenance=GREEDY), tried(0.949, 0.0)
    assert choose([far, greedy], shape) is greedy
    assert choose([far, replace(greedy, proposed=far.proposed)], shape) is far
    assert choose([], shape) is None


# --- rounds ---------------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self, seconds):
        self.seconds = seconds

    def late(self):
        return lambda: self.seconds >= 5.0


def test_without_a_budget_there_is_one_round(shape):
    assert finished([], shape, FAST.search, Clock(0.0))


def test_a_budget_is_spent_until_a_part_fits(shape):
    options, size = replace(FAST, search=replace(FAST.search, budget=5.0)), float(shape.extents.max())
    poor, exact = tried(0.9, 0.01 * size), tried(1.0, 1e-6 * size)
    assert not finished([poor], shape, options.search, Clock(4.9))
    assert finished([poor], shape, options.search, Clock(5.0))
    assert finished([poor, exact], shape, options.search, Clock(0.1))
    assert not at_floor(poor.error, shape) and at_floor(exact.error, shape)


# --- what is sound ----------------------------------------------------------------------------------------------------


NO_IOU = "result: the mesh is an open surface: inside and outside cannot be told apart"


@pytest.mark.parametrize("worse", [tried(None, 1e-9, reason=NO_IOU), tried(1.0, 1e-9, valid=False)])
def test_a_valid_measured_result_beats_every_other(shape, worse):
    poor = tried(0.2, 30.0)
    assert not worse.is_sound and poor.is_sound
    assert choose([worse, poor], shape) is choose([poor, worse], shape) is poor
    assert choose([worse], shape) is worse


def test_an_input_without_a_volume_asks_for_no_iou(shape):
    assert tried(None, 0.1, reason="input: a point cloud has no volume").is_sound
    assert not at_floor(tried(None, 0.0, reason=NO_IOU).error, shape)


def test_a_result_that_falls_apart_has_to_be_better_for_it():
    whole, apart = tried(0.97, 0.0), tried(0.975, 0.0, solids=6)
    assert badness(whole, 100.0, bodies=1) < badness(apart, 100.0, bodies=1)
    assert badness(whole, 100.0) > badness(apart, 100.0)  # where the number of bodies is not known
