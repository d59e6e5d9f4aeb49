"""One part from shape to result, with a network that says what it is told and the real sandbox."""

import json
from dataclasses import replace

import numpy as np
import pytest
from plates import EMPTY, FAR, FAST, GARBAGE, NEAR, TRUE, plate
from told import Told

from cadcode.geometry.sampling import sample_surface
from cadcode.geometry.shape import Shape
from cadcode.model.generate import DecodeOptions
from cadcode.program.parse import parse
from cadcode.program.text.compact import compact
from cadcode.program.tree import Program
from cadcode.reconstruction.candidate import Failure
from cadcode.reconstruction.run import reconstruct
from cadcode.sandbox.outcome import Failed
from cadcode.sandbox.sandbox import SandboxOptions


class Failing:
    """A sandbox in which nothing runs."""

    options = SandboxOptions()

    def run(self, text, export=()):
        return Failed("error", "no")


@pytest.fixture(scope="module")
def result(shape, sandbox):
    return reconstruct(shape, Told(FAR, EMPTY, TRUE, GARBAGE, NEAR), sandbox, replace(FAST, export=("step",)))


def same(one, other):
    """Whether two programs of one body are the same up to rounding."""
    first, second = (program.steps[0].body.numbers() for program in (one, other))
    return first.slots == second.slots and np.allclose(first.values, second.values, atol=1e-6)


# --- the best one ---------------------------------------------------------------------------------------------------


def test_the_best_draft_is_chosen_whatever_the_model_likes_best(result):
    assert result.chosen.program == plate()
    assert result.chosen.source.startswith("sample ")
    assert result.chosen.error.iou > 0.995 and result.chosen.error.iou == max(c.error.iou for c in result.measured)


def test_the_solid_lies_where_the_input_lies_in_its_units(result, shape):
    found = np.stack([result.chosen.solid.vertices.min(0), result.chosen.solid.vertices.max(0)])
    assert np.allclose(found, shape.bounds, atol=1e-6 * 74)
    assert np.allclose(shape.extents, [74.0, 44.4, 14.8])
    assert result.chosen.solid.exports["step"].startswith(b"ISO-10303-21;")
    assert parse(result.chosen.text) != plate()  # the text is in the world's units


def test_every_draft_is_among_the_candidates_once_with_its_reason(result):
    programs = [c.program for c in result.candidates if isinstance(c.program, Program)]
    assert len(programs) == len(set(programs)) == 4
    assert {compact(c.program) for c in result.measured} == {
        TRUE,
        FAR,
    }  # the best draft, which has everything, and the greedy one
    reasons = {c.program: c.reason for c in result.candidates if isinstance(c, Failure)}
    assert reasons.pop(parse(EMPTY)) == "the program leaves no solid"
    assert reasons and all(reason.startswith("not in the dialect: ") for reason in reasons.values())
    assert any(c.source == "greedy" for c in result.measured)


def test_the_network_sees_the_part_in_the_model_frame(shape, sandbox):
    model = Told(TRUE)
    reconstruct(shape, model, sandbox, FAST)
    points = model.seen.numpy()
    assert points.shape == (1, 256, 3) and points.dtype == np.float32
    assert np.allclose([points.min((0, 1)), points.max((0, 1))], [[-1, -0.6, -0.2], [1, 0.6, 0.2]], atol=0.1)


def test_searching_makes_a_near_miss_better(shape, sandbox):
    near = reconstruct(shape, Told(NEAR), sandbox, FAST)
    better = reconstruct(shape, Told(NEAR), sandbox, replace(FAST, search=replace(FAST.search, refine=True)))
    assert better.chosen.error.iou > near.chosen.error.iou + 0.01
    assert better.chosen.source != "greedy"
    assert {"sample", "decode", "rank", "run", "refine"} <= set(better.seconds)


def test_the_stages_say_what_each_of_them_brought(shape, sandbox):
    options = replace(FAST, search=replace(FAST.search, refine=True))
    found = reconstruct(shape, Told(FAR, NEAR), sandbox, options).as_dict()
    stages = found["stages"]
    assert list(stages)[:3] == ["greedy", "drafts", "completed"]
    assert stages["greedy"]["source"] == stages["drafts"]["source"] == "greedy"  # the search fits: no other was run
    assert stages["completed"]["source"].endswith(", completed")
    assert stages["greedy"]["iou"] < stages["completed"]["iou"]
    assert max(stage["iou"] for stage in stages.values()) == found["error"]["iou"]


def test_a_refined_program_has_round_numbers(shape, sandbox):
    options = replace(FAST, search=replace(FAST.search, refine=True))
    text = reconstruct(shape, Told(NEAR), sandbox, options).chosen.text
    block = text.split("# parameters\n")[1].split("\n\n")[0]
    values = dict(line.split(" = ") for line in block.splitlines())
    assert {values["block_length"], values["block_width"], values["block_height"]} == {"74", "44.4", "14.8"}
    assert all(len(value) <= 6 for value in values.values())  # the hole's place and radius are found, not given


# --- seeds and inputs -----------------------------------------------------------------------------------------------


def without_seconds(result):
    return {k: v for k, v in result.as_dict().items() if k != "seconds"}


def test_the_seed_decides_everything(shape, sandbox, result):
    model = Told(FAR, EMPTY, TRUE, GARBAGE, NEAR)
    options = replace(FAST, export=("step",))
    again = reconstruct(shape, model, sandbox, options)
    assert without_seconds(again) == without_seconds(result)
    assert [c.program for c in again.candidates] == [c.program for c in result.candidates]
    assert again.chosen.text == result.chosen.text
    other = reconstruct(shape, model, sandbox, options.seeded(5))
    assert other.options.sampling.seed == other.options.decoding.seed == 5
    assert without_seconds(other) != without_seconds(result)
    assert other.chosen.program == result.chosen.program


def test_the_shape_stays_as_it_is(shape, sandbox):
    before = shape.vertices.copy(), shape.faces.copy(), shape.bounds.copy()
    reconstruct(shape, Told(NEAR), sandbox, FAST)
    for was, now in zip(before, (shape.vertices, shape.faces, shape.bounds), strict=True):
        assert np.array_equal(was, now)


def test_a_cloud_has_distances_and_no_iou(shape, sandbox):
    cloud = Shape.from_arrays(sample_surface(shape, 3000, np.random.default_rng(0))[0])
    found = reconstruct(cloud, Told(NEAR, TRUE), sandbox, replace(FAST, search=replace(FAST.search, refine=True)))
    assert found.chosen.error.iou is None and "cloud" in found.chosen.error.iou_reason
    assert same(found.chosen.program, plate()) and found.chosen.error.chamfer < 1
    json.dumps(found.as_dict(), allow_nan=False)


# --- when drafts fail -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("texts", [(GARBAGE,), (EMPTY,), ("", "x" * 50)])
def test_a_part_without_a_good_draft_gets_its_bounding_box(shape, sandbox, texts):
    found = reconstruct(shape, Told(*texts), sandbox, FAST)
    assert found.chosen.source == "bounding box"
    vertices = found.chosen.solid.vertices
    assert np.allclose([vertices.min(0), vertices.max(0)], shape.bounds, atol=1e-4)
    assert found.chosen.error.iou == pytest.approx(1 - np.pi * 30**2 / (200 * 120), abs=0.01)
    assert all(isinstance(c, Failure) for c in found.candidates if c is not found.chosen)
    json.dumps(found.as_dict(), allow_nan=False)


def test_nothing_is_chosen_where_nothing_runs(shape):
    found = reconstruct(shape, Told(TRUE, FAR), Failing(), FAST)
    assert found.chosen is None
    assert {c.reason for c in found.candidates} == {"error: no"}
    assert found.as_dict()["chosen"] is None
    json.dumps(found.as_dict(), allow_nan=False)


# --- what is written down -------------------------------------------------------------------------------------------


def test_the_result_is_plain_values(result):
    written = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert written["chosen"] == result.chosen.source
    assert written["error"]["iou"] == result.chosen.error.iou
    assert written["model"]["name"] == "told"
    assert written["options"]["decoding"]["candidates"] == 24
    assert len(written["candidates"]) == len(result.candidates)
    assert written["input"]["extents"] == pytest.approx([74.0, 44.4, 14.8])
    assert {"device": "cpu", "dtype": "auto", "attention": "sdpa"}.items() <= written["model"].items()
    assert written["model"]["threads"] >= 1 and written["limits"]["timeout"] == 10.0
    assert all(value >= 0 for value in written["seconds"].values())


# --- rounds ---------------------------------------------------------------------------------------------------------


def test_the_rounds_differ_in_their_seeds_and_the_first_is_as_asked():
    rows = [one for one, _ in zip(FAST.seeded(3).rounds(), range(4), strict=False)]
    assert rows[0] == FAST.seeded(3)
    assert len({one.decoding.seed for one in rows}) == len({one.sampling.seed for one in rows}) == 4


def test_a_second_round_finds_what_the_first_did_not(shape, sandbox):
    """One candidate a round: the greedy one is far off, and sampled ones come with other seeds."""
    decoding = DecodeOptions("sample", candidates=2, max_new_tokens=4)
    options = replace(FAST, decoding=decoding, search=replace(FAST.search, budget=60.0))
    found = reconstruct(shape, Told(FAR, EMPTY, GARBAGE, NEAR, TRUE), sandbox, options)
    assert found.chosen.program == plate()


class Open:
    """A sandbox that leaves out one face of every solid but a box's."""

    def __init__(self, sandbox):
        self.sandbox, self.options = sandbox, sandbox.options

    def run(self, text, export=()):
        solid = self.sandbox.run(text, export)
        return solid if ".circle(" not in text else replace(solid, faces=solid.faces[1:], valid=False, solids=3)


def test_a_part_without_a_sound_result_says_so(shape, sandbox):
    found = reconstruct(shape, Told(TRUE, NEAR), Open(sandbox), FAST)
    assert found.chosen.source == "bounding box" and not found.is_valid
    assert "this is the bounding box" in " ".join(found.remarks)
    assert found.as_dict()["valid"] is False and found.as_dict()["solid"]["valid"] is True
    good = reconstruct(shape, Told(TRUE), sandbox, FAST)
    assert good.is_valid and good.remarks == () and good.as_dict()["solid"]["solids"] == 1


# --- the clock --------------------------------------------------------------------------------------------------------


def test_a_part_that_takes_too_long_gets_what_was_found_until_then(shape, sandbox):
    search = replace(FAST.search, refine=True, seconds=1e-9)
    found = reconstruct(shape, Told(NEAR), sandbox, replace(FAST, search=search))
    assert same(found.chosen.program, plate()) and found.out_of_time  # read off the input, which is always done
    assert any("time limit" in remark for remark in found.remarks)
    assert not reconstruct(shape, Told(NEAR), sandbox, FAST).out_of_time


# --- parts that stand askew -------------------------------------------------------------------------------------------


def test_a_part_that_stands_askew_is_written_upright_and_placed(shape, sandbox):
    q, _ = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))
    q *= np.sign(np.linalg.det(q))
    turned = Shape.from_arrays(shape.vertices @ q.T + [500.0, 20.0, -3.0], shape.faces)
    options = replace(FAST, search=replace(FAST.search, refine=True), export=("step",))
    found = reconstruct(turned, Told(GARBAGE), sandbox, options)
    assert found.chosen.error.iou > 0.995 and len(found.chosen.program.steps) == 1
    assert found.chosen.error.max_deviation < 0.05
    assert "cq.Plane(origin=" in found.chosen.text and found.as_dict()["pose"]["normal"]
    assert np.allclose(found.as_dict()["input"]["extents"], turned.extents)
    assert reconstruct(shape, Told(TRUE), sandbox, FAST).as_dict()["pose"] is None
