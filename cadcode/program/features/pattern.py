"""Patterns: one feature in a grid, in a ring, or with its mirror image. The numbers are count and spacing or angle."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from cadcode.program.arrays import FULL_TURN, Ring, Rows
from cadcode.program.copies import Copies, Isometry, nearest_copies
from cadcode.program.curve import Point
from cadcode.program.feature import Feature, Similarity, Solid, bounds_by_reach
from cadcode.program.normal_form import FINE, grid
from cadcode.program.numbers import CENTRE, RADIUS, SAME, Numbers
from cadcode.program.place import AXES, PLANE_OF_NORMAL, PLANES, NamedPlane, Placement
from cadcode.program.text.plain import Write
from cadcode.program.workplane import Outside, Plane, numbers_of

SAME_ANGLE = 1e-9  # degrees: angles this close are the same angle


@dataclass(frozen=True, slots=True)
class Grid(Copies):
    """Copies in rows along both directions of a plane; `body` is in the middle of the grid.

    A spacing whose count is 1 has no meaning.
    """

    kind: ClassVar[str] = "grid"
    word: ClassVar[str] = "grid"
    body: Feature
    plane: str
    counts: tuple[int, int]
    spacing: Point

    @property
    def count(self) -> int:
        return self.counts[0] * self.counts[1]

    def shared_axes(self) -> tuple[int, ...]:
        axes = AXES[self.plane]
        return (axes[2], *(axis for axis, count in zip(axes, self.counts, strict=False) if count == 1))

    # --- geometry ---

    def copies(self) -> list[Isometry]:
        i, j, _ = AXES[self.plane]
        across, along = self._offsets()
        shifts = np.zeros((len(across), len(along), 3))
        shifts[..., i], shifts[..., j] = np.meshgrid(across, along, indexing="ij")
        return [Isometry(np.eye(3), shift) for shift in shifts.reshape(-1, 3)]

    def near(self, points: np.ndarray) -> tuple[Iterable[np.ndarray], np.ndarray]:
        axes, box = AXES[self.plane], self.body.bounds()
        rows = [self._row(points[:, axes[way]], box[:, axes[way]], way) for way in (0, 1)]
        (first_x, size_x, gap_x), (first_y, size_y, gap_y) = rows
        out = _outside(points, self.bounds())[:, axes].T
        beyond = np.hypot(np.minimum(np.hypot(gap_x, out[1]), np.hypot(out[0], gap_y)), out[2])
        cells = ((first_x + a, first_y + b) for a in range(size_x) for b in range(size_y))
        return (self._seen_from(points, cell) for cell in cells), beyond

    def borders(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found = list(self.body.borders())
        for axis, offsets in zip(AXES[self.plane], self._offsets(), strict=False):
            found[axis] = np.add.outer(found[axis], offsets).ravel()
        return found[0], found[1], found[2]

    def _offsets(self) -> list[np.ndarray]:
        """Places of the copies along both directions, from the middle."""
        pairs = zip(self.counts, self.spacing, strict=True)
        return [(np.arange(count) - (count - 1) / 2) * spacing for count, spacing in pairs]

    def _row(self, places: np.ndarray, ends: np.ndarray, way: int) -> tuple[np.ndarray, int, np.ndarray]:
        """`nearest_copies` along one direction; the gap is a length."""
        count, spacing = self.counts[way], self.spacing[way]
        if count == 1:
            return np.zeros(len(places)), 1, np.full(len(places), np.inf)
        at = (places - ends.mean()) / spacing + (count - 1) / 2
        first, size, gap = nearest_copies(at, float(ends[1] - ends[0]) / 2 / spacing, count)
        return first, size, gap * spacing

    def _seen_from(self, points: np.ndarray, cell: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Points as the copy of each point's own `cell` sees them."""
        view = points.copy()
        for axis, index, count, spacing in zip(AXES[self.plane], cell, self.counts, self.spacing, strict=False):
            view[:, axis] -= (index - (count - 1) / 2) * spacing
        return view

    # --- other features from this one ---

    def moved(self, by: Similarity) -> "Grid":
        plane, swap = _moved_plane(self.plane, by)
        counts, spacing = self.counts, (self.spacing[0] * by.scale, self.spacing[1] * by.scale)
        if swap:
            counts, spacing = counts[::-1], spacing[::-1]
        return Grid(self.body.moved(by), plane, counts, spacing)

    def numbers(self) -> Numbers:
        body = self.body.numbers()
        ways = [way for way in (0, 1) if self.counts[way] > 1]
        size = len(body.values)

        def rebuild(values) -> Grid | None:
            spacing = list(self.spacing)
            for way, value in zip(ways, values[size:], strict=True):
                spacing[way] = float(value)
            found = body.rebuild(values[:size])
            if found is None or min(values[size:]) <= SAME:
                return None
            return Grid(found, self.plane, self.counts, (spacing[0], spacing[1]))

        slots = (*body.slots, *((RADIUS, -1) for _ in ways))
        return Numbers(slots, (*body.values, *(float(self.spacing[way]) for way in ways)), rebuild)

    def canonical(self) -> "Grid":
        """A single row runs along the x of its plane."""
        body, (nx, ny), (dx, dy) = self.body.canonical(), self.counts, self.spacing
        if nx == 1:
            return Grid(body, PLANES[AXES[self.plane][1]], (ny, 1), (dy, 0.0))
        return Grid(body, self.plane, self.counts, (dx, dy if ny > 1 else 0.0))

    def rounded(self) -> "Grid | None":
        body = self.body.rounded()
        spacing = tuple(grid(value, 0.5 if value < FINE else 1.0) for value in self.spacing)
        if body is None or not _spaced(self.counts, spacing):
            return None
        return Grid(body, self.plane, self.counts, spacing)

    # --- text ---

    def check(self) -> None:
        Copies.check(self)
        if self.count < 2 or not _spaced(self.counts, self.spacing):
            raise ValueError("a grid has two places at least, apart from each other")

    @property
    def base(self) -> NamedPlane:
        return NamedPlane(self.plane)

    def built(self, write: Write) -> list[str]:
        numbers = ",".join(map(write, (*self.spacing, *self.counts)))
        return [f"rarray({numbers})", _each(self.local(), write)]

    def local(self) -> Feature:
        """The body in the coordinates of the plane."""
        return self.body.moved(_from_plane(self.plane).inverse())

    @classmethod
    def parsers(cls) -> dict[type, dict[str, Callable[..., "Grid"]]]:
        return {Rows: {"eachpoint": grid_of}}


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
        shift = _in_space(plane, (-centre[0], -centre[1], 0.0))
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
        beyond = np.hypot(across, _outside(points, box)[:, k])
        turns = (self.start + (first + index) * self.step for index in range(size))
        return (self._seen_from(points, x, y, turn) for turn in turns), beyond

    def borders(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found = list(self._boxes(self.body.bounds()).reshape(-1, 3).T)
        normal = AXES[self.plane][2]
        found[normal] = self.body.borders()[normal]
        return found[0], found[1], found[2]

    def _origin(self) -> tuple[float, float, float]:
        return _in_space(self.plane, (*self.centre, 0.0))

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
        plane, swap = _moved_plane(self.plane, by)
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
        return [f"polarArray({numbers})", _each(self.local(), write)]

    def local(self) -> Feature:
        """The body in the coordinates of the workplane."""
        return self.body.moved(_from_plane(self.plane).inverse())

    @classmethod
    def parsers(cls) -> dict[type, dict[str, Callable[..., "Polar"]]]:
        return {Ring: {"eachpoint": polar_of}}


@dataclass(frozen=True, slots=True)
class Mirrored(Copies):
    """A body and its mirror image; the mirror is parallel to `plane`, at `level` along its normal."""

    kind: ClassVar[str] = "mirrored"
    on_any_plane: ClassVar[bool] = False  # mirrors are along the axes
    word: ClassVar[str] = "pair"
    count: ClassVar[int] = 2
    body: Feature
    plane: str
    level: float

    @property
    def normal(self) -> int:
        """The world axis across the mirror."""
        return AXES[self.plane][2]

    def shared_axes(self) -> tuple[int, ...]:
        return AXES[self.plane][:2]

    # --- geometry ---

    def copies(self) -> list[Isometry]:
        image = self._reflection()
        return [Isometry(np.eye(3), np.zeros(3)), Isometry(image.matrix(), np.array(image.shift))]

    def borders(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found = list(self.body.borders())
        found[self.normal] = np.concatenate([found[self.normal], 2 * self.level - found[self.normal]])
        return found[0], found[1], found[2]

    def _reflection(self) -> Similarity:
        return _reflection(self.normal, self.level)

    # --- other features from this one ---

    def moved(self, by: Similarity) -> "Mirrored":
        plane, _ = _moved_plane(self.plane, by)
        return Mirrored(self.body.moved(by), plane, by.along(self.normal, self.level))

    def numbers(self) -> Numbers:
        body = self.body.numbers()

        def rebuild(values) -> Mirrored | None:
            found = body.rebuild(values[:-1])
            return None if found is None else Mirrored(found, self.plane, float(values[-1]))

        return Numbers((*body.slots, (CENTRE, self.normal)), (*body.values, float(self.level)), rebuild)

    def canonical(self) -> "Mirrored":
        """The body is the image on the upper side."""
        below = self.body.bounds()[:, self.normal].mean() < self.level - SAME
        body = self.body.moved(self._reflection()) if below else self.body
        return replace(self, body=body.canonical())

    def rounded(self) -> "Mirrored | None":
        body = self.body.rounded()
        return None if body is None else Mirrored(body, self.plane, grid(self.level, 0.5))

    # --- text ---

    @property
    def base(self) -> NamedPlane | Placement:
        return self.body.base

    def built(self, write: Write) -> list[str]:
        at = _in_space(self.plane, (0.0, 0.0, self.level))
        point = f"({','.join(map(write, at))})," if self.level else ""
        return [*self.body.built(write), f"mirror('{self.plane}',{point}union=True)"]

    @classmethod
    def parsers(cls) -> dict[type, dict[str, Callable[..., Feature]]]:
        return {Feature: {"mirror": mirror}}


# --- geometry --------------------------------------------------------------------------------------------------------


def _outside(points: np.ndarray, box: np.ndarray) -> np.ndarray:
    """How far points (N, 3) are outside a box (2, 3) along each axis, (N, 3)."""
    return np.maximum(np.maximum(box[0] - points, points - box[1]), 0.0)


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


def _from_plane(plane: str, shift: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Similarity:
    """From the coordinates of a plane to space; `shift` is in the coordinates of the plane."""
    return Similarity(AXES[plane], shift=_in_space(plane, shift))


def _in_space(plane: str, local: tuple[float, float, float]) -> tuple[float, float, float]:
    """World coordinates of a vector that is given along the x, y and normal of a plane."""
    found = dict(zip(AXES[plane], local, strict=True))
    return found[0], found[1], found[2]


def _moved_plane(plane: str, by: Similarity) -> tuple[str, bool]:
    """The image of a plane, and whether its x and y are exchanged."""
    x, _, normal = AXES[plane]
    image = PLANE_OF_NORMAL[by.axes[normal]]
    return image, AXES[image][0] != by.axes[x]


def _handedness(by: Similarity) -> int:
    """-1 for a reflection."""
    return 1 if np.linalg.det(by.matrix()) > 0 else -1


def _reflection(normal: int, level: float) -> Similarity:
    signs, shift = [1, 1, 1], [0.0, 0.0, 0.0]
    signs[normal], shift[normal] = -1, 2 * level
    return Similarity(signs=(signs[0], signs[1], signs[2]), shift=(shift[0], shift[1], shift[2]))


def _spaced(counts: tuple[int, int], spacing: tuple[float, ...]) -> bool:
    """Whether the copies are apart wherever there are several."""
    return all(value > 0 for count, value in zip(counts, spacing, strict=True) if count > 1)


# --- text ------------------------------------------------------------------------------------------------------------


def _each(body: Feature, write: Write) -> str:
    """The call that unites copies of a body, which is in the workplane's coordinates, at all its places."""
    return f"eachpoint(cq.{'.'.join(body.calls(write))},True,'a')"


def grid_of(rows: Rows, arg, useLocalCoordinates=False, combine=False, clean=True) -> Grid:
    plane = rows.plane
    _check_copies(arg, combine, useLocalCoordinates, plane)
    body = arg.moved(_from_plane(plane.name, (*plane.origin, plane.offset)))
    return _spelled(Grid(body, plane.name, rows.counts, rows.spacing))


def polar_of(ring: Ring, arg, useLocalCoordinates=False, combine=False, clean=True) -> Polar:
    plane = ring.plane
    _check_copies(arg, combine, useLocalCoordinates, plane)
    body = arg.moved(_from_plane(plane.name, (ring.radius, 0.0, plane.offset)))
    return _spelled(Polar(body, plane.name, plane.origin, ring.count, ring.start, ring.angle))


def mirror(body: Feature, mirrorPlane="XY", basePointVector=(0.0, 0.0, 0.0), union=False) -> Feature:
    """The body with its mirror image, or (not `union`) the image alone."""
    names = {"".join(sorted(plane)): plane for plane in PLANES}
    plane = names.get("".join(sorted(mirrorPlane))) if isinstance(mirrorPlane, str) else None
    if plane is None:
        raise Outside("mirror takes the name of a plane")
    found = Mirrored(body, plane, numbers_of(basePointVector, 3, "a base point")[AXES[plane][2]])
    return _spelled(found) if union is True else body.moved(_reflection(found.normal, found.level))


def _check_copies(body, combine, local, plane: Plane) -> None:
    """Raise Outside where `eachpoint` does not make one solid of copies about the origin of the plane."""
    if not isinstance(body, Solid):
        raise Outside("eachpoint takes a solid")
    if combine not in (True, "a"):
        raise Outside("eachpoint leaves its copies apart: combine='a' unites them")
    if local is not True and (plane.name != "XY" or any(plane.origin) or plane.place):
        raise Outside("eachpoint on a plane of its own needs useLocalCoordinates=True")


def _spelled(pattern):
    """The pattern, if its own text can say it."""
    try:
        pattern.check()
    except ValueError as problem:
        raise Outside(str(problem)) from None
    return pattern
