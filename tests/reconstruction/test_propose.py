"""Drafts of several views belong to the part as it stands; candidates are ranked, improved, and at worst a box."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from plates import FAR, FAST, NEAR, TRUE, plate

from cadcode.geometry.frame import Frame
from cadcode.geometry.sampling import SamplingOptions
from cadcode.geometry.shape import Shape
from cadcode.model.checkpoints.spec import LoadedModel, ModelSpec
from cadcode.model.generate import DecodeOptions, Draft
from cadcode.program.field import bounds
from cadcode.program.parse import parse
from cadcode.program.surface import sample_surface
from cadcode.program.symmetry import transformed
from cadcode.program.text.compact import compact
from cadcode.program.transform import moved
from cadcode.program.tree import Extrude, Face, Program, Rect, Step
from cadcode.reconstruction.candidate import Proposed, Provenance
from cadcode.reconstruction.input import Input
from cadcode.reconstruction.propose import (
    VIEWS,
    bounding_box,
    improved,
    rank,
    read,
    upright,
    view_clouds,
    view_count,
    write,
)
from cadcode.sandbox.outcome import Solid

BLOCK = Program((Step("union", Extrude("XY", -100.0, 200.0, (Face(Rect((-10.0, 15.0), 120.0, 60.0)),))),))
SAMPLE = DecodeOptions("sample", candidates=32)


def box_of(points):
    low, high = np.rint(points.min(0)), np.rint(points.max(0))
    (x, y, _), (w, h, height) = ((low + high) / 2).tolist(), (high - low).tolist()
    return Program((Step("union", Extrude("XY", float(low[2]), float(height), (Face(Rect((x, y), w, h)),))),))


def boxes(network, language, points, options):
    """Stands in for decoding: the box about each cloud, in whole numbers, as often as there are candidates."""
    texts = [compact(box_of(cloud * 100)) for cloud in points.numpy()]
    names = [("greedy", 0), *(("sample", n) for n in range(1, options.candidates))]
    return [[Draft(text, (), 0.0, *name) for name in names] for text in texts]


def model(free_text=False):
    network = SimpleNamespace(device=torch.device("cpu"))
    return LoadedModel(ModelSpec("boxes", "none", free_text=free_text), network, None, None, "0")


@pytest.fixture(scope="module")
def cloud():
    return Shape.from_arrays(sample_surface(BLOCK, 4000, np.random.default_rng(0))[0])


def test_the_first_view_is_the_part_as_it_stands_and_none_comes_twice():
    assert len(set(VIEWS)) == 24 and all(view.proper for view in VIEWS)
    assert (VIEWS[0].matrix() == np.eye(3)).all()
    assert {view.axes[2] for view in VIEWS[:4]} == {0, 1, 2}


def test_candidates_are_shared_out():
    assert [view_count(replace(SAMPLE, candidates=n), 8) for n in (1, 4, 10, 32, 500)] == [1, 1, 2, 8, 8]
    assert view_count(replace(SAMPLE, candidates=500), 99) == 24
    assert view_count(DecodeOptions("beam"), 8) == view_count(DecodeOptions("greedy"), 8) == 1


def test_a_program_comes_back_from_every_view():
    for number, view in enumerate(VIEWS):
        assert upright(transformed(BLOCK, view), number) == BLOCK


def test_clouds_are_the_part_turned(cloud):
    frame = Frame.around(cloud.bounds)
    clouds = view_clouds(cloud, frame, model(), SamplingOptions(), 8)
    assert clouds.shape == (8, 256, 3) and clouds.dtype == np.float32
    extents = [VIEWS[n].apply(cloud.extents[None])[0] for n in range(8)]
    assert np.allclose(np.ptp(clouds, axis=1), np.abs(extents) / 100, atol=0.02)
    straight = [VIEWS[n].inverse().apply(one) for n, one in enumerate(clouds)]
    assert len({one.tobytes() for one in np.round(straight, 6)}) == 8  # each has other points too
    assert (clouds[:2] == view_clouds(cloud, frame, model(), SamplingOptions(), 2)).all()


def test_free_text_is_written_for_the_part_as_it_stands(cloud):
    clouds = view_clouds(cloud, Frame.around(cloud.bounds), model(free_text=True), SamplingOptions(), 4)
    assert np.allclose(np.ptp(clouds, axis=1), cloud.extents / 100, atol=0.02)


def test_what_is_written_about_a_turned_part_fits_the_part(cloud):
    drafts = write(
        model(), view_clouds(cloud, Frame.around(cloud.bounds), model(), SamplingOptions(), 8), SAMPLE, boxes
    )
    assert len(drafts) == 32
    sources = [str(Provenance.of_draft(draft)) for draft in drafts[:5]]
    assert sources == ["greedy", "sample 1", "sample 2", "sample 3", "view 1, greedy"]
    centred = moved(BLOCK, 1.0, (10.0, -15.0, 0.0))  # as the model's frame has it
    for draft in drafts:
        assert np.allclose(bounds(upright(parse(draft.text), draft.view)), bounds(centred), atol=4)


def test_no_more_drafts_than_asked_for(cloud):
    clouds = view_clouds(cloud, Frame.around(cloud.bounds), model(), SamplingOptions(), 3)
    assert len(write(model(), clouds, replace(SAMPLE, candidates=13), boxes)) == 13


def test_drafts_in_free_text_are_never_turned(cloud):
    loaded = model(free_text=True)
    clouds = view_clouds(cloud, Frame.around(cloud.bounds), loaded, SamplingOptions(), 3)
    drafts = write(loaded, clouds, SAMPLE, boxes)
    assert {draft.view for draft in drafts} == {0, 1, 2}
    assert all(read(draft, loaded.spec).program == parse(draft.text) for draft in drafts)


# --- candidates -------------------------------------------------------------------------------------------------------


def test_of_equal_programs_the_first_draft_stays(part):
    spaced = TRUE.replace("(50,10)", "(50.0, 10)")  # another text, the same program
    texts = [NEAR, TRUE, spaced, NEAR, FAR, TRUE]
    drafts = [Draft(text, (), -1.0 * i, "sample", i) for i, text in enumerate(texts)]
    found = rank(drafts, part, 0, ModelSpec("told", "none"))
    assert [c.source for c in found] == ["sample 1", "sample 0", "sample 4"]
    assert [c.distance for c in found] == sorted(c.distance for c in found)
    assert found[1].log_probability == 0.0


def test_what_the_search_finds_twice_is_run_once(part):
    found = improved([Proposed(plate(radius=20.0), Provenance("greedy"), 1.0)], part, FAST.search)
    assert found and len({c.program for c in found}) == len({part.placement.text(c.program) for c in found})
    assert len({c.program for c in found}) == len(found)


def test_a_flat_input_still_gets_a_box(sandbox):
    corners = np.array([[0.0, 0, 0], [30, 0, 0], [30, 20, 0], [0, 20, 0]])
    sheet = Shape.from_arrays(corners, np.array([[0, 1, 2], [0, 2, 3]]))
    part = Input.of(sheet, FAST)
    outcome = sandbox.run(part.placement.text(bounding_box(part).program))
    assert isinstance(outcome, Solid) and outcome.volume > 0
    assert np.allclose([outcome.vertices.min(0), outcome.vertices.max(0)], sheet.bounds, atol=1e-3)
