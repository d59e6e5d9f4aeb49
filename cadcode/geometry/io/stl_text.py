"""The grammar of text STL: solids of facets of three vertices, one word after the other; lines end only names.

solid [name]  facet normal i j k  outer loop  vertex x y z (3 times)  endloop  endfacet  ...  endsolid [name]
"""

import re
from collections import Counter

import numpy as np

from cadcode.geometry.cleaning import Refused, count_of
from cadcode.geometry.io.text import numbers_of

LINE_END = re.compile(rb"\r\n?|\n")
NO_TEXT = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a"))  # control characters
STARTS, ENDS = b"solid", b"endsolid"
KEYWORDS = frozenset((STARTS, ENDS, b"facet", b"normal", b"outer", b"loop", b"vertex", b"endloop", b"endfacet"))


def is_text(head: bytes) -> bool:
    """Whether the start of a file is text STL: `solid` and a line of anything, then `facet` or at least only text."""
    head = head.lower().lstrip()
    if head.startswith(b"facet"):
        return True
    if not head.startswith(STARTS):
        return False
    name_end = LINE_END.search(head)
    first_word = head[name_end.end() :].split(None, 1)[:1] if name_end else []
    return first_word in ([b"facet"], [ENDS]) or head.translate(None, NO_TEXT) == head


def split_text(data: bytes) -> tuple[bytes, bytes]:
    """(all up to the line of the last `endsolid`, what follows it)."""
    last = data.lower().rfind(ENDS)
    line_end = LINE_END.search(data, last) if last >= 0 else None
    return (data[: line_end.end()], data[line_end.end() :]) if line_end else (data, b"")


def read_solids(text: bytes) -> tuple[np.ndarray, tuple[str, ...]]:
    """(corners (F * 3, 3) float64 of the facets of all solids, notes).

    Raises Refused for a text without facets, and where a facet does not end or has not three vertices.
    """
    words = _words(text)
    counts, numbers, uneven = _scan(words)
    facets, ends = counts[b"facet"], counts[b"endfacet"]
    if facets == 0:
        raise Refused("has no facets")
    if ends != facets:
        raise Refused(f"is truncated: {facets:,} facets begin, {ends:,} end")
    if uneven or len(numbers) != 9 * facets:
        raise Refused(f"has {len(numbers) // 3:,} readable vertices for {count_of(facets, 'facet')}")
    corners, notes = numbers_of(numbers)
    return corners.reshape(-1, 3), notes + _solid_notes(counts)


def _solid_notes(counts: Counter) -> tuple[str, ...]:
    solids = max(counts[STARTS], counts[ENDS])
    notes = (f"joined {solids} solids",) if solids > 1 else ()
    if counts[ENDS] < solids or not solids:
        notes += ("`endsolid` is missing, but every facet is whole",)
    return notes + ((f"ignored {count_of(counts[b''], 'word')} that are no STL",) if counts[b""] else ())


def _words(text: bytes) -> list[bytes]:
    """All words in small letters, without the names of solids, which may be anything."""
    words = []
    for line in filter(None, text.lower().splitlines()):
        row = line.split()
        if row[:2] == [b"end", STARTS]:
            row = [ENDS, *row[2:]]
        words += _unnamed(row) if row and row[0] in (STARTS, ENDS) else row
    return words


def _unnamed(row: list[bytes]) -> list[bytes]:
    """A line that begins or ends a solid, without its name: up to `facet normal`, which may follow on the line."""
    pairs = zip(row[1:], row[2:], strict=False)
    facet = next((i for i, pair in enumerate(pairs, 1) if pair == (b"facet", b"normal")), len(row))
    return [row[0], *row[facet:]]


def _scan(words: list[bytes]) -> tuple[Counter, list[bytes], bool]:
    """(how often each keyword stands there, other words under the empty one; the numbers of all vertices in turn;
    whether any facet has not three vertices).
    """
    counts, numbers, uneven, place = Counter(), [], False, 0
    while place < len(words):
        word = words[place]
        counts[word if word in KEYWORDS else b""] += 1
        place += 1
        if word == b"vertex":
            numbers += words[place : place + 3]
            place += 3
        elif word == b"normal":
            place += 3
        elif word == b"endfacet":
            uneven |= len(numbers) != 9 * counts[word]
    return counts, numbers, uneven
