"""Meshes of polygons: rows of different lengths, cut into triangles by a fan or by ear clipping."""

from dataclasses import dataclass

import numpy as np

from cadcode.geometry.cleaning import Raw, Refused, count_of
from cadcode.geometry.mesh import box_of

BLOCK = 1 << 20  # corners of polygons that are cut at a time
TURNED = 1e-6  # a triangle that looks the other way by more than this part of its polygon's area is wrong
FLAT = 0.01  # a polygon whose corners leave its plane by more than this part of its size is not flat
MOST_FANS = 8  # corners around which a fan is tried
LONGEST_FAN = 16  # corners of a polygon for which others than the first are tried: ear clipping is better for long ones
WORK_OF_ONE = 4000  # ear clipping of n corners takes at most about n^2 steps and as many again as this, 5 ns each
MOST_WORK = 1e8  # steps of ear clipping in a block
COARSE, FAR_TOO_COARSE = 1e-3, 1e-2  # steps between 32-bit numbers in parts of the longest side


@dataclass(frozen=True, eq=False)
class Rows:
    """R rows: `values` (N,) are those of all rows in turn, `lengths` (R,) how many each has."""

    values: np.ndarray
    lengths: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        """Index of the first value of each row (R,)."""
        return np.cumsum(self.lengths) - self.lengths

    def chosen(self, rows) -> "Rows":
        """Some rows, by their numbers."""
        return rows_at(self.values, self.starts[rows], self.lengths[rows])


def rows_at(values, starts, lengths) -> Rows:
    """The rows of `values` (N,) that begin at `starts` (R,) and are so long, (R,)."""
    lengths = np.asarray(lengths, dtype=np.int64)
    places = np.arange(int(lengths.sum())) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    return Rows(values[places], lengths)


def cut_polygons(vertices, polygons: Rows, first: int = 0) -> tuple[np.ndarray, tuple[str, ...]]:
    """(faces (F, 3) int64, notes): short polygons first, those of one length in their order.

    A polygon becomes the fan around its first corner, unless the fan leaves it, as in some concave ones. Raises Refused
    for the number of a vertex that does not exist.
    """
    check_numbers(polygons.values, len(vertices), first)
    lengths = polygons.lengths
    if (lengths == 3).all():
        return polygons.values.astype(np.int64).reshape(-1, 3), ()
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 2]
    parts = [_cut(vertices, polygons.chosen(numbers)) for numbers in _blocks(order, lengths)]
    faces = np.concatenate([part[0] for part in parts]) if parts else np.empty((0, 3), dtype=np.int64)
    uneven, guessed = (sum(part[i] for part in parts) for i in (1, 2))
    return faces, _notes(int((lengths > 3).sum()), int((lengths < 3).sum()), uneven, guessed)


def check_numbers(numbers, count: int, first: int = 0) -> None:
    """Raises Refused where vertex numbers (N,) are not in 0 to `count` - 1; the message counts from `first`."""
    if len(numbers) and (numbers.min() < 0 or numbers.max() >= count):
        used = f"{numbers.min() + first} to {numbers.max() + first}"
        raise Refused(f"its faces use vertices {used}, but it has {first} to {count - 1 + first}")


def _notes(cut: int, dropped: int, uneven: int, guessed: int) -> tuple[str, ...]:
    notes = (f"cut {count_of(cut, 'polygon')} into triangles",) if cut else ()
    notes += (f"dropped {count_of(dropped, 'face')} with fewer than 3 corners",) if dropped else ()
    notes += (f"the triangles of {count_of(uneven, 'polygon')} that are not flat are a guess",) if uneven else ()
    crossing = f"the triangles of {count_of(guessed, 'polygon')} that cross or cover themselves are a guess"
    return notes + ((crossing,) if guessed else ())


def _blocks(order, lengths) -> list[np.ndarray]:
    """`order` (P,) in pieces of about BLOCK corners."""
    ends = np.cumsum(lengths[order])
    cuts = np.flatnonzero(np.diff(ends // BLOCK)) + 1
    return [piece for piece in np.split(order, cuts) if len(piece)]


def _cut(vertices, polygons: Rows) -> tuple[np.ndarray, int, int]:
    """(faces (F, 3), polygons that are not flat, polygons whose triangles are a guess).

    The fan around the first corner if it is right, else that around one of the next, else the ears.
    """
    faces = _fans(polygons, 0)
    wrong, uneven, normals = _judged(vertices, faces, polygons.lengths)
    for corner in range(1, MOST_FANS):
        left = np.flatnonzero(wrong & (polygons.lengths > corner) & (polygons.lengths <= LONGEST_FAN))
        if len(left) == 0:
            break
        fans = _fans(polygons.chosen(left), corner)
        wrong[left], _, _ = _judged(vertices, fans, polygons.lengths[left])
        _put(faces, fans, polygons.lengths, left, ~wrong[left])
    ears = _ears_of_all(vertices, polygons, np.flatnonzero(wrong), normals)
    if ears:
        numbers = np.array(list(ears))
        _put(faces, np.concatenate(list(ears.values())), polygons.lengths, numbers, np.full(len(numbers), True))
    guessed = _judged(vertices, faces, polygons.lengths)[0].sum() if wrong.any() else 0
    return faces, int(uneven.sum()), int(guessed)


def _fans(polygons: Rows, corner: int) -> np.ndarray:
    """The triangles (F, 3) around one corner of each polygon, which has more of them."""
    counts = polygons.lengths - 2
    step = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    start, length = (np.repeat(numbers, counts) for numbers in (polygons.starts, polygons.lengths))
    if corner == 0:
        places = [start, start + step, start + step + 1]
    else:
        places = [start + corner, start + (step + corner) % length, start + (step + corner + 1) % length]
    return polygons.values[np.stack(places, axis=1)].astype(np.int64)


def _put(faces, triangles, lengths, numbers, right) -> None:
    """Replace the triangles of the polygons with these `numbers` (P,) where the new ones are `right` (P,)."""
    counts = lengths - 2
    starts = np.cumsum(counts) - counts
    old = rows_at(np.arange(len(faces)), starts[numbers[right]], counts[numbers[right]]).values
    faces[old] = triangles[np.repeat(right, counts[numbers])]


def _judged(vertices, faces, lengths) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(whether a polygon's triangles look different ways (P,), whether it is not flat (P,), normals (P, 3)).

    `faces` (F, 3) are the triangles of polygons of these `lengths` (P,) in turn. The normals are twice the area vectors
    (Newell's method).
    """
    first = np.cumsum(lengths - 2) - (lengths - 2)
    with np.errstate(all="ignore"):
        corner = vertices[faces[:, 0]].astype(np.float64)
        a, b = vertices[faces[:, 1]] - corner, vertices[faces[:, 2]] - corner
        crosses = np.cross(a, b)
        normals = np.add.reduceat(crosses, first)
        sizes = np.linalg.norm(normals, axis=1)
        along = _dot(crosses, np.repeat(normals, lengths - 2, axis=0))
        vanishing = sizes < TURNED * np.add.reduceat(np.linalg.norm(crosses, axis=1), first)
        wrong = np.minimum.reduceat(along, first) < -TURNED * sizes**2
        units = np.repeat(normals / sizes[:, None], lengths - 2, axis=0)
        height = np.maximum.reduceat(np.maximum(abs(_dot(a, units)), abs(_dot(b, units))), first)
        length = np.sqrt(np.maximum.reduceat(np.maximum(_dot(a, a), _dot(b, b)), first))
        return wrong | vanishing, height > FLAT * length, normals


def _dot(a, b):
    return np.einsum("fi,fi->f", a, b)


def _ears_of_all(vertices, polygons: Rows, numbers, normals) -> dict[int, np.ndarray]:
    """{number of a polygon: its triangles (n - 2, 3)}, as far as the work is bounded."""
    work = np.cumsum(polygons.lengths[numbers].astype(np.float64) ** 2 + WORK_OF_ONE)
    starts, clipped = polygons.starts, {}
    for number in numbers[work <= MOST_WORK].tolist():
        corners = polygons.values[starts[number] : starts[number] + polygons.lengths[number]].astype(np.int64)
        triangles = _ears(_projected(vertices[corners], normals[number]))
        if len(triangles) == len(corners) - 2:
            clipped[number] = corners[triangles]
    return clipped


def _projected(corners, normal):
    """A polygon (n, 3) seen along the axis nearest to its normal, (n, 2), counter-clockwise."""
    axis = int(np.abs(normal).argmax())
    axes = [(axis + 1) % 3, (axis + 2) % 3]
    return np.asarray(corners - corners[0], dtype=np.float64)[:, axes if normal[axis] > 0 else axes[::-1]]


def _ears(polygon):
    """Triangles (n - 2, 3) of a polygon (n, 2).

    manifold3d keeps every corner, also those on a straight edge, so that neighbours still meet corner to corner.
    """
    import manifold3d

    return np.asarray(manifold3d.triangulate([polygon]))


def triangle_soup(corners, notes: tuple[str, ...] = ()) -> Raw:
    """A mesh of triangles that share nothing yet: `corners` (F * 3, 3)."""
    kind = np.int32 if len(corners) < 2**31 else np.int64
    return Raw(corners, np.arange(len(corners), dtype=kind).reshape(-1, 3), notes=notes, soup=True)


def polygon_mesh(vertices, polygons: Rows, notes=(), warnings=(), first: int = 0) -> Raw:
    """A mesh of vertices (V, 3) and polygons of vertex numbers from 0; without any polygon a cloud.

    Raises Refused for the number of a vertex that does not exist; the message counts from `first`, as the file does.
    """
    if len(polygons.lengths) == 0:
        return Raw(vertices, notes=notes + ("it has no faces, so it was read as a point cloud",), warnings=warnings)
    faces, cut_notes = cut_polygons(vertices, polygons, first)
    return Raw(vertices, faces, notes=notes + cut_notes, warnings=warnings)


def precision_notes(vertices) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(notes, warnings) about 32-bit coordinates (V, 3) so far from the origin that a part's details are lost."""
    with np.errstate(all="ignore"):  # NaN
        low, high = box_of(vertices).astype(np.float64)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        return (), ()
    size, step = (high - low).max(), float(np.spacing(np.float32(np.maximum(-low, high).max())))
    if not 0 < COARSE * size < step:
        return (), ()
    text = f"its coordinates are far from the origin and accurate to {step:.2g} only, {step / size:.1%} of its size"
    return (text,), (text,) if step > FAR_TOO_COARSE * size else ()
