"""The generator of training programs: seeded, valid, varied, and of one solid that CadQuery makes too."""

import numpy as np
import pytest

from cadcode.data import holes, profiles, shapes
from cadcode.data.bodies import extrude, union
from cadcode.data.shapes import FAMILIES, random_program
from cadcode.program.canonical import canonical
from cadcode.program.field import bounds, occupancy
from cadcode.program.parse import parse
from cadcode.program.surface import sample_surface
from cadcode.program.text.compact import compact
from cadcode.program.tokens import encode
from cadcode.program.tree import Arc, Circle, Line, Loop, Rect
from cadcode.sandbox.outcome import Solid
from cadcode.sandbox.sandbox import Sandbox

CELLS = 64


def made(count, seed):
    rng = np.random.default_rng(seed)
    return [random_program(rng) for _ in range(count)]


PROGRAMS = made(500, 17)


def test_the_same_seed_makes_the_same_programs():
    assert made(30, 4) == made(30, 4)
    assert made(30, 4) != made(30, 5)
    assert len(set(PROGRAMS)) > 0.97 * len(PROGRAMS)


# --- every program ---------------------------------------------------------------------------------------------------


def test_programs_fill_the_program_frame():
    for program in PROGRAMS:
        low, high = bounds(program)
        assert 199 <= (high - low).max() <= 201
        assert np.abs([low, high]).max() <= 100.5


def test_programs_are_canonical_and_come_back_from_their_text():
    for program in PROGRAMS:
        assert canonical(program) == program
        assert parse(compact(program)) == program


def test_numbers_are_on_the_grid_and_in_the_vocabulary():
    for program in PROGRAMS:
        assert len(encode(compact(program))) > 10
        for step in program.steps:
            assert step.body.height > 0
            values = [n for face in step.body.faces for n in numbers(face.outline)]
            assert np.all(np.mod(2 * np.array([step.body.offset, step.body.height, *values]), 1) == 0)


def numbers(outline):
    if isinstance(outline, Circle):
        return [*outline.centre, outline.radius]
    if isinstance(outline, Rect):
        return [*outline.centre, outline.width, outline.height]
    return [n for e in outline.edges for p in ((e.middle, e.end) if isinstance(e, Arc) else (e.end,)) for n in p]


def test_every_program_has_a_surface():
    for program in PROGRAMS[:120]:
        points, normals = sample_surface(program, 64, np.random.default_rng(0))
        assert np.isfinite(points).all() and np.abs(points).max() <= 101
        assert np.allclose(np.linalg.norm(normals, axis=1), 1)


def test_holes_lie_inside_the_box_of_their_sketch():
    found = [(s.body.faces[0], f) for p in PROGRAMS for s in p.steps for f in s.body.faces if f.subtract]
    assert len(found) > 100
    for outer, hole in found:
        (low, high), (hole_low, hole_high) = outer.outline.bounds(), hole.outline.bounds()
        assert (hole_low > low).all() and (hole_high < high).all()


# --- all of them together --------------------------------------------------------------------------------------------


def test_a_good_part_of_them_is_one_extrude():
    share = np.mean([len(p.steps) == 1 for p in PROGRAMS])
    assert 0.5 < share < 0.68


def test_all_kinds_of_steps_and_outlines_occur():
    bodies = [s.body for p in PROGRAMS for s in p.steps]
    faces = [f for b in bodies for f in b.faces]
    edges = [e for f in faces if isinstance(f.outline, Loop) for e in f.outline.edges]
    assert {s.operation for p in PROGRAMS for s in p.steps} == {"union", "cut"}
    assert {b.plane for b in bodies} == {"XY", "YZ", "ZX"}
    assert {type(f.outline) for f in faces} == {Loop, Circle, Rect} and {type(e) for e in edges} == {Line, Arc}
    assert {(type(f.outline), f.subtract) for f in faces} >= {(t, s) for t in (Circle, Rect) for s in (True, False)}
    assert max(len(p.steps) for p in PROGRAMS) >= 4
    assert min(b.height for b in bodies) < 5 and max(b.height for b in bodies) == 200


def test_no_direction_is_preferred():
    """Parts are turned at random: each axis is the longest one about as often."""
    longest = [int(np.argmax(np.ptp(bounds(p), axis=0))) for p in PROGRAMS if longer_than_the_others(p)]
    counts = np.bincount(longest, minlength=3)
    assert counts.min() > 0.25 * counts.sum()


def test_all_48_positions_of_the_cube_occur(monkeypatch):
    """An L of three different sides, with a pin off its middle, is no image of itself: each position shows."""

    def lopsided(rng):
        outline = profiles.l_profile(np.random.default_rng(0), 3.0, 2.0)
        return union(extrude(outline, 0.0, 0.5), extrude(Circle((-1.4, -0.8), 0.1), 0.5, 0.9))

    monkeypatch.setattr(shapes, "FAMILIES", {lopsided: 1})
    assert len(set(made(600, 3))) == 48


def test_hardness_weighs_parts_of_several_bodies():
    def share(hardness):
        rng = np.random.default_rng(2)
        return np.mean([len(random_program(rng, hardness).steps) == 1 for _ in range(150)])

    assert share(0.0) == 1.0 and share(1.0) < share(0.5) - 0.05


def longer_than_the_others(program):
    *_, second, first = np.sort(np.ptp(bounds(program), axis=0))
    return second < 0.95 * first


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.__name__)
def test_every_family_makes_solids(family):
    rng = np.random.default_rng(1)
    for _ in range(15):
        steps = family(rng)
        assert steps[0].operation == "union"
        assert all(s.body.height > 0 and s.body.faces and not s.body.faces[0].subtract for s in steps)
        assert all(f.outline.area() > 0 for s in steps for f in s.body.faces)


@pytest.mark.parametrize("maker", [*profiles.COMMON, *profiles.RARE], ids=lambda m: m.__name__)
def test_every_profile_is_a_closed_outline_in_its_box(maker):
    rng = np.random.default_rng(6)
    for w, h in [(1.0, 1.0), (3.0, 1.0), (0.7, 2.5)]:
        for _ in range(6):
            outline = maker(rng, w, h)
            low, high = outline.bounds()
            assert 0 < outline.area() <= np.prod(high - low) * (1 + 1e-9)
            if isinstance(outline, Loop):
                assert np.allclose(outline.edges[-1].end, outline.start)
                assert len(outline.edges) > 2 or any(isinstance(e, Arc) for e in outline.edges)


@pytest.mark.parametrize("maker", holes.HOLES, ids=lambda m: m.__name__)
def test_holes_that_fit_take_nothing_but_their_own_area(maker):
    rng = np.random.default_rng(2)
    plate = Rect((0.0, 0.0), 3.0, 2.0)
    found = 0
    for _ in range(40):
        made_holes = maker(rng, plate, 3.0, 2.0)
        if made_holes and all(hole.fits(plate, 0.0) for hole in made_holes):
            found += 1
            corners = np.concatenate([hole.bounds() for hole in made_holes])
            assert (np.abs(corners) <= (1.5, 1.0)).all()
    assert found > 5


# --- in CadQuery -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outcomes():
    programs = made(100, 23)
    with Sandbox() as sandbox:
        return [(p, sandbox.run(compact(p))) for p in programs]


def volume_by_field(program):
    """One random point in each cell of a grid over the box."""
    low, high = bounds(program)
    cells = np.indices((CELLS,) * 3).reshape(3, -1).T  # (CELLS^3, 3)
    points = low + (high - low) * (cells + np.random.default_rng(0).random(cells.shape)) / CELLS
    return float(occupancy(program, points).mean() * np.prod(high - low))


def test_nearly_all_programs_run_and_give_the_volume_of_their_field(outcomes):
    wrong = [reason for program, outcome in outcomes if (reason := disagreement(program, outcome))]
    assert len(wrong) <= 0.03 * len(outcomes), wrong


def disagreement(program, outcome) -> str | None:
    if not isinstance(outcome, Solid):
        return f"{outcome.kind}: {outcome.reason}: {compact(program)}"
    expected = volume_by_field(program)
    close = abs(outcome.volume - expected) <= 0.02 * expected
    return None if close else f"volume {outcome.volume:.0f}, by the field {expected:.0f}: {compact(program)}"


def test_what_runs_is_valid(outcomes):
    assert np.mean([outcome.valid for _, outcome in outcomes if isinstance(outcome, Solid)]) >= 0.97


def test_what_runs_is_one_solid(outcomes):
    several = [compact(p) for p, outcome in outcomes if isinstance(outcome, Solid) and outcome.solids != 1]
    assert len(several) <= 0.01 * len(outcomes), several
