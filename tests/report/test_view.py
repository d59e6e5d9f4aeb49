"""The packed meshes of the page: what comes out again, how they are coloured, and that large ones become small."""

import zlib

import numpy as np
import pytest
import trimesh

from cadcode.report.view import EDGE, FACES, GRID, PIECES, POINTS, largest_colour, simplified, split, view_bytes


def arrays(mesh: trimesh.Trimesh) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(mesh.vertices, dtype=float), np.asarray(mesh.faces)


def unpacked(view: bytes) -> tuple[int, list[tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """The longest edge, and of each shape points (V, 3), faces (F, 3) and colours."""
    numbers = np.cumsum(np.frombuffer(zlib.decompress(view), "<u2"), dtype=np.uint16).astype(int)
    edge, rest, shapes = numbers[0], numbers[1:], []
    while len(rest):
        vertices, faces, colours = rest[:3]
        points, corners, shades, rest = np.split(rest[3:], np.cumsum((3 * vertices, 3 * faces, colours)))
        shapes.append((points.reshape(3, -1).T, corners.reshape(3, -1).T, shades))
    return edge, shapes


def area(points: np.ndarray, faces: np.ndarray) -> float:
    a, b, c = np.moveaxis(points[faces], 1, 0)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2


BOX = arrays(trimesh.creation.box((4, 2, 1)))
TUBE = arrays(trimesh.creation.annulus(1, 2, 3))


def test_a_view_holds_both_meshes_to_the_grid():
    moved = BOX[0] * 0.5 + (10, 0, 0), BOX[1]
    _, shapes = unpacked(view_bytes(BOX, moved, 1.0))
    low, side = np.array((-2, -1, -0.5)), 13.0
    for (points, faces, _), (vertices, wanted) in zip(shapes, (BOX, moved), strict=True):
        assert np.allclose(points[faces] / GRID * side + low, vertices[wanted], atol=side / GRID)


def test_colours_are_distances_to_the_other_shape():
    shifted = BOX[0] + (0, 0, 0.25), BOX[1]
    _, shapes = unpacked(view_bytes(BOX, shifted, 0.5))
    for (points, _, colours), outside in zip(shapes, (np.min, np.max), strict=True):
        z = points[:, 2]
        there = np.flatnonzero(z == outside(z))
        assert colours[there] == pytest.approx(127.5, abs=1) and colours.max() <= 129
    assert not any(colours.any() for _, _, colours in unpacked(view_bytes(BOX, BOX, 0.5))[1])
    assert all(colours.max() == 255 for _, _, colours in unpacked(view_bytes(BOX, shifted, 0.1))[1])


def test_colours_belong_to_the_points_that_splitting_makes():
    edge, shapes = unpacked(view_bytes(TUBE, BOX, 1.0))
    assert GRID * EDGE - 1 <= edge < GRID * 3 * EDGE
    for points, faces, colours in shapes:
        finer, _ = split(points.astype(float), faces, edge)
        assert len(finer) == len(colours) > len(points)


def test_an_input_alone_has_no_colours():
    ((_, faces, colours),) = unpacked(view_bytes(BOX))[1]
    assert len(faces) == 12 and not colours.any()


def test_clouds_have_points_and_no_faces():
    cloud = np.random.default_rng(0).uniform(-1, 1, (10_000, 3))
    (points, faces, colours), (_, _, others) = unpacked(view_bytes((cloud, None), BOX, 0.5))[1]
    assert len(points) == len(colours) == POINTS and faces.shape == (0, 3) and others.any()


@pytest.mark.parametrize(
    "vertices", [np.zeros((3, 3)), np.eye(3)[[0, 1, 0]], np.ones((1, 3))], ids=["point", "line", "cloud of one"]
)
def test_shapes_without_an_area_can_be_shown(vertices):
    faces = np.array([[0, 1, 2]]) if len(vertices) == 3 else None
    assert len(unpacked(view_bytes((vertices, faces), BOX, 0.5))[1]) == 2
    assert len(unpacked(view_bytes((vertices, faces)))[1]) == 1


def test_colours_end_at_the_largest_distance_or_at_what_the_eye_can_tell():
    assert largest_colour(0.3, (10, 5, 1)) == 0.3 and largest_colour(1e-9, (10, 5, 1)) == pytest.approx(0.05)


# --- splitting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("edge", [0.3, 0.7, 1.9])
def test_split_triangles_are_short_and_cover_the_same(edge):
    points, faces = split(*TUBE, edge)
    corners = points[faces]
    assert np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max() <= edge
    assert area(points, faces) == pytest.approx(area(*TUBE)) and np.array_equal(points[: len(TUBE[0])], TUBE[0])


def test_triangles_that_are_short_stay():
    points, faces = split(*TUBE, 10)
    assert np.array_equal(points, TUBE[0]) and np.array_equal(faces, TUBE[1])


def test_a_new_point_is_shared_by_the_triangles_of_its_edge():
    square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    points, faces = split(square, np.array([[0, 1, 2], [0, 2, 3]]), 1.2)
    assert len(points) == 5 and faces.tolist() == [[2, 4, 1], [4, 0, 1], [0, 4, 3], [4, 2, 3]]


# --- fewer triangles -------------------------------------------------------------------------------------------------


def fine(size: float) -> tuple[np.ndarray, np.ndarray]:
    return trimesh.remesh.subdivide_to_size(*BOX, size)


def test_a_small_mesh_stays_as_it_is():
    vertices, faces = simplified(*BOX, 12)
    assert np.allclose(vertices[faces], BOX[0][BOX[1]])


def test_a_fine_mesh_becomes_small_and_keeps_its_corners():
    vertices, faces = simplified(*fine(0.05), 3000)
    assert 500 < len(faces) <= 3000 and faces.max() < len(vertices)
    assert trimesh.Trimesh(vertices, faces).volume == pytest.approx(8, rel=0.01)
    assert all(np.linalg.norm(vertices - corner, axis=1).min() < 1e-6 for corner in BOX[0])


def test_needles_are_left_something_to_see():
    needle = fine(0.05)[0] * (100, 1e-3, 1e-3), fine(0.05)[1]
    ((points, _, _),) = unpacked(view_bytes(needle))[1]
    assert len(points) and np.ptp(points[:, 0]) > 0.9 * GRID


def test_a_view_is_small_whatever_the_mesh():
    ball = arrays(trimesh.creation.icosphere(7))
    view = view_bytes(ball, fine(0.02), 1.0)
    assert len(view) < 90_000
    edge, shapes = unpacked(view)
    assert all(len(faces) <= FACES for _, faces, _ in shapes)
    assert sum(len(split(points.astype(float), faces, edge)[1]) for points, faces, _ in shapes) <= PIECES
