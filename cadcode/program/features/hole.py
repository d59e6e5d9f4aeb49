"""Drilled holes: cylinders of one size with their heads, from one level of a plane, at one or more points.

A hole is a tool: texts cut it from the solid so far by CadQuery's `hole`, `cboreHole` and `cskHole`. Their bottoms are
flat, CadQuery has no call for the cone that a drill leaves.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import ClassVar

import numpy as np

from cadcode.program.curve import Curve, Line, Point, trace
from cadcode.program.feature import EmptySolid, Patch, RoleContext, Similarity, Solid
from cadcode.program.heads import Counterbore, Countersink, Head, Straight
from cadcode.program.normal_form import grid
from cadcode.program.numbers import CENTRE, PLANE, RADIUS, SAME, Numbers
from cadcode.program.place import FACING, PLANE_FACING, NamedPlane
from cadcode.program.solid_plane import SolidPlane
from cadcode.program.text.plain import Write, point
from cadcode.program.workplane import Outside, number_of, size_of

VOLUME_CLASS = 500  # cubic units that make a difference to the order of a canonical program
ALIKE = 1.0  # holes whose level and sizes differ by less than this many units can become one feature


@dataclass(frozen=True, slots=True)
class Hole(Solid):
    """Holes against the normal of `plane`, also of one seen from behind, that start at `level`, a coordinate along it.

    `points` are in the plane's x and y, about the world's origin.
    """

    kind: ClassVar[str] = "hole"
    is_tool: ClassVar[bool] = True
    on_any_plane: ClassVar[bool] = False
    plane: str
    level: float
    points: tuple[Point, ...]
    diameter: float
    depth: float
    head: Head = Straight()
    curve: Curve | None = field(default=None, compare=False, repr=False)  # of a prepared one

    @property
    def axis(self) -> int:
        return FACING[self.plane][2]

    @property
    def outline_count(self) -> int:
        return len(self.points)

    @property
    def edge_count(self) -> int:
        return len(self.points) * (1 + len(self.head.radii))

    @property
    def sense(self) -> int:
        """Sense of the plane's normal: 1 drills towards lower coordinates."""
        return FACING[self.plane][3]

    @property
    def bottom(self) -> float:
        """Coordinate along the normal at which its cylinders end."""
        return self.level - self.sense * self.depth

    @property
    def profile(self) -> list[Point]:
        """Corners (radius, depth below the mouth), from the mouth's edge to the axis."""
        return self.head.corners(self.diameter / 2, self.depth)

    # --- geometry ---

    def bounds(self) -> np.ndarray:
        if not self.points:
            raise EmptySolid("a hole without a point")
        i, j, k, sense = FACING[self.plane]
        wide, deep = np.max(self.profile, axis=0)
        box = np.empty((2, 3))
        box[0, [i, j]] = np.min(self.points, axis=0) - wide
        box[1, [i, j]] = np.max(self.points, axis=0) + wide
        box[:, k] = sorted([self.level, self.level - sense * deep])
        return box

    def inside(self, points: np.ndarray) -> np.ndarray:
        wide, deep = np.max(self.profile, axis=0)
        depth = self._depths(points)
        answer = (depth > 0) & (depth < deep)
        rows = np.flatnonzero(answer)  # the profile is the costly part: ask it only about points that are near
        radius = self._radii(points[rows])
        answer[rows] = near = radius < wide
        rows = rows[near]
        answer[rows] = self._profile_curve().inside(np.stack([radius[near], depth[rows]], axis=1))
        return answer

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Signed distance, (N,): the profile's; exact for one hole.

        At any depth the profile's distance grows with the radius, so the nearest axis gives the union of all holes.
        """
        return self._profile_curve().signed_distance(np.stack([self._radii(points), self._depths(points)], axis=1))

    def patches(self) -> tuple[Patch, ...]:
        """One for each point."""
        return tuple(self._around(number) for number in range(len(self.points)))

    def borders(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        i, j, k, sense = FACING[self.plane]
        radii, depths = np.transpose([(0.0, 0.0), *self.profile])
        radii, centres = np.concatenate([radii, -radii]), np.array(self.points)[:, :, None]
        found = {k: self.level - sense * depths}
        found[i], found[j] = (centres + radii).transpose(1, 0, 2).reshape(2, -1)
        return found[0], found[1], found[2]

    def prepared(self) -> "Hole":
        return replace(self, curve=self._profile_curve())

    def _radii(self, points: np.ndarray) -> np.ndarray:
        """Distances (N,) of points (N, 3) from the nearest axis."""
        i, j, *_ = FACING[self.plane]
        nearest = np.full(len(points), np.inf)
        for x, y in self.points:
            np.minimum(nearest, np.hypot(points[:, i] - x, points[:, j] - y), out=nearest)
        return nearest

    def _depths(self, points: np.ndarray) -> np.ndarray:
        """Depths (N,) of points (N, 3) below the mouth."""
        return self.sense * (self.level - points[:, self.axis])

    def _profile_curve(self) -> Curve:
        """The profile, continued far beyond the axis, which is no part of the surface."""
        if self.curve is not None:
            return self.curve
        half = self.profile
        wide, deep = np.max(half, axis=0)
        corners = [*half, (-wide - deep, deep), (-wide - deep, 0.0)]
        return trace(corners[-1], tuple(map(Line, corners)))

    def _around(self, number: int) -> Patch:
        """The surface of one of the holes."""
        x, y = self.points[number]
        i, j, k, sense = FACING[self.plane]
        corners = np.array([(0.0, 0.0), *self.profile])
        steps = np.diff(corners, axis=0)
        lengths = np.hypot(*steps.T)
        areas = np.pi * (corners[:-1, 0] + corners[1:, 0]) * lengths  # of the cones between the corners

        def sample(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
            edge = rng.choice(len(areas), count, p=areas / areas.sum())
            share = _cone_shares(corners[edge, 0], corners[edge + 1, 0], rng.random(count))
            radius, depth = (corners[edge] + share[:, None] * steps[edge]).T
            outward, down = (steps[edge] / lengths[edge, None])[:, ::-1].T * [[1.0], [-1.0]]
            turn = rng.random(count) * math.tau
            points, normals = np.empty((3, count)), np.empty((3, count))
            points[i], points[j] = x + radius * np.cos(turn), y + radius * np.sin(turn)
            normals[i], normals[j] = outward * np.cos(turn), outward * np.sin(turn)
            points[k], normals[k] = self.level - sense * depth, -sense * down
            return points.T, normals.T

        def fresh(front: np.ndarray, back: np.ndarray) -> np.ndarray:
            """Which samples lie on no earlier hole."""
            earlier = replace(self, points=self.points[:number])
            return earlier.inside(front) == earlier.inside(back)

        return Patch(float(areas.sum()), sample, fresh if number else None)

    # --- other features from this one ---

    def moved(self, by: Similarity) -> "Hole":
        i, j, k, sense = FACING[self.plane]
        plane = PLANE_FACING[by.axes[k], by.signs[k] * sense]
        points = tuple((by.along(i, x), by.along(j, y)) for x, y in self.points)
        if FACING[plane][0] != by.axes[i]:
            points = tuple((v, u) for u, v in points)
        head = self.head.resized(*([size * by.scale for size in s] for s in (self.head.radii, self.head.depths)))
        sizes = self.diameter * by.scale, self.depth * by.scale
        return Hole(plane, by.along(k, self.level), points, *sizes, head)

    def numbers(self) -> Numbers:
        """Levels of the bottom, the mouth and the head's bottom, radii, points."""
        i, j, k, sense = FACING[self.plane]
        levels = [self.bottom, self.level, *(self.level - sense * depth for depth in self.head.depths)]
        radii = [self.diameter / 2, *self.head.radii]
        ends = len(levels), len(levels) + len(radii)

        def rebuild(values) -> Hole | None:
            numbers = list(map(float, values))
            (bottom, level, *floors), (radius, *wide) = numbers[: ends[0]], numbers[ends[0] : ends[1]]
            head = self.head.resized(wide, [sense * (level - floor) for floor in floors])
            points = tuple(zip(numbers[ends[1] :: 2], numbers[ends[1] + 1 :: 2], strict=True))
            return _sound(Hole(self.plane, level, points, 2 * radius, sense * (level - bottom), head))

        slots = [
            *[(PLANE, k)] * len(levels),
            *[(RADIUS, -1)] * len(radii),
            *[(CENTRE, i), (CENTRE, j)] * len(self.points),
        ]
        flat = (value for at in self.points for value in at)
        return Numbers(tuple(slots), tuple(map(float, (*levels, *radii, *flat))), rebuild)

    def canonical(self) -> "Hole":
        """Points sorted, each once."""
        return replace(self, points=tuple(sorted(set(self.points))))

    def rounded(self) -> "Hole | None":
        """On half units."""

        def near(values: Sequence[float]) -> list[float]:
            return [grid(value, 0.5) for value in values]

        head = self.head.resized(near(self.head.radii), near(self.head.depths))
        radius, depth, level = near([self.diameter / 2, self.depth, self.level])
        points = tuple(dict.fromkeys((grid(x, 0.5), grid(y, 0.5)) for x, y in self.points))
        return _sound(Hole(self.plane, level, points, 2 * radius, depth, head))

    def simpler(self) -> tuple["Hole", ...]:
        """Without one of the points."""
        count = len(self.points)
        return tuple(replace(self, points=self.points[:n] + self.points[n + 1 :]) for n in range(count) if count > 1)

    def core(self) -> "Hole":
        return replace(self, points=self.points[:1])

    def joined(self, other) -> "Hole | None":
        """Holes of this size at the points of both; None where level, sizes or heads differ."""
        if other.kind != self.kind or self._form() != other._form():
            return None
        if max(abs(a - b) for a, b in zip(self._sizes(), other._sizes(), strict=True)) > ALIKE:
            return None
        return replace(self, points=tuple(dict.fromkeys([*self.points, *other.points])))

    def _form(self) -> tuple[str, str]:
        return self.plane, self.head.method

    def _sizes(self) -> tuple[float, ...]:
        return (self.level, self.diameter, self.depth, *self.head.radii, *self.head.depths)

    # --- text ---

    def order(self) -> tuple:
        areas = ((a * a + a * b + b * b) * (end - start) for (a, start), (b, end) in pairwise(self.profile))
        volume = round(len(self.points) * math.pi / 3 * sum(areas) / VOLUME_CLASS)
        return (-volume, self.plane, self.level, *self.points[0])

    def check(self) -> None:
        if self.plane not in FACING:
            raise ValueError(f"unknown plane {self.plane!r}")
        if not self.points:
            raise ValueError("a hole without a point")
        if not min(self.diameter, self.depth) > 0:
            raise ValueError("a hole has a diameter and a depth above 0")
        self.head.check(self.diameter / 2, self.depth)

    @property
    def base(self) -> NamedPlane:
        """The plane of the mouths; its origin is the only point, where there is one."""
        i, j, k, _ = FACING[self.plane]
        origin = [0.0, 0.0, 0.0]
        origin[k] = self.level
        if len(self.points) == 1:
            origin[i], origin[j] = self.points[0]
        return NamedPlane(self.plane, tuple(origin))

    def built(self, write: Write) -> list[str]:
        places = ",".join(point(at, write) for at in self.points)
        numbers = ",".join(map(write, (self.diameter, *self.head.sizes, self.depth)))
        drilled = f"{self.head.method}({numbers})"
        return [drilled] if len(self.points) == 1 else [f"pushPoints([{places}])", drilled]

    def applied(self, operation: str, write: Write) -> list[str] | None:
        return [f"copyWorkplane(cq.{self.base.call(write)})", *self.built(write)]

    def role(self, context: RoleContext) -> str:
        return "screw_hole" if self.head.radii else "hole"

    @classmethod
    def parsers(cls) -> dict[type, dict[str, Callable[..., "Hole"]]]:
        return {SolidPlane: {"hole": hole, "cboreHole": counterbored, "cskHole": countersunk}}


def hole(at: SolidPlane, diameter, depth=None, clean=True) -> Hole:
    return _drilled(at, diameter, depth, Straight())


def counterbored(at: SolidPlane, diameter, cboreDiameter, cboreDepth, depth=None, clean=True) -> Hole:
    wide, deep = size_of(cboreDiameter, "a counterbore's diameter"), size_of(cboreDepth, "a counterbore's depth")
    return _drilled(at, diameter, depth, Counterbore(wide, deep))


def countersunk(at: SolidPlane, diameter, cskDiameter, cskAngle, depth=None, clean=True) -> Hole:
    wide, angle = size_of(cskDiameter, "a countersink's diameter"), number_of(cskAngle, "an angle")
    return _drilled(at, diameter, depth, Countersink(wide, angle))


def _drilled(at: SolidPlane, diameter, depth, head: Head) -> Hole:
    """Holes at the points picked on a workplane; without a depth they go through the solid."""
    axis, sense = at.facing
    plane = PLANE_FACING[axis, sense]
    i, j, k, _ = FACING[plane]
    points = tuple((spot[i], spot[j]) for spot in at.spots())
    length = at.through() if depth is None else size_of(depth, "a depth")
    made = Hole(plane, at.origin[k], points, size_of(diameter, "a diameter"), length, head)
    try:
        made.check()
    except ValueError as problem:
        raise Outside(str(problem)) from None
    return made


def _sound(made: Hole) -> Hole | None:
    """The hole, unless it has no size or its head does not fit."""
    if min(made.diameter, made.depth) <= SAME:
        return None
    try:
        made.check()
    except ValueError:
        return None
    return made


def _cone_shares(first: np.ndarray, last: np.ndarray, even: np.ndarray) -> np.ndarray:
    """Shares of the way (N,) along lines from one radius to another, uniform over the cones, from `even` in [0, 1)."""
    level = np.abs(last - first) < SAME
    radius = np.sqrt(first**2 + even * (last**2 - first**2))
    return np.where(level, even, (radius - first) / np.where(level, 1.0, last - first))
