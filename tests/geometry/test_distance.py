import numpy as np
import pytest
import trimesh

from cadcode.geometry.distance import cloud_surface, mesh_surface, spread, triangle_distances
from cadcode.geometry.tree import triangle_tree
from cadcode.geometry.winding import winding_numbers

BENT = trimesh.creation.torus(major_radius=1, minor_radius=0.3, major_sections=24, minor_sections=12)


def brute_force(points, triangles):
    return np.array([triangle_distances(np.tile(p, (len(triangles), 1)), triangles).min() for p in points])


def test_distance_to_one_triangle():
    triangle = np.array([[0, 0, 0], [2, 0, 0], [0, 2, 0]], dtype=float)
    known = {(0.5, 0.5, 3): 3, (-1, 0, 0): 1, (1, -2, 0): 2, (2, 2, 0): 2**0.5, (3, 0, 0): 1, (0.1, 0.1, 0): 0}
    points = np.array(list(known), dtype=float)
    found = triangle_distances(points, np.tile(triangle, (len(points), 1, 1)))
    assert found == pytest.approx(list(known.values()))


def test_needles_and_points_are_triangles_too():
    needle, point = [[0, 0, 0], [2, 0, 0], [1, 0, 0]], [[0, 0, 0]] * 3
    found = triangle_distances(np.array([[1.0, 3, 0], [4, 3, 0]]), np.array([needle, point], dtype=float))
    assert found == pytest.approx([3, 5])


def test_distances_agree_with_trying_every_triangle():
    surface = mesh_surface(BENT.vertices, BENT.faces, 500, np.random.default_rng(0))
    points = np.random.default_rng(1).uniform(-2, 2, (300, 3))
    assert surface.distances(points) == pytest.approx(brute_force(points, BENT.triangles), abs=1e-8)


def test_few_samples_do_not_blur_distances():
    surface = mesh_surface(BENT.vertices, BENT.faces, 5, np.random.default_rng(0))
    on_it, _ = spread(BENT.triangles, 400, np.random.default_rng(1))
    assert surface.distances(on_it).max() < 1e-8


def test_spread_is_uniform_by_area():
    box = trimesh.creation.box(extents=(1, 1, 4))
    points, owner = spread(box.triangles, 20_000, np.random.default_rng(0))
    assert np.mean(np.abs(points[:, 2]) > 2 - 1e-9) == pytest.approx(2 / 18, abs=0.01)
    own = box.triangles[owner]
    assert triangle_distances(points, own).max() < 1e-12


def test_a_cloud_is_its_points():
    points = np.random.default_rng(0).normal(size=(50, 3))
    surface = cloud_surface(points, 20, np.random.default_rng(1))
    assert surface.points.shape == (20, 3) and surface.distances(points).max() == 0


@pytest.mark.parametrize("count", [1, 7, 8, 9, 20, 576])
def test_a_tree_holds_each_triangle_once_and_knows_its_boxes(count):
    triangles = np.asarray(BENT.triangles[:count])
    tree = triangle_tree(triangles)
    leaves = tree.leaves.reshape(-1, 3, 3)
    real = leaves[np.ptp(leaves, axis=1).max(axis=1) > 0]
    assert sorted(map(tuple, real.reshape(-1, 9))) == sorted(map(tuple, triangles.reshape(-1, 9)))
    top = tree.levels[0]
    assert (top.low[0] == triangles.min(axis=(0, 1))).all() and (top.high[0] == triangles.max(axis=(0, 1))).all()
    for level in tree.levels:
        corners = leaves.reshape(len(level.area), -1, 3)
        assert (np.linalg.norm(corners - level.centre[:, None], axis=-1) <= level.radius[:, None] + 1e-9).all()


def test_winding_numbers_tell_inside_from_outside():
    points = np.random.default_rng(0).uniform(-1.4, 1.4, (3000, 3))
    ring = np.hypot(np.hypot(points[:, 0], points[:, 1]) - 1, points[:, 2])
    clear = np.abs(ring - 0.3) > 0.03  # away from the facets
    winding = winding_numbers(triangle_tree(BENT.triangles), points)
    assert np.abs(winding - (ring < 0.3))[clear].max() < 0.15
    assert winding_numbers(triangle_tree(BENT.triangles), np.empty((0, 3))).shape == (0,)
