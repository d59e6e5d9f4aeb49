"""Sheet of program renderings, drawn from surface samples without a CAD kernel."""

import numpy as np

from cadcode.program.surface import sample_surface
from cadcode.program.tree import Program
from cadcode.report.picture import RESULT_COLOUR, render, sheet

POINTS = 60_000  # enough for almost no gaps at SIZE
SIZE = 144  # pixels
VIEWER = (1, 1, 1)
LIGHT = np.array((0.3, 0.52, 0.8))  # direction to the light, world frame
AMBIENT, BRIGHT = 0.45, 0.7  # sum below 1.18, since points are drawn at a brightness of 0.85


def program_picture(program: Program, rng: np.random.Generator, size: int = SIZE) -> np.ndarray:
    """Image (size, size, 3) uint8 of the solid from direction (1, 1, 1), shaded by normals.

    Raises EmptySolid as `sample_surface` does.
    """
    points, normals = sample_surface(program, POINTS, rng)
    front = normals @ VIEWER > 0  # back faces would be visible through gaps
    brightness = AMBIENT + BRIGHT * np.clip(normals[front] @ LIGHT, 0, 1)
    return render([(points[front], None, brightness[:, None] * RESULT_COLOUR)], size, VIEWER)


def program_sheet(programs: list[Program], rng: np.random.Generator, columns: int = 8) -> np.ndarray:
    """Sheet (H, W, 3) uint8 of program images in rows of `columns`."""
    return sheet([program_picture(program, rng) for program in programs], columns)
