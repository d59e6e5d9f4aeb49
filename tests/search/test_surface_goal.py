"""Inputs that enclose nothing: distances both ways, and what noise, outliers and a missing side may do."""

from dataclasses import replace

import numpy as np
import pytest

from cadcode.geometry.frame import Frame
from cadcode.geometry.shape import Shape
from cadcode.program.surface import sample_surface
from cadcode.program.tree import Circle, Extrude, Face, Program, Rect, Step
from cadcode.reconstruction.candidate import Proposed, Provenance
from cadcode.reconstruction.input import Input
from cadcode.reconstruction.options import Options
from cadcode.reconstruction.propose import improved
from cadcode.search.options import RefineOptions, RestructureOptions, SearchOptions, SurfaceOptions
from cadcode.search.refine import Variant, refine
from cadcode.search.restructure import restructure
from cadcode.search.search import measure_goal, search
from cadcode.search.surface_goal import measure_surface_goal, noise, skin

PLAIN = Frame(np.zeros(3), 100.0)  # world = program
SPARE = SurfaceOptions(points=1000)
STEPS = RefineOptions(steps=(6.0, 2.0, 0.7))
ONE_DRAFT = replace(SPARE, effort=replace(SPARE.effort, refined=1, refining=STEPS))
HOLE = Face(Circle((30.0, 0.0), 20.0), subtract=True)
PLATE = Step("union", Extrude("XY", -10.0, 20.0, (Face(Rect((0.0, 0.0), 200.0, 120.0)), HOLE)))
BOSS = Step("union", Extrude("XY", 10.0, 30.0, (Face(Circle((-50.0, 0.0), 25.0)),)))


def scan(program, spread=0.0, outliers=0.0, bottom=True, count=4000) -> Shape:
    """A cloud of the program's surface; without its `bottom`, no face that looks down has been seen."""
    rng = np.random.default_rng(1)
    points, normals = sample_surface(program, count, rng)
    points = points[bottom | (normals[:, 2] > -0.9)]
    points = points + rng.normal(0, spread, points.shape)
    some = rng.random(len(points)) < outliers
    points[some] = rng.uniform(points.min(0), points.max(0), (some.sum(), 3))
    return Shape.from_arrays(points)


def score(program, shape, options=SPARE):
    return Variant(program, measure_surface_goal(shape, PLAIN, options)).score


# --- the goal --------------------------------------------------------------------------------------------------------


def test_noise_is_found():
    rng = np.random.default_rng(0)
    for spread in (0.0, 0.5, 2.0):
        flat = rng.uniform(-10, 10, (500, 16, 3)) * [1.0, 1.0, 0.0] + rng.normal(0, spread, (500, 16, 3))
        assert noise(flat) == pytest.approx(spread, rel=0.2, abs=1e-6)


def test_the_noise_scale_grows_with_the_noise():
    clouds = [scan(Program((PLATE,)), spread) for spread in (0.0, 1.0, 2.0)]
    scales = [measure_surface_goal(cloud, PLAIN, SPARE).noise_scale for cloud in clouds]
    assert scales[0] == SPARE.least_noise < scales[1] < scales[2] < 3


@pytest.mark.parametrize("body", [PLATE.body, BOSS.body, Extrude("YZ", 5.0, -9.0, (Face(Circle((4.0, 9.0), 7.0)),))])
def test_skin_points_lie_on_the_body_and_stand_for_its_surface(body):
    points, normals, areas = skin(body, 2000, np.random.default_rng(0))
    real = body.inside(points - 0.01 * normals) != body.inside(points + 0.01 * normals)
    assert np.abs(body.distance(points[real])).max() < 1e-9
    assert np.allclose(np.linalg.norm(normals, axis=1), 1)
    assert areas[real].sum() == pytest.approx(surface_area(body), rel=0.02)


def surface_area(body):
    outer, *holes = [face.outline for face in body.faces]
    sign = [(outer, 1), *((hole, -1) for hole in holes)]
    area = sum(s * (np.pi * o.radius**2 if isinstance(o, Circle) else o.width * o.height) for o, s in sign)
    around = sum(2 * np.pi * o.radius if isinstance(o, Circle) else 2 * (o.width + o.height) for o, _ in sign)
    return 2 * area + around * abs(body.height)


def test_the_program_itself_scores_nearly_1():
    truth = Program((PLATE, BOSS))
    assert 0.9 < score(truth, scan(truth)) <= 1


def test_what_is_missing_and_what_is_too_much_both_cost():
    without, both = Program((PLATE,)), Program((PLATE, BOSS))
    assert score(both, scan(both)) > score(without, scan(both)) + 0.01
    assert score(without, scan(without)) > score(both, scan(without)) + 0.01


def test_outliers_cost_their_share_and_no_more():
    """However far off they lie, and the program still scores better than a moved one."""
    truth = Program((PLATE, BOSS))
    clean, dirty = score(truth, scan(truth)), score(truth, scan(truth, outliers=0.05))
    assert clean - 0.08 < dirty < clean
    aside = Program((Step("union", Extrude("XY", -8.0, 20.0, PLATE.body.faces)), BOSS))
    assert score(aside, scan(truth, outliers=0.05)) < dirty - 0.05


def test_a_missing_side_costs_little_and_a_program_without_it_more():
    truth, half_seen = Program((PLATE, BOSS)), scan(Program((PLATE, BOSS)), bottom=False)
    thinner = Program((Step("union", Extrude("XY", 0.0, 10.0, PLATE.body.faces)), BOSS))
    assert score(truth, half_seen) > score(truth, scan(truth)) - 0.15
    assert score(truth, half_seen) > score(thinner, half_seen)


def test_buried_surfaces_do_not_count():
    """A body inside another one changes neither direction."""
    inner = Step("union", Extrude("XY", -5.0, 10.0, (Face(Circle((-50.0, 0.0), 10.0)),)))
    cloud = scan(Program((PLATE,)))
    assert score(Program((PLATE, inner)), cloud) == pytest.approx(score(Program((PLATE,)), cloud), abs=1e-6)


# --- the search ------------------------------------------------------------------------------------------------------


def test_moved_programs_come_nearer_to_a_poor_scans_part(parts):
    """1 % noise, 5 % outliers and no bottom."""
    names = ["channel", "step", "block and hat", "bracket and rib"]
    before, after = [], []
    for name in names:
        part = parts[name]
        goal = measure_surface_goal(scan(part.program, 2.0, 0.05, bottom=False), PLAIN, SPARE)
        before.append(part.iou(part.moved(5.0)))
        after.append(part.iou(refine(part.moved(5.0), goal, STEPS).program()))
    assert sum(a > b for a, b in zip(after, before, strict=True)) >= 3
    assert np.median(after) > 0.9 > np.median(before)


def test_a_clean_cloud_gives_the_part_back(parts):
    part = parts["step"]
    refined = refine(part.moved(4.0), measure_surface_goal(scan(part.program), PLAIN, SPARE), STEPS)
    assert part.iou(refined.program()) > 0.98


def test_never_worse_by_the_score_and_the_same_every_time(parts):
    for name in ("step", "plate of 1 unit"):
        part = parts[name]
        goals = [measure_surface_goal(scan(part.program, 2.0, 0.05), PLAIN, SPARE) for _ in range(2)]
        start, quick = part.moved(10.0), RefineOptions(steps=(4.0,))
        one, two = (refine(start, goal, quick) for goal in goals)
        assert one.score >= Variant(start, goals[0]).score
        assert one.program() == two.program()


def test_the_whole_search_takes_clouds(parts):
    part, options = parts["step"], SearchOptions(surface=ONE_DRAFT, unexplained=1.0)
    goal = measure_goal(scan(part.program, 1.0), PLAIN, has_volume=False, options=options)
    found = search([("far", part.moved(25.0, 1)), ("near", part.moved(3.0, 2))], goal, options)
    assert {one.source for one in found} == {"near, refined", "near, refined, edited"}
    assert part.iou(found[0].program) > part.iou(part.moved(3.0, 2))
    assert [s.operation for s in found[0].program.steps] == [s.operation for s in part.program.steps]


def test_what_a_cloud_shows_and_the_program_lacks_is_added(parts):
    part = parts["step"]
    goal = measure_surface_goal(scan(part.program, 1.0), PLAIN, SPARE)
    block = Program(part.program.steps[:1])
    found = restructure(block, goal, RestructureOptions(), STEPS).program()
    assert [s.operation for s in found.steps] == ["union", "cut"]
    assert part.iou(found) > 0.95 > part.iou(block)


def test_the_pipeline_refines_clouds_too(parts):
    part = parts["step"]
    options = Options(search=SearchOptions(surface=ONE_DRAFT))
    draft, cloud = Proposed(part.moved(3.0), Provenance("greedy"), 1.0), Input.of(scan(part.program, 1.0), options)
    found, *_ = improved([draft], replace(cloud, frame=PLAIN), options.search)
    assert found.source.startswith("greedy, refined")
    assert part.iou(found.program) > part.iou(draft.program)


def test_a_sheet_is_measured_by_its_surface():
    sheet = Shape.from_arrays(np.array([[0.0, 0, 0], [90, 0, 0], [90, 80, 0], [0, 80, 0]]), [[0, 1, 2], [0, 2, 3]])
    goal = measure_goal(sheet, PLAIN, has_volume=False, options=SearchOptions())
    on_it, off_it = (
        Program((Step("union", Extrude("XY", z, 1.0, (Face(Rect((45.0, 40.0), 90.0, 80.0)),))),)) for z in (-0.5, 9.5)
    )
    assert Variant(on_it, goal).score > Variant(off_it, goal).score + 0.3


@pytest.mark.parametrize("count", [4, 5, 20])
def test_clouds_of_few_points_are_measured(count):
    cloud = Shape.from_arrays(np.random.default_rng(0).uniform(-50, 50, (count, 3)))
    goal = measure_surface_goal(cloud, PLAIN, SPARE)
    assert np.isfinite([goal.noise_scale, goal.spacing, Variant(Program((PLATE,)), goal).score]).all()
