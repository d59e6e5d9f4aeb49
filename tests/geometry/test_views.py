"""cadrille's pictures: where things lie on them, how light they are, and what a user may give instead."""

import numpy as np
import pytest
from PIL import Image
from scipy.spatial import ConvexHull

from cadcode.errors import InputError
from cadcode.geometry.views import BORDER, DRAWN, FRONTS, SIDE, arranged, four_views, read_sheet, scaled, view

CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float)
FACES = ConvexHull(CORNERS).simplices
WHITE = 255


def part():
    """A block off the centre, without any symmetry."""
    return CORNERS * (0.6, 0.3, 0.2) + (0.3, 0.5, -0.1)


def seen(image):
    """Which pixels are not background."""
    return (image != WHITE).any(axis=-1)


def test_a_sheet_is_two_rows_of_two_views_in_black_frames():
    sheet = four_views(part(), FACES)
    assert sheet.shape == (268, 268, 3) and sheet.dtype == np.uint8
    cell = SIDE + 2 * BORDER
    for row in (0, cell):
        for column in (0, cell):
            frame = sheet[row : row + cell, column : column + cell]
            inner = frame[BORDER:-BORDER, BORDER:-BORDER]
            assert frame.sum() == inner.sum() and (inner[0, 0] >= WHITE - 1).all()
            assert 300 < (inner < 200).any(axis=-1).sum() < 12000


@pytest.mark.parametrize("front", FRONTS)
def test_a_point_lies_where_a_camera_of_sixty_degrees_sees_it(front):
    place, front = np.array((0.4, -0.3, 0.2)), np.array(front, float)
    rows, columns = np.nonzero(seen(view(CORNERS * 0.02 + place, FACES, front)))
    into = front / np.sqrt(3)
    offset = place + 1.8 * front  # from the eye
    depth, right = offset @ into, np.cross((0, 1, 0), into)
    right /= np.linalg.norm(right)
    scale = DRAWN / 2 / (np.tan(np.pi / 6) * depth)
    assert np.mean(columns) + 0.5 == pytest.approx(DRAWN / 2 + scale * (offset @ right), abs=0.5)
    assert np.mean(rows) + 0.5 == pytest.approx(DRAWN / 2 + scale * (offset @ np.cross(into, right)), abs=0.5)


def test_what_is_larger_in_y_is_lower_in_the_picture():
    for front in FRONTS:
        high, low = (np.nonzero(seen(view(CORNERS * 0.1 + (0, y, 0), FACES, front)))[0].mean() for y in (0.5, -0.5))
        assert high > low + 50


def test_opposite_views_of_opposite_parts_are_mirrored():
    vertices = part()
    ahead, behind = view(vertices, FACES, (1, 1, 1)), view(-vertices, FACES, (-1, -1, -1))
    assert (ahead == behind[::-1]).all(axis=-1).mean() > 0.998  # all but ties at edges


def test_light_comes_from_the_viewer_and_fades_with_the_angle():
    front = np.array((1.0, 1.0, 1.0))
    into, side = front / np.sqrt(3), np.array((1.0, -1.0, 0)) / np.sqrt(2)
    for degrees, expected in ((60, (168, 168, 89)), (75, (87, 87, 46))):
        turn = np.radians(degrees)
        along = np.cos(turn) * np.cross(into, side) + np.sin(turn) * into
        plane = np.array([-side - along, side - along, side + along, -side + along]) * 0.5
        image = view(plane, np.array([[0, 1, 2], [0, 2, 3]]), front)
        assert np.abs(image[250, 250].astype(int) - expected).max() <= 1  # 2 * 0.66 * cos, times the colour
    facing = np.stack([-side, side, np.cross(into, side)]) * 0.5
    assert (view(facing, np.array([[0, 1, 2]]), front)[250, 250] == (255, 255, 255)).all()  # 1.32 and 0.4 of gloss


def test_a_mesh_that_is_inside_out_looks_the_same():
    assert np.array_equal(four_views(part(), FACES), four_views(part(), FACES[:, ::-1]))


def test_the_nearer_part_hides_the_other():
    near, far = CORNERS * 0.2 - 0.5, CORNERS * 0.1 + 0.6  # along (1, 1, 1)
    both = view(np.concatenate([far, near]), np.concatenate([FACES, FACES + 8]), (1, 1, 1))
    assert np.array_equal(both, view(near, FACES, (1, 1, 1)))


# --- a user's pictures -----------------------------------------------------------------------------------------------


def picture(path, width=200, height=200, shade=90):
    Image.fromarray(np.full((height, width, 3), shade, np.uint8)).save(path)
    return path


def test_a_picture_is_the_sheet_as_it_is(tmp_path):
    sheet = four_views(part(), FACES)
    Image.fromarray(sheet).save(tmp_path / "sheet.png")
    assert np.array_equal(read_sheet(tmp_path / "sheet.png"), sheet)
    Image.fromarray(sheet).convert("RGBA").save(tmp_path / "alpha.png")
    assert np.array_equal(read_sheet(tmp_path / "alpha.png"), sheet)


def test_a_folder_of_four_is_arranged_by_name(tmp_path):
    for name, shade in (("d", 40), ("a", 10), ("c", 30), ("b", 20)):
        picture(tmp_path / f"{name}.png", shade=shade)
    (tmp_path / "notes.txt").write_text("not a picture")
    sheet = read_sheet(tmp_path)
    assert np.array_equal(sheet, arranged([np.full((SIDE, SIDE, 3), shade, np.uint8) for shade in (10, 20, 30, 40)]))


def test_pictures_are_scaled_to_any_side():
    ramp = np.tile(np.linspace(0, 255, 268).astype(np.uint8)[:, None, None], (1, 268, 3))
    larger = scaled(ramp, 280)
    assert larger.shape == (280, 280, 3) and np.abs(larger[:, 0, 0] - np.linspace(0, 255, 280)).max() < 2


@pytest.mark.parametrize(
    "make, reason",
    [
        (lambda folder: picture(folder / "wide.png", width=300), "wide.png: is 300 x 200 pixels; make it square"),
        (lambda folder: (folder / "text.png").write_text("no picture") and folder / "text.png", "is no picture"),
        (lambda folder: folder / "missing.png", "cannot be read"),
        (lambda folder: picture(folder / "only.png").parent, "has 1 pictures; a folder needs four"),
    ],
)
def test_pictures_that_cannot_be_used(tmp_path, make, reason):
    with pytest.raises(InputError, match=reason) as refusal:
        read_sheet(make(tmp_path))
    assert "\n" not in str(refusal.value)


def test_a_truncated_picture_is_refused(tmp_path):
    path = picture(tmp_path / "cut.png", shade=7)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (99, 99, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(InputError, match="cannot be read"):
        read_sheet(path)
