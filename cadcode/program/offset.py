"""Offsets of closed curves: the turns at their corners, mitred distances, and whether all edges outlast an offset.

`sense` is 1 for an outline with its material inside and -1 for a hole. Offsets are positive into the material.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cadcode.program.curve import Curve
from cadcode.program.outlines import Outline

TANGENT = 2e-3  # radians; edges that turn by less are one smooth curve
MARGIN = 1.01  # an offset this much larger must fit as well
PROBES = (np.arange(32) + 0.5) / 32  # places on each edge that are offset
NEAR = 1e-6  # of the offset: a probe that is this close to it is on it

Distance = Callable[[np.ndarray], np.ndarray]


def tangents(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Unit directions (E, 2) in which the edges start and end."""
    chords = curve.last - curve.first
    lengths = np.hypot(*chords.T)
    start = chords / np.where(lengths > 0, lengths, 1.0)[:, None]
    end = start.copy()
    start[curve.bent] = _along(curve.begins, curve.sweeps)
    end[curve.bent] = _along(curve.begins + curve.sweeps, curve.sweeps)
    return start, end


def _along(angles: np.ndarray, sweeps: np.ndarray) -> np.ndarray:
    return np.stack([-np.sin(angles), np.cos(angles)], axis=1) * np.sign(sweeps)[:, None]


def turns(curve: Curve, sense: int) -> np.ndarray:
    """Angle (E,) in radians by which the curve turns at the end of each edge; above 0 at convex corners."""
    start, end = tangents(curve)
    (ax, ay), (bx, by) = end.T, np.roll(start, -1, axis=0).T
    return np.arctan2(ax * by - ay * bx, ax * bx + ay * by) * np.sign(curve.signed_area) * sense


def outward(curve: Curve, directions: np.ndarray, sense: int) -> np.ndarray:
    """Normals (n, 2) out of the material at places with these directions (n, 2)."""
    return np.stack([directions[:, 1], -directions[:, 0]], axis=1) * np.sign(curve.signed_area) * sense


def straight(curve: Curve) -> np.ndarray:
    """Which edges are lines, (E,) bool."""
    found = np.ones(len(curve.first), dtype=bool)
    found[curve.bent] = False
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One outline of a sketch as an edge of its material; offsets of it have mitred corners."""

    outline: Outline | Curve
    curve: Curve
    sense: int
    mitres: tuple[tuple[np.ndarray, ...], ...]  # concave corners of two lines: see `_mitres`

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Signed distance of points (N, 2), negative in the material, (N,), whose level lines have mitred corners.

        It is the exact distance but where a concave corner of two lines is nearest: there the lines are prolonged. So
        the magnitude is never too large.
        """
        value = self.outline.signed_distance(points) * self.sense
        for corner, before, after, a, b in self.mitres:
            x, y = (points - corner).T
            beyond = (x * before[0] + y * before[1] > 0) & (x * after[0] + y * after[1] < 0)
            rows = np.flatnonzero((value < 0) & beyond)
            sides = np.minimum(x[rows] * a[0] + y[rows] * a[1], x[rows] * b[0] + y[rows] * b[1])
            value[rows] = np.maximum(value[rows], sides)
        return value

    def outlasts(self, by: float, distance: Distance) -> bool:
        """Whether an offset `by` leaves something of each edge, and the tips of mitred corners meet nothing."""
        tips = [corner - by * MARGIN * (a + b) / (1 + a @ b) for corner, _, _, a, b in self.mitres]
        free = not tips or _at(distance(np.array(tips)), by * MARGIN).all()
        return bool(free) and outlasts(self.curve, self.sense, by, distance)


def side_of(outline: Outline | Curve, sense: int) -> Side:
    curve = outline.curve()
    return Side(outline, curve, sense, _mitres(curve, sense))


def _mitres(curve: Curve, sense: int) -> tuple[tuple[np.ndarray, ...], ...]:
    """Concave corners of two lines: the corner, the directions and the outward normals of both."""
    (start, end), line = tangents(curve), straight(curve)
    start, following = np.roll(start, -1, axis=0), np.roll(line, -1)
    rows = np.flatnonzero((turns(curve, sense) < -TANGENT) & line & following)
    before, after = end[rows], start[rows]
    normals = outward(curve, before, sense), outward(curve, after, sense)
    return tuple(zip(curve.last[rows], before, after, *normals, strict=True))


def outlasts(curve: Curve, sense: int, by: float, distance: Distance) -> bool:
    """Whether an offset `by` leaves something of each edge, in one piece; `distance` is that to the whole sketch.

    Probes on each edge are offset. One that is then closer to the sketch than by the offset has met another edge: at
    corners that is a neighbour, elsewhere it is none.
    """
    by = by * MARGIN
    points, directions = probes(curve)
    kept = _at(distance(points - by * outward(curve, directions, sense)), by)
    kept = kept.reshape(len(curve.first), len(PROBES))
    pieces = kept[:, 0] + np.sum(kept[:, 1:] & ~kept[:, :-1], axis=1)
    whole = kept[:, -1] & np.roll(kept[:, 0], -1)  # at the end of each edge
    return bool((pieces == 1).all() and whole[np.abs(turns(curve, sense)) <= TANGENT].all())


def _at(distance: np.ndarray, by: float) -> np.ndarray:
    """Which places, at these distances, are offset `by`, (N,) bool."""
    return np.abs(distance + by) <= NEAR * max(abs(by), 1.0)


def probes(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Points on the edges in order and the directions there, (E * 32, 2) each."""
    chords = curve.last - curve.first
    points = curve.first[:, None] + PROBES[None, :, None] * chords[:, None]
    directions = np.repeat(tangents(curve)[0], len(PROBES), axis=0).reshape(points.shape)
    angles = curve.begins[:, None] + curve.sweeps[:, None] * PROBES  # (A, 32)
    radial = np.stack([np.cos(angles), np.sin(angles)], axis=2)
    points[curve.bent] = curve.centres[:, None] + curve.radii[:, None, None] * radial
    signs = np.sign(curve.sweeps)[:, None]
    directions[curve.bent] = np.stack([-radial[..., 1] * signs, radial[..., 0] * signs], axis=2)
    return points.reshape(-1, 2), directions.reshape(-1, 2)
