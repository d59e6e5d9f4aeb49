"""Reader of OFF, the Object File Format (Geomview manual, "OFF Files")."""

import re
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from cadcode.geometry.cleaning import AS_IT_SAYS, Raw, ReadOptions, Refused, count_of
from cadcode.geometry.io.polygons import Rows, polygon_mesh, rows_at
from cadcode.geometry.io.text import as_text, numbers_by_line

KEYWORD = re.compile(rb"(ST|st)?([Cc])?(N)?(4)?(n)?(?:OFF|off|Off)")
COMMENT = re.compile(rb"#[^\r\n]*")
COLOUR_WIDTHS = (0, 3, 4, 1)  # numbers of a colour after a face or, of those, 3 and 4 in a vertex


@dataclass(frozen=True, eq=False)
class Body:
    """The numbers (N,) behind the keyword, and where lines begin (L + 1,); counts are the first numbers."""

    numbers: np.ndarray
    lines: np.ndarray
    vertex_count: int
    face_count: int

    @property
    def declared(self) -> str:
        return f"{self.vertex_count} vertices and {self.face_count} faces"


def read_off(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """Text OFF, also with colours, normals or textures (COFF, NOFF, STOFF), which are not read.

    It is free-form: lines count only where colours of unknown length follow the faces. Raises Refused for binary OFF,
    for other than three dimensions, and for files that are cut off.
    """
    text, notes = as_text(path.read_bytes())
    text = COMMENT.sub(b"", text).lstrip()
    keyword = KEYWORD.match(text)
    if keyword is None and not text[:1].isdigit():
        raise Refused("is not a text OFF file (it does not start with OFF)")
    texture, colour, normal = (bool(keyword and keyword[i]) for i in (1, 2, 3))
    if keyword is None:
        notes += ("its first line does not say OFF",)
    elif keyword[4] or keyword[5]:
        raise Refused("has vertices of four or more dimensions (4OFF, nOFF)", "export it in three dimensions")
    elif text[keyword.end() :][:64].split()[:1] == [b"BINARY"]:
        raise Refused("is a binary OFF file, which is not read", "export it as text OFF, PLY or STL")
    body = _body(text[keyword.end() if keyword else 0 :])
    vertices, polygons, extra = _by_lines(body) or _by_numbers(body, 3 + 3 * normal + 2 * texture, colour)
    notes += (f"ignored {count_of(extra, 'number')} after the last face",) if extra else ()
    return polygon_mesh(vertices, polygons, notes)


def _body(text: bytes) -> Body:
    numbers, lines = numbers_by_line(text)
    if len(numbers) < 2:
        raise Refused("is truncated: it does not say how many vertices and faces follow")
    counts = numbers[:2]
    if not (counts == np.floor(counts)).all() or counts.min() < 0 or counts.max() > len(numbers):
        declared = f"{counts[0]:g} vertices and {counts[1]:g} faces"
        raise Refused(f"is truncated or damaged: it declares {declared}, {len(numbers)} numbers are there")
    return Body(numbers, lines, int(counts[0]), int(counts[1]))


def _by_lines(body: Body) -> tuple[np.ndarray, Rows, int] | None:
    """(vertices (V, 3), polygons, how many numbers follow), one a line after the counts; None where that cannot be."""
    starts, widths = body.lines[:-1], np.diff(body.lines)
    first = 1 if widths[0] in (2, 3) else int(np.searchsorted(body.lines, 3))
    rows = slice(first, first + body.vertex_count), slice(first + body.vertex_count, None)
    points, faces = starts[rows[0]], starts[rows[1]][: body.face_count]
    if len(points) < body.vertex_count or len(faces) < body.face_count or (widths[rows[0]] < 3).any():
        return None
    lengths = body.numbers[faces]
    room = widths[rows[1]][: body.face_count] - 1
    if not ((lengths >= 0) & (lengths <= room) & (lengths == np.floor(lengths))).all():
        return None
    end = body.lines[first + body.vertex_count + body.face_count]
    polygons = _integers(rows_at(body.numbers, faces + 1, lengths))
    return body.numbers[points[:, None] + np.arange(3)], polygons, int(len(body.numbers) - end)


def _by_numbers(body: Body, width: int, colour: bool) -> tuple[np.ndarray, Rows, int]:
    """(vertices (V, 3), polygons, how many numbers follow) of one stream of numbers.

    Colours are as long as the stream's end tells; where it leaves several lengths, faces have the fewest corners.
    """
    layouts = product([width + extra for extra in ((4, 3) if colour else (0,))], COLOUR_WIDTHS)
    numbers = body.numbers.tolist()
    walks = [(*_walk(body, numbers, *layout), layout[0]) for layout in layouts]
    whole = [walk for walk in walks if walk[1] is not None]
    if not whole:
        raise Refused(f"is truncated: it declares {body.declared}, {len(numbers)} numbers are there")
    whole = [walk for walk in whole if walk[1] == len(numbers)] or whole[:1]
    faces, end, width = min(whole, key=lambda walk: body.numbers[walk[0]].max(initial=0))
    points = body.numbers[3 : 3 + body.vertex_count * width].reshape(-1, width)[:, :3]
    return points, _integers(rows_at(body.numbers, faces + 1, body.numbers[faces])), len(numbers) - end


def _walk(body: Body, numbers: list[float], width: int, colour: int) -> tuple[np.ndarray, int | None]:
    """(where each face begins (F,), where they end); the end is None where the numbers do not last."""
    place, starts = 3 + body.vertex_count * width, []
    for _ in range(body.face_count):
        if place >= len(numbers) or not 1 <= numbers[place] < len(numbers) or numbers[place] % 1:
            return np.array(starts), None
        starts.append(place)
        place += 1 + int(numbers[place]) + colour
    return np.array(starts, dtype=np.int64), place if place <= len(numbers) else None


def _integers(rows: Rows) -> Rows:
    """The same as whole numbers; Refused where they are not."""
    if not (np.isfinite(rows.values) & (rows.values == np.floor(rows.values))).all():
        raise Refused("has faces whose vertices are not whole numbers")
    return Rows(rows.values.astype(np.int64), rows.lengths)
