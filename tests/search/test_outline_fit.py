"""From the corners of a section to the lines and arcs that were drawn."""

import numpy as np
import pytest

from cadcode.program.tree import Arc, Circle, Line, Loop, Rect
from cadcode.search.outline_fit import FEW_EDGES, MOST_EDGES, fitted_outline, polygon_area


def arc(centre, radius, begin, end, chords):
    angles = np.linspace(begin, end, chords + 1)
    return np.array(centre) + radius * np.stack([np.cos(angles), np.sin(angles)], 1)


def split(polygon, parts=3):
    """The same polygon with further corners on its sides, as triangles of a wall leave them."""
    after, shares = np.roll(polygon, -1, 0), np.arange(parts)[:, None] / parts
    return np.concatenate([a + shares * (b - a) for a, b in zip(polygon, after, strict=True)])


RECTANGLE = np.array([[-40.0, -20], [40, -20], [40, 20], [-40, 20]])
STADIUM = np.concatenate([arc((30, 0), 20, -np.pi / 2, np.pi / 2, 16), arc((-30, 0), 20, np.pi / 2, 1.5 * np.pi, 16)])


@pytest.mark.parametrize("polygon", [RECTANGLE, split(RECTANGLE), RECTANGLE[::-1], np.roll(split(RECTANGLE), 5, 0)])
def test_a_rectangle_whatever_its_corners_and_its_direction(polygon):
    assert fitted_outline(polygon) == Rect((0.0, 0.0), 80.0, 40.0)


@pytest.mark.parametrize("chords", [12, 24, 72])
def test_a_circle_has_the_radius_of_its_corners(chords):
    found = fitted_outline(arc((5, -7), 30, 0, 2 * np.pi, chords)[:-1])
    assert isinstance(found, Circle)
    assert (*found.centre, found.radius) == pytest.approx((5, -7, 30), abs=1e-4)


@pytest.mark.parametrize("sides", [3, 5, 6, 8])
def test_a_regular_polygon_keeps_its_corners(sides):
    found = fitted_outline(arc((0, 0), 50, 0.3, 0.3 + 2 * np.pi, sides)[:-1])
    assert isinstance(found, Loop) and len(found.edges) == sides
    assert all(isinstance(edge, Line) for edge in found.edges)


def test_a_stadium_is_two_lines_and_two_half_circles():
    found = fitted_outline(split(STADIUM, 2))
    assert sorted(type(edge).__name__ for edge in found.edges) == ["Arc", "Arc", "Line", "Line"]
    assert found.area() == pytest.approx(60 * 40 + np.pi * 400, rel=1e-3)


def test_rounded_corners_are_arcs():
    corners = [
        arc((x, y), 5, begin, begin + np.pi / 2, 6)
        for (x, y), begin in zip([(35, 15), (-35, 15), (-35, -15), (35, -15)], np.arange(4) * np.pi / 2, strict=True)
    ]
    found = fitted_outline(np.concatenate(corners))
    assert sorted(type(edge).__name__ for edge in found.edges) == ["Arc"] * 4 + ["Line"] * 4
    arcs = [edge for edge in found.edges if isinstance(edge, Arc)]
    assert all(np.hypot(abs(a.middle[0]) - 35, abs(a.middle[1]) - 15) == pytest.approx(5, abs=1e-3) for a in arcs)


def test_what_takes_too_many_edges_is_none():
    teeth = np.concatenate([[(i, 0.0), (i + 0.5, 40.0)] for i in range(0, 3 * MOST_EDGES, 3)])
    assert fitted_outline(np.concatenate([teeth, [(200.0, -50.0), (0.0, -50.0)]])) is None
    assert fitted_outline(np.array([[0.0, 0], [10, 0], [5, 0]])) is None


def test_an_outline_of_many_corners_is_kept_as_it_is():
    """A rack of 60 teeth: every corner counts."""
    teeth = np.concatenate([[(i, 0.0), (i + 1, 4.0)] for i in range(0, 180, 3)])
    outline = np.concatenate([teeth, [(200.0, -50.0), (0.0, -50.0)]])
    found = fitted_outline(outline)
    assert len(found.edges) == len(outline) > FEW_EDGES
    assert found.area() == pytest.approx(abs(polygon_area(outline)), rel=1e-9)


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_small_rounds_between_long_sides_are_arcs_of_their_own(scale):
    """A bar of many small teeth with rounded tips: the sides beside an arc are none of its chords."""
    tips = [arc((x, 30.0), 0.5, np.pi, 0, 24) for x in range(-90, 91, 5)]
    outline = scale * np.concatenate([*tips, [(90.5, -30.0), (-90.5, -30.0)]])
    found = fitted_outline(outline)
    assert sum(isinstance(edge, Arc) for edge in found.edges) == len(tips)
    assert found.area() == pytest.approx(abs(polygon_area(outline)), rel=2e-3)


def test_areas_are_kept():
    rng = np.random.default_rng(0)
    for _ in range(20):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
        star = (rng.uniform(30, 90, 9) * np.stack([np.cos(angles), np.sin(angles)])).T
        if (found := fitted_outline(star)) is not None:
            assert found.area() == pytest.approx(abs(polygon_area(star)), rel=0.03)
