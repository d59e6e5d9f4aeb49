"""Clouds as meshes: the planes of their points, sections of what they enclose, and what the search makes of it."""

import numpy as np
import pytest

from cadcode.geometry.frame import Frame
from cadcode.geometry.shape import Shape
from cadcode.program.field import occupancy
from cadcode.program.surface import sample_surface
from cadcode.program.tree import Circle, Extrude, Face, Line, Loop, Program, Rect, Step
from cadcode.search.from_sections import from_sections
from cadcode.search.options import SearchOptions
from cadcode.search.search import Source, enclosed_drafts, measure_goal, search_once
from cadcode.search.surface_goal import measure_surface_goal, point_planes

ENCLOSED = SearchOptions().enclosed
PLAIN = Frame(np.zeros(3), 100.0)  # world = program
GUSSET = Loop(
    (-100.0, -60.0),
    (Line((100.0, -60.0)), Line((100.0, -40.0)), Line((-40.0, 60.0)), Line((-100.0, 60.0)), Line((-100.0, -60.0))),
)
PART = Program((Step("union", Extrude("XY", -20.0, 40.0, (Face(GUSSET), Face(Circle((-40.0, -5.0), 25.0), True)))),))
BOX = Program((Step("union", Extrude("XY", -20.0, 40.0, (Face(Rect((0.0, 0.0), 200.0, 120.0)),))),))


def cloud(spread=0.0, upper=False) -> Shape:
    rng = np.random.default_rng(2)
    points, normals = sample_surface(PART, 5000, rng)
    points = points[normals[:, 2] > 0.5] if upper else points
    return Shape.from_arrays(points + rng.normal(0, spread, points.shape))


def iou(program: Program) -> float:
    points = np.random.default_rng(3).uniform((-105, -65, -25), (105, 65, 25), (40_000, 3))
    a, b = occupancy(program, points), occupancy(PART, points)
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_planes_of_points(spread):
    planes = point_planes(cloud(spread).vertices, max(spread, 0.2))
    assert planes[2] == pytest.approx([-20.0, 20.0], abs=0.5)
    assert planes[1] == pytest.approx([-60.0, 60.0], abs=1.0)


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_sections_of_a_cloud_are_the_part(spread):
    goal = measure_surface_goal(cloud(spread), PLAIN).enclosed_goal(ENCLOSED)
    found = dict(from_sections(goal.sections))["sections along z"]
    assert [type(face.outline) for step in found.steps for face in step.body.faces] == [Loop, Circle]
    assert len(found.steps[0].body.faces[0].outline.edges) == 5
    assert iou(found) > (0.9 if spread else 0.97)


def test_a_scan_from_above_encloses_nothing():
    shape = cloud(upper=True)
    assert measure_surface_goal(shape, PLAIN).enclosed_goal(ENCLOSED) is None
    goal = measure_goal(shape, PLAIN, False, SearchOptions())
    assert enclosed_drafts([(Source("box"), BOX)], goal, SearchOptions()) == []


def test_the_search_finds_a_cloud_without_a_model():
    shape, options = cloud(0.5), SearchOptions()
    goal = measure_goal(shape, PLAIN, False, options)
    drafts = enclosed_drafts([(Source("box"), BOX)], goal, options)
    assert iou(search_once(drafts, goal, options)[0].program) > 0.98
