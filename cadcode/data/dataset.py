"""Endless, seeded training samples: surface points of random programs, and the token ids of their sequences."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cadcode.data.shapes import random_text
from cadcode.program.field import EmptySolid
from cadcode.program.surface import sample_surface
from cadcode.program.tokens import PAD, START
from cadcode.program.tree import Program

SLACK = 6.0  # program units: random points seldom reach the very ends of a part
LONG, LONG_KEPT = 60, 0.4  # tokens, and the share of longer sequences that is kept: real parts are short
HELD_OUT = 20_261_123  # seed of the held-out parts; training seeds are pairs, so training never draws these parts


@dataclass(frozen=True)
class DataOptions:
    """`surface_points` are drawn on each part; the training loop selects the farthest 64 to 256.

    `hardness` rises linearly from its first to its second value over the first `ramp` samples of a stream, then stays.
    """

    surface_points: int = 2048
    max_tokens: int = 120
    batch_size: int = 64
    seed: int = 0
    hardness: tuple[float, float] = (
        0.5,
        0.5,
    )  # 0: only single extrusions, 0.5: default mix, 1: few of them
    ramp: int = 1


@dataclass(frozen=True, slots=True)
class Sample:
    program: Program
    points: np.ndarray  # (N, 3) float32, model frame: program / 100
    ids: list[int]  # token ids, with the end token


def samples(options: DataOptions, rng: np.random.Generator) -> Iterator[Sample]:
    """Endless samples; sequences that are too long, empty solids and solids that do not fill the frame are skipped."""
    made, (first, last) = 0, options.hardness
    while True:
        program, ids = random_text(rng, first + (last - first) * min(made / options.ramp, 1.0))
        if len(ids) > options.max_tokens or len(ids) > LONG and rng.random() > LONG_KEPT:
            continue
        try:
            points, _ = sample_surface(program, options.surface_points, rng)
        except EmptySolid:
            continue
        if _fills_frame(points):
            made += 1
            yield Sample(program, (points / 100).astype(np.float32), ids)


def _fills_frame(points: np.ndarray) -> bool:
    """Whether the box of the points is centred and 200 long: a cut can remove the ends of a part."""
    low, high = points.min(0), points.max(0)
    return bool((high - low).max() > 200 - SLACK and np.abs(low + high).max() < SLACK)


def held_out(count: int, surface_points: int = 2048) -> list[Sample]:
    """The first `count` samples of the held-out stream; the same for one version of the generator."""
    stream = samples(DataOptions(surface_points=surface_points), np.random.default_rng([HELD_OUT]))
    return [next(stream) for _ in range(count)]


def batches(options: DataOptions, worker: int = 0, pool: int = 8) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of points (B, N, 3) and ids (B, T), start token first, padded at the end.

    `pool` batches are drawn at once and sorted by length, which keeps padding low.
    """
    rng = np.random.default_rng([options.seed, worker])
    stream = samples(options, rng)
    while True:
        drawn = [next(stream) for _ in range(pool * options.batch_size)]
        drawn.sort(key=lambda s: len(s.ids))
        groups = [drawn[i : i + options.batch_size] for i in range(0, len(drawn), options.batch_size)]
        for i in rng.permutation(len(groups)):
            yield collate(groups[i])


def collate(group: list[Sample]) -> tuple[np.ndarray, np.ndarray]:
    """Points (B, N, 3) and ids (B, T) of samples, start token first, padded at the end."""
    longest = 1 + max(len(s.ids) for s in group)
    ids = np.full((len(group), longest), PAD, np.int64)
    ids[:, 0] = START
    for row, sample in zip(ids, group, strict=True):
        row[1 : 1 + len(sample.ids)] = sample.ids
    return np.stack([s.points for s in group]), ids
