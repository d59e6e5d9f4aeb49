"""Samples lie on the surface, evenly, the same for the same seed; the farthest points are the farthest."""

from dataclasses import replace

import numpy as np
import pytest
from shape_files import CORNERS, FACES, LOW, SIZE, box_points

from cadcode.errors import UsageError
from cadcode.geometry.frame import Frame
from cadcode.geometry.points import farthest_points
from cadcode.geometry.sampling import SamplingOptions, model_points, sample_surface
from cadcode.geometry.shape import Shape

BOX = Shape.from_arrays(CORNERS, FACES)


def test_samples_lie_on_the_faces_their_normals_say():
    points, normals = sample_surface(BOX, 2000, np.random.default_rng(0))
    unit = (points - LOW) / SIZE
    assert unit.min() > -1e-12 and unit.max() < 1 + 1e-12
    axis, side = np.abs(normals).argmax(axis=1), normals.max(axis=1) > 0.5
    assert np.allclose(np.abs(normals).max(axis=1), 1) and np.allclose(np.linalg.norm(normals, axis=1), 1)
    assert np.allclose(unit[np.arange(2000), axis], side)  # outwards: the upper face where the normal is positive


def test_samples_are_spread_by_area():
    _, normals = sample_surface(BOX, 40_000, np.random.default_rng(0))
    share = (np.abs(normals) > 0.5).mean(axis=0)
    areas = np.array([3 * 4, 2 * 4, 2 * 3])
    assert np.allclose(share, areas / areas.sum(), atol=0.015)


def test_samples_are_uniform_within_a_triangle():
    triangle = Shape.from_arrays([[0, 0, 0], [4, 0, 0], [0, 2, 0]], [[0, 1, 2]])
    points, _ = sample_surface(triangle, 40_000, np.random.default_rng(0))
    assert np.allclose(points.mean(axis=0), [4 / 3, 2 / 3, 0], atol=0.02)
    assert np.isclose((points[:, 0] < 2).mean(), 0.75, atol=0.015)


def test_faces_without_area_are_never_chosen():
    vertices = np.vstack([CORNERS, CORNERS[0] + 0.5 * (CORNERS[1] - CORNERS[0])])
    thin = [[0, 8, 1]] * 50
    shape = replace(BOX, vertices=vertices, faces=np.vstack([thin, FACES, thin]))
    assert np.isfinite(sample_surface(shape, 5000, np.random.default_rng(0))[1]).all()


def test_the_seed_decides():
    frame = Frame.around(BOX.bounds)
    one, same, other = (model_points(BOX, frame, SamplingOptions(2000, 64, seed)) for seed in (3, 3, 4))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


@pytest.mark.parametrize("shape", [BOX, Shape.from_arrays(box_points(3000)), Shape.from_arrays(box_points(20))])
def test_model_points_fill_the_cube(shape):
    points = model_points(shape, Frame.around(shape.bounds), SamplingOptions())
    assert points.shape == (256, 3) and points.dtype == np.float32
    assert np.abs(points).max() <= 1 and np.ptp(points[:, 2]) > 1.95


def test_units_and_place_do_not_reach_the_model():
    moved = Shape.from_arrays(CORNERS * 25.4 + [100, 200, 300], FACES)
    options = SamplingOptions(2000, 64, 1)
    here, there = (model_points(shape, Frame.around(shape.bounds), options) for shape in (BOX, moved))
    assert np.allclose(here, there, atol=1e-5)


def test_clouds_give_their_own_points_and_normals():
    points = box_points(500)
    normals = np.random.default_rng(2).normal(size=(500, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    cloud = Shape.from_arrays(points, normals=normals)
    chosen, chosen_normals = sample_surface(cloud, 400, np.random.default_rng(0))
    index = [int(np.flatnonzero((points == point).all(axis=1))[0]) for point in chosen]
    assert len(set(index)) == 400 and np.allclose(chosen_normals, normals[index])
    repeated, _ = sample_surface(cloud, 900, np.random.default_rng(0))
    assert len(repeated) == 900 and {tuple(p) for p in repeated} <= {tuple(p) for p in points}
    assert sample_surface(Shape.from_arrays(points), 10, np.random.default_rng(0))[1] is None


def plain_farthest(points, count, start):
    """The definition, slowly: the next one has the largest distance to its nearest chosen one."""
    chosen = [start]
    while len(chosen) < count:
        nearest = np.linalg.norm(points[:, None] - points[chosen], axis=2).min(axis=1)
        chosen.append(int(nearest.argmax()))
    return chosen


@pytest.mark.parametrize("start", [0, 7])
def test_farthest_points_are_the_greedy_ones(start):
    points = np.random.default_rng(5).random((300, 3))
    assert farthest_points(points, 60, start=start).tolist() == plain_farthest(points, 60, start)


def test_farthest_points_are_all_different_also_among_duplicates():
    points = np.repeat(box_points(20), 5, axis=0)
    order = farthest_points(points, 100)
    assert sorted(order.tolist()) == list(range(100))
    assert len(np.unique(points[order[:20]], axis=0)) == 20  # every place before any of its duplicates


def test_more_farthest_points_than_points_start_over():
    order = farthest_points(box_points(10), 25)
    assert sorted(order[:10].tolist()) == list(range(10))
    assert np.array_equal(order[10:20], order[:10]) and np.array_equal(order[20:], order[:5])


def test_a_shorter_order_is_the_beginning_of_a_longer_one():
    points = box_points(200)
    assert np.array_equal(farthest_points(points, 100)[:30], farthest_points(points, 30))


def test_the_generator_chooses_the_first_point():
    starts = {int(farthest_points(box_points(50), 3, np.random.default_rng(seed))[0]) for seed in range(12)}
    assert len(starts) > 3


@pytest.mark.parametrize("fields", [{"surface_points": 0}, {"model_points": 0}, {"seed": -1}])
def test_impossible_options_are_refused(fields):
    with pytest.raises(UsageError):
        SamplingOptions(**fields)
