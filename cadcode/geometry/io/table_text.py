"""Text of a table of numbers: from bytes to rows in which numbers are written as Python reads them."""

import codecs
import re
from dataclasses import dataclass

from cadcode.geometry.cleaning import Refused, count_of

ENCODINGS = (  # the longer marks first
    (codecs.BOM_UTF8, "utf-8", ""),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
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
    """(text, notes); Refused for what is no text."""
    for mark, encoding, name in ENCODINGS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, errors="replace"), (f"decoded from {name}",) if name else ()
    head = data[:2000]
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(head) >= 8 and not any(head[first::2]) and all(head[1 - first :: 2]):
            return data.decode(encoding, errors="replace"), ("decoded from UTF-16",)
    whole = data.rstrip(b"\0")
    if b"\0" in whole:
        raise Refused("is no text (it has zero bytes)", "check the file and its suffix")
    lost = len(data) - len(whole)
    note = (f"ignored {count_of(lost, 'zero byte')} at the end",) if lost else ()
    return whole.decode("utf-8", errors="replace"), note


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
