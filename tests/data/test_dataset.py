"""Samples and batches: seeded, in the model frame, padded at the end."""

from itertools import islice

import numpy as np
import pytest

from cadcode.data.dataset import DataOptions, batches, samples
from cadcode.program.field import signed_distance
from cadcode.program.text.compact import compact
from cadcode.program.tokens import END, PAD, START, decode, encode

SMALL = DataOptions(surface_points=128, batch_size=4, max_tokens=60, seed=3)


def take(count, options=SMALL, worker=0):
    return list(islice(batches(options, worker, pool=3), count))


@pytest.fixture(scope="module")
def drawn():
    return list(islice(samples(SMALL, np.random.default_rng(1)), 40))


def test_points_lie_on_the_program_in_the_model_frame(drawn):
    for sample in drawn:
        assert sample.points.shape == (128, 3) and sample.points.dtype == np.float32
        assert np.abs(sample.points).max() <= 1.006
        assert np.abs(signed_distance(sample.program, 100.0 * sample.points)).max() < 1e-3


def test_ids_are_the_text_of_the_program(drawn):
    for sample in drawn:
        assert decode(sample.ids) == compact(sample.program) and sample.ids == encode(compact(sample.program))
        assert len(sample.ids) <= 60


def test_long_programs_are_left_out():
    options = DataOptions(surface_points=16, max_tokens=25)
    assert max(len(s.ids) for s in islice(samples(options, np.random.default_rng(1)), 30)) <= 25


def test_batches_are_padded_behind_the_end():
    for points, ids in take(6):
        assert points.shape == (4, 128, 3) and points.dtype == np.float32
        assert ids.shape[0] == 4 and ids.dtype == np.int64
        assert (ids[:, 0] == START).all() and ids[:, -1].max() == END  # the longest row has no padding
        for row in ids:
            end = row.tolist().index(END)
            assert (row[end + 1 :] == PAD).all() and PAD not in row[:end] and START not in row[1:]


def test_seed_and_worker_decide_the_batches():
    same = all(np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) for a, b in zip(take(3), take(3), strict=True))
    assert same
    others = take(3, worker=1), take(3, DataOptions(surface_points=128, batch_size=4, max_tokens=60, seed=4))
    for other in others:
        assert not any(np.array_equal(a[0], b[0]) for a, b in zip(take(3), other, strict=True))


def test_rows_of_a_batch_are_of_similar_length():
    padding = np.mean([np.mean(ids == PAD) for _, ids in take(9)])
    shuffled = np.mean([np.mean(ids == PAD) for _, ids in islice(batches(SMALL, 0, pool=1), 9)])
    assert padding < 0.75 * shuffled
