"""Points on the surface of a program's solid, without the CAD kernel: sample every body, keep what the booleans leave.

A point on a body's wall or cap is on the result exactly when the occupancy just in front and just behind differ.
"""

from dataclasses import dataclass

import numpy as np

from cadcode.program import field
from cadcode.program import outlines as plane
from cadcode.program.field import EmptySolid
from cadcode.program.tree import AXES, Extrude, Program

STEP_ASIDE = 1e-5  # how far in front and behind to look, as a share of the longest side
EFFORT = 200  # candidates per wanted point before what was kept counts as all there is
CAPS = -1


@dataclass(frozen=True, slots=True)
class Patch:
    """Part of one body's skin: the wall of its face number `face`, or the box around both its caps."""

    body: int
    face: int
    area: float


@dataclass(frozen=True, slots=True)
class Cloud:
    """Points on patches and the normals that point out of the patches' bodies. Columns are contiguous."""

    points: np.ndarray  # (N, 3)
    normals: np.ndarray  # (N, 3)

    def beside(self, step: float) -> np.ndarray:
        return (self.points.T + step * self.normals.T).T


def sample_surface(program: Program, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points (count, 3) uniform over the solid's surface, in the program's frame, and outward unit normals (count, 3).

    Candidates are uniform over all walls and caps and rejection keeps them uniform over the result. A face that several
    bodies share counts once. Where the result keeps less than a 200th of the bodies' surface, points may repeat. Raises
    EmptySolid when the program leaves no surface. Float64; the same generator state gives the same points.
    """
    program = field.prepare(program)
    aside = STEP_ASIDE * float(np.max(np.ptp(field.bounds(program), axis=0)))
    patches = _patches(program)
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


def _patches(program: Program) -> tuple[Patch, ...]:
    patches = []
    for number, step in enumerate(program.steps):
        body = step.body
        for place, face in enumerate(body.faces):
            patches.append(Patch(number, place, plane.perimeter(face.outline) * abs(body.height)))
        patches.append(Patch(number, CAPS, 2 * float(np.prod(np.ptp(_cap_box(body), axis=0)))))
    return tuple(patches)


def _cap_box(body: Extrude) -> np.ndarray:
    return field.body_bounds(body)[:, list(AXES[body.plane][:2])]


def _round(program: Program, patches: tuple[Patch, ...], count: int, aside: float, rng) -> np.ndarray:
    """Of `count` candidates the points and outward normals on the result, (6, n)."""
    areas = np.array([patch.area for patch in patches])
    shares = rng.multinomial(count, areas / areas.sum())
    points, normals = np.empty((3, count)), np.zeros((3, count))
    stop = np.cumsum(shares)
    for patch, low, high in zip(patches, stop - shares, stop, strict=True):
        draw = _draw_caps if patch.face == CAPS else _draw_wall
        draw(program.steps[patch.body].body, patch, points[:, low:high], normals[:, low:high], rng)
    cloud = Cloud(points.T, normals.T)
    out = _on_result(program, cloud, np.repeat([patch.body for patch in patches], shares), aside)
    for patch, low, high in zip(patches, stop - shares, stop, strict=True):
        if patch.face > 0:
            body = program.steps[patch.body].body
            out[low:high] *= _not_on_earlier_faces(body, patch, cloud, slice(low, high), aside)
    rows = np.flatnonzero(out)
    return np.concatenate([points[:, rows], normals[:, rows] * out[rows]])


def _draw_wall(body: Extrude, patch: Patch, points: np.ndarray, normals: np.ndarray, rng) -> None:
    """Fill (3, n) columns with points of one face's wall."""
    i, j, k = AXES[body.plane]
    flat, outward = plane.sample_boundary(body.faces[patch.face].outline, points.shape[1], rng)
    points[i], points[j] = flat.T
    points[k] = body.offset + body.height * rng.random(points.shape[1])
    normals[i], normals[j] = outward.T


def _draw_caps(body: Extrude, patch: Patch, points: np.ndarray, normals: np.ndarray, rng) -> None:
    """Fill (3, n) columns with points of the rectangle around either cap; those off the sketch are rejected later."""
    i, j, k = AXES[body.plane]
    (u0, v0), (u1, v1) = _cap_box(body)
    low, high = field.span(body)
    upper = rng.random(points.shape[1]) < 0.5
    points[i] = u0 + (u1 - u0) * rng.random(points.shape[1])
    points[j] = v0 + (v1 - v0) * rng.random(points.shape[1])
    points[k] = np.where(upper, high, low)
    normals[k] = np.where(upper, 1.0, -1.0)


def _on_result(program: Program, cloud: Cloud, own: np.ndarray, aside: float) -> np.ndarray:
    """Per candidate (N,): 0 off the result's surface, 1 on it, -1 on it and facing the other way.

    `own` is the number of each candidate's body. The first body whose skin passes there keeps the point.
    """
    front, back = cloud.beside(aside), cloud.beside(-aside)
    before = after = np.zeros(len(own), dtype=bool)
    taken, mine = np.zeros(len(own), dtype=bool), np.zeros(len(own), dtype=bool)
    for number, step in enumerate(program.steps):
        body_before, body_after = field.inside_body(step.body, front), field.inside_body(step.body, back)
        before = field.combine(step.operation, before, body_before)
        after = field.combine(step.operation, after, body_after)
        skin = body_before != body_after
        mine |= skin & ~taken & (own == number)
        taken |= skin
    return mine * (after.astype(np.int8) - before.astype(np.int8))


def _not_on_earlier_faces(body: Extrude, patch: Patch, cloud: Cloud, part: slice, aside: float) -> np.ndarray:
    """Which of a wall's candidates lie on no wall of the same sketch's earlier faces, (n,)."""
    columns = list(AXES[body.plane][:2])
    front, back = cloud.beside(aside)[part, columns], cloud.beside(-aside)[part, columns]
    fresh = np.ones(len(front), dtype=bool)
    for face in body.faces[: patch.face]:
        fresh &= plane.inside(face.outline, front) == plane.inside(face.outline, back)
    return fresh
