"""Reader of STL: binary, text, and files that hold several of either.

Grammar of text STL, one word after the other; line ends matter for names only:
solid [name]  facet normal i j k  outer loop  vertex x y z (3 times)  endloop  endfacet  ...  endsolid [name]
"""

import io
import re
from collections import Counter
from pathlib import Path

import numpy as np

from cadcode.geometry.cleaning import AS_IT_SAYS, Raw, ReadOptions, Refused, check_bounds, count_of
from cadcode.geometry.io.polygons import precision_notes, triangle_soup
from cadcode.geometry.io.text import as_text, numbers_of
from cadcode.geometry.io.units import UNIT_OF
from cadcode.geometry.mesh import BLOCK, closed_by_edges, merge_vertices

STL_HEADER = 84  # 80 bytes of anything, then the number of triangles as uint32
STL_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])  # 50 bytes
NO_COUNT = 2**31  # programs that do not know the number of triangles write 0 or -1; no file holds so many
NEAR = 10  # triangles further than this from the others, in sizes, are not triangles

UNIT_KEY = re.compile(r"\bunits?\s?[=:]\s?([a-z]+)")
WORD = re.compile(r"[a-z]{4,}")  # not `in`, which English has too

Body = tuple[int, int]  # where a binary body's triangles begin, and their number
LINE_END = re.compile(rb"\r\n?|\n")
NO_TEXT = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a"))  # control characters
STARTS, ENDS = b"solid", b"endsolid"
KEYWORDS = frozenset((STARTS, ENDS, b"facet", b"normal", b"outer", b"loop", b"vertex", b"endloop", b"endfacet"))


def read_stl(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """Binary or text STL. The size decides first: many binary files begin with `solid`; then the grammar of text.

    All solids of a text, and whole binary files behind each other, are joined. Raises Refused for what is neither, and
    for truncated files.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(4096)
        if not _fits(head, size):
            text, _ = as_text(head)
            if is_text(text):
                return _read_text(path.read_bytes())
        return _read_binary(file, head[:80], size)


def _fits(head: bytes, size: int) -> bool:
    declared = int.from_bytes(head[80:STL_HEADER], "little")
    return size >= STL_HEADER and size == STL_HEADER + declared * STL_TRIANGLE.itemsize


def _read_text(data: bytes) -> Raw:
    text, notes = as_text(data)
    text, rest = split_text(text)
    bodies = _bodies_in_turn(io.BytesIO(rest), len(rest))
    corners, text_notes = read_solids(text if bodies else text + rest)
    notes += text_notes
    if bodies:
        corners = np.concatenate([corners, _corners(io.BytesIO(rest), bodies)])
        notes += (f"joined the text part and {count_of(len(bodies), 'binary part')} of the file",)
    unit, unit_notes = named_unit(text.lstrip()[:200].splitlines()[0])
    raw = triangle_soup(corners, notes + unit_notes)
    return Raw(raw.vertices, raw.faces, notes=raw.notes, soup=True, unit=unit)


def _read_binary(file, header: bytes, size: int) -> Raw:
    if size < STL_HEADER:
        raise Refused(f"is not an STL file ({size} bytes, and neither an ASCII nor a binary header)")
    bodies, notes = _find_bodies(file, size)
    corners = _corners(file, bodies)
    unit, unit_notes = named_unit(header)
    coarse, warnings = precision_notes(corners)
    raw = triangle_soup(corners, notes + unit_notes + coarse)
    return Raw(raw.vertices, raw.faces, notes=raw.notes, soup=True, unit=unit, warnings=warnings)


def _find_bodies(file, size: int) -> tuple[list[Body], tuple[str, ...]]:
    """(the file's bodies, notes): by the declared counts where they fit the file's size, else by the size."""
    declared, (present, left) = _declared(file, 0), divmod(size - STL_HEADER, STL_TRIANGLE.itemsize)
    if bodies := _bodies_in_turn(file, size):
        return bodies, (f"joined {len(bodies)} binary parts of the file",) if len(bodies) > 1 else ()
    if present and not left and _size_is_right(file, declared, present):
        return [(STL_HEADER, present)], (f"declares {declared:,} triangles, but holds {present:,}, which were read",)
    if present < declared:
        raise Refused(
            f"is truncated or not an STL file: it declares {count_of(declared, 'triangle')} and holds {present:,}"
        )
    if declared == 0:
        raise Refused(f"declares 0 triangles{f' but holds {present:,}' if present else ''}")
    extra = left + (present - declared) * STL_TRIANGLE.itemsize
    return [(STL_HEADER, declared)], (f"ignored {count_of(extra, 'byte')} after the last triangle",)


def _bodies_in_turn(file, size: int) -> list[Body]:
    """The bodies of whole binary files behind each other, which end where the file does; none where they do not."""
    bodies, place = [], 0
    while place < size:
        count = _declared(file, place) if place + STL_HEADER <= size else 0
        bodies.append((place + STL_HEADER, count))
        place += STL_HEADER + count * STL_TRIANGLE.itemsize
        if count == 0 or place > size:
            return []
    return bodies


def _declared(file, start: int) -> int:
    file.seek(start + 80)
    return int.from_bytes(file.read(4), "little")


def _size_is_right(file, declared: int, present: int) -> bool:
    """Whether the size, not the declared count, says how many triangles there are.

    It does where none or an impossible number is declared. Triangles behind the declared ones count if they are near
    those; fewer than declared count as whole if they are closed, since a truncated file is open.
    """
    if declared == 0 or declared >= NO_COUNT:
        return True
    if declared > present:
        return _closed(_corners(file, [(STL_HEADER, present)]))
    known = _corners(file, [(STL_HEADER, declared)])
    more = _corners(file, [(STL_HEADER + declared * STL_TRIANGLE.itemsize, present - declared)])
    low, high = known.min(axis=0), known.max(axis=0)
    with np.errstate(all="ignore"):
        reach = NEAR * (high - low).max()
        return bool(more.any() and ((more >= low - reach) & (more <= high + reach)).all())


def _closed(corners) -> bool:
    """Whether triangles with these corners (F * 3, 3) have no border."""
    if not np.isfinite(corners).all():
        return False
    try:
        bounds = check_bounds(corners)
    except Refused:
        return False
    vertices, faces, _, _ = merge_vertices(corners, np.arange(len(corners)).reshape(-1, 3), bounds)
    return closed_by_edges(faces, len(vertices))[0]


def _corners(file, bodies: list[Body]):
    """Corners (F * 3, 3) float32 of all triangles of `bodies`, in turn."""
    corners, filled = np.empty((sum(count for _, count in bodies), 3, 3), dtype=np.float32), 0
    for start, count in bodies:
        file.seek(start)
        for done in range(0, count, BLOCK):
            data = file.read(min(BLOCK, count - done) * STL_TRIANGLE.itemsize)
            block = np.frombuffer(data, dtype=STL_TRIANGLE)
            corners[filled : filled + len(block)] = block["corners"]
            filled += len(block)
    return corners.reshape(-1, 3)


def named_unit(header: bytes) -> tuple[str | None, tuple[str, ...]]:
    """(unit or None, notes): `UNITS=inch` and the like say the unit, other words of units are a hint only."""
    text = header.decode("latin-1").lower()
    named = {UNIT_OF[word] for word in UNIT_KEY.findall(text) if word in UNIT_OF}
    if len(named) == 1:
        unit = named.pop()
        return unit, () if unit == "mm" else (f"its header says that the unit is {unit}",)
    hints = named | {UNIT_OF[word] for word in WORD.findall(text) if word in UNIT_OF}
    return None, tuple(f"its header mentions the unit {unit}: name it if it is" for unit in sorted(hints - {"mm"}))


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
    return notes + ((f"ignored {count_of(counts[b''], 'word')} that are not STL",) if counts[b""] else ())


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
    """(how often each keyword occurs, other words under the empty one; the numbers of all vertices in turn;
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
