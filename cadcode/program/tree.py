"""A CadQuery program as a value: prisms over sketches, combined by union, cut and intersect.

This is the dialect of CAD-Recode (Rukhovich et al. 2024, arXiv:2412.14042) with `cut`, `intersect` and real numbers.
Numbers are in the program frame (the longest side of a part is 200, centred) unless a program was moved elsewhere.
A box is a prism over one `Rect`, a cylinder a prism over one `Circle`: one shape, one tree.
"""

from dataclasses import dataclass

Point = tuple[float, float]

PLANES = ("XY", "YZ", "ZX")
# World axes of a plane's local x, y and normal. CadQuery's named planes; each is a cyclic shift of (x, y, z).
AXES = {"XY": (0, 1, 2), "YZ": (1, 2, 0), "ZX": (2, 0, 1)}
OPERATIONS = ("union", "cut", "intersect")


@dataclass(frozen=True, slots=True)
class Line:
    end: Point


@dataclass(frozen=True, slots=True)
class Arc:
    """A circular arc from the previous point through `middle` to `end`."""

    middle: Point
    end: Point


Edge = Line | Arc


@dataclass(frozen=True, slots=True)
class Loop:
    """A closed outline: the last edge ends at `start` (also where the text leaves the last line to `close()`)."""

    start: Point
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Circle:
    centre: Point
    radius: float


@dataclass(frozen=True, slots=True)
class Rect:
    centre: Point
    width: float
    height: float


Outline = Loop | Circle | Rect


@dataclass(frozen=True, slots=True)
class Face:
    """One outline of a sketch, added to the faces before it or (`subtract`) taken away from them."""

    outline: Outline
    subtract: bool = False


@dataclass(frozen=True, slots=True)
class Extrude:
    """A prism: the sketch on `plane`, moved by `offset` along the normal, extruded by `height` (may be negative)."""

    plane: str
    offset: float
    height: float
    faces: tuple[Face, ...]


@dataclass(frozen=True, slots=True)
class Step:
    operation: str
    body: Extrude


@dataclass(frozen=True, slots=True)
class Program:
    """Bodies combined from left to right; the first step is always a union with nothing."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a text is no program of the dialect, and in which line (1-based, 0 where unknown)."""

    reason: str
    line: int = 0
