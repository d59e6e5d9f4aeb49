"""Points on the surface of a program's solid, without the CAD kernel: sample every body, keep what the booleans leave.

A point on a body's wall or cap is on the result exactly when the occupancy just in front and just behind differ.
"""

from dataclasses import dataclass

import numpy as np

from cadcode.program import field
from cadcode.program.feature import EmptySolid, Patch
from cadcode.program.tree import Program

STEP_ASIDE = 1e-5  # how far in front and behind to look, as a share of the longest side
EFFORT = 200  # candidates per wanted point before what was kept counts as all there is


@dataclass(frozen=True, slots=True)
class Cloud:
    """Points on patches and the normals that point out of the patches' bodies. Columns are contiguous."""

    points: np.ndarray  # (N, 3)
    normals: np.ndarray  # (N, 3)

    def moved_out(self, step: float) -> np.ndarray:
        return (self.points.T + step * self.normals.T).T


def sample_surface(program: Program, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points (count, 3) uniform over the solid's surface, in the program's frame, and outward unit normals (count, 3).

    Candidates are uniform over all walls and caps and rejection keeps them uniform over the result. A face that several
    bodies share counts once. If the result keeps less than a 200th of the bodies' surface, points may repeat. Raises
    EmptySolid when the program leaves no surface. Float64; the same generator state gives the same points.
    """
    program = field.prepare(program)
    aside = STEP_ASIDE * float(np.max(np.ptp(field.bounds(program), axis=0)))
    patches = [(number, patch) for number, step in enumerate(program.steps) for patch in step.body.patches()]
    kept, found, tried, wanted = [], 0, 0, 2 * count + 64
    while found < count and tried < EFFORT * count:
        kept.append(_round(program, patches, wanted, aside, rng))
        found, tried = found + kept[-1].shape[1], tried + wanted
        missing = count - found
        wanted = min(int(1.1 * missing * tried / max(found, 1)) + 64, 8 * tried, EFFORT // 4 * count)
    if not found:
        raise EmptySolid("the booleans leave no surface")
    rows = rng.permutation(found)[:count] if found >= count else rng.integers(found, size=count)
    both = np.concatenate(kept, axis=1)[:, rows]
    return np.ascontiguousarray(both[:3].T), np.ascontiguousarray(both[3:].T)


def _round(program: Program, patches: list[tuple[int, Patch]], count: int, aside: float, rng) -> np.ndarray:
    """Points and outward normals (6, n) of those of `count` candidates that are on the result."""
    areas = np.array([patch.area for _, patch in patches])
    shares = rng.multinomial(count, areas / areas.sum())
    points, normals = np.empty((3, count)), np.empty((3, count))
    parts = [slice(stop - share, stop) for stop, share in zip(np.cumsum(shares), shares, strict=True)]
    for (_, patch), part in zip(patches, parts, strict=True):
        drawn = patch.sample(part.stop - part.start, rng)
        points[:, part], normals[:, part] = (columns.T for columns in drawn)
    cloud = Cloud(points.T, normals.T)
    front, back = cloud.moved_out(aside), cloud.moved_out(-aside)
    out = _on_result(program, front, back, np.repeat([body for body, _ in patches], shares))
    for (_, patch), part in zip(patches, parts, strict=True):
        if patch.fresh:
            out[part] *= patch.fresh(front[part], back[part])
    rows = np.flatnonzero(out)
    return np.concatenate([points[:, rows], normals[:, rows] * out[rows]])


def _on_result(program: Program, front: np.ndarray, back: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Per candidate (N,): 0 off the result's surface, 1 on it, -1 on it and facing the other way.

    `front` and `back` (N, 3) are just off the candidates, `own` is the number of each candidate's body. The first body
    whose skin passes there keeps the point.
    """
    before = after = np.zeros(len(own), dtype=bool)
    taken, mine = np.zeros(len(own), dtype=bool), np.zeros(len(own), dtype=bool)
    for number, step in enumerate(program.steps):
        body_before, body_after = step.body.inside(front), step.body.inside(back)
        before = field.combine(step.operation, before, body_before)
        after = field.combine(step.operation, after, body_after)
        skin = body_before != body_after
        mine |= skin & ~taken & (own == number)
        taken |= skin
    return mine * (after.astype(np.int8) - before.astype(np.int8))
