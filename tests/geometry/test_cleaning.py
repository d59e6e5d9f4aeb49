"""The arrays behind cleaning: cells, edges and boxes against what they are by definition."""

from collections import Counter

import numpy as np
import pytest

from cadcode.geometry.cleaning import has_area
from cadcode.geometry.mesh import balanced, box_of, cells_of, closed_by_edges, grouped

RNG = np.random.default_rng


def unhashed(values) -> np.ndarray:
    """Keys whose hashes are these small values: then all upper bits are 0 and every key clashes with every other."""
    inverse = pow(0x9E3779B97F4A7C15, -1, 2**64)
    return np.array([(int(v) * inverse) % 2**64 for v in values], dtype=np.uint64).view(np.int64)


@pytest.mark.parametrize(
    "key",
    [
        RNG(0).integers(0, 40, 500),
        RNG(0).integers(0, 999, 70_000),
        RNG(1).integers(0, 2**62, 500),
        np.zeros(7, int),
        np.arange(1),
        np.arange(300)[::-1],
        unhashed(RNG(2).integers(0, 100, 200)),
        np.concatenate([unhashed(RNG(3).integers(0, 9, 50)), np.arange(50)]),
    ],
)
def test_equal_keys_stand_side_by_side(key):
    order, starts = grouped(np.ascontiguousarray(key, dtype=np.int64))
    assert sorted(order) == list(range(len(key)))
    runs = np.split(order, starts[1:])
    assert len(runs) == len(np.unique(key))
    assert all((key[run] == key[run[0]]).all() and (np.diff(run) > 0).all() for run in runs)


def test_the_clash_of_hashes_is_one():
    key = unhashed([1, 2, 1])
    assert len(np.unique(key)) == 2
    assert (key.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)).tolist() == [1, 2, 1]


@pytest.mark.parametrize("seed", range(4))
def test_cells_are_named_by_their_first_vertex_in_order(seed):
    places = RNG(seed).random((40, 3))
    which = RNG(seed + 9).integers(0, 40, 300)
    vertices = places[which] + RNG(seed).uniform(-1e-9, 1e-9, (300, 3))
    first, number = cells_of(vertices, np.array([[0.0] * 3, [1.0] * 3]))
    _, expected = np.unique(which, return_index=True)
    assert first.tolist() == sorted(expected.tolist())
    assert (which[first][number] == which).all()


@pytest.mark.parametrize("count", [1, 5, 255, 256, 257, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_box_holds_all_its_points_and_touches_them(count, dtype):
    points = RNG(count).normal(size=(count, 3)).astype(dtype)
    assert np.array_equal(box_of(points), np.stack([points.min(axis=0), points.max(axis=0)]))
    assert box_of(points).dtype == dtype
    points[count // 2, 1] = np.nan
    assert np.isnan(box_of(points)[:, 1]).all() and np.isfinite(box_of(points)[:, [0, 2]]).all()


def by_definition(faces):
    passed = Counter((a, b) for face in faces.tolist() for a, b in zip(face, face[1:] + face[:1], strict=True))
    undirected = Counter()
    for (a, b), times in passed.items():
        undirected[min(a, b), max(a, b)] += times
    closed = all(passed[b, a] == times for (a, b), times in passed.items())
    return closed, all(times % 2 == 0 for times in undirected.values())


TETRAHEDRON = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])
FLIPPED = np.array([[0, 1, 2], [0, 1, 3], [1, 2, 3], [2, 0, 3]])


@pytest.mark.parametrize(
    "faces",
    [
        TETRAHEDRON,
        TETRAHEDRON[:, ::-1],
        TETRAHEDRON[1:],
        FLIPPED,
        np.concatenate([TETRAHEDRON, TETRAHEDRON]),
        np.concatenate([TETRAHEDRON, TETRAHEDRON[:, ::-1]]),
        np.concatenate([TETRAHEDRON, TETRAHEDRON + [[0, 0, 0]] * 4]),
        np.concatenate([TETRAHEDRON, [[0, 1, 4], [1, 0, 4]]]),
        np.concatenate([TETRAHEDRON, FLIPPED]),
        np.concatenate([TETRAHEDRON, np.array([4, 5, 0, 1])[TETRAHEDRON]]),
    ],
)
def test_closedness_is_that_of_the_edges(faces):
    assert closed_by_edges(faces, faces.max() + 1) == by_definition(faces)


def test_edges_are_in_balance_or_not():
    assert balanced(np.array([2, 3, 8, 8, 9, 9]))
    assert not balanced(np.array([2, 3, 8, 9, 9])) and not balanced(np.array([2, 2, 9, 9]))


def test_flat_faces_have_no_area():
    bounds = np.array([[0.0] * 3, [1.0] * 3])
    line, corner = np.array([[0.0, 0, 0], [0.5, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 3]])
    assert not has_area(line, np.array([[0, 1, 2], [0, 0, 1]]), bounds)
    assert has_area(line, np.concatenate([np.array([[0, 1, 2]] * 40_000), corner]), bounds)  # over several blocks
