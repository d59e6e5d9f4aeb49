"""Grids: one feature in rows along two directions. The numbers are counts and spacings."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cadcode.program.arrays import Rows
from cadcode.program.copies import Copies, Isometry, nearest_copies
from cadcode.program.curve import Point
from cadcode.program.feature import Feature, Similarity
from cadcode.program.normal_form import FINE, grid
from cadcode.program.numbers import RADIUS, SAME, Numbers
from cadcode.program.place import AXES, PLANES, NamedPlane
from cadcode.program.repeating import check_copies, each_call, from_plane, moved_plane, outside_box, spelled
from cadcode.program.text.plain import Write


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
        out = outside_box(points, self.bounds())[:, axes].T
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
        plane, swap = moved_plane(self.plane, by)
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
        return [f"rarray({numbers})", each_call(self.local(), write)]

    def local(self) -> Feature:
        """The body in the coordinates of the plane."""
        return self.body.moved(from_plane(self.plane).inverse())

    @classmethod
    def parsers(cls) -> dict[type, dict[str, Callable[..., "Grid"]]]:
        return {Rows: {"eachpoint": grid_of}}


def _spaced(counts: tuple[int, int], spacing: tuple[float, ...]) -> bool:
    """Whether the copies are apart wherever there are several."""
    return all(value > 0 for count, value in zip(counts, spacing, strict=True) if count > 1)


def grid_of(rows: Rows, arg, useLocalCoordinates=False, combine=False, clean=True) -> Grid:
    plane = rows.plane
    check_copies(arg, combine, useLocalCoordinates, plane)
    body = arg.moved(from_plane(plane.name, (*plane.origin, plane.offset)))
    return spelled(Grid(body, plane.name, rows.counts, rows.spacing))
