"""A picture sheet of programs, drawn from points on their surface: no CAD kernel."""

import numpy as np

from cadcode.program.surface import sample_surface
from cadcode.program.tree import Program
from cadcode.report.picture import RESULT_COLOUR, render, sheet

POINTS = 60_000  # enough to leave next to no gaps at SIZE
SIZE = 144  # pixels
VIEWER = (1, 1, 1)
LIGHT = np.array((0.3, 0.52, 0.8))  # world, to the light
AMBIENT, BRIGHT = 0.45, 0.7  # together below the 1.18 that points in front, drawn at 0.85, can bear


def program_picture(program: Program, rng: np.random.Generator, size: int = SIZE) -> np.ndarray:
    """The solid from above its corner, shaded by the points' normals. (size, size, 3) uint8

    Raises EmptySolid as `sample_surface` does.
    """
    points, normals = sample_surface(program, POINTS, rng)
    front = normals @ VIEWER > 0  # those behind would show through the gaps
    brightness = AMBIENT + BRIGHT * np.clip(normals[front] @ LIGHT, 0, 1)
    return render([(points[front], None, brightness[:, None] * RESULT_COLOUR)], size, VIEWER)


def program_sheet(programs: list[Program], rng: np.random.Generator, columns: int = 8) -> np.ndarray:
    """Pictures of programs in rows of `columns`. (H, W, 3) uint8"""
    return sheet([program_picture(program, rng) for program in programs], columns)
