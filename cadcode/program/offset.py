"""Offsets of closed outlines: the turns at their corners, mitred distances, and whether all edges outlast an offset."""

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


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One outline of a sketch as an edge of its material. Offsets are positive into the material.

    Corners that an offset opens are rounded about the corner, or with `mitred` the lines that meet there are prolonged.
    """

    outline: Outline | Curve
    sense: int  # 1 with the material inside, -1 for a hole
    mitred: bool
    curve: Curve
    starts: np.ndarray  # (E, 2) directions in which the edges start
    ends: np.ndarray  # (E, 2) directions in which they end
    turns: np.ndarray  # (E,) radians by which the curve turns at the end of each edge; above 0 at convex corners
    mitred_edges: np.ndarray  # (M,) edges at whose ends the offsets are mitred: concave corners of two lines

    @property
    def orientation(self) -> float:
        """1 where the material is on the left."""
        return float(np.sign(self.curve.signed_area)) * self.sense

    def outward(self, directions: np.ndarray) -> np.ndarray:
        """Normals (n, 2) out of the material at places with these directions (n, 2)."""
        return np.stack([directions[:, 1], -directions[:, 0]], axis=1) * self.orientation

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Signed distance of points (N, 2), negative in the material, (N,), whose level lines are the offsets.

        It is the exact distance but where a mitred corner is nearest; the magnitude is never too large.
        """
        value = self.outline.signed_distance(points) * self.sense
        for corner, before, after, a, b in self._mitres():
            x, y = (points - corner).T
            beyond = (x * before[0] + y * before[1] > 0) & (x * after[0] + y * after[1] < 0)
            rows = np.flatnonzero((value < 0) & beyond)
            sides = np.minimum(x[rows] * a[0] + y[rows] * a[1], x[rows] * b[0] + y[rows] * b[1])
            value[rows] = np.maximum(value[rows], sides)
        return value

    def _mitres(self):
        """Mitred corners: the corner, the directions and the outward normals of both lines."""
        if not len(self.mitred_edges):
            return ()
        before, after = self.ends[self.mitred_edges], np.roll(self.starts, -1, axis=0)[self.mitred_edges]
        normals = self.outward(before), self.outward(after)
        return zip(self.curve.last[self.mitred_edges], before, after, *normals, strict=True)

    def outlasts(self, by: float, distance: Distance) -> bool:
        """Whether an offset `by` leaves something of each edge, in one piece; `distance` is that to the whole sketch.

        Probes on each edge are offset. One that is then closer to the sketch than by the offset has met another edge:
        at corners that is a neighbour, elsewhere it is none. The tips of mitred corners must meet nothing.
        """
        by = by * MARGIN
        points, directions = self._probes()
        tips = [corner - by * (a + b) / (1 + a @ b) for corner, _, _, a, b in self._mitres()]
        inner = np.concatenate([points - by * self.outward(directions), *(tip[None] for tip in tips)])
        kept = np.abs(distance(inner) + by) <= NEAR * max(abs(by), 1.0)
        edges = kept[: len(points)].reshape(len(self.turns), len(PROBES))
        pieces = edges[:, 0] + np.sum(edges[:, 1:] & ~edges[:, :-1], axis=1)
        joined = edges[:, -1] & np.roll(edges[:, 0], -1) | (np.abs(self.turns) > TANGENT)
        return bool((pieces == 1).all() and joined.all() and kept[len(points) :].all())

    def _probes(self) -> tuple[np.ndarray, np.ndarray]:
        """Points on the edges in order and the directions there, (E * 32, 2) each."""
        curve = self.curve
        points = curve.first[:, None] + PROBES[None, :, None] * (curve.last - curve.first)[:, None]
        directions = np.repeat(self.starts, len(PROBES), axis=0).reshape(points.shape)
        if len(curve.bent):
            angles = curve.begins[:, None] + curve.sweeps[:, None] * PROBES  # (A, 32)
            radial = np.stack([np.cos(angles), np.sin(angles)], axis=2)
            points[curve.bent] = curve.centres[:, None] + curve.radii[:, None, None] * radial
            directions[curve.bent] = _along(angles, curve.sweeps[:, None])
        return points.reshape(-1, 2), directions.reshape(-1, 2)


def side_of(outline: Outline | Curve, sense: int = 1, mitred: bool = False) -> Side:
    curve = outline.curve()
    starts, ends = _tangents(curve)
    (ax, ay), (bx, by) = ends.T, np.concatenate([starts[1:], starts[:1]]).T
    turns = np.arctan2(ax * by - ay * bx, ax * bx + ay * by) * np.sign(curve.signed_area) * sense
    line = straight(curve)
    concave = np.flatnonzero((turns < -TANGENT) & line & np.roll(line, -1) & mitred)
    return Side(outline, sense, mitred, curve, starts, ends, turns, concave)


def straight(curve: Curve) -> np.ndarray:
    """Which edges are lines, (E,) bool."""
    found = np.ones(len(curve.first), dtype=bool)
    found[curve.bent] = False
    return found


def _tangents(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Unit directions (E, 2) in which the edges start and end."""
    chords = curve.last - curve.first
    lengths = np.hypot(*chords.T)
    start = chords / np.where(lengths > 0, lengths, 1.0)[:, None]
    end = start.copy()
    if len(curve.bent):
        start[curve.bent] = _along(curve.begins, curve.sweeps)
        end[curve.bent] = _along(curve.begins + curve.sweeps, curve.sweeps)
    return start, end


def _along(angles: np.ndarray, sweeps: np.ndarray) -> np.ndarray:
    """Directions (..., 2) at angles of arcs."""
    return np.stack([-np.sin(angles), np.cos(angles)], axis=-1) * np.sign(sweeps)[..., None]
