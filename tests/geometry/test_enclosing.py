"""The solid that points enclose: closed, turned outwards, of about the right volume; none for an open sheet."""

import numpy as np
import pytest
import trimesh

from cadcode.geometry.enclosing import circumradii, enclosed, outwards

RNG = np.random.default_rng(0)


def ring(count=6000) -> np.ndarray:
    return trimesh.creation.annulus(20.0, 50.0, 30.0, sections=64).sample(count, seed=1)


def volume(points, faces) -> float:
    a, b, c = (points[faces[:, i]] for i in range(3))
    return float((np.cross(a, b) * c).sum() / 6)


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_a_ring_keeps_its_hole_and_its_volume(spread):
    cloud = ring() + RNG.normal(0, spread, (6000, 3))
    points, faces = enclosed(cloud)
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    _, uses = np.unique(edges, axis=0, return_counts=True)
    assert (uses % 2 == 0).all()  # closed
    exact = np.pi * (50.0**2 - 20.0**2) * 30.0
    assert volume(points, faces) == pytest.approx(exact, rel=0.03 if not spread else 0.1)
    assert set(map(tuple, points)) <= set(map(tuple, cloud))


def test_few_points_that_lie_apart_do_not_matter():
    cloud = np.concatenate([ring(), RNG.uniform(-80, 80, (60, 3))])
    assert volume(*enclosed(cloud)) == pytest.approx(np.pi * (50.0**2 - 20.0**2) * 30.0, rel=0.15)


def test_points_that_enclose_nothing():
    flat = np.column_stack([RNG.uniform(0, 10, (500, 2)), np.zeros(500)])
    assert enclosed(flat) is None
    assert enclosed(flat[:4]) is None


def test_circles_through_corners():
    right, line = [[0, 0, 0], [3, 0, 0], [0, 4, 0]], [[0, 0, 0], [1, 1, 1], [2, 2, 2]]
    assert circumradii(np.array([right, line], float)) == pytest.approx([2.5, np.inf])


def test_triangles_are_turned_away_from_what_lies_behind():
    points = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], float)
    up = outwards(points, np.array([[0, 1, 2], [0, 2, 1]]), np.array([[0, 0, -1.0], [0, 0, -1.0]]))
    assert (np.sort(up) == [0, 1, 2]).all()
    for a, b, c in points[up]:
        assert np.cross(b - a, c - a)[2] > 0
