import struct
import zlib

import numpy as np
import pytest
import trimesh

from cadcode.report.picture import png_bytes, render, sheet, side_by_side, write_png

RED, BLUE = (255, 0, 0), (0, 0, 255)
TOP = dict(direction=(0, 0, 1), up=(0, 1, 0))


def mesh(shape, colour=RED, at=(0, 0, 0)):
    return np.asarray(shape.vertices) + at, np.asarray(shape.faces), colour


def drawn(image):
    return (image != 255).any(axis=2)


def test_a_square_fills_its_share_of_the_picture():
    image = render([mesh(trimesh.creation.box())], 100, **TOP)
    assert image.shape == (100, 100, 3) and image.dtype == np.uint8
    assert drawn(image).mean() == pytest.approx(0.92**2, abs=0.01)
    assert drawn(image)[4:-4, 4:-4].all()  # no gap along the diagonal of the two triangles


def test_proportions_and_holes_show():
    ring = trimesh.creation.annulus(r_min=1, r_max=2, height=1, sections=64)
    seen = drawn(render([mesh(ring)], 200, **TOP))
    assert seen.mean() == pytest.approx(0.92**2 * np.pi / 4 * (1 - 1 / 4), abs=0.02)
    assert not seen[100, 100]
    side = drawn(render([mesh(ring)], 200, direction=(0, -1, 0)))
    assert np.ptp(np.flatnonzero(side.any(axis=1))) == pytest.approx(0.25 * 184, abs=2)


def test_up_is_up_and_right_is_right():
    small = trimesh.creation.box(extents=(0.2, 0.2, 0.2))
    image = render([mesh(small, RED, (1, 0, 0)), mesh(small, BLUE, (0, 1, 0))], 100, **TOP)
    rows, columns = np.nonzero(drawn(image) & (image[:, :, 0] > image[:, :, 2]))
    assert rows.min() > 50 and columns.min() > 50
    rows, columns = np.nonzero(drawn(image) & (image[:, :, 2] > image[:, :, 0]))
    assert rows.max() < 50 and columns.max() < 50


@pytest.mark.parametrize("order", [1, -1])
def test_the_nearer_hides_the_farther(order):
    box = trimesh.creation.box()
    image = render([mesh(box, RED, (0, 0, 3)), mesh(box, BLUE)][::order], 64, **TOP)
    assert image[32, 32, 0] > 0 and image[32, 32, 2] == 0
    below = render([mesh(box, RED, (0, 0, 3)), mesh(box, BLUE)][::order], 64, direction=(0, 0, -1), up=(0, 1, 0))
    assert below[32, 32, 2] > 0 and below[32, 32, 0] == 0


def test_faces_differ_in_light_and_edges_are_dark():
    image = render([mesh(trimesh.creation.box())], 200)  # along the diagonal: three faces
    shades, counts = np.unique(image[drawn(image)][:, 0], return_counts=True)
    assert (counts > 2000).sum() == 3
    assert shades.min() < shades[counts > 2000].min()


def test_inside_out_looks_the_same():
    vertices, faces, colour = mesh(trimesh.creation.icosphere(subdivisions=2))
    assert (render([(vertices, faces, colour)], 64) == render([(vertices, faces[:, ::-1], colour)], 64)).all()


def test_clouds_are_drawn_and_hidden_behind_meshes():
    points = np.random.default_rng(0).uniform(-1, 1, (500, 3))
    assert 0.05 < drawn(render([(points, None, BLUE)], 128)).mean() < 0.9
    lid = mesh(trimesh.creation.box(extents=(4, 4, 0.1)), RED, (0, 0, 2))
    assert not (render([(points, None, BLUE), lid], 64, **TOP)[:, :, 2] > render([lid], 64, **TOP)[:, :, 2]).any()


@pytest.mark.parametrize(
    "vertices, faces",
    [
        (np.empty((0, 3)), np.empty((0, 3), int)),
        (np.empty((0, 3)), None),
        (np.full((3, 3), np.nan), [[0, 1, 2]]),
        (np.eye(3), [[0, 1, 9], [-1, 0, 1]]),
        (np.zeros((3, 3)), [[0, 1, 2]]),
    ],
)
def test_nothing_to_draw_is_an_empty_picture(vertices, faces):
    assert not drawn(render([(vertices, faces, RED)], 32)).any()


def test_side_by_side_uses_one_scale():
    large, small = trimesh.creation.box(extents=(2, 2, 2)), trimesh.creation.box()
    image = side_by_side(mesh(large)[:2], mesh(small)[:2], size=80, **TOP)
    assert image.shape == (80, 160, 3)
    assert drawn(image[:, :80]).sum() == pytest.approx(4 * drawn(image[:, 80:]).sum(), rel=0.1)


def test_sheets_place_images_in_rows():
    images = [np.full((10, 20, 3), shade, np.uint8) for shade in (1, 2, 3)]
    page = sheet(images, columns=2)
    assert page.shape == (20, 40, 3)
    assert [page[5, 5, 0], page[5, 25, 0], page[15, 5, 0], page[15, 25, 0]] == [1, 2, 3, 255]


def test_png_files_hold_the_pixels(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (7, 5, 3)).astype(np.uint8)
    write_png(tmp_path / "a.png", image)
    data = (tmp_path / "a.png").read_bytes()
    assert data == png_bytes(image) and data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, place = {}, 8
    while place < len(data):
        length, name = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        assert zlib.crc32(name + body) == struct.unpack(">I", data[place + 8 + length : place + 12 + length])[0]
        chunks[name], place = body, place + 12 + length
    assert struct.unpack(">II", chunks[b"IHDR"][:8]) == (5, 7)
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(7, 16)
    assert (lines[:, 0] == 0).all() and (lines[:, 1:].reshape(7, 5, 3) == image).all()
