"""Text of files: encodings and numbers."""

import codecs
from array import array

import numpy as np

from cadcode.geometry.cleaning import Refused

MARKS = (  # the longest first: that of UTF-32 begins as that of UTF-16 does
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
SEEN, FEWEST = 32, 4  # characters that tell the encoding of a text without a mark, at most and at least
SHOWN = 20  # characters of a word in a message


def as_text(data: bytes) -> tuple[bytes, tuple[str, ...]]:
    """(text in UTF-8 or unchanged, notes): byte order marks are removed, UTF-16 and UTF-32 are decoded."""
    mark, encoding = next(((mark, name) for mark, name in MARKS if data.startswith(mark)), (b"", _unmarked(data)))
    if encoding in (None, "utf-8"):
        return data[len(mark) :], ()
    text = data[len(mark) :].decode(encoding, errors="replace")
    return text.encode("utf-8", errors="replace"), (f"decoded from {encoding[:6].upper()}",)


def _unmarked(data: bytes) -> str | None:
    """The encoding of UTF-16 without a mark, else None: every other byte of plain English is zero."""
    even, odd = data[: 2 * SEEN : 2], data[1 : 2 * SEEN : 2]
    if len(odd) < FEWEST:
        return None
    if not any(odd) and all(even):
        return "utf-16-le"
    return "utf-16-be" if not any(even) and all(odd) else None


def numbers_by_line(text: bytes) -> tuple[np.ndarray, np.ndarray]:
    """(numbers (N,) float64, starts (L + 1,): where each line that is not blank begins, and the end).

    Raises Refused for a word that is not a number.
    """
    numbers, starts = array("d"), array("q", [0])
    for line in text.splitlines():
        words = line.split()
        if words:
            try:
                numbers.extend(map(float, words))
            except ValueError:
                refuse_word(words)
            starts.append(len(numbers))
    return np.array(numbers, dtype=np.float64), np.array(starts, dtype=np.int64)


def numbers_of(words: list[bytes]) -> tuple[np.ndarray, tuple[str, ...]]:
    """(numbers (N,) float64, notes) of words; commas after them are dropped, decimal commas are read as points.

    Raises Refused for a word that is not a number, and where commas and points are mixed.
    """
    words, notes = _without_commas(words)
    try:
        return np.fromiter(map(float, words), dtype=np.float64, count=len(words)), notes
    except ValueError:
        refuse_word(words)


def _without_commas(words: list[bytes]):
    if not any(b"," in word for word in words):
        return words, ()
    words = [word.rstrip(b",") for word in words]
    if not any(b"," in word for word in words):
        return words, ()
    if any(b"." in word for word in words):
        raise Refused("has numbers with commas and numbers with points", "write decimals with points")
    return [word.replace(b",", b".") for word in words], ("read decimal commas as points",)


def refuse_word(words: list[bytes]):
    """Raises Refused with the first word that is not a number."""
    word = next((word for word in words if not _is_number(word)), b"")
    raise Refused(f"has '{shown(word)}' where a number is expected")


def shown(text: bytes) -> str:
    """The start of a text, printable, for messages."""
    start = text[:SHOWN].decode("utf-8", errors="replace")
    return "".join(letter if letter.isprintable() else "?" for letter in start) + ("..." if len(text) > SHOWN else "")


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
