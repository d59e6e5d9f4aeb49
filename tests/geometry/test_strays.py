"""Outliers and missing returns leave a cloud; nothing leaves a clean one, however sparse, thin or scattered."""

import numpy as np
import pytest
from shape_files import CORNERS

from cadcode.geometry.cleaning import Raw
from cadcode.geometry.shape import Shape
from cadcode.geometry.strays import far_and_alone, without_strays


def box_surface(size, count, rng):
    """Points (count, 3), uniform on the surface of a box."""
    size = np.array(size, dtype=float)
    areas = np.array([size[1] * size[2], size[0] * size[2], size[0] * size[1]])
    axis = rng.choice(3, count, p=areas / areas.sum())
    points = rng.random((count, 3)) * size
    points[np.arange(count), axis] = rng.integers(0, 2, count) * size[axis]
    return points


def sphere(radius, centre, count, rng):
    points = rng.normal(size=(count, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True) * radius + centre


def clean_clouds():
    rng = np.random.default_rng(0)
    ring = np.linspace(0, 2 * np.pi, 13)[:-1]
    far_ring = np.stack([0.5 * np.cos(ring), 0.5 * np.sin(ring), np.full(12, 200.0)], axis=1)
    for count in (4, 30, 199, 200, 400, 3000, 50_000):
        yield f"rod {count}", box_surface((1000, 1, 1), count, rng)
        yield f"plate {count}", box_surface((300, 200, 0.5), count, rng)
        yield f"flat {count}", rng.random((count, 3)) * [9, 9, 0]
        yield f"line {count}", rng.random((count, 3)) * [9, 0, 0]
        yield f"ball with noise {count}", sphere(10, 0, count, rng) + rng.normal(0, 0.5, (count, 3))
    for share in (0.5, 0.1, 0.02, 0.006, 0.004):
        small = int(20_000 * share)
        for distance in (10, 100, 1000):
            yield (
                f"two spheres {share} {distance}",
                np.vstack([sphere(1, 0, 20_000 - small, rng), sphere(1, (distance, 0, 0), small, rng)]),
            )
    yield "corners of a shaft with a fine head", np.vstack([sphere(5, 0, 5000, rng), far_ring])
    yield "all at one place but two", np.vstack([np.zeros((500, 3)), [[1, 1, 1], [2, 2, 2]]])


@pytest.mark.parametrize(("name", "points"), clean_clouds(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_clean_cloud_stays_as_it_is(name, points):
    assert len(far_and_alone(points)) == 0


@pytest.mark.parametrize("place", [(10_000, 0, 0), (0, -500, 0), (1e300, 0, 0)])
def test_an_outlier_is_left_out_with_a_warning(place):
    clean = box_surface((60, 40, 40), 3000, np.random.default_rng(1))
    shape = Shape.from_arrays(np.insert(clean, 1000, place, axis=0))
    assert np.array_equal(shape.points, clean)
    assert shape.notes == shape.warnings == ("left out 1 outlier far away from all other points",)


def test_several_outliers_are_left_out_and_their_normals_too():
    rng = np.random.default_rng(2)
    clean, normals = box_surface((60, 40, 40), 3000, rng), np.tile([0.0, 0, 1], (3010, 1))
    outliers = sphere(5000, 0, 9, rng)
    shape = Shape.from_arrays(np.vstack([clean, outliers, outliers[:1]]), normals=normals)
    assert np.array_equal(shape.points, clean) and len(shape.normals) == 3000
    assert "left out 10 outliers" in shape.notes[0]


def test_more_than_a_few_far_points_are_no_outliers():
    rng = np.random.default_rng(3)
    assert len(far_and_alone(np.vstack([box_surface((60, 40, 40), 3000, rng), sphere(5000, 0, 60, rng)]))) == 0


def test_points_that_are_not_numbers_hide_no_outlier():
    points = box_surface((60, 40, 40), 3000, np.random.default_rng(4))
    points[:300] = np.nan
    points[1500] = [9000, 0, 0]
    assert far_and_alone(points).tolist() == [1500]


def test_missing_returns_are_dropped():
    points = box_surface((6, 4, 4), 300, np.random.default_rng(5)) + 100
    raw = without_strays(Raw(np.vstack([points, np.zeros((50, 3))])))
    assert np.array_equal(raw.vertices, points) and raw.warnings == ()
    assert raw.notes == ("dropped 50 points at the origin as missing returns of a scanner",)


def test_a_corner_at_the_origin_is_no_missing_return():
    soup = np.tile(CORNERS - CORNERS[0], (30, 1))
    assert without_strays(Raw(soup)).notes == ()
    assert without_strays(Raw(np.vstack([CORNERS, np.zeros((5, 3))]))).notes == ()
