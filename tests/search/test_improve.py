"""The search as a whole."""

import pytest

from cadcode.program.tree import Circle, Extrude, Face, Program, Rect, Step
from cadcode.search.refine import Variant
from cadcode.search.search import SearchOptions, improve

QUICK = SearchOptions(refined=2, edited=1, sections=False)


def drafts(part):
    return [("far", part.moved(25.0, 1)), ("near", part.moved(4.0, 2)), ("nearer", part.moved(2.0, 3))]


def test_the_best_comes_first_and_is_not_worse_than_any_draft(parts, fits):
    part, fit = parts["bracket and rib"], fits["bracket and rib"]
    found = improve(drafts(part), fit, QUICK)
    scores = [i.score for i in found]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] >= max(Variant(program, fit).score for _, program in drafts(part))
    assert part.iou(found[0].program) > 0.99


def test_names_say_what_was_done_to_which_draft(parts, fits):
    found = improve(drafts(parts["step"]), fits["step"], QUICK)
    assert 1 <= sum(i.source in ("far, refined", "near, refined", "nearer, refined") for i in found) <= QUICK.refined
    assert sum(i.source.endswith(", refined, edited") for i in found) == len(found) - QUICK.refined + 1 == QUICK.edited


def test_the_sections_of_the_input_are_a_draft_too(parts, fits):
    found = improve([("far", parts["step"].moved(25.0, 1))], fits["step"], SearchOptions())
    assert found[0].source.startswith("sections along y")
    assert parts["step"].iou(found[0].program) > 0.999


def test_nothing_new_is_begun_when_it_is_late(parts, fits):
    found = improve(drafts(parts["step"]), fits["step"], QUICK, late=lambda: True)
    assert len(found) == 1


def test_scores_are_those_of_the_programs(parts, fits):
    for one in improve(drafts(parts["step"]), fits["step"], QUICK):
        assert Variant(one.program, fits["step"]).score == pytest.approx(one.score, abs=2e-4)


def test_the_same_every_time(parts, fits):
    assert improve(drafts(parts["step"]), fits["step"], QUICK) == improve(drafts(parts["step"]), fits["step"], QUICK)


def test_drafts_whose_numbers_make_no_sense_are_left_out(fits):
    flat = Program((Step("union", Extrude("XY", 0.0, 0.0, (Face(Circle((0.0, 0.0), 5.0)),))),))
    assert improve([("flat", flat)], fits["step"], QUICK) == []
    assert improve([], fits["step"], QUICK) == []


def test_a_box_becomes_the_part_it_encloses(parts, fits):
    part = parts["step"]
    box = Program((Step("union", Extrude("XY", -79.0, 158.0, (Face(Rect((0.0, 0.0), 68.0, 200.0)),))),))
    assert part.iou(box) < 0.95
    assert part.iou(improve([("box", box)], fits["step"], QUICK)[0].program) > 0.99
