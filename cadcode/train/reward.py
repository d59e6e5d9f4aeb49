"""Rewards of programs: IoU and distance to a part, from the program's implicit field. No CAD kernel, no torch.

A target consists of surface points and of labelled points in and around the part, so it can come from a mesh too.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cadcode.data.dataset import DataOptions, Sample, held_out, samples
from cadcode.program import field
from cadcode.program.normal_form import FRAME
from cadcode.program.parse import parse
from cadcode.program.tokens import END, decode
from cadcode.program.tree import Program

SHELL = 8.0  # thickness of the shell around a part's box, program units
HELD_OUT_QUERIES = 1  # seed that separates the random numbers of held-out queries from those of their surfaces


@dataclass(frozen=True)
class RewardOptions:
    """The reward is `iou_scale` x IoU - `distance_scale` x mean distance (program units); `invalid` without a solid.

    `queries` are the numbers of points in the part's box, in the shell around it, and in the rest of the program frame.
    """

    iou_scale: float = 10.0
    distance_scale: float = 0.0
    invalid: float = -10.0
    queries: tuple[int, int, int] = (2048, 768, 512)
    surface_queries: int = 512
    far: float = 20.0  # distances are clipped at this value, program units


@dataclass(frozen=True, eq=False)
class Target:
    """One target part. `ids` is its program with the end token, empty if unknown (a mesh)."""

    surface: np.ndarray  # (N, 3) float32, model frame
    queries: np.ndarray  # (Q, 3) program frame
    inside: np.ndarray  # (Q,) bool
    weights: np.ndarray  # (Q,) volume represented by each query
    outer: np.ndarray  # (2, 3) box of all queries
    ids: tuple[int, ...] = ()

    @property
    def volume(self) -> float:
        """Volume estimated from the queries, in cubic program units."""
        return float(self.weights @ self.inside)


@dataclass(frozen=True, slots=True)
class Score:
    """Score of a program; both values are None if it makes no solid."""

    iou: float | None
    distance: float | None  # mean over the target's surface points, program units


NO_SOLID = Score(None, None)

# --- targets ---------------------------------------------------------------------------------------------------------


def make_target(surface: np.ndarray, inside: Callable, rng, options: RewardOptions, ids=()) -> Target:
    """A target from surface points (N, 3) in the model frame and an occupancy function of points (Q, 3) in the program
    frame. The box of the part is that of its surface points.
    """
    box = FRAME * np.stack([surface.min(axis=0), surface.max(axis=0)]).astype(np.float64)
    queries, weights, outer = nested_queries(box, options.queries, rng)
    return Target(surface.astype(np.float32), queries, inside(queries), weights, outer, tuple(ids))


def nested_queries(box: np.ndarray, counts, rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (Q, 3) in a box (2, 3), in a shell around it and in the rest of the frame; the volume represented by each
    (Q,); and the box of all. The box of a thin plate gets as many points as that of a cube, so its thickness counts.
    """
    near = box + [[-SHELL], [SHELL]]
    frame = np.full((2, 3), FRAME) * [[-1], [1]]
    far = np.stack([np.minimum(near[0], frame[0]), np.maximum(near[1], frame[1])])
    points, weights, inner = [], [], None
    for outer, count in zip((box, near, far), counts, strict=True):
        drawn = outer[0] + np.ptp(outer, axis=0) * spread_points(count, rng)
        kept = drawn if inner is None else drawn[np.any((drawn < inner[0]) | (drawn > inner[1]), axis=1)]
        points.append(kept)
        weights.append(np.full(len(kept), np.prod(np.ptp(outer, axis=0)) / count))
        inner = outer
    return np.concatenate(points), np.concatenate(weights), far


def spread_points(count: int, rng) -> np.ndarray:
    """Points (count, 3) spread evenly over the unit cube: Roberts 2018, the R3 sequence, from a random start."""
    ratio = 1.2207440846057596  # the real root of x^4 = x + 1
    steps = ratio ** -np.arange(1.0, 4.0)
    return (rng.random(3) + np.arange(count)[:, None] * steps) % 1.0


def target_of(sample: Sample, rng, options: RewardOptions) -> Target:
    program = field.prepare(sample.program)
    return make_target(sample.points, lambda points: field.occupancy(program, points), rng, options, sample.ids)


def fresh_targets(seed: tuple[int, ...], count: int, options: RewardOptions, data: DataOptions) -> list[Target]:
    """Targets of new parts; the same seed gives the same targets in every process."""
    rng = np.random.default_rng(seed)
    stream = samples(data, rng)
    return [target_of(next(stream), rng, options) for _ in range(count)]


def held_out_targets(count: int, options: RewardOptions) -> list[Target]:
    parts = held_out(count)
    return [target_of(part, np.random.default_rng([i, HELD_OUT_QUERIES]), options) for i, part in enumerate(parts)]


# --- scores ----------------------------------------------------------------------------------------------------------


def scores(targets: list[Target], groups: list[list[tuple[int, ...]]], options: RewardOptions) -> list[list[Score]]:
    """Scores of each target's programs, given as ids; equal programs are measured once."""
    return [_group_scores(target, group, options) for target, group in zip(targets, groups, strict=True)]


def _group_scores(target: Target, group, options: RewardOptions) -> list[Score]:
    known = {ids: score(target, ids, options) for ids in set(group)}
    return [known[ids] for ids in group]


def reward(score: Score, options: RewardOptions) -> float:
    if score.iou is None:
        return options.invalid
    return options.iou_scale * score.iou - options.distance_scale * score.distance


def score(target: Target, ids: tuple[int, ...], options: RewardOptions) -> Score:
    """Fit of a program. NO_SOLID for a sequence without end token, an empty solid or a self-intersecting outline."""
    if not ids or ids[-1] != END:
        return NO_SOLID
    program = parse(decode(ids))
    if not isinstance(program, Program) or any(step.body.crosses_itself() for step in program.steps):
        return NO_SOLID
    try:
        box = field.bounds(program)
    except field.EmptySolid:
        return NO_SOLID
    program = field.prepare(program)
    filled = field.occupancy(program, target.queries)
    if not filled.any():
        return NO_SOLID
    surface = FRAME * target.surface[: options.surface_queries].astype(np.float64)
    distance = np.minimum(np.abs(field.signed_distance(program, surface)), options.far).mean()
    return Score(_iou(target, filled) * visible_share(box, target.outer), float(distance))


def _iou(target: Target, filled: np.ndarray) -> float:
    return float(target.weights @ (filled & target.inside) / (target.weights @ (filled | target.inside)))


def visible_share(box: np.ndarray, outer: np.ndarray) -> float:
    """Share of a program's box that queries cover, a penalty on programs that extend beyond the frame."""
    seen = np.minimum(box[1], outer[1]) - np.maximum(box[0], outer[0])
    return float(np.prod(np.maximum(seen, 0.0)) / np.prod(np.ptp(box, axis=0)))
