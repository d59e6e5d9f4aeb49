"""Patches of prisms: bands, which a short profile leaves along the edges of an outline, and the two caps.

A profile runs in the plane across the outline: `inset` is how far a place is moved into the material, `along` where it
is along the normal of the sketch's plane.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cadcode.program.feature import Patch
from cadcode.program.offset import TANGENT, Side, straight

TABLE = 129  # values of a profile's inset from which places on arcs are drawn
Axes = tuple[int, int, int]  # world axes of a plane's x, y and normal


class EdgeProfile(Protocol):
    @property
    def length(self) -> float: ...

    def at(self, share: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Inset (n,), along (n,) and the normal's parts (outward, along) (n, 2) at shares of the length."""
        ...


@dataclass(frozen=True, slots=True)
class Slope:
    """A straight profile, from one inset and place along the normal to another."""

    inset: tuple[float, float]
    along: tuple[float, float]

    @property
    def length(self) -> float:
        return math.hypot(self.inset[1] - self.inset[0], self.along[1] - self.along[0])

    def at(self, share: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        (a, b), (low, high) = self.inset, self.along
        upward = 1.0 if high > low else -1.0
        normal = np.array([upward * (high - low), upward * (b - a)]) / self.length
        return a + (b - a) * share, low + (high - low) * share, np.tile(normal, (len(share), 1))


@dataclass(frozen=True, slots=True)
class Quarter:
    """A quarter circle of `radius` that ends at a cap `level` along the normal; `side`: 1 for a cap that faces up."""

    radius: float
    level: float
    side: int

    @property
    def length(self) -> float:
        return math.pi / 2 * self.radius

    def at(self, share: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        out, up = np.cos(share * math.pi / 2), np.sin(share * math.pi / 2)
        along = self.level - self.side * self.radius * (1 - up)
        return self.radius * (1 - out), along, np.stack([out, self.side * up], axis=1)


@dataclass(frozen=True, slots=True)
class Strip:
    """A line that a profile moves along: where it starts, its direction and length, and its outward normal."""

    start: np.ndarray  # (2,)
    direction: np.ndarray
    length: float
    normal: np.ndarray

    def area(self, profile: EdgeProfile) -> float:
        return self.length * profile.length

    def places(self, profile: EdgeProfile, count: int, rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Shares of the profile (n,), and points (n, 2) on the outline with their outward normals (n, 2)."""
        points = self.start + self.length * rng.random(count)[:, None] * self.direction
        return rng.random(count), points, np.tile(self.normal, (count, 1))


@dataclass(frozen=True, slots=True)
class Turn:
    """An arc that a profile moves along, a corner if its radius is 0; `sign`: 1 where outward is off the centre."""

    centre: np.ndarray  # (2,)
    radius: float
    begin: float
    sweep: float
    sign: int

    def area(self, profile: EdgeProfile) -> float:
        return abs(self.sweep) * profile.length * float(np.mean(self._widths(profile)[1]))

    def places(self, profile: EdgeProfile, count: int, rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        shares, widths = self._widths(profile)
        sums = np.concatenate([[0.0], np.cumsum(widths[1:] + widths[:-1])])
        share = np.interp(rng.random(count) * sums[-1], sums, shares)
        angle = self.begin + self.sweep * rng.random(count)
        radial = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return share, self.centre + self.radius * radial, self.sign * radial

    def _widths(self, profile: EdgeProfile) -> tuple[np.ndarray, np.ndarray]:
        """Distances from the axis, at shares of the profile."""
        shares = np.linspace(0.0, 1.0, TABLE)
        return shares, np.abs(self.radius - self.sign * profile.at(shares)[0])


def bands(side: Side, profile: EdgeProfile, axes: Axes) -> tuple[Patch, ...]:
    """Patches that a profile leaves along one outline.

    At corners that the offset opens they are prolonged, or joined by cones; at others they overlap within the solid or
    outside it, where their samples are rejected.
    """
    reach = profile.at(np.linspace(0.0, 1.0, 3))[0]
    farthest = float(reach[np.argmax(np.abs(reach))])
    pieces = [*_edges(side, farthest), *([] if side.mitred else _corners(side, farthest))]
    return tuple(_patch(piece, profile, axes) for piece in pieces)


def _patch(piece: Strip | Turn, profile: EdgeProfile, axes: Axes) -> Patch:
    def sample(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        share, flat, out = piece.places(profile, count, rng)
        inset, along, tilt = profile.at(share)
        points, normals = np.empty((count, 3)), np.empty((count, 3))
        points[:, axes[:2]], points[:, axes[2]] = flat - inset[:, None] * out, along
        normals[:, axes[:2]], normals[:, axes[2]] = out * tilt[:, :1], tilt[:, 1]
        return points, normals

    return Patch(piece.area(profile), sample)


def _edges(side: Side, reach: float) -> Iterator[Strip | Turn]:
    """The edges; lines are prolonged at mitred corners as far as their offsets are."""
    curve, turns = side.curve, side.turns
    opened = np.where(turns < -TANGENT, np.tan(-turns / 2), 0.0) * reach * side.mitred  # at the end of each edge
    before, normals = np.roll(opened, 1), side.outward(side.starts)
    for n in np.flatnonzero(straight(curve)):
        first = curve.first[n] - before[n] * side.starts[n]
        yield Strip(first, side.starts[n], float(curve.lengths[n] + before[n] + opened[n]), normals[n])
    for centre, radius, begin, sweep in zip(curve.centres, curve.radii, curve.begins, curve.sweeps, strict=True):
        yield Turn(centre, float(radius), float(begin), float(sweep), int(np.sign(sweep) * side.orientation))


def _corners(side: Side, reach: float) -> Iterator[Turn]:
    """The corners that an offset as far as `reach` opens: concave ones inwards, convex ones outwards."""
    normals, sign = side.outward(side.ends), -1 if reach > 0 else 1
    for n in np.flatnonzero(side.turns * sign > TANGENT):
        begin = math.atan2(*(sign * normals[n])[::-1])
        yield Turn(side.curve.last[n], 0.0, begin, float(side.turns[n] * side.orientation), sign)


def caps(box: np.ndarray, axes: Axes) -> Patch:
    """Both ends of a box (2, 3) along the normal; points off the solid's caps are rejected."""
    i, j, k = axes
    (u0, v0), (u1, v1) = box[:, [i, j]]

    def sample(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        points, normals = np.empty((3, count)), np.zeros((3, count))
        upper = rng.random(count) < 0.5
        points[i] = u0 + (u1 - u0) * rng.random(count)
        points[j] = v0 + (v1 - v0) * rng.random(count)
        points[k] = np.where(upper, box[1, k], box[0, k])
        normals[k] = np.where(upper, 1.0, -1.0)
        return points.T, normals.T

    return Patch(2 * float((u1 - u0) * (v1 - v0)), sample)
