"""Text tables: rows of numbers in text, and which of their columns are coordinates."""

import re
from dataclasses import dataclass

import numpy as np

from cadcode.geometry.cleaning import Refused, count_of
from cadcode.geometry.io.text import as_text
from cadcode.geometry.io.units import UNIT_OF

SEPARATORS = (";", "\t", ",", None)  # None: any white space. A comma comes late: it may be a decimal comma
COMMENTS = ("#", "//", "%", "!")
HEADER_LINES = 100  # before the first row
WIDEST = 2000  # characters of a line that are looked at for its columns
QUOTED = re.compile(r'"([^"\r\n]*)"')
IN_QUOTES = str.maketrans(";,\t #%", "______")
NO_BRACKETS = str.maketrans("[](){}", "      ")
PLAIN_SIGNS = ("\u2212", "-"), ("\u00a0", " "), ("\u202f", " ")
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
DOTTED_THOUSANDS = re.compile(r"(?<=\d)\.(?=\d{3}(?!\d))")
FORTRAN = re.compile(r"(?<=[\d.])[dD](?=[+-]?\d)")
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
class Text:
    """`header` are the lines before the first row as they are written, `rows` what follows without comments."""

    header: list[str]
    rows: list[str]
    separator: str | None
    notes: tuple[str, ...] = ()

    def fields(self, row: str) -> list[str]:
        return row[:WIDEST].split(self.separator)


def decode(data: bytes) -> tuple[str, tuple[str, ...]]:
    """(text, notes). Raises Refused for data that is not text."""
    text, notes = as_text(data)
    whole = text.rstrip(b"\0")
    if b"\0" in whole:
        raise Refused("is not text (it has zero bytes)", "check the file and its suffix")
    lost = len(text) - len(whole)
    notes += (f"ignored {count_of(lost, 'zero byte')} at the end",) if lost else ()
    return whole.decode("utf-8", errors="replace"), notes


def lines_of(text: str) -> list[str]:
    """The lines that hold something, with plain minus signs and spaces."""
    for sign, plain in PLAIN_SIGNS:
        text = text.replace(sign, plain)
    return [line for line in text.splitlines() if line.strip()]


def unquoted(text: str) -> tuple[str, tuple[str, ...]]:
    """(text, notes) without quotes: separators inside of them go, commas in numbers become points or go."""
    if '"' not in text:
        return text, ()
    numbers = [field for field in QUOTED.findall(text) if "," in field and is_number(field.replace(",", ""), ",")]
    thousands = bool(numbers) and _in_thousands(numbers, text)
    comma = "" if thousands else "."

    def plain(match: re.Match) -> str:
        field = match[1].strip()
        if "," in field and is_number(field.replace(",", ""), ","):
            return field.replace(",", comma)
        return field.translate(IN_QUOTES)

    return QUOTED.sub(plain, text), ("commas in numbers were read as separators of thousands",) if thousands else ()


def _in_thousands(numbers: list[str], text: str) -> bool:
    """Whether commas in quoted `numbers` separate thousands: each before three digits, and points are decimal."""
    grouped = all(re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", number.strip()) for number in numbers)
    return grouped and re.search(r"\d\.\d", text) is not None


def split(lines: list[str]) -> Text:
    """Header and rows of `lines`; Refused where no row has three numbers."""
    start, separator = first_row(lines)
    rows = [line for line in lines[start:] if not line.lstrip().startswith(COMMENTS)]
    if any("#" in row for row in rows):
        rows = [row.partition("#")[0] for row in rows]
    rows, notes = _plain_rows(rows, separator)
    return Text(lines[:start], rows, separator, notes)


def first_row(lines: list[str]) -> tuple[int, str | None]:
    """(number of the first row, its separator): three numbers or more, at the same places as in a row after it."""
    found = None
    for number, line in enumerate(lines[:HEADER_LINES]):
        if line.lstrip().startswith(COMMENTS):
            continue
        for separator in SEPARATORS:
            places = number_places(line, separator)
            if len(places) < 3:
                continue
            found = found or (number, separator)
            after = lines[number + 1 : number + 4]
            if not after or any(number_places(other, separator) == places for other in after):
                return number, separator
    if found is None:
        raise Refused("has no row with three numbers", "give one point a row: x y z")
    return found


def number_places(line: str, separator: str | None) -> list[int]:
    fields = line[:WIDEST].translate(NO_BRACKETS).split(separator)
    return [place for place, field in enumerate(fields) if is_number(field, separator)]


def is_number(field: str, separator: str | None) -> bool:
    """Whether a field is a number; a comma in it is decimal or separates thousands unless it is the separator."""
    field = FORTRAN.sub("e", field.strip())
    if separator != "," and "," in field:
        field = field.replace(",", "" if "." in field else ".")
        field = field if field.count(".") <= 1 else field.replace(".", "")
    try:
        float(field)
    except ValueError:
        return False
    return "_" not in field


def _plain_rows(rows: list[str], separator: str | None) -> tuple[list[str], tuple[str, ...]]:
    """(rows with decimal points and exponents of e, without brackets, notes)."""
    sample, notes = rows[:HEADER_LINES], ()
    if any(row[:WIDEST] != row[:WIDEST].translate(NO_BRACKETS) for row in sample):
        rows = [row.translate(NO_BRACKETS) for row in rows]
    if any(FORTRAN.search(row[:WIDEST]) for row in sample):
        rows = [FORTRAN.sub("e", row) for row in rows]
    if separator != "," and any("," in row for row in rows):
        rows, notes = _without_commas(rows)
    return rows, notes


def _without_commas(rows: list[str]) -> tuple[list[str], tuple[str, ...]]:
    text = "\n".join(rows)
    if re.search(r"\d,\d{3}\.", text):
        return THOUSANDS.sub("", text).split("\n"), ("commas in numbers were read as separators of thousands",)
    if re.search(r"\d\.\d{3},", text):
        text = DOTTED_THOUSANDS.sub("", text).replace(",", ".")
        return text.split("\n"), ("points in numbers were read as separators of thousands",)
    return text.replace(",", ".").split("\n"), ()


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
