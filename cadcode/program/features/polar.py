"""Rings: one feature turned about an axis several times. The numbers are count and angle."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from cadcode.program.arrays import FULL_TURN, Ring
from cadcode.program.copies import Copies, Isometry, nearest_copies
from cadcode.program.curve import Point
from cadcode.program.feature import Feature, Similarity, bounds_by_reach
from cadcode.program.normal_form import grid
from cadcode.program.numbers import CENTRE, Numbers
from cadcode.program.place import AXES, NamedPlane
from cadcode.program.repeating import check_copies, each_call, from_plane, in_space, moved_plane, outside_box, spelled
from cadcode.program.text.plain import Write

SAME_ANGLE = 1e-9  # degrees: angles this close are the same angle


@dataclass(frozen=True, slots=True)
class Polar(Copies):
    """Copies turned about the normal of a plane, through `centre`: the first by `start`, the last by `angle` more.

    The angles are degrees; an angle of 360 is shared out evenly. In the plane, `body` is drawn about `centre`.
    """

    kind: ClassVar[str] = "polar"
    word: ClassVar[str] = "ring"
    body: Feature
    plane: str
    centre: Point
    count: int
    start: float = 0.0
    angle: float = FULL_TURN

    @classmethod
    def around(cls, body: Feature, plane: str, centre: Point, count: int, start=0.0, angle=FULL_TURN) -> "Polar":
        """The pattern of a body where it is."""
        shift = in_space(plane, (-centre[0], -centre[1], 0.0))
        return cls(body.moved(Similarity(shift=shift)), plane, centre, count, start, angle)

    @property
    def full(self) -> bool:
        """Whether the copies close a circle."""
        return abs(math.remainder(self.angle, FULL_TURN)) < SAME_ANGLE

    @property
    def step(self) -> float:
        """Degrees from one copy to the next."""
        return self.angle / (self.count if self.full else self.count - 1)

    @property
    def axis(self) -> int | None:
        return self.body.axis if self.body.axis in self.shared_axes() else None

    def shared_axes(self) -> tuple[int, ...]:
        return (AXES[self.plane][2],)

    # --- geometry ---

    def copies(self) -> list[Isometry]:
        shift = np.array(self._origin())
        return [Isometry(self._turn(self.start + index * self.step), shift) for index in range(self.count)]

    def bounds(self) -> np.ndarray:
        self.body.bounds()  # raises EmptySolid where there is nothing
        return bounds_by_reach(self)

    def near(self, points: np.ndarray) -> tuple[Iterable[np.ndarray], np.ndarray]:
        """In a full circle, the nearest sectors."""
        i, j, k = AXES[self.plane]
        box, step = self.body.bounds(), abs(self.step)
        middle, half = _sector(box[:, [i, j]])
        if not self.full:
            return Copies.near(self, points)
        x, y = points[:, i] - self.centre[0], points[:, j] - self.centre[1]
        at = (np.degrees(np.arctan2(y, x)) - middle - self.start) / self.step
        first, size, gap = nearest_copies(at, half / step, self.count, cyclic=True)
        apart = np.hypot(x, y) * np.sin(np.radians(np.minimum(gap * step, 90.0)))
        across = np.maximum(apart, _outside_ring(np.hypot(x, y), box[:, [i, j]]))
        beyond = np.hypot(across, outside_box(points, box)[:, k])
        turns = (self.start + (first + index) * self.step for index in range(size))
        return (self._seen_from(points, x, y, turn) for turn in turns), beyond

    def borders(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found = list(self._boxes(self.body.bounds()).reshape(-1, 3).T)
        normal = AXES[self.plane][2]
        found[normal] = self.body.borders()[normal]
        return found[0], found[1], found[2]

    def _origin(self) -> tuple[float, float, float]:
        return in_space(self.plane, (*self.centre, 0.0))

    def _turn(self, degrees: float) -> np.ndarray:
        """The rotation (3, 3) about the normal."""
        i, j, _ = AXES[self.plane]
        cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        matrix = np.eye(3)
        matrix[[i, i, j, j], [i, j, i, j]] = cosine, -sine, sine, cosine
        return matrix

    def _seen_from(self, points: np.ndarray, x: np.ndarray, y: np.ndarray, degrees: np.ndarray) -> np.ndarray:
        """Points as the copy that is turned by each point's own angle sees them; `x` and `y` are from the centre."""
        i, j, _ = AXES[self.plane]
        cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        view = points.copy()
        view[:, i], view[:, j] = cosine * x + sine * y, cosine * y - sine * x
        return view

    # --- other features from this one ---

    def moved(self, by: Similarity) -> "Polar":
        x, y, normal = AXES[self.plane]
        plane, swap = moved_plane(self.plane, by)
        centre = by.along(x, self.centre[0]), by.along(y, self.centre[1])
        level = tuple(value if axis == by.axes[normal] else 0.0 for axis, value in enumerate(by.shift))
        sense = _handedness(by) * by.signs[normal]
        angle = self.angle if self.full else sense * self.angle
        body = self.body.moved(Similarity(by.axes, by.signs, by.scale, level))
        return Polar(body, plane, centre[::-1] if swap else centre, self.count, sense * self.start + 0.0, angle)

    def single(self) -> Feature:
        return self.body.moved(Similarity(shift=self._origin()))

    def numbers(self) -> Numbers:
        i, j, _ = AXES[self.plane]
        body = self.single().numbers()

        def rebuild(values) -> Polar | None:
            found, centre = body.rebuild(values[:-2]), (float(values[-2]), float(values[-1]))
            if found is None:
                return None
            return Polar.around(found, self.plane, centre, self.count, self.start, self.angle)

        return Numbers((*body.slots, (CENTRE, i), (CENTRE, j)), (*body.values, *map(float, self.centre)), rebuild)

    def canonical(self) -> "Polar":
        """Counter-clockwise, with the smallest start; an even circle is a full one."""
        start, angle, step = self.start, self.angle, abs(self.step)
        if self.full or abs(step * self.count - FULL_TURN) < SAME_ANGLE:
            return self._canonical(start % step % step, FULL_TURN)
        if angle < 0:
            start, angle = start + angle, -angle
        return self._canonical(start % FULL_TURN % FULL_TURN, angle)

    def _canonical(self, start: float, angle: float) -> "Polar":
        return replace(self, body=self.body.canonical(), start=start, angle=angle)

    def rounded(self) -> "Polar | None":
        body, angle = self.body.rounded(), grid(self.angle, 0.5)
        if body is None or angle == 0:
            return None
        centre = grid(self.centre[0], 0.5), grid(self.centre[1], 0.5)
        return Polar(body, self.plane, centre, self.count, grid(self.start, 0.5), angle)

    # --- text ---

    def check(self) -> None:
        Copies.check(self)
        if self.count < 2 or not 0 < abs(self.angle) <= FULL_TURN:
            raise ValueError("a ring has two places at least, within a full turn")

    @property
    def base(self) -> NamedPlane:
        return NamedPlane(self.plane, self._origin())

    def built(self, write: Write) -> list[str]:
        numbers = ",".join(map(write, (0.0, self.start, self.angle, self.count)))
        return [f"polarArray({numbers})", each_call(self.local(), write)]

    def local(self) -> Feature:
        """The body in the coordinates of the workplane."""
        return self.body.moved(from_plane(self.plane).inverse())

    @classmethod
    def parsers(cls) -> dict[type, dict[str, Callable[..., "Polar"]]]:
        return {Ring: {"eachpoint": polar_of}}


def _sector(box: np.ndarray) -> tuple[float, float]:
    """Middle and half width, in degrees, of the sector of a box (2, 2) as seen from the origin."""
    if (box[0] <= 0).all() and (box[1] >= 0).all():
        return 0.0, FULL_TURN / 2
    x, y = np.meshgrid(*box.T)
    middle = math.degrees(math.atan2(*box.mean(axis=0)[::-1]))
    turns = np.degrees(np.arctan2(y, x)).ravel() - middle
    turns = (turns + 180.0) % FULL_TURN - 180.0
    return middle + float(turns.max() + turns.min()) / 2, float(np.ptp(turns)) / 2


def _outside_ring(radius: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Distance of points at `radius` (N,) from the ring that a box (2, 2) sweeps about the origin."""
    near = np.hypot(*np.maximum(np.maximum(box[0], -box[1]), 0.0))
    far = np.hypot(*np.abs(box).max(axis=0))
    return np.maximum(np.maximum(near - radius, radius - far), 0.0)


def _handedness(by: Similarity) -> int:
    """-1 for a reflection."""
    return 1 if np.linalg.det(by.matrix()) > 0 else -1


def polar_of(ring: Ring, arg, useLocalCoordinates=False, combine=False, clean=True) -> Polar:
    plane = ring.plane
    check_copies(arg, combine, useLocalCoordinates, plane)
    body = arg.moved(from_plane(plane.name, (ring.radius, 0.0, plane.offset)))
    return spelled(Polar(body, plane.name, plane.origin, ring.count, ring.start, ring.angle))
