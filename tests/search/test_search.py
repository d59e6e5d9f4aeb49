"""The search as a whole."""

from dataclasses import replace

import pytest

from cadcode.program.tree import Circle, Extrude, Face, Program, Rect, Step
from cadcode.search.options import EffortOptions, SearchOptions
from cadcode.search.refine import Variant
from cadcode.search.search import search

QUICK = SearchOptions(sections=False)
EFFORT = EffortOptions(refined=2, restructured=1)


@pytest.fixture(scope="module")
def quick(goals):
    return {name: replace(goal, effort=EFFORT) for name, goal in goals.items()}


def drafts(part):
    return [("far", part.moved(25.0, 1)), ("near", part.moved(4.0, 2)), ("nearer", part.moved(2.0, 3))]


def test_the_best_comes_first_and_is_not_worse_than_any_draft(parts, quick):
    part, goal = parts["bracket and rib"], quick["bracket and rib"]
    found = search(drafts(part), goal, QUICK)
    scores = [i.score for i in found]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] >= max(Variant(program, goal).score for _, program in drafts(part))
    assert part.iou(found[0].program) > 0.99


def test_names_say_what_was_done_to_which_draft(parts, quick):
    found = search(drafts(parts["step"]), quick["step"], QUICK)
    assert 1 <= sum(i.source in ("far, refined", "near, refined", "nearer, refined") for i in found) <= EFFORT.refined
    edited = sum(i.source.endswith(", refined, edited") for i in found)
    assert edited == len(found) - EFFORT.refined + 1 == EFFORT.restructured


def test_the_sections_of_the_input_are_a_draft_too(parts, goals):
    found = search([("far", parts["step"].moved(25.0, 1))], goals["step"], SearchOptions())
    assert found[0].source.startswith("sections along y")
    assert parts["step"].iou(found[0].program) > 0.999


def test_nothing_new_is_begun_when_it_is_late(parts, quick):
    found = search(drafts(parts["step"]), quick["step"], QUICK, late=lambda: True)
    assert len(found) == 1


def test_scores_are_those_of_the_programs(parts, quick):
    for one in search(drafts(parts["step"]), quick["step"], QUICK):
        assert Variant(one.program, quick["step"]).score == pytest.approx(one.score, abs=2e-4)


def test_the_same_every_time(parts, quick):
    first, second = (search(drafts(parts["step"]), quick["step"], QUICK) for _ in range(2))
    assert [(f.source, f.program, f.score) for f in first] == [(f.source, f.program, f.score) for f in second]


def test_drafts_whose_numbers_make_no_sense_are_left_out(quick):
    flat = Program((Step("union", Extrude("XY", 0.0, 0.0, (Face(Circle((0.0, 0.0), 5.0)),))),))
    assert search([("flat", flat)], quick["step"], QUICK) == []
    assert search([], quick["step"], QUICK) == []


def test_a_box_becomes_the_part_it_encloses(parts, quick):
    part = parts["step"]
    box = Program((Step("union", Extrude("XY", -79.0, 158.0, (Face(Rect((0.0, 0.0), 68.0, 200.0)),))),))
    assert part.iou(box) < 0.95
    assert part.iou(search([("box", box)], quick["step"], QUICK)[0].program) > 0.99
