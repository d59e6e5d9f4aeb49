"""One part from shape to result, with a network that says what it is told and the real sandbox."""

import json
from dataclasses import replace

import numpy as np
import pytest
from told import Told

from cadcode.geometry.frame import Frame
from cadcode.geometry.io.load import Shape
from cadcode.geometry.metrics import Errors, MetricOptions, measure_target
from cadcode.geometry.sampling import SamplingOptions, sample_surface
from cadcode.model.checkpoints.load import ModelSpec
from cadcode.model.generate import DecodeOptions, Draft
from cadcode.program.parse import parse
from cadcode.program.text.compact import compact
from cadcode.program.text.readable import readable
from cadcode.program.transform import moved
from cadcode.program.tree import Circle, Extrude, Face, Program, Rect, Step
from cadcode.reconstruction.run import (
    Candidate,
    Options,
    SearchOptions,
    at_floor,
    badness,
    bounding_box,
    choose,
    finished,
    improved,
    judge_best,
    rank,
    reconstruct,
    rounds,
    stage_errors,
)
from cadcode.reconstruction.run import search_target as target_of
from cadcode.sandbox.outcome import Failed, Solid
from cadcode.sandbox.sandbox import Sandbox

SCALE, SHIFT = 0.37, (12.0, -40.0, 7.0)  # world = scale * program + shift


def plate(radius=30.0, height=40.0, width=120.0):
    faces = (Face(Rect((0.0, 0.0), 200.0, width)), Face(Circle((50.0, 10.0), radius), subtract=True))
    return Program((Step("union", Extrude("XY", -height / 2, height, faces)),))


TRUE, NEAR, FAR = compact(plate()), compact(plate(radius=20.0)), compact(plate(radius=5.0, height=90.0))
ALL = Extrude("XY", -90.0, 180.0, (Face(Rect((0.0, 0.0), 200.0, 200.0)),))
EMPTY = compact(Program((*plate().steps, Step("cut", ALL))))
GARBAGE = "import cadquery as cq\nr=cq.Workplane('XY').sphere(5)"
FAST = Options(
    sampling=SamplingOptions(surface_points=1024),
    metrics=MetricOptions(points=1024),
    decoding=DecodeOptions("sample", candidates=24, max_new_tokens=4),
    search=SearchOptions(points=512, refine=False),
    views=1,
    export=(),
)


class Failing:
    """A sandbox in which nothing runs."""

    def run(self, text, export=()):
        return Failed("error", "no")


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as shared:
        yield shared


@pytest.fixture(scope="module")
def shape(sandbox):
    solid = sandbox.run(readable(moved(plate(), SCALE, SHIFT)))
    return Shape.from_arrays(solid.vertices, solid.faces)


@pytest.fixture(scope="module")
def result(shape, sandbox):
    return reconstruct(shape, Told(FAR, EMPTY, TRUE, GARBAGE, NEAR), sandbox, replace(FAST, export=("step",)))


# --- the best one ---------------------------------------------------------------------------------------------------


def test_the_best_draft_is_chosen_whatever_the_model_likes_best(result):
    assert result.chosen.program == plate()
    assert result.chosen.source.startswith("sample ")
    assert result.chosen.error.iou > 0.995 and result.chosen.error.iou == max(c.error.iou for c in measured(result))


def measured(result):
    return [c for c in result.candidates if c.error]


def test_the_solid_lies_where_the_input_lies_in_its_units(result, shape):
    found = np.stack([result.chosen.solid.vertices.min(0), result.chosen.solid.vertices.max(0)])
    assert np.allclose(found, shape.bounds, atol=1e-6 * 74)
    assert np.allclose(shape.extents, [74.0, 44.4, 14.8])
    assert result.chosen.solid.exports["step"].startswith(b"ISO-10303-21;")
    assert parse(result.chosen.text) != plate()  # the text is in the world's units


def test_every_draft_is_among_the_candidates_once_with_its_reason(result):
    programs = [c.program for c in result.candidates if c.program is not None]
    assert len(programs) == len(set(programs)) == 4
    reasons = {c.program and compact(c.program): c.failure for c in result.candidates}
    assert reasons[TRUE] is None and reasons[NEAR] is None and reasons[FAR] is None
    assert reasons[EMPTY] == "the program leaves no solid"
    assert reasons[None].startswith("not in the dialect: ")
    assert any(c.source == "greedy" for c in measured(result))


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
    assert list(stages)[:3] == ["greedy", "drafts", "refined"]
    assert stages["greedy"]["source"] == "greedy" and stages["drafts"]["source"].startswith("sample")
    assert stages["refined"]["source"].endswith(", refined")
    assert stages["greedy"]["iou"] < stages["drafts"]["iou"] < stages["refined"]["iou"]
    assert max(stage["iou"] for stage in stages.values()) == found["error"]["iou"]


def test_stages_without_a_measured_candidate_are_left_out():
    candidates = [
        Candidate("bounding box", None, "", error=Errors(iou=0.9, chamfer=0.1)),
        Candidate("sample 3, refined", None, "", error=Errors(iou=0.5, chamfer=0.2)),
        Candidate("greedy", None, "", failure="error: no"),
    ]
    refined = {"refined": {"source": "sample 3, refined", "iou": 0.5, "chamfer": 0.2}}
    assert stage_errors(candidates, 1.0) == refined
    edited = Candidate("sample 3, refined, edited", None, "", error=Errors(iou=0.6, chamfer=0.1))
    found = stage_errors([edited, *candidates], 1.0)
    assert found == refined | {"edited": {"source": edited.source, "iou": 0.6, "chamfer": 0.1}}


def test_what_the_search_finds_twice_is_run_once(shape):
    frame = Frame.around(shape.bounds)
    found = improved([Candidate("greedy", plate(radius=20.0), "", 1.0)], shape, frame, FAST)
    assert found and len({c.text for c in found}) == len(found)


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
    assert [c.text for c in again.candidates] == [c.text for c in result.candidates]
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
    assert found.chosen.program == plate() and found.chosen.error.chamfer < 1
    json.dumps(found.as_dict(), allow_nan=False)


# --- when drafts fail -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("texts", [(GARBAGE,), (EMPTY,), ("", "x" * 50)])
def test_a_part_without_a_good_draft_gets_its_bounding_box(shape, sandbox, texts):
    found = reconstruct(shape, Told(*texts), sandbox, FAST)
    assert found.chosen.source == "bounding box"
    vertices = found.chosen.solid.vertices
    assert np.allclose([vertices.min(0), vertices.max(0)], shape.bounds, atol=1e-4)
    assert found.chosen.error.iou == pytest.approx(1 - np.pi * 30**2 / (200 * 120), abs=0.01)
    assert all(c.failure for c in found.candidates if c is not found.chosen)
    json.dumps(found.as_dict(), allow_nan=False)


def test_nothing_is_chosen_where_nothing_runs(shape):
    found = reconstruct(shape, Told(TRUE, FAR), Failing(), FAST)
    assert found.chosen is None
    assert {c.failure for c in found.candidates} == {"error: no"}
    assert found.as_dict()["chosen"] is None
    json.dumps(found.as_dict(), allow_nan=False)


def test_a_flat_input_still_gets_a_box(sandbox):
    corners = np.array([[0.0, 0, 0], [30, 0, 0], [30, 20, 0], [0, 20, 0]])
    sheet = Shape.from_arrays(corners, np.array([[0, 1, 2], [0, 2, 3]]))
    box = bounding_box(sheet, Frame.around(sheet.bounds))
    outcome = sandbox.run(box.text)
    assert isinstance(outcome, Solid) and outcome.volume > 0
    assert np.allclose([outcome.vertices.min(0), outcome.vertices.max(0)], sheet.bounds, atol=1e-3)


# --- what is written down -------------------------------------------------------------------------------------------


def test_the_result_is_plain_values(result):
    written = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert written["chosen"] == result.chosen.source
    assert written["error"]["iou"] == result.chosen.error.iou
    assert written["model"]["name"] == "told"
    assert written["options"]["decoding"]["candidates"] == 24
    assert len(written["candidates"]) == len(result.candidates)
    assert written["input"]["extents"] == pytest.approx([74.0, 44.4, 14.8])
    assert all(value >= 0 for value in written["seconds"].values())


# --- its steps ------------------------------------------------------------------------------------------------------


def test_of_equal_programs_the_first_draft_stays(shape):
    frame = Frame.around(shape.bounds)
    spaced = TRUE.replace("(50,10)", "(50.0, 10)")  # another text, the same program
    drafts = [Draft(text, (), -1.0 * i, f"draft {i}") for i, text in enumerate([NEAR, TRUE, spaced, NEAR, FAR, TRUE])]
    found = rank(drafts, target_of(shape, frame, FAST), frame, FAST, ModelSpec("told", "none"))
    assert [c.source for c in found] == ["draft 1", "draft 0", "draft 4"]
    assert [c.distance for c in found] == sorted(c.distance for c in found)
    assert found[1].log_probability == 0.0


class Counting:
    """Every second text fails."""

    def __init__(self):
        self.texts = []

    def run(self, text, export=()):
        self.texts.append(text)
        corners = np.array([[0, 0, 0], [1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
        faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
        return Failed("error", "no") if len(self.texts) % 2 else Solid(corners, faces, 1 / 6, True)


def test_candidates_are_run_in_order_until_enough_are_measured(shape):
    sandbox, options = Counting(), replace(FAST, search=replace(FAST.search, execute=2))
    candidates = [Candidate(str(i), None, f"text {i}", 1.0 * i) for i in range(9)]
    candidates[0] = replace(candidates[0], failure="known to fail")
    found = judge_best(candidates, [], measure_target(shape, FAST.metrics), sandbox, options)
    assert sandbox.texts == [f"text {i}" for i in (1, 2, 3, 4)]
    assert [c.failure for c in found] == ["error: no", None, "error: no", None]
    assert [c.error is not None for c in found] == [False, True, False, True]


class Saying:
    """For each text a part of a shape's corners."""

    def __init__(self, shape, heights):
        self.shape, self.heights, self.texts = shape, heights, []

    def run(self, text, export=()):
        self.texts.append(text)
        corners = self.shape.vertices.copy()
        corners[:, 2] = corners[:, 2].min() + self.heights[text] * (corners[:, 2] - corners[:, 2].min())
        return Solid(corners, self.shape.faces, 1.0, True)


@pytest.mark.parametrize(
    "expected, tolerant, texts, iou",
    [
        (0.95, 0.9, ["plain", "tolerant"], 0.9),
        (0.95, 0.3, ["plain", "tolerant"], 0.5),
        (0.51, 0.9, ["plain"], 0.5),
        (None, 0.9, ["plain"], 0.5),
    ],
)
def test_what_the_kernel_fails_at_is_tried_with_a_tolerance(shape, expected, tolerant, texts, iou):
    sandbox = Saying(shape, {"plain": 0.5, "tolerant": tolerant})
    candidate = Candidate("edited", None, "plain", expected=expected, tolerant="tolerant")
    [found] = judge_best([candidate], [], measure_target(shape, FAST.metrics), sandbox, FAST)
    assert sandbox.texts == texts and found.error.iou == pytest.approx(iou, abs=0.01)
    assert found.text == ("tolerant" if iou == 0.9 else "plain")


def test_what_is_known_is_not_run_again(shape):
    sandbox, known = Counting(), [Candidate("0", None, "text 0"), Candidate("1", None, "text 1")]
    candidates = [Candidate(str(i), None, f"text {i}", 1.0 * i) for i in range(3)]
    judge_best(candidates, known, measure_target(shape, FAST.metrics), sandbox, FAST)
    assert sandbox.texts == ["text 2"]


def tried(iou, chamfer, program=None, source=""):
    return Candidate(source, program, "", error=Errors(iou=iou, chamfer=chamfer))


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
    greedy, far = tried(0.95, 5.0, source="greedy"), tried(0.949, 0.0)
    assert choose([far, greedy], shape) is greedy
    assert choose([far, replace(greedy, source="sample 1")], shape) is far
    assert choose([], shape) is None


# --- rounds ---------------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self, seconds):
        self.seconds = seconds

    def passed(self):
        return self.seconds


def test_without_a_budget_there_is_one_round(shape):
    assert finished([], shape, FAST, Clock(0.0))


def test_a_budget_is_spent_until_a_part_fits(shape):
    options, size = replace(FAST, search=replace(FAST.search, budget=5.0)), float(shape.extents.max())
    poor, exact = tried(0.9, 0.01 * size), tried(1.0, 1e-6 * size)
    assert not finished([poor], shape, options, Clock(4.9))
    assert finished([poor], shape, options, Clock(5.0))
    assert finished([poor, exact], shape, options, Clock(0.1))
    assert not at_floor(poor.error, shape) and at_floor(exact.error, shape)


def test_the_rounds_differ_in_their_seeds_and_the_first_is_as_asked():
    rows = [one for one, _ in zip(rounds(FAST.seeded(3)), range(4), strict=False)]
    assert rows[0] == FAST.seeded(3)
    assert len({one.decoding.seed for one in rows}) == len({one.sampling.seed for one in rows}) == 4


def test_a_second_round_finds_what_the_first_did_not(shape, sandbox):
    """One candidate a round: the greedy one is far off, and sampled ones come with other seeds."""
    decoding = DecodeOptions("sample", candidates=2, max_new_tokens=4)
    options = replace(FAST, decoding=decoding, search=replace(FAST.search, budget=60.0))
    found = reconstruct(shape, Told(FAR, EMPTY, GARBAGE, NEAR, TRUE), sandbox, options)
    assert found.chosen.program == plate()


# --- what is sound ----------------------------------------------------------------------------------------------------


TETRAHEDRON = Solid(np.eye(4, 3), np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]]), 1 / 6, True)
NO_IOU = "result: the mesh is an open surface: inside and outside cannot be told apart"


def sound(iou, chamfer, reason=None, **facts):
    error = Errors(iou=iou, chamfer=chamfer, iou_reason=reason)
    return Candidate("sample 1", None, "", error=error, solid=replace(TETRAHEDRON, **facts))


@pytest.mark.parametrize("worse", [sound(None, 1e-9, NO_IOU), sound(1.0, 1e-9, valid=False)])
def test_a_valid_measured_result_beats_every_other(shape, worse):
    poor = sound(0.2, 30.0)
    assert not worse.is_sound and poor.is_sound
    assert choose([worse, poor], shape) is choose([poor, worse], shape) is poor
    assert choose([worse], shape) is worse


def test_an_input_without_a_volume_asks_for_no_iou(shape):
    assert sound(None, 0.1, "input: a point cloud has no volume").is_sound
    assert not at_floor(sound(None, 0.0, NO_IOU).error, shape)


def test_a_result_that_falls_apart_has_to_be_better_for_it():
    whole, apart = sound(0.97, 0.0), sound(0.975, 0.0, solids=6)
    assert badness(whole, 100.0, bodies=1) < badness(apart, 100.0, bodies=1)
    assert badness(whole, 100.0) > badness(apart, 100.0)  # where the number of bodies is not known


class Open:
    """A sandbox that leaves out one face of every solid but a box's."""

    def __init__(self, sandbox):
        self.sandbox = sandbox

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
    assert found.chosen.program == plate(radius=20.0) and found.out_of_time
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
