"""Fits find the surface that points were taken from, whatever its place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from cadcode.surfaces import Cone, Cylinder, Plane, Sphere, Torus, fit
from cadcode.surfaces.facets import components
from cadcode.surfaces.patch import least_numbers
from cadcode.surfaces.turned import fit_cylinders, padded

SEEDS = st.integers(0, 10_000)


def placed(seed: int):
    """(generator, rotation (3, 3), shift (3,))."""
    rng = np.random.default_rng(seed)
    return rng, Rotation.random(random_state=seed).as_matrix(), rng.normal(size=3) * 5


def polar_points(rng, radius, height, count=40, turn=2.0):
    angle = rng.uniform(0, turn, count)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), height]), angle


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_a_cylinder_is_found(seed):
    rng, rotation, shift = placed(seed)
    points = polar_points(rng, 2.0, rng.uniform(0, 2, 40))[0] @ rotation.T + shift
    tilted = rotation[:, 2] + 0.05 * rng.normal(size=3)
    found = fit.fit_cylinder(points, tilted / np.linalg.norm(tilted))
    assert found.radius == pytest.approx(2) and np.abs(found.signed(points)).max() < 1e-7


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.floats(0.05, 1.4))
def test_a_cone_is_found(seed, angle):
    rng, rotation, shift = placed(seed)
    height = rng.uniform(1, 2, 40)
    points, turn = polar_points(rng, height * np.tan(angle), height)
    normals = np.column_stack([np.cos(turn) * np.cos(angle), np.sin(turn) * np.cos(angle), np.full(40, -np.sin(angle))])
    points, normals = points @ rotation.T + shift, normals @ rotation.T
    found = fit.fit_cone(points, *fit.cone_start(points, normals, np.ones(40)))
    assert found.half_angle == pytest.approx(angle) and found.apex == pytest.approx(shift, abs=1e-6)
    assert found.direction == pytest.approx(rotation[:, 2], abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_a_sphere_is_found(seed):
    rng, rotation, shift = placed(seed)
    polar = rng.uniform(0.2, 1, 40)
    points = polar_points(rng, 3 * np.sin(polar), 3 * np.cos(polar))[0] @ rotation.T + shift
    found = fit.fit_sphere(points)
    assert found.radius == pytest.approx(3) and found.centre == pytest.approx(shift, abs=1e-7)


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_a_torus_is_found_from_its_normals(seed):
    rng, rotation, shift = placed(seed)
    profile = rng.uniform(-0.5, 1.5, 60)
    points, turn = polar_points(rng, 3 + 0.5 * np.cos(profile), 0.5 * np.sin(profile), 60)
    normals = np.column_stack([np.cos(profile) * np.cos(turn), np.cos(profile) * np.sin(turn), np.sin(profile)])
    points, normals = points @ rotation.T + shift, normals @ rotation.T
    point, direction = fit.turning_axis(points, normals, np.ones(60))[0]
    found = fit.fit_torus(points, point, direction)
    assert (found.major, found.minor) == pytest.approx((3, 0.5)) and found.centre == pytest.approx(shift, abs=1e-6)


def test_points_that_determine_nothing_give_no_surface():
    flat = np.column_stack([np.random.default_rng(0).normal(size=(20, 2)), np.zeros(20)])
    assert fit.fit_sphere(flat) is None
    assert fit.fit_cylinder(np.column_stack([np.arange(5.0), np.zeros(5), np.zeros(5)]), np.array([0.0, 0, 1])) is None
    assert fit.cone_start(flat, np.tile([0.0, 0, 1], (20, 1)), np.ones(20)) is None


@pytest.mark.parametrize("surface", [
    Plane(np.array([1.0, 2, 3]), np.array([0.0, 0.6, 0.8])),
    Cylinder(np.array([1.0, 2, 3]), np.array([0.0, 0.6, 0.8]), 2.0),
    Cone(np.array([1.0, 2, 3]), np.array([0.0, 0.6, 0.8]), 0.4),
    Sphere(np.array([1.0, 2, 3]), 2.0),
    Torus(np.array([1.0, 2, 3]), np.array([0.0, 0.6, 0.8]), 4.0, 1.0),
], ids=lambda surface: surface.kind)  # fmt: skip
def test_normals_are_slopes_of_signed_distances(surface):
    points = surface.origin + np.array([[3.0, 1, 2], [2.0, -1, 4], [-3.0, 2, 2.5]])
    step = 1e-6
    slope = np.stack([(surface.signed(points + step * way) - surface.signed(points - step * way)) / (2 * step)
                      for way in np.eye(3)], axis=1)  # fmt: skip
    assert surface.normals(points) == pytest.approx(slope, abs=1e-6)
    on = points - surface.signed(points)[:, None] * surface.normals(points)
    assert surface.signed(on) == pytest.approx(0, abs=1e-9)


def test_many_sets_are_fitted_as_one_by_one():
    generator = np.random.default_rng(5)
    sets, directions = [], []
    for count in (7, 30, 12):
        angle = generator.uniform(0, 2, count)
        points = np.stack([3 * np.cos(angle), 3 * np.sin(angle), generator.uniform(0, 4, count)], axis=1)
        sets.append(points + generator.normal(0, 1e-3, points.shape))
        direction = np.array([0.02, -0.03, 1.0])
        directions.append(direction / np.linalg.norm(direction))
    for cylinder, points, direction in zip(
        fit_cylinders(*padded(sets), np.array(directions)), sets, directions, strict=True
    ):
        alone = fit.fit_cylinder(points, direction)
        np.testing.assert_allclose(cylinder.radius, alone.radius, rtol=1e-6)
        np.testing.assert_allclose(cylinder.signed(points), alone.signed(points), atol=1e-6)


@pytest.mark.parametrize("count", [1, 10, 300])
def test_groups_are_those_of_the_sparse_graph(count):
    pairs = np.random.default_rng(count).integers(0, count, (count // 2, 2))
    least, group = least_numbers(count, pairs), components(count, pairs)
    first = np.unique(group, return_index=True)[1]
    assert np.array_equal(least, first[group])
