"""The header of PLY files (Turk's format, Stanford 1994)."""

import re
from dataclasses import dataclass, replace

from cadcode.geometry.cleaning import Refused
from cadcode.geometry.io.text import shown

TYPES = {
    "char": "i1",
    "int8": "i1",
    "uchar": "u1",
    "uint8": "u1",
    "short": "i2",
    "int16": "i2",
    "ushort": "u2",
    "uint16": "u2",
    "int": "i4",
    "int32": "i4",
    "uint": "u4",
    "uint32": "u4",
    "float": "f4",
    "float32": "f4",
    "double": "f8",
    "float64": "f8",
}
ORDERS = {"ascii": "<", "binary_little_endian": "<", "binary_big_endian": ">"}
LONGEST = 1 << 20  # bytes of a header
LINE_END = re.compile(rb"\r\n|\r|\n")
HEADER_END = re.compile(rb"(?<=[\r\n])end_header[ \t]{0,80}(?=[\r\n])")


@dataclass(frozen=True)
class Property:
    """A number, or (`count_type` given) a list of numbers with its length in front. Types are those of numpy."""

    name: str
    type: str
    count_type: str | None = None


@dataclass(frozen=True)
class Element:
    """So many rows of these properties."""

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
        raise Refused("is no PLY file (its header does not begin with `ply` or does not end)")
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
