"""Reader of point clouds as text tables: XYZ, TXT, CSV, ASC, PTS, and PTX of Leica."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np

from cadcode.geometry.cleaning import AS_IT_SAYS, Raw, ReadOptions, Refused, count_of
from cadcode.geometry.io.table_text import (
    COMMENTS,
    WIDEST,
    Columns,
    Text,
    asked,
    by_names,
    by_numbers,
    counts_rows,
    decode,
    is_number,
    lines_of,
    split,
    stride_of,
    unit_said,
    unquoted,
)

LONGEST_COUNT = 12  # digits
MOST_TEXT_LINES = 10_000
MOST_COLUMNS = 8  # that are looked at where nothing names them
DIGIT, DIGITS, AT_ROW = re.compile(r"\d"), re.compile(r"[\d.]+"), re.compile(r"at row (\d+)")
HEADER = (1, 1, 3, 3, 3, 3, 4, 4, 4, 4)  # numbers a line: columns, rows, the scanner's place and axes, a 4x4 matrix
MOST_SCANS = 1000
COPIED = "copy the scan again from the program that made it"


def read_table(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """Rows of numbers: the columns that the user or a header names, else the first three that can be coordinates.

    The next three may be normals. Refused where no row has three numbers, or some row lacks one.
    """
    text, notes = decode(path.read_bytes())
    text, quote_notes = unquoted(text)
    lines = lines_of(text)
    if is_ptx(lines):
        return read_ptx(lines, notes)
    table, block_notes = without_counts(split(lines))
    columns = choose(table, options)
    numbers, text_notes = read_numbers(table, columns.places)
    notes += quote_notes + table.notes + block_notes + columns.notes + text_notes
    unit = columns.unit or unit_said(table.header)
    return Raw(numbers[:, :3], normals=numbers[:, 3:] if numbers.shape[1] == 6 else None, notes=notes, unit=unit)


def without_counts(table: Text) -> tuple[Text, tuple[str, ...]]:
    """(the table, notes) without the lines that declare how many rows follow; Refused where rows are missing."""
    if not any(count_in(line) is not None for line in table.header):
        return table, ()
    first = next(count for line in reversed(table.header) if (count := count_in(line)) is not None)
    places = [place for place, row in enumerate(table.rows) if count_in(row) is not None]
    counts = [first] + [count_in(table.rows[place]) for place in places]
    held = len(table.rows) - len(places)
    if sum(counts) > held:
        raise Refused(f"is truncated: it declares {sum(counts):,} points and holds {held:,}")
    said = f"it declares {sum(counts):,} points and holds {held:,}, which were all read"
    notes = (said,) if sum(counts) < held else ()
    if not places:
        return table, notes
    rows = [row for start, end in pairwise([-1, *places, len(table.rows)]) for row in table.rows[start + 1 : end]]
    return Text(table.header, rows, table.separator, table.notes), notes + (f"joined {len(counts)} blocks of points",)


def count_in(line: str) -> int | None:
    """The number of a line that holds nothing else."""
    word = line.strip()
    return int(word) if word.isascii() and word.isdigit() and len(word) <= LONGEST_COUNT else None


def choose(table: Text, options: ReadOptions) -> Columns:
    """The columns to read; Refused where those asked for do not exist."""
    first = table.fields(table.rows[0])
    if options.columns is not None:
        return asked(options.columns, len(first))
    for line in reversed(table.header):
        if columns := named_columns(line, table, first):
            return columns
    return guessed_columns(table, first)


def named_columns(line: str, table: Text, first: list[str]) -> Columns | None:
    """The columns that a header line names; None where it does not fit the first row's fields."""
    names = names_in(line, table.separator)
    columns = by_names(names)
    if columns is None:
        return None
    if line.lstrip().startswith(COMMENTS) and len(names) != len(first) and columns.places[0] != 0:
        return None  # words of a sentence
    if len(names) == len(first) - 1 and columns.places[0] == 0 and rows_are_numbered(table, first):
        columns = Columns(
            tuple(place + 1 for place in columns.places),
            columns.unit,
            ("the first column has no name, numbers the points and was skipped",),
        )
    fits = all(place < len(first) and is_number(first[place], table.separator) for place in columns.places)
    return columns if fits else None


def names_in(line: str, separator: str | None) -> list[str]:
    """The names of a header's columns, however they are separated."""
    line = line[:WIDEST].strip().lstrip("#/%! ")
    if separator is not None and separator in line:
        return line.split(separator)
    line = " ".join(line.replace("\t", ";").split())
    return re.split(r" ?[;,] ?| (?![\[(])", line)


def rows_are_numbered(table: Text, first: list[str]) -> bool:
    """Whether the first column is no coordinate: text, or the number of the row."""
    if not is_number(first[0], table.separator):
        return True
    values, stride = sampled(table, [0])
    return counts_rows(values[:, 0], stride)


def guessed_columns(table: Text, first: list[str]) -> Columns:
    """The columns by their numbers; those of text are passed over."""
    places = [place for place, field in enumerate(first) if is_number(field, table.separator)][:MOST_COLUMNS]
    values, stride = sampled(table, places)
    full = np.isfinite(values).mean(axis=0) if len(places) > 3 else np.ones(len(places))
    kept = [i for i, share in enumerate(full) if share >= 0.5 or i < 3]
    columns = by_numbers(values[:, kept], stride)
    chosen = tuple(places[kept[i]] for i in columns.places)
    if len(chosen) == 6 and chosen[5] - chosen[0] != 5:  # text between them: no normals
        chosen = chosen[:3]
    text = ("columns of text were skipped",) if any(place not in places for place in range(chosen[0])) else ()
    return Columns(chosen, notes=columns.notes + text)


def sampled(table: Text, places: list[int]):
    """(numbers (M, C) of evenly spaced rows, NaN where there is none, and their stride)."""
    stride = stride_of(len(table.rows))
    rows = [table.fields(row) for row in table.rows[::stride]]
    return np.array([[number_at(fields, place) for place in places] for fields in rows], dtype=np.float64), stride


def number_at(fields: list[str], place: int) -> float:
    try:
        return float(fields[place])
    except (ValueError, IndexError):
        return np.nan


def read_numbers(table: Text, places: tuple[int, ...]):
    """(the wanted columns (N, 3 or 6) of all rows, notes); rows without any number are ignored."""
    try:
        return load(table.rows, table.separator, places), ()
    except ValueError:
        rows = without_text(table)
    try:
        numbers = load(rows, table.separator, places)
    except ValueError as error:
        shown = bad_row(rows, str(error)).strip()[:60]
        raise Refused(f"has a row that cannot be read ('{shown}')", "correct or delete that row") from error
    lost = len(table.rows) - len(rows)
    return numbers, (f"ignored {count_of(lost, 'line')} of text between the points",)


def without_text(table: Text) -> list[str]:
    """The rows that hold some number; all rows where many hold none, as that is not a table."""
    rows, lost = [], 0
    for row in table.rows:
        if DIGIT.search(row) and any(is_number(field, table.separator) for field in table.fields(row)[:MOST_COLUMNS]):
            rows.append(row)
        elif (lost := lost + 1) > MOST_TEXT_LINES:
            return table.rows
    return rows


def bad_row(rows: list[str], error: str) -> str:
    """The row that numpy's error means; it counts some from 0 and some from 1."""
    place = AT_ROW.search(error)
    near = rows[max(0, int(place[1]) - 1) : int(place[1]) + 1] if place else []
    return min(near, key=lambda row: len(DIGITS.findall(row)), default="")


def load(rows: list[str], separator: str | None, places: tuple[int, ...]):
    return np.loadtxt(rows, delimiter=separator, usecols=places, comments=None, ndmin=2)


def is_ptx(lines: list[str]) -> bool:
    """Whether a file's `lines` begin with the header of a PTX scan."""
    return len(lines) > len(HEADER) and [len(numbers_in(line)) for line in lines[: len(HEADER)]] == list(HEADER)


def numbers_in(line: str) -> list[float]:
    """The numbers of a short line of nothing else."""
    try:
        return [float(word) for word in line.split()] if len(line) < 400 else []
    except ValueError:
        return []


def read_ptx(lines: list[str], notes: tuple[str, ...] = ()) -> Raw:
    """All scans of a file, each in its pose: a row (x, y, z, 1) times its matrix. Points at its origin are missing."""
    scans, start, missing = [], 0, 0
    while start < len(lines):
        points, matrix, start = one_scan(lines, start)
        found = points.any(axis=1)
        missing += len(points) - int(found.sum())
        with np.errstate(all="ignore"):  # a damaged matrix: those points are dropped later
            scans.append(points[found] @ matrix[:3, :3] + matrix[3, :3])
        if len(scans) > MOST_SCANS:
            raise Refused(f"holds more than {MOST_SCANS:,} scans", COPIED)
    if missing:
        notes += (f"dropped {count_of(missing, 'missing return')} of the scanner",)
    notes += (f"applied the pose of {count_of(len(scans), 'scan')}",)
    return Raw(np.concatenate(scans), notes=notes)


def one_scan(lines: list[str], start: int):
    """(points (N, 3) of the scan that begins at a line, its matrix (4, 4), the line after it)."""
    header = [numbers_in(line) for line in lines[start : start + len(HEADER)]]
    if [len(numbers) for numbers in header] != list(HEADER):
        raise Refused(f"has a damaged PTX header in line {start + 1:,}", COPIED)
    count, first = header[0][0] * header[1][0], start + len(HEADER)
    if not 0 <= count <= len(lines) - first or count % 1:
        raise Refused(f"is truncated: a scan declares {count:,.0f} points and holds {len(lines) - first:,}", COPIED)
    rows = lines[first : first + int(count)]
    try:
        points = np.loadtxt(rows, usecols=(0, 1, 2), comments=None, ndmin=2) if rows else np.empty((0, 3))
    except ValueError as error:
        raise Refused(f"has a row that cannot be read in the scan of line {start + 1:,}", COPIED) from error
    return points, np.array(header[6:]), first + int(count)
