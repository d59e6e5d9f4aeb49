"""The contract of a feature: every registered type gives the same solid in all readings of a program."""

from math import prod

import cadquery as cq
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from strategies import FEATURES as STRATEGIES
from strategies import filling, stock

from cadcode.program.canonical import canonical, rounded
from cadcode.program.feature import RoleContext, Similarity
from cadcode.program.features import FEATURES
from cadcode.program.field import bounds, occupancy, signed_distance
from cadcode.program.numbers import ANGLE, BULGE, CENTRE, LOCAL, PLANE, RADIUS
from cadcode.program.parse import parse
from cadcode.program.surface import STEP_ASIDE, sample_surface
from cadcode.program.symmetry import SYMMETRIES
from cadcode.program.text.compact import compact
from cadcode.program.text.readable import readable
from cadcode.program.tokens import decode, encode
from cadcode.program.transform import control_box
from cadcode.program.tree import OPERATIONS, Program, Step

NEAR = 1e-6  # program units
CELLS = 40
SEARCHED = {PLANE, CENTRE, RADIUS, BULGE, ANGLE}  # kinds of numbers that the search knows how to move

each_kind = pytest.mark.parametrize("kind", FEATURES)


@st.composite
def programs_of(draw, kind):
    """One feature of a kind, often with another of any kind; something is left of it after each step.

    A tool is cut from a box about it.
    """
    feature = draw(STRATEGIES[kind]())
    steps = [Step("union", feature)]
    if feature.is_tool:
        steps = [Step("union", draw(stock(feature))), Step("cut", feature)]
    if draw(st.booleans()):
        other = draw(STRATEGIES[draw(st.sampled_from(sorted(STRATEGIES)))]())
        steps.append(Step("cut" if other.is_tool else draw(st.sampled_from(OPERATIONS)), other))
    assume(all(filling(Program(tuple(steps[:count]))) > 0.02 for count in range(1, len(steps) + 1)))
    return Program(tuple(steps))


def examples(count):
    """Draw from a strategy that depends on the test's `kind`."""
    quiet = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    options = settings(
        max_examples=count,
        derandomize=True,
        deadline=None,
        suppress_health_check=quiet,
        phases=[Phase.explicit, Phase.generate],  # a shrinking step runs the kernel: minutes
    )
    return lambda test: options(given(st.data())(test))


def probes(feature, count=400):
    """Points (count, 3) in a box a little larger than the feature's."""
    low, high = feature.bounds()
    return np.random.default_rng(0).uniform(low - 5, high + 5, (count, 3))


def same_field(first, second):
    """Whether two programs or features are filled alike, off their surfaces."""
    points = np.random.default_rng(1).uniform(-130, 130, (600, 3))
    if isinstance(first, Program):
        away, other = signed_distance(first, points), signed_distance(second, points)
    else:
        away, other = first.distance(points), second.distance(points)
    clear = np.abs(away) > NEAR
    return np.array_equal(away[clear] < 0, other[clear] < 0)


def test_every_kind_has_random_examples():
    assert set(STRATEGIES) == set(FEATURES)
    assert all(cls.kind == kind for kind, cls in FEATURES.items())


@each_kind
@examples(5)
def test_only_tools_cannot_start_a_program(kind, data):
    program = Program((Step("union", data.draw(STRATEGIES[kind]())),))
    if not FEATURES[kind].is_tool:
        assert parse(compact(program)) == program
        return
    for write in (compact, readable):
        with pytest.raises(ValueError, match="can only be cut"):
            write(program)


@each_kind
@examples(40)
def test_inside_is_where_the_distance_is_negative(kind, data):
    feature = data.draw(STRATEGIES[kind]())
    points, box = probes(feature), feature.bounds()
    away, within = feature.distance(points), feature.inside(points)
    assert np.array_equal(within, away < 0) and hash(feature) == hash(feature)
    assert ((points[within] >= box[0]) & (points[within] <= box[1])).all()
    ready = feature.prepared()
    assert np.allclose(ready.distance(points), away) and np.array_equal(ready.inside(points), within)
    x, y, z = points[:5, 0], points[:6, 1], points[:7, 2]
    lattice = np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1).reshape(-1, 3)
    assert np.array_equal(feature.inside_lattice(x, y, z).ravel(), feature.inside(lattice))


@each_kind
@examples(40)
def test_the_distance_is_never_too_large(kind, data):
    feature = data.draw(STRATEGIES[kind]())
    skin, _ = sample_surface(Program((Step("union", feature),)), 200, np.random.default_rng(0))
    points = probes(feature, 60)
    nearest = np.linalg.norm(points[:, None] - skin, axis=2).min(axis=1)
    assert np.all(np.abs(feature.distance(points)) <= nearest + NEAR)


@each_kind
@examples(40)
def test_surface_points_lie_on_the_surface_and_normals_point_out(kind, data):
    program = data.draw(programs_of(kind))
    points, normals = sample_surface(program, 300, np.random.default_rng(0))
    away = np.abs(signed_distance(program, points))
    aside = STEP_ASIDE * np.ptp(bounds(program), axis=0).max()  # surfaces that cross are told apart only so far
    assert away.max() < aside and (away > NEAR).mean() < 0.01
    assert np.allclose(np.linalg.norm(normals, axis=1), 1)
    step = 1e-4 * normals
    assert (occupancy(program, points - step) & ~occupancy(program, points + step)).mean() > 0.99


@each_kind
@examples(12)
def test_the_executed_solid_is_the_field(kind, data):
    program = data.draw(programs_of(kind))
    names = {}
    exec(compact(program), names)  # text of our own making
    shape, (low, high) = names["r"].val(), bounds(program)
    corners = np.array([vertex.toTuple() for vertex in shape.tessellate(1.0, 0.5)[0]])
    assert np.abs(signed_distance(program, corners)).max() < 1e-4
    cells = np.indices((CELLS,) * 3).reshape(3, -1).T
    points = low + (high - low) * (cells + np.random.default_rng(0).random(cells.shape)) / CELLS
    assert occupancy(program, points).mean() * prod(high - low) == pytest.approx(shape.Volume(), rel=0.03)
    skin, _ = sample_surface(program, 8, np.random.default_rng(0))
    faces = cq.Compound.makeCompound(shape.Faces())
    assert max(faces.distance(cq.Vertex.makeVertex(*point.tolist())) for point in skin) < 1e-3


@each_kind
@examples(40)
def test_texts_are_read_back(kind, data):
    program = data.draw(programs_of(kind))
    assert parse(compact(program)) == program
    again = parse(readable(program))
    assert isinstance(again, Program) and np.allclose(control_box(again), control_box(program), atol=1e-4)
    assert [step.body.kind for step in again.steps] == [step.body.kind for step in program.steps]
    assert same_field(program, again)


@each_kind
@examples(40)
def test_tokens_are_read_back(kind, data):
    if not FEATURES[kind].in_vocabulary:
        return
    program = rounded(canonical(data.draw(programs_of(kind))))
    if program is None or not all(step.body.in_vocabulary for step in program.steps):
        return
    try:
        ids = encode(compact(program))
    except ValueError:
        assume(False)  # numbers beyond the frame
    assert parse(decode(ids)) == program


@each_kind
@examples(40)
def test_numbers_rebuild_the_feature(kind, data):
    feature = data.draw(STRATEGIES[kind]())
    numbers = feature.numbers()
    assert len(numbers.slots) == len(numbers.values) > 0
    assert {slot for slot, _ in numbers.slots} <= SEARCHED and {axis for _, axis in numbers.slots} <= set(
        range(-1, 2 * LOCAL)
    )
    points = probes(feature)
    again = numbers.rebuild(np.array(numbers.values))
    assert np.allclose(again.distance(points), feature.distance(points), atol=NEAR)
    for axis in range(3):  # along one axis all of its numbers move the feature
        shift = np.array([3.0 if slot == axis else 0.0 for _, slot in numbers.slots])
        moved = numbers.rebuild(np.array(numbers.values) + shift)
        ahead = points + 3.0 * np.eye(3)[axis]
        assert np.allclose(moved.distance(ahead), feature.distance(points), atol=NEAR)


@each_kind
@examples(40)
def test_moved_and_back(kind, data):
    feature, turn = data.draw(STRATEGIES[kind]()), data.draw(st.sampled_from(SYMMETRIES))
    by = Similarity(turn.axes, turn.signs, data.draw(st.sampled_from([1.0, 0.5, 2.5])), (1.5, -20.0, 7.25))
    points, moved = probes(feature), feature.moved(by)
    assert np.allclose(by.inverse().apply(by.apply(points)), points)
    assert np.allclose(moved.distance(by.apply(points)), by.scale * feature.distance(points), atol=NEAR)
    assert np.allclose(np.sort(by.apply(feature.bounds()), axis=0), moved.bounds(), atol=NEAR)
    assert np.allclose(moved.moved(by.inverse()).distance(points), feature.distance(points), atol=NEAR)


@each_kind
@examples(40)
def test_the_canonical_form_is_the_same_solid(kind, data):
    program = data.draw(programs_of(kind))
    once = canonical(program)
    assert canonical(once) == once and same_field(program, once)
    on_grid = rounded(once)
    assert on_grid is None or np.abs(control_box(on_grid) - control_box(once)).max() < 110
    assert all(step.body.rounded() == step.body for step in (on_grid.steps if on_grid else ()))


@each_kind
@examples(20)
def test_the_search_can_take_it_apart(kind, data):
    feature, other = data.draw(STRATEGIES[kind]()), data.draw(STRATEGIES[kind]())
    assert feature.outline_count >= 1 and feature.edge_count >= 1
    assert all(one.outline_count < feature.outline_count for one in feature.simpler())
    joint = feature.joined(other)
    assert joint is None or joint.kind == kind
    assert feature.core().kind == kind and not feature.crosses_itself()
    borders = feature.borders()
    assert all(
        b.min() <= low + NEAR and b.max() >= high - NEAR
        for b, low, high in zip(borders, *feature.bounds(), strict=True)
    )


@each_kind
@examples(20)
def test_designers_have_a_word_for_it(kind, data):
    feature, base = data.draw(STRATEGIES[kind]()), data.draw(STRATEGIES[data.draw(st.sampled_from(sorted(FEATURES)))]())
    for operation in OPERATIONS:
        assert feature.role(RoleContext(operation, base, first=False)).isidentifier()
