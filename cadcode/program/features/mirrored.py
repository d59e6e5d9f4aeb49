"""Mirrored features: one feature and its mirror image."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from cadcode.program.copies import Copies, Isometry
from cadcode.program.feature import Feature, Similarity
from cadcode.program.normal_form import grid
from cadcode.program.numbers import CENTRE, SAME, Numbers
from cadcode.program.place import AXES, PLANES, NamedPlane, Placement
from cadcode.program.repeating import in_space, moved_plane, spelled
from cadcode.program.text.plain import Write
from cadcode.program.workplane import Outside, numbers_of


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
        plane, _ = moved_plane(self.plane, by)
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
        at = in_space(self.plane, (0.0, 0.0, self.level))
        point = f"({','.join(map(write, at))})," if self.level else ""
        return [*self.body.built(write), f"mirror('{self.plane}',{point}union=True)"]

    @classmethod
    def parsers(cls) -> dict[type, dict[str, Callable[..., Feature]]]:
        return {Feature: {"mirror": mirror}}


def _reflection(normal: int, level: float) -> Similarity:
    signs, shift = [1, 1, 1], [0.0, 0.0, 0.0]
    signs[normal], shift[normal] = -1, 2 * level
    return Similarity(signs=(signs[0], signs[1], signs[2]), shift=(shift[0], shift[1], shift[2]))


def mirror(body: Feature, mirrorPlane="XY", basePointVector=(0.0, 0.0, 0.0), union=False) -> Feature:
    """The body with its mirror image, or (not `union`) the image alone."""
    names = {"".join(sorted(plane)): plane for plane in PLANES}
    plane = names.get("".join(sorted(mirrorPlane))) if isinstance(mirrorPlane, str) else None
    if plane is None:
        raise Outside("mirror takes the name of a plane")
    found = Mirrored(body, plane, numbers_of(basePointVector, 3, "a base point")[AXES[plane][2]])
    return spelled(found) if union is True else body.moved(_reflection(found.normal, found.level))
