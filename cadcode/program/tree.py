"""A CadQuery program as a value: features combined by union, cut and intersect.

This is the dialect of CAD-Recode (Rukhovich et al. 2024, arXiv:2412.14042) with `cut`, `intersect` and real numbers.
Numbers are in the program frame (the longest side of a part is 200, centred) unless a program was moved elsewhere.
"""

from dataclasses import dataclass

from cadcode.program.curve import Arc, Edge, Line, Point
from cadcode.program.feature import Feature
from cadcode.program.features.extrude import Extrude
from cadcode.program.outlines import Circle, Loop, Outline, Rect
from cadcode.program.place import AXES, PLANES
from cadcode.program.sketch import Face

__all__ = [
    "AXES",
    "OPERATIONS",
    "PLANES",
    "Arc",
    "Circle",
    "Edge",
    "Extrude",
    "Face",
    "Feature",
    "Line",
    "Loop",
    "Outline",
    "Point",
    "Program",
    "Rect",
    "Rejected",
    "Step",
]

OPERATIONS = ("union", "cut", "intersect")


@dataclass(frozen=True, slots=True)
class Step:
    operation: str
    body: Feature


@dataclass(frozen=True, slots=True)
class Program:
    """Bodies combined from left to right; the first step is always a union with nothing."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a text is no program of the dialect, and in which line (1-based, 0 where unknown)."""

    reason: str
    line: int = 0
