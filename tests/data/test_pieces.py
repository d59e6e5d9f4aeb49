"""Pieces of programs: what touches is joined, what does not is not, and thin bodies do not come loose by rounding."""

import numpy as np
import pytest
from scipy import ndimage

from cadcode.data.bodies import block, cut, extrude, union
from cadcode.data.pieces import cells, connected, meeting, one_piece
from cadcode.data.profiles import rectangle
from cadcode.program.canonical import rounded
from cadcode.program.field import bounds, occupancy
from cadcode.program.tree import Circle, Program, Rect


def program(*runs):
    return Program(tuple(step for run in runs for step in run))


def rod(x, y, r, low, high, plane="XY", holes=()):
    return extrude(Circle((x, y), r), low, high, holes, plane)


PLATE = block(-100, 100, -100, 100, 0, 4)
FRAME = extrude(Rect((0.0, 0.0), 200, 200), 0, 40, [Rect((0.0, 0.0), 190, 190)])
ONE = {
    "one above the other": program(union(PLATE, rod(20, 0, 3, 4, 60))),
    "one through the other": program(union(PLATE, rod(20, 0, 3, -60, 60))),
    "a wire out of a side": program(union(PLATE, rod(0, 2, 0.5, 100, 180, "YZ"))),
    "across the wall of a frame": program(union(FRAME, block(-99, 99, -2, 2, 10, 14))),
    "a pocket": program(union(PLATE), cut(block(-50, 50, -50, 50, 1, 4))),
    "a thin ring, notched once": program(
        union(rod(0, 0, 100, 0, 20, holes=[Circle((0.0, 0.0), 95)])), cut(block(80, 110, -5, 5, 0, 20))
    ),
}
SEVERAL = {
    "half a unit apart": program(union(PLATE, rod(20, 0, 3, 4.5, 60))),
    "along an edge": program(union(block(0, 50, 0, 50, 0, 50), block(50, 100, 50, 100, 0, 50))),
    "over a hole": program(
        union(extrude(Rect((0.0, 0.0), 200, 200), 0, 4, [Circle((0.0, 0.0), 30)]), rod(0, 0, 20, 4, 60))
    ),
    "three in a row, one apart": program(union(PLATE, rod(0, 0, 3, 4, 60), rod(0, 0, 3, 61, 90))),
    "cut in two": program(union(PLATE), cut(block(-1, 1, -100, 100, 0, 4))),
    "a ring, notched twice": program(
        union(rod(0, 0, 100, 0, 20, holes=[Circle((0.0, 0.0), 80)])), cut(block(-110, 110, -5, 5, 0, 20))
    ),
}


@pytest.mark.parametrize("name", ONE)
def test_one_piece(name):
    assert one_piece(ONE[name])


@pytest.mark.parametrize("name", SEVERAL)
def test_several_pieces(name):
    assert not one_piece(SEVERAL[name])


@pytest.mark.parametrize("name", SEVERAL)
def test_cells_are_filled_as_the_field_says(name):
    borders, filled = cells(SEVERAL[name], 7.0)
    middles = [(b[1:] + b[:-1]) / 2 for b in borders]
    points = np.stack(np.meshgrid(*middles, indexing="ij"), -1)
    assert np.array_equal(filled, occupancy(SEVERAL[name], points.reshape(-1, 3)).reshape(filled.shape))
    assert all(np.diff(b).max() <= 7.0 + 1e-9 for b in borders)
    assert np.allclose([[b[0] for b in borders], [b[-1] for b in borders]], bounds(SEVERAL[name]), atol=20)


def test_connected_is_what_labelling_says():
    rng, seen = np.random.default_rng(0), set()
    for share in np.repeat(np.linspace(0.3, 0.99, 12), 8):
        filled = rng.random((5, 4, 6)) < share
        seen.add(connected(filled))
        assert connected(filled) == (ndimage.label(filled)[1] == 1)
    assert seen == {True, False} and not connected(np.zeros((2, 2, 2), bool))


def test_no_gap_opens_between_a_thin_body_and_a_thick_one():
    loose, rng = 0, np.random.default_rng(1)
    for _ in range(60):
        level, thick = rng.uniform(-50, 50), rng.uniform(0.6, 7.5)
        plate = extrude(rectangle(rng, 100.0, 80.0), level - thick, level)
        made = Program(tuple(union(plate, rod(0, 0, 9, level, 90), block(-9, 9, 20, 40, -90, level - thick))))
        loose += not one_piece(rounded(made))
        assert one_piece(rounded(meeting(made)))
    assert loose > 20
