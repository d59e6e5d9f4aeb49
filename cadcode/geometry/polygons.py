"""Triangles from polygons: fans where they are right, ear clipping elsewhere; and triangles without shared corners."""

from dataclasses import dataclass

import numpy as np

from cadcode.geometry.cleaning import Raw, Refused, box_of, count_of

BLOCK = 1 << 20  # corners of polygons that are cut at a time
TURNED = 1e-6  # a triangle that looks the other way by more than this part of its polygon's area is wrong
FLAT = 0.01  # a polygon whose corners leave its plane by more than this part of its size is not flat
MOST_WORK = 1e9  # ear clipping of n corners takes at most about n^2 steps: some seconds in all
COARSE, FAR_TOO_COARSE = 1e-3, 1e-2  # steps between 32-bit numbers in parts of the longest side


@dataclass(frozen=True, eq=False)
class Rows:
    """R rows of different lengths in one array: `values` (N,) are those of all rows in turn, `lengths` (R,)."""

    values: np.ndarray
    lengths: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        """Where each row begins (R,)."""
        return np.cumsum(self.lengths) - self.lengths

    def chosen(self, rows) -> "Rows":
        """Some rows, by their numbers."""
        return rows_at(self.values, self.starts[rows], self.lengths[rows])


def rows_at(values, starts, lengths) -> Rows:
    """The rows of `values` (N,) that begin at `starts` (R,) and are so long, (R,)."""
    lengths = np.asarray(lengths, dtype=np.int64)
    places = np.arange(int(lengths.sum())) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    return Rows(values[places], lengths)


def triangle_soup(corners, notes: tuple[str, ...] = ()) -> Raw:
    """A mesh of triangles that share nothing yet: `corners` (F * 3, 3)."""
    kind = np.int32 if len(corners) < 2**31 else np.int64
    return Raw(corners, np.arange(len(corners), dtype=kind).reshape(-1, 3), notes=notes, soup=True)


def polygon_mesh(vertices, polygons: Rows, notes: tuple[str, ...] = (), warnings: tuple[str, ...] = ()) -> Raw:
    """A mesh from vertices (V, 3) and polygons of vertex numbers; without any polygon a cloud.

    Raises Refused for the number of a vertex that does not exist.
    """
    if len(polygons.lengths) == 0:
        return Raw(vertices, notes=notes + ("it has no faces, so it was read as a point cloud",), warnings=warnings)
    faces, cut_notes = cut_polygons(vertices, polygons)
    return Raw(vertices, faces, notes=notes + cut_notes, warnings=warnings)


def cut_polygons(vertices, polygons: Rows) -> tuple[np.ndarray, tuple[str, ...]]:
    """(faces (F, 3) int64, notes): short polygons first, those of one length in their order.

    A polygon becomes the fan around its first corner, unless the fan leaves it, as in some concave ones. Raises Refused
    for the number of a vertex that does not exist.
    """
    check_numbers(polygons.values, len(vertices))
    lengths = polygons.lengths
    if (lengths == 3).all():
        return polygons.values.astype(np.int64).reshape(-1, 3), ()
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 2]
    parts = [_cut(vertices, polygons.chosen(rows)) for rows in _blocks(order, lengths)]
    faces = np.concatenate([part[0] for part in parts]) if parts else np.empty((0, 3), dtype=np.int64)
    uneven, guessed = (sum(part[i] for part in parts) for i in (1, 2))
    return faces, _notes(int((lengths > 3).sum()), int((lengths < 3).sum()), uneven, guessed)


def check_numbers(numbers, count: int) -> None:
    """Raises Refused where vertex numbers (N,) do not lie in 0 to `count` - 1."""
    if len(numbers) and (numbers.min() < 0 or numbers.max() >= count):
        raise Refused(f"its faces use vertices {numbers.min()} to {numbers.max()}, but it has {count}")


def precision_notes(vertices) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(notes, warnings) about 32-bit coordinates (V, 3) so far from the origin that a part's details are lost."""
    low, high = box_of(vertices).astype(np.float64)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        return (), ()
    size, step = (high - low).max(), float(np.spacing(np.float32(np.maximum(-low, high).max())))
    if not 0 < COARSE * size < step:
        return (), ()
    text = f"its coordinates are far from the origin and accurate to {step:.2g} only, {step / size:.1%} of its size"
    return (text,), (text,) if step > FAR_TOO_COARSE * size else ()


def _notes(cut: int, dropped: int, uneven: int, guessed: int) -> tuple[str, ...]:
    notes = (f"cut {count_of(cut, 'polygon')} into triangles",) if cut else ()
    notes += (f"dropped {count_of(dropped, 'face')} with fewer than 3 corners",) if dropped else ()
    notes += (f"the triangles of {count_of(uneven, 'polygon')} that are not flat are a guess",) if uneven else ()
    crossing = f"the triangles of {count_of(guessed, 'polygon')} that cross or cover themselves are a guess"
    return notes + ((crossing,) if guessed else ())


def _blocks(order, lengths):
    """`order` (P,) in pieces of about BLOCK corners."""
    ends = np.cumsum(lengths[order])
    cuts = np.flatnonzero(np.diff(ends // BLOCK)) + 1
    return [piece for piece in np.split(order, cuts) if len(piece)]


def _cut(vertices, polygons: Rows) -> tuple[np.ndarray, int, int]:
    """(faces (F, 3), polygons that are not flat, polygons that cross themselves)."""
    places, owner = _fans(polygons)
    faces = polygons.values.astype(np.int64)[places]
    first = np.flatnonzero(np.diff(owner, prepend=-1))  # of each polygon's triangles
    with np.errstate(all="ignore"):
        wrong, normals, uneven = _judged(vertices, faces, owner, first)
    wrong &= polygons.lengths > 3
    guessed = _mend_quads(vertices, faces, first, np.flatnonzero(wrong & (polygons.lengths == 4)), normals)
    guessed += _mend_others(vertices, faces, polygons, first, np.flatnonzero(wrong & (polygons.lengths > 4)), normals)
    return faces, int((uneven & (polygons.lengths > 3)).sum()), guessed


def _fans(polygons: Rows):
    """(places (F, 3) in the polygons' values, owner (F,)) of the triangles around each polygon's first corner."""
    counts = polygons.lengths - 2
    owner = np.repeat(np.arange(len(counts)), counts)
    step = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    start = polygons.starts[owner]
    return np.stack([start, start + step, start + step + 1], axis=1), owner


def _judged(vertices, faces, owner, first):
    """(whether a polygon's triangles look different ways (P,), normals (P, 3), whether it is not flat (P,)).

    The normals are twice the area vectors (Newell's).
    """
    corner = vertices[faces[:, 0]].astype(np.float64)
    a, b = vertices[faces[:, 1]] - corner, vertices[faces[:, 2]] - corner
    crosses = np.cross(a, b)
    normals = np.add.reduceat(crosses, first)
    sizes = np.linalg.norm(normals, axis=1)
    along = np.einsum("fi,fi->f", crosses, normals[owner])
    vanishing = sizes < TURNED * np.add.reduceat(np.linalg.norm(crosses, axis=1), first)
    wrong = np.logical_or.reduceat(along < -TURNED * (sizes**2)[owner], first) | vanishing
    units = (normals / sizes[:, None])[owner]
    height = np.maximum(*(np.abs(np.einsum("fi,fi->f", side, units)) for side in (a, b)))
    length = np.maximum(*(np.einsum("fi,fi->f", side, side) for side in (a, b)))
    return wrong, normals, np.maximum.reduceat(height, first) > FLAT * np.sqrt(np.maximum.reduceat(length, first))


def _mend_quads(vertices, faces, first, quads, normals) -> int:
    """Cut quads (numbers (Q,) of polygons) along the other diagonal, in `faces`; returns how many stay a guess."""
    rows = first[quads]
    a, b, c, d = faces[rows, 0], faces[rows, 1], faces[rows, 2], faces[rows + 1, 2]
    triangles = np.stack([np.stack([b, c, d], axis=1), np.stack([b, d, a], axis=1)], axis=1)  # (Q, 2, 3)
    p, q, r = np.moveaxis(vertices[triangles].astype(np.float64), 2, 0)
    right = (np.einsum("qti,qi->qt", np.cross(q - p, r - p), normals[quads]) > 0).all(axis=1)
    faces[rows[right]], faces[rows[right] + 1] = triangles[right, 0], triangles[right, 1]
    return int((~right).sum())


def _mend_others(vertices, faces, polygons: Rows, first, numbers, normals) -> int:
    """Cut polygons by ear clipping, in `faces`; returns how many stay a guess."""
    work = np.cumsum(polygons.lengths[numbers].astype(np.float64) ** 2)
    starts, guessed = polygons.starts, int((work > MOST_WORK).sum())
    for number in numbers[work <= MOST_WORK]:
        length, row = polygons.lengths[number], first[number]
        corners = polygons.values[starts[number] : starts[number] + length].astype(np.int64)
        triangles, right = _clip_ears(_projected(vertices[corners], normals[number]))
        guessed += not right
        if len(triangles) == length - 2:
            faces[row : row + length - 2] = corners[triangles]
    return guessed


def _projected(corners, normal):
    """A polygon (n, 3) along the axis nearest to its normal, (n, 2), counter-clockwise as seen against the normal."""
    axis = int(np.abs(normal).argmax())
    axes = [(axis + 1) % 3, (axis + 2) % 3]
    return np.asarray(corners - corners[0], dtype=np.float64)[:, axes if normal[axis] > 0 else axes[::-1]]


def _clip_ears(polygon):
    """(triangles (n - 2, 3) of a polygon (n, 2), whether none of them is turned round).

    manifold3d keeps every corner, also those on a straight edge, so that neighbours still meet corner to corner.
    """
    import manifold3d

    triangles = np.asarray(manifold3d.triangulate([polygon]))
    p, q, r = np.moveaxis(polygon[triangles], 1, 0)
    (ax, ay), (bx, by) = (q - p).T, (r - p).T
    areas = ax * by - ay * bx
    return triangles, bool((areas > -TURNED * np.abs(areas).sum()).all())
