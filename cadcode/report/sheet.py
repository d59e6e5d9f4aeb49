"""A picture sheet of programs, drawn from points on their surface: no CAD kernel."""

import numpy as np

from cadcode.program.surface import sample_surface
from cadcode.program.syntax import Program
from cadcode.report.picture import RESULT_COLOUR, render, sheet

POINTS = 30_000  # enough to leave no gaps at SIZE
SIZE = 144  # pixels
LIGHT = np.array((0.45, 0.2, 0.87))  # world, to the light
AMBIENT = 0.35


def program_picture(program: Program, rng: np.random.Generator, size: int = SIZE) -> np.ndarray:
    """The solid from above its corner, shaded by the points' normals. (size, size, 3) uint8

    Raises EmptySolid as `sample_surface` does.
    """
    points, normals = sample_surface(program, POINTS, rng)
    brightness = AMBIENT + (1 - AMBIENT) * np.clip(normals @ LIGHT, 0, 1)
    return render([(points, None, brightness[:, None] * RESULT_COLOUR)], size)


def program_sheet(programs: list[Program], rng: np.random.Generator, columns: int = 8) -> np.ndarray:
    """Pictures of programs in rows of `columns`. (H, W, 3) uint8"""
    return sheet([program_picture(program, rng) for program in programs], columns)
