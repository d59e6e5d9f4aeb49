"""Columns of a table of points: by the names in a header, else by their numbers."""

import re
from dataclasses import dataclass

import numpy as np

from cadcode.geometry.cleaning import Refused

UNIT_WORDS = {
    "micron": ("um", "µm", "μm", "micron", "microns", "micrometer", "micrometre"),
    "mm": ("mm", "millimeter", "millimeters", "millimetre", "millimetres"),
    "cm": ("cm", "centimeter", "centimeters", "centimetre", "centimetres"),
    "m": ("m", "meter", "meters", "metre", "metres"),
    "inch": ("in", "inch", "inches"),
    "foot": ("ft", "foot", "feet"),
}
UNIT_OF = {word: unit for unit, words in UNIT_WORDS.items() for word in words}
UNIT_SAID = re.compile(r"\bunits?\s*[:=]\s*([a-zµμ]+)")
UNIT_AT_THE_END = re.compile(r"[\s_\[(/]+([a-zµμ]+)[\])]?$")
BRACKETS = re.compile(r"[\[(].*[\])]")
AXIS = re.compile(r"(?:p|pos|position|pt|points?|coords?|cartesian)?([xyz])(?:coord|coordinate|pos|position)?")
NORMAL = re.compile(r"(?:n|norm|normal|normals)([xyz012])")
OTHER_NAMES = {
    "easting": "x",
    "east": "x",
    "points0": "x",
    "northing": "y",
    "north": "y",
    "points1": "y",
    "elevation": "z",
    "elev": "z",
    "height": "z",
    "altitude": "z",
    "points2": "z",
}
LONGEST_NAME, LONGEST_LINE = 80, 2000
FEWEST_ROWS = 10  # that show whether a column counts the rows
SAMPLED = 1000  # rows, evenly spaced, by which columns are guessed


@dataclass(frozen=True)
class Columns:
    """Places of x, y, z and perhaps of the normal's three, counted from 0."""

    places: tuple[int, ...]
    unit: str | None = None
    notes: tuple[str, ...] = ()


def asked(numbers: tuple[int, ...], width: int) -> Columns:
    """The columns that the user names, counted from 1; Refused where the table has fewer."""
    if len(numbers) not in (3, 6) or min(numbers) < 1:
        raise Refused(f"cannot use the columns {_listed(numbers)}", "name 3 or 6 columns, counted from 1")
    if max(numbers) > width:
        raise Refused(f"has {width} columns, not {max(numbers)}", "name columns that it has, counted from 1")
    return Columns(tuple(number - 1 for number in numbers))


def _listed(numbers) -> str:
    return ", ".join(map(str, numbers))


def by_names(names: list[str]) -> Columns | None:
    """The columns of a header's `names`; None unless they name x, y and z."""
    places, units = {}, set()
    for place, name in enumerate(names):
        axis, unit = axis_of(name)
        if axis is not None and axis not in places:
            places[axis] = place
            units |= {unit} if axis in "xyz" else set()
    if not {"x", "y", "z"} <= places.keys():
        return None
    wanted = ["x", "y", "z"] + (["nx", "ny", "nz"] if {"nx", "ny", "nz"} <= places.keys() else [])
    return Columns(tuple(places[axis] for axis in wanted), units.pop() if len(units) == 1 else None)


def axis_of(name: str) -> tuple[str | None, str | None]:
    """('x', 'mm') of 'X [mm]'; axes are x, y, z, nx, ny, nz; None for what is not said."""
    name = name[:LONGEST_NAME].strip().strip("\"'").strip().lower()
    match = UNIT_AT_THE_END.search(name)
    unit = UNIT_OF.get(match[1]) if match else None
    plain = re.sub(r"[^a-z0-9]", "", name[: match.start()] if unit else BRACKETS.sub("", name))
    if plain in OTHER_NAMES:
        return OTHER_NAMES[plain], unit
    if match := AXIS.fullmatch(plain):
        return match[1], unit
    if match := NORMAL.fullmatch(plain):
        return "n" + match[1].translate(str.maketrans("012", "xyz")), None
    return None, None


def unit_said(lines: list[str]) -> str | None:
    """The unit of a line like '# unit: inch', where the lines say one and only one."""
    words = {word for line in lines for word in UNIT_SAID.findall(line[:LONGEST_LINE].lower())}
    units = {UNIT_OF.get(word) for word in words}
    return units.pop() if len(units) == 1 else None


def by_numbers(values, stride: int) -> Columns:
    """The columns of a table without names, by every `stride`-th row of its numbers, (M, C).

    A first column that counts the rows is no coordinate, and neither are three columns of colours before coordinates.
    """
    first, notes = 0, ()
    width = values.shape[1]
    if width >= 4 and counts_rows(values[:, 0], stride):
        first, notes = 1, ("the first column counts the points and was skipped",)
    if width >= first + 6 and are_colours(values[:, first : first + 6]):
        first += 3
        notes += ("three columns of whole numbers from 0 to 255 before the coordinates were skipped as colours",)
    return Columns(tuple(range(first, first + (6 if width >= first + 6 else 3))), notes=notes)


def counts_rows(column, stride: int) -> bool:
    """Whether a column (M,) rises by one a row."""
    return len(column) >= FEWEST_ROWS and bool((np.diff(column) == stride).all() and column[0] % 1 == 0)


def are_colours(six) -> bool:
    """Whether the first three of six columns (M, 6) are colours and the others coordinates: no colours, no normals."""
    colours, others = six[:, :3], six[:, 3:]
    others = others[np.isfinite(others).all(axis=1)]
    if len(others) < FEWEST_ROWS:
        return False
    whole = ((colours % 1 == 0) & (colours >= 0) & (colours <= 255)).all()
    unit = np.abs(np.linalg.norm(others, axis=1) - 1) < 0.01
    return bool(whole and (others % 1 != 0).any() and np.abs(others).max() > 1 and not unit.mean() > 0.5)


def stride_of(rows: int) -> int:
    """The step that leaves about `SAMPLED` of the rows."""
    return max(1, rows // SAMPLED)
