"""The three frames, and the only place that converts between them.

world:   the user's file, its units and position.
model:   the centre of the part's box at 0, its longest side 2, so coordinates lie in [-1, 1].
program: model x 100, what the networks write (integers -100..100).
"""

from dataclasses import dataclass

import numpy as np

from cadcode.units import PROGRAM_UNITS


def model_to_program(points):
    """Points (..., 3) of the model frame in program units."""
    return np.asarray(points, dtype=np.float64) * PROGRAM_UNITS


def program_to_model(points):
    """Points (..., 3) of the program frame in model units."""
    return np.asarray(points, dtype=np.float64) / PROGRAM_UNITS


@dataclass(frozen=True, eq=False)
class Frame:
    """Position and size of a part: `centre` (3,) in world units, `scale` in world units per model unit."""

    centre: np.ndarray
    scale: float

    def __post_init__(self):
        centre = np.array(self.centre, dtype=np.float64)
        if centre.shape != (3,) or not np.isfinite(centre).all():
            raise ValueError("the centre of a frame is three finite numbers")
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"the scale of a frame is a positive number, not {self.scale}")
        object.__setattr__(self, "centre", centre)
        object.__setattr__(self, "scale", float(self.scale))

    @classmethod
    def around(cls, bounds) -> "Frame":
        """The frame of a box: `bounds` (2, 3), its lowest and highest corner; ValueError for an empty box."""
        low, high = np.asarray(bounds, dtype=np.float64)
        return cls(low + (high - low) / 2, float((high - low).max()) / 2)

    @property
    def program_scale(self) -> float:
        """World units per program unit."""
        return self.scale / PROGRAM_UNITS

    def to_model(self, points):
        """World points (..., 3) in the model frame, float64."""
        return (np.asarray(points, dtype=np.float64) - self.centre) / self.scale

    def to_world(self, points):
        """Model points (..., 3) in the world frame, float64."""
        return np.asarray(points, dtype=np.float64) * self.scale + self.centre

    def to_program(self, points):
        """World points (..., 3) in the program frame, float64."""
        return (np.asarray(points, dtype=np.float64) - self.centre) / self.program_scale

    def program_to_world(self, points):
        """Program points (..., 3) in the world frame, float64."""
        return np.asarray(points, dtype=np.float64) * self.program_scale + self.centre

    def program_to_world_transform(self) -> tuple[float, np.ndarray]:
        """(scale, translation (3,)): world = scale * program + translation, for solids that are moved as a whole."""
        return self.program_scale, self.centre.copy()
