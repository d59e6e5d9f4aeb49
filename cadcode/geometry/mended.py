"""A mesh on its way through the repairs, and how places are written in notes."""

from dataclasses import dataclass, replace

import numpy as np

from cadcode.geometry.cleaning import count_of
from cadcode.geometry.mesh import closed_by_edges

MOST_NAMED = 3  # places named in a note


@dataclass(frozen=True, eq=False)
class Mended:
    """`vertices` (V, 3), `faces` (F, 3), whether they are `closed`, and the notes of every step so far."""

    vertices: np.ndarray
    faces: np.ndarray
    closed: bool
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def then(self, vertices, faces, notes=(), warnings=()) -> "Mended":
        """After one more step; `warnings` are notes, too."""
        closed = self.closed if faces is self.faces else closed_by_edges(faces, len(vertices))[0]
        notes = self.notes + tuple(notes) + tuple(warnings)
        return Mended(vertices, faces, closed, notes, self.warnings + tuple(warnings))

    def with_arrays(self, vertices, faces) -> "Mended":
        """The same surface under other numbers."""
        return replace(self, vertices=vertices, faces=faces)

    def warned(self, notes: tuple[str, ...]) -> "Mended":
        """The same with some of its notes as warnings."""
        return replace(self, warnings=self.warnings + notes)


def named(one: str, several: str, groups: list[np.ndarray]) -> str:
    """A count in words with the size and place of the largest groups of points (N, 3)."""
    largest = sorted(groups, key=lambda points: -float(np.ptp(points, axis=0).max()))
    places = ", ".join(_place_of(points) for points in largest[:MOST_NAMED])
    more = f" and {len(groups) - MOST_NAMED} more" if len(groups) > MOST_NAMED else ""
    return f"{count_of(len(groups), one, several)} of {places}{more}"


def _place_of(points: np.ndarray) -> str:
    """Size and centre of the box around points (N, 3), in words."""
    low, high = points.min(axis=0), points.max(axis=0)
    span = float(np.abs(np.stack([low, high])).max()) or 1.0
    size = " x ".join(_short(side, span) for side in high - low)
    return f"{size} at ({', '.join(_short(number, span) for number in (low + high) / 2)})"


def _short(number: float, span: float) -> str:
    return f"{0.0 if abs(number) < 1e-4 * span else float(number):.4g}"
