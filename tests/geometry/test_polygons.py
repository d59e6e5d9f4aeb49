"""Polygons are cut into triangles that cover them once, whatever their shape and whichever corner comes first."""

import numpy as np
import pytest

from cadcode.geometry.cleaning import Refused
from cadcode.geometry.io.polygons import Rows, cut_polygons, precision_notes, rows_at


def rows_of(polygons) -> Rows:
    return Rows(np.concatenate(polygons).astype(np.int64), np.array([len(polygon) for polygon in polygons]))


def comb(teeth: int):
    """A concave polygon (4 * teeth, 2) that no fan covers, of area 3 * teeth - 1."""
    top = [(x, y) for i in range(teeth) for x, y in ((2 * i, 2), (2 * i + 1, 2), (2 * i + 1, 1), (2 * i + 2, 1))]
    return np.array([(2 * teeth - 1, 0), (0, 0)] + top[:-2], dtype=float)[::-1]


def area_vectors(vertices, faces):
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    return np.cross(b - a, c - a) / 2


def turned(points, rng):
    """Points (N, 2) on a plane in space."""
    basis = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    return np.column_stack([points, np.zeros(len(points))]) @ basis + rng.normal(size=3) * 10


def border(faces) -> set:
    edges = [(int(face[i]), int(face[(i + 1) % 3])) for face in faces for i in range(3)]
    return {edge for edge in edges if edge[::-1] not in edges}


@pytest.mark.parametrize("teeth", [1, 2, 3, 7, 40])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_concave_polygon_is_covered_once_from_every_corner(teeth, backwards):
    rng = np.random.default_rng(teeth)
    flat = comb(teeth)
    vertices = turned(flat, rng)
    for first in range(0, len(flat), max(1, teeth // 3)):
        polygon = np.roll(np.arange(len(flat)), first)[:: -1 if backwards else 1]
        faces, notes = cut_polygons(vertices, rows_of([polygon]))
        areas = area_vectors(vertices, faces)
        assert len(faces) == len(flat) - 2
        assert np.isclose(np.linalg.norm(areas, axis=1).sum(), np.linalg.norm(areas.sum(axis=0)))
        assert border(faces) == {(int(a), int(b)) for a, b in zip(polygon, np.roll(polygon, -1), strict=True)}
        assert not any("guess" in note for note in notes)


def test_a_convex_polygon_is_the_fan_of_its_first_corner():
    angles = np.linspace(0, 2 * np.pi, 7, endpoint=False)
    vertices = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    faces, notes = cut_polygons(vertices, rows_of([[3, 4, 5, 6, 0, 1, 2], [0, 1, 2], [0, 2, 3, 4], [1, 2]]))
    fan = [[3, 4, 5], [3, 5, 6], [3, 6, 0], [3, 0, 1], [3, 1, 2]]
    assert faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4], *fan]
    assert notes == ("cut 2 polygons into triangles", "dropped 1 face with fewer than 3 corners")


def test_many_polygons_at_once_are_as_each_by_itself():
    rng = np.random.default_rng(0)
    vertices = rng.normal(size=(60, 3))
    polygons = [rng.choice(60, size=size, replace=False) for size in rng.integers(3, 9, 200)]
    together, _ = cut_polygons(vertices, rows_of(polygons))
    order = np.argsort([len(polygon) for polygon in polygons], kind="stable")
    alone = [cut_polygons(vertices, rows_of([polygons[i]]))[0] for i in order]
    assert np.array_equal(together, np.concatenate(alone))


def test_polygons_that_are_a_guess_are_counted():
    vertices = np.array([[0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0], [0, 2, 1.0]])
    crossed = cut_polygons(vertices, rows_of([[0, 2, 1, 3]]))[1]
    bent = cut_polygons(vertices, rows_of([[0, 1, 2, 4], [0, 1, 2, 3]]))[1]
    assert "the triangles of 1 polygon that cross or cover themselves are a guess" in crossed
    assert "the triangles of 1 polygon that are not flat are a guess" in bent


def test_vertices_that_are_no_numbers_change_nothing():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [np.nan, 0, 0], [np.inf, 1, 0]])
    assert cut_polygons(vertices, rows_of([[0, 1, 2, 4], [0, 1, 2, 5]]))[0].tolist() == [
        [0, 1, 2],
        [0, 2, 4],
        [0, 1, 2],
        [0, 2, 5],
    ]
    for wrong in ([0, 1, 6], [0, 1, -1]):
        with pytest.raises(Refused):
            cut_polygons(vertices, rows_of([wrong]))


def test_rows_are_found_where_they_begin():
    rows = rows_at(np.arange(10), np.array([7, 0, 3]), np.array([2, 3, 0]))
    assert rows.values.tolist() == [7, 8, 0, 1, 2] and rows.starts.tolist() == [0, 2, 5]
    assert rows.chosen([1, 0]).values.tolist() == [0, 1, 2, 7, 8]


def test_precision_is_that_of_32_bits_at_the_largest_coordinate():
    box = np.array([[0, 0, 0], [60, 40, 40]], dtype=np.float32)
    assert precision_notes(box) == precision_notes(box + np.float32(1e5)) == ((), ())
    assert [len(found) for found in precision_notes(box + np.float32(1e6))] == [1, 0]
    assert [len(found) for found in precision_notes(box + np.float32(1.6e7))] == [1, 1]
