"""Outlines and fields: exact shapes have known answers, random ones obey laws."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import bodies, loops, numbers, outlines, points, programs, sketches

from cadcode.program import field
from cadcode.program.curve import arc_circle
from cadcode.program.sketch import faces_distance, faces_inside
from cadcode.program.surface import sample_surface
from cadcode.program.tree import Arc, Circle, Extrude, Face, Line, Loop, Program, Rect, Step

laws = settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FLAT = np.random.default_rng(1).uniform(-120, 120, (3000, 2))
LATTICE = np.indices((81, 81)).reshape(2, -1).T - 40.0  # hits corners, chords and centres
SPACE = np.random.default_rng(2).uniform(-120, 120, (3000, 3))

TWO_ARCS = Loop((30.0, 5.0), (Arc((10, 25), (-10, 5)), Arc((10, -15), (30, 5))))
PACMAN = Loop((0.0, 0.0), (Line((20, 0)), Arc((-20, 0), (0, -20)), Line((0, 0))))  # three quarters of a disc
FOUR_SIDES = Loop((-10.0, 1.0), (Line((-10, 41)), Line((20, 41)), Arc((20, 21), (20, 1)), Line((-10, 1))))


def backwards(loop):
    starts = [loop.start, *(edge.end for edge in loop.edges)]
    pairs = list(zip(starts, loop.edges, strict=False))[::-1]
    edges = tuple(Arc(edge.middle, start) if isinstance(edge, Arc) else Line(start) for start, edge in pairs)
    return Loop(loop.start, edges)


def only(*steps):
    return Program(tuple(Step(operation, body) for operation, body in steps))


def box(size=(20, 30, 40), offset=-20.0):
    return Extrude("XY", offset, size[2], (Face(Rect((0, 0), size[0], size[1])),))


@pytest.mark.parametrize("loop, simple", [(TWO_ARCS, Circle((10, 5), 20)), (FOUR_SIDES, Rect((5, 21), 30, 40))])
def test_loops_answer_as_the_shape_they_draw(loop, simple):
    for probes in (FLAT, LATTICE):
        assert np.allclose(loop.signed_distance(probes), simple.signed_distance(probes))
        probes = probes[simple.distance(probes) > 1e-9]
        assert np.array_equal(loop.inside(probes), simple.inside(probes))
    assert loop.area() == pytest.approx(simple.area())
    assert loop.perimeter() == pytest.approx(simple.perimeter())
    assert np.allclose(loop.bounds(), simple.bounds())


def test_an_arc_beyond_half_a_turn():
    assert PACMAN.area() == pytest.approx(0.75 * math.pi * 400)
    assert PACMAN.perimeter() == pytest.approx(1.5 * math.pi * 20 + 40)
    probes = np.array([[-10.0, -10.0], [10, -10], [10, 10], [-30, 0], [5, -5]])
    assert PACMAN.inside(probes).tolist() == [True, False, True, False, False]
    assert np.allclose(PACMAN.signed_distance(probes)[[1, 3, 4]], [10, 10, 5])
    assert np.allclose(PACMAN.bounds(), [[-20, -20], [20, 20]])


@laws
@given(points(50, False), points(50, False), points(50, False))
def test_arc_circle_passes_through_its_points_in_order(start, middle, end):
    circle = arc_circle(start, middle, end)
    assume(circle and circle[1] < 1e4)
    (x, y), radius, begin, sweep = circle
    angles = begin + np.array([0, 1]) * sweep
    ends = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)
    assert np.allclose(ends, [start, end], atol=1e-6)
    assert math.dist((x, y), middle) == pytest.approx(radius)
    part = ((math.atan2(middle[1] - y, middle[0] - x) - begin) / sweep) % (math.tau / abs(sweep))
    assert 0 < part < 1  # the middle point is on the way


def test_a_straight_arc_has_no_circle_and_counts_as_a_line():
    assert arc_circle((0, 0), (1, 1), (3, 3)) is None
    bent = Loop((0.0, 0.0), (Line((30, 0)), Arc((15, 15), (0, 30)), Line((0, 0))))
    straight = Loop((0.0, 0.0), (Line((30, 0)), Line((0, 30)), Line((0, 0))))
    assert bent.area() == pytest.approx(450)
    assert np.allclose(bent.signed_distance(FLAT), straight.signed_distance(FLAT))


@laws
@given(outlines(whole=False))
def test_distance_is_the_nearest_boundary_point(outline):
    boundary, normals = outline.sample_boundary(3000, np.random.default_rng(0))
    assert outline.distance(boundary).max() < 1e-9
    nearest = np.array([np.hypot(*(boundary - point).T).min() for point in FLAT[:60]])
    exact = outline.distance(FLAT[:60])
    assert np.all(exact <= nearest + 1e-9) and np.all(nearest < exact + 0.02 * outline.perimeter())
    assert np.allclose(np.hypot(*normals.T), 1)
    step = 1e-6 * normals
    assert not outline.inside(boundary + step).any() and outline.inside(boundary - step).all()


@laws
@given(outlines(whole=False))
def test_area_and_bounds_are_those_of_the_inside(outline):
    low, high = outline.bounds()
    cells = (np.indices((200, 200)).reshape(2, -1).T + 0.5) / 200
    share = outline.inside(low + (high - low) * cells).mean()
    assert share * np.prod(high - low) == pytest.approx(outline.area(), rel=0.02)
    boundary = outline.sample_boundary(4000, np.random.default_rng(0))[0]
    assert np.all(boundary >= low - 1e-9) and np.all(boundary <= high + 1e-9)
    slack = 0.01 * outline.perimeter()
    assert np.allclose(boundary.min(axis=0), low, atol=slack) and np.allclose(boundary.max(axis=0), high, atol=slack)


@pytest.mark.parametrize("turn", range(8))
@pytest.mark.parametrize("sense", [1, -1])
def test_points_on_the_chords_of_arcs_count_like_their_neighbours(turn, sense):
    """Two arcs that share a slanted, upright or level chord, either way round, against the circle they make."""
    angle = turn * math.pi / 4
    across, up = np.array([math.cos(angle), math.sin(angle)]) * 20, np.array([-math.sin(angle), math.cos(angle)]) * 20
    loop = Loop(tuple(across), (Arc(tuple(sense * up), tuple(-across)), Arc(tuple(-sense * up), tuple(across))))
    probes = np.linspace(-1.5, 1.5, 62)[:, None] * across
    assert np.array_equal(loop.inside(probes), Circle((0, 0), 20).inside(probes))


@pytest.mark.parametrize("turn", range(4))
def test_points_on_the_chord_of_one_arc_are_inside(turn):
    """A half disc on a square, turned by quarters, both ways round."""

    def turned(x, y):
        for _ in range(turn):
            x, y = -y, x
        return (float(x), float(y))

    square = [Line(turned(*corner)) for corner in [(10, -20), (10, 0)]]
    edges = (*square, Arc(turned(0, 10), turned(-10, 0)), Line(turned(-10, -20)))
    loop = Loop(turned(-10, -20), edges)
    probes = np.array([turned(x, 0) for x in np.linspace(-9.5, 9.5, 39)])
    assert loop.inside(probes).all() and backwards(loop).inside(probes).all()


@laws
@given(loops())
def test_the_sense_of_a_loop_does_not_matter(loop):
    other = backwards(loop)
    assert np.allclose(loop.signed_distance(FLAT), other.signed_distance(FLAT))
    assert loop.area() == pytest.approx(other.area())
    boundary, normals = other.sample_boundary(500, np.random.default_rng(0))
    assert not loop.inside(boundary + 1e-6 * normals).any()


@laws
@given(sketches())
def test_a_sketch_is_covered_where_its_distance_is_negative(faces):
    assert np.array_equal(faces_inside(faces, FLAT), faces_distance(faces, FLAT) < 0)


def test_a_box_has_its_exact_distance():
    program = only(("union", box()))
    probes = np.array([[0.0, 0, 0], [9, 0, 0], [13, 19, 0], [0, 0, 26], [13, 0, 24]])
    assert np.allclose(field.signed_distance(program, probes), [-10, -1, 5, 6, 5])
    assert np.allclose(field.bounds(program), [[-10, -15, -20], [10, 15, 20]])


@laws
@given(programs())
def test_the_sign_of_the_distance_is_the_occupancy(program):
    assert np.array_equal(field.occupancy(program, SPACE), field.signed_distance(program, SPACE) < 0)


@laws
@given(programs())
def test_the_distance_is_never_too_large(program):
    surface = sample_surface(program, 3000, np.random.default_rng(0))[0]
    for point, value in zip(SPACE[:40], field.signed_distance(program, SPACE[:40]), strict=True):
        assert abs(value) <= np.linalg.norm(surface - point, axis=1).min() + 1e-6


@laws
@given(programs())
def test_bounds_hold_all_of_the_solid(program):
    low, high = field.bounds(program)
    filled = SPACE[field.occupancy(program, SPACE)]
    assert np.all(filled >= low) and np.all(filled <= high)


@laws
@given(bodies(), numbers(-50, 50))
def test_planes_are_cyclic_shifts(body, offset):
    at_xy = Extrude("XY", offset, body.height, body.faces)
    for name, shift in (("YZ", 1), ("ZX", 2)):
        turned = Extrude(name, offset, body.height, body.faces)
        assert np.array_equal(at_xy.inside(SPACE), turned.inside(np.roll(SPACE, shift, axis=1)))


@laws
@given(bodies())
def test_a_negative_height_extrudes_backwards(body):
    other = Extrude(body.plane, body.offset + body.height, -body.height, body.faces)
    assert np.allclose(body.distance(SPACE), other.distance(SPACE))
    assert np.allclose(body.bounds(), other.bounds())


@laws
@given(programs(whole=False))
def test_a_prepared_program_gives_the_same_answers(program):
    ready = field.prepare(program)
    assert np.array_equal(field.signed_distance(program, SPACE), field.signed_distance(ready, SPACE))
    assert np.array_equal(field.occupancy(program, SPACE), field.occupancy(ready, SPACE))
    assert np.array_equal(field.bounds(program), field.bounds(ready))


@laws
@given(st.sampled_from(["union", "cut", "intersect"]), bodies())
def test_a_body_combined_with_itself(operation, body):
    program, alone = only(("union", body), (operation, body)), body.inside(SPACE)
    expected = np.zeros_like(alone) if operation == "cut" else alone
    assert np.array_equal(field.occupancy(program, SPACE), expected)


def test_bounds_of_nothing_is_an_error():
    far = box(offset=50.0)
    with pytest.raises(field.EmptySolid):
        field.bounds(only(("union", box()), ("intersect", far)))
    with pytest.raises(field.EmptySolid):
        field.bounds(Program(()))
    again = only(("union", box()), ("intersect", far), ("union", box(offset=100.0)))
    assert np.allclose(field.bounds(again)[:, 2], [100, 140])
