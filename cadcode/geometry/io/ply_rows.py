"""Elements of PLY files (Turk, Stanford 1994): the header, and rows as columns with lists of any lengths.

An ASCII body is turned into 64-bit floats first, so that one reader serves both kinds.
"""

import re
import struct
from array import array
from dataclasses import dataclass, replace

import numpy as np

from cadcode.geometry.cleaning import Refused, count_of
from cadcode.geometry.io.polygons import Rows, rows_at
from cadcode.geometry.io.text import shown

WORDS = {"i1": "char int8", "u1": "uchar uint8", "i2": "short int16", "u2": "ushort uint16", "i4": "int int32"}
WORDS |= {"u4": "uint uint32", "f4": "float float32", "f8": "double float64"}
TYPES = {word: type for type, words in WORDS.items() for word in words.split()}
ORDERS = {"ascii": "<", "binary_little_endian": "<", "binary_big_endian": ">"}
LONGEST = 1 << 20  # bytes of a header
LINE_END = re.compile(rb"\r\n|\r|\n")
HEADER_END = re.compile(rb"(?<=[\r\n])end_header[ \t]{0,80}(?=[\r\n])")
CODES = {"i1": "b", "u1": "B", "i2": "h", "u2": "H", "i4": "i", "u4": "I", "f4": "f", "f8": "d"}  # of `struct`
ROWS = 1 << 18  # that are gathered at a time

Columns = dict[str, np.ndarray | Rows]  # (N,) of a number, Rows of a list


@dataclass(frozen=True)
class Property:
    """A number, or (`count_type` given) a list of numbers with its length in front. Types are those of numpy."""

    name: str
    type: str
    count_type: str | None = None


@dataclass(frozen=True)
class Element:
    """`count` rows of these properties."""

    name: str
    count: int
    properties: tuple[Property, ...] = ()

    @property
    def has_lists(self) -> bool:
        return any(prop.count_type for prop in self.properties)


def read_header(data: bytes) -> tuple[str, list[Element], int]:
    """(encoding, elements, where the body starts); Refused for a header that is none.

    Lines end as the first one does, by LF, CR or CR LF: the body may begin with any byte.
    """
    end = HEADER_END.search(data, 0, LONGEST)
    if data[:3] != b"ply" or end is None:
        raise Refused("is not a PLY file (its header does not begin with `ply` or does not end)")
    line_end = LINE_END.search(data)[0]
    if not data.startswith(line_end, end.end()):
        line_end = LINE_END.match(data, end.end())[0]
    lines = [words for line in data[: end.start()].decode("latin-1").splitlines() if (words := line.split())]
    encoding = next((words[1] for words in lines if words[0] == "format" and len(words) > 1), "missing")
    if encoding not in ORDERS:
        raise Refused(f"has an unknown PLY format '{shown(encoding.encode())}'")
    return encoding, _read_elements(lines, encoding), end.end() + len(line_end)


def _read_elements(lines: list[list[str]], encoding: str) -> list[Element]:
    elements = []
    for words in lines:
        if words[0] not in ("element", "property"):
            continue
        try:
            if words[0] == "element":
                elements.append(Element(words[1], _count(words[2])))
            else:
                last = elements[-1]
                elements[-1] = replace(last, properties=last.properties + (_property(words, encoding),))
        except (LookupError, ValueError) as error:
            raise Refused(f"has a header line that cannot be read: '{shown(' '.join(words).encode())}'") from error
    return elements


def _count(word: str) -> int:
    if not word.isdecimal():
        raise ValueError(word)
    return int(word)


def _property(words: list[str], encoding: str) -> Property:
    """Numbers of an ASCII body are 64-bit floats once they are read."""
    is_list = words[1] == "list"
    *types, name = words[2:5] if is_list else words[1:3]
    if len(types) != 1 + is_list:
        raise ValueError(name)
    types = [ORDERS[encoding] + TYPES[word] for word in types]
    types = ["<f8"] * len(types) if encoding == "ascii" else types
    return Property(name, types[-1], types[0] if is_list else None)


def read_stream(element: Element, body: bytes, start: int) -> tuple[Columns, int]:
    """(columns, end) of rows that follow each other in `body` from byte `start`, wherever lines end.

    Nearly always the lists of all rows are as long as those of the first: then the element is one structured array.
    Raises Refused where the body is too short.
    """
    if not element.properties:
        return {}, start
    lengths = _lengths_of_first(element, body, start)
    row = _row_type(element, lengths)
    if row is not None and len(body) - start >= row.itemsize * element.count:
        rows = np.frombuffer(body, dtype=row, count=element.count, offset=start)
        lists = [(p, n) for p, n in zip(element.properties, lengths, strict=True) if p.count_type]
        if all((rows[f"length of {i}"] == n).all() for i, (_, n) in enumerate(lists)):
            return _columns_of(rows, element, lengths), start + row.itemsize * element.count
    elif not element.has_lists:
        refuse_truncated(element)
    starts, end = _row_starts(element, body, start)
    return _gather(element, np.frombuffer(body, dtype=np.uint8), starts), end


def read_lines(element: Element, numbers, starts, ends) -> tuple[Columns, tuple[str, ...]]:
    """(columns, notes) of rows that each have a line, with its first and last number at `starts`, `ends` (R,).

    Raises Refused for a row that is too short.
    """
    columns, places = {}, starts.copy()
    for prop in element.properties:
        _check_rows(element, places < ends)
        columns[prop.name] = numbers[places]
        places += 1
        if prop.count_type:
            lengths = columns[prop.name]
            _check_rows(element, (lengths >= 0) & (lengths <= ends - places) & (lengths == np.floor(lengths)))
            columns[prop.name] = rows_at(numbers, places, lengths)
            places += columns[prop.name].lengths
    longer = int((places < ends).sum())
    text = f"ignored more numbers than its header declares in {count_of(longer, 'row')} of '{element.name}'"
    return columns, (text,) if longer else ()


def refuse_truncated(element: Element):
    raise Refused(f"is truncated or damaged: not all {element.count:,} rows of '{element.name}' are there")


def _check_rows(element: Element, good) -> None:
    if not good.all():
        row = int(np.argmin(good)) + 1
        raise Refused(f"has fewer numbers in row {row:,} of '{element.name}' than its header declares")


def _lengths_of_first(element: Element, body: bytes, start: int) -> list[int]:
    """For each property the length of its list in the first row, 1 for a number."""
    lengths = []
    for prop in element.properties:
        length = 1
        if prop.count_type:
            length = _list_length(element, struct.Struct(_code(prop.count_type)), body, start)
            start += _size(prop.count_type)
        start += length * _size(prop.type)
        lengths.append(length)
    if start > len(body):
        refuse_truncated(element)
    return lengths


def _row_type(element: Element, lengths: list[int]) -> np.dtype:
    fields, lists = [], 0
    for i, (prop, length) in enumerate(zip(element.properties, lengths, strict=True)):
        if prop.count_type:
            fields.append((f"length of {lists}", prop.count_type))
            lists += 1
        fields.append((str(i), prop.type, (length,)) if prop.count_type else (str(i), prop.type))
    return np.dtype(fields)


def _columns_of(rows, element: Element, lengths: list[int]) -> Columns:
    columns = {}
    for i, (prop, length) in enumerate(zip(element.properties, lengths, strict=True)):
        column = rows[str(i)]
        if prop.count_type:
            column = Rows(column.reshape(-1), np.full(element.count, length, dtype=np.int64))
        columns[prop.name] = column
    return columns


def _row_starts(element: Element, body: bytes, start: int) -> tuple[np.ndarray, int]:
    """(byte where each row begins (R,), end), row by row: only lists say how long a row is."""
    steps, tail = _steps(element)
    starts, size, place = array("q"), len(body), start
    for _ in range(element.count):
        starts.append(place)
        for before, count, item in steps:
            place += before
            place += count.size + _list_length(element, count, body, place) * item
        place += tail
        if place > size:
            refuse_truncated(element)
    return np.array(starts, dtype=np.int64), place


def _steps(element: Element) -> tuple[list[tuple[int, struct.Struct, int]], int]:
    """([for each list: bytes in front of its length, reader of its length, bytes of an item], bytes after the last)."""
    steps, before = [], 0
    for prop in element.properties:
        if prop.count_type:
            steps.append((before, struct.Struct(_code(prop.count_type)), _size(prop.type)))
            before = 0
        else:
            before += _size(prop.type)
    return steps, before


def _list_length(element: Element, count: struct.Struct, body: bytes, place: int) -> int:
    if place + count.size > len(body):
        refuse_truncated(element)
    length = count.unpack_from(body, place)[0]
    if not 0 <= length <= len(body) or length % 1:
        refuse_truncated(element)
    return int(length)


def _gather(element: Element, body, starts) -> Columns:
    """Columns of rows at `starts` (R,) in `body`, (N,) bytes."""
    columns, places = {}, starts.copy()
    for prop in element.properties:
        column = _values(body, places, prop.count_type or prop.type)
        places += _size(prop.count_type or prop.type)
        if prop.count_type:
            lengths = column.astype(np.int64)
            column = _lists(body, places, lengths, prop)
            places += lengths * _size(prop.type)
        columns[prop.name] = column
    return columns


def _lists(body, places, lengths, prop: Property) -> Rows:
    """Lists of these `lengths` (R,) whose first items begin at `places` (R,)."""
    size, pieces = _size(prop.type), []
    for first in range(0, len(places), ROWS):
        rows = slice(first, first + ROWS)
        pieces.append(rows_at(body, places[rows], lengths[rows] * size).values)
    return Rows(np.concatenate(pieces).view(prop.type), lengths)


def _values(body, places, type: str):
    """One value at each of `places` (R,)."""
    return rows_at(body, places, np.full(len(places), _size(type))).values.view(type)


def _size(type: str) -> int:
    return int(type[2:])


def _code(type: str) -> str:
    return type[0] + CODES[type[1:]]
