"""A plane through a mesh: closed polygons with the solid to their left."""

import numpy as np
import pytest
import trimesh

from cadcode.geometry.section import section, traced_section


def area(polygon):
    x, y = polygon.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def cut(mesh, axis, level):
    return section(np.asarray(mesh.vertices), np.asarray(mesh.faces), axis, level)


@pytest.mark.parametrize(("axis", "sides"), [(0, (3.0, 5.0)), (1, (5.0, 2.0)), (2, (2.0, 3.0))])
def test_a_box_is_cut_in_its_rectangle_whose_axes_follow_in_order(axis, sides):
    (polygon,) = cut(trimesh.creation.box(extents=(2.0, 3.0, 5.0)), axis, 0.1)
    assert np.allclose(np.ptp(polygon, axis=0), sides)
    assert area(polygon) == pytest.approx(np.prod(sides))


def test_holes_run_the_other_way_round():
    areas = sorted(area(p) for p in cut(trimesh.creation.annulus(3.0, 5.0, 2.0, sections=64), 2, 0.3))
    assert areas[0] == pytest.approx(-np.pi * 9, rel=0.01) and areas[1] == pytest.approx(np.pi * 25, rel=0.01)


def test_a_plane_beside_the_mesh_cuts_nothing():
    assert cut(trimesh.creation.box(), 2, 2.0) == cut(trimesh.creation.box(), 2, -2.0) == []


def test_a_plane_through_corners_cuts_once():
    """A vertex on the plane counts as above: the section is that of a plane just below."""
    (polygon,) = cut(trimesh.creation.icosphere(subdivisions=2), 2, 0.0)
    assert area(polygon) == pytest.approx(np.pi, rel=0.05)
    assert len(cut(trimesh.creation.box(), 2, -0.5)) == 0 and len(cut(trimesh.creation.box(), 2, 0.5)) == 1


def test_bodies_give_a_polygon_each_and_open_ones_none():
    two = trimesh.util.concatenate([trimesh.creation.box(), trimesh.creation.box().apply_translation((3, 0, 0))])
    assert [round(area(p), 6) for p in cut(two, 2, 0.1)] == [1.0, 1.0]
    box = trimesh.creation.box()
    side = np.abs(box.face_normals[:, 0] - 1) < 1e-9
    assert section(box.vertices, box.faces[~side], 2, 0.1) == []


def test_sections_add_up_to_the_volume():
    mesh = trimesh.creation.torus(3.0, 1.0)
    levels = np.linspace(-1, 1, 201)[:-1] + 0.005
    assert sum(area(p) for z in levels for p in cut(mesh, 2, z)) * 0.01 == pytest.approx(mesh.volume, rel=2e-3)


def test_each_side_knows_its_triangle():
    mesh = trimesh.creation.icosphere(subdivisions=2)
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    ((polygon, rows),) = traced_section(vertices, faces, 2, 0.123)
    corners = vertices[faces[rows]]
    low, high = corners.min(1), corners.max(1)
    middles = (polygon + np.roll(polygon, -1, 0)) / 2
    assert len(rows) == len(polygon)
    assert ((middles >= low[:, :2] - 1e-9) & (middles <= high[:, :2] + 1e-9)).all()
