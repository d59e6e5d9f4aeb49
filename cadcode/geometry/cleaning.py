"""From what a file holds to what can be used: drop what is broken and count it, refuse what cannot be used.

Everything here works on plain arrays; a note is one short text for the user, a refusal is a `Refused`.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

LARGEST = 1e12  # coordinates beyond this are damage, not parts: their volume would lose all its digits
SMALLEST = 1e-30  # a longest side below this is no size
CELLS = 1 << 20  # vertices closer than a millionth of the longest side are one
BLOCK = 1 << 15  # rows handled at a time, so that large meshes stay lean and in the processor's cache
THREADS = 4  # on blocks: memory is the limit, so that more gain nothing
FEWEST_POINTS = 4


class Refused(Exception):
    """Geometry that cannot be used: why, and what to do about it. `load_shape` adds the file and raises InputError."""

    def __init__(self, reason: str, advice: str = "export it again from the program that made it"):
        self.reason, self.advice = reason, advice
        super().__init__(reason)


@dataclass(frozen=True, eq=False)
class Raw:
    """What a reader found: `vertices` (V, 3), `faces` (F, 3) or None for a cloud, `normals` (V, 3) of a cloud or None.

    `soup`: corners are repeated by design of the format, so that merging them is no repair to report. `unit` is the
    unit of the coordinates where the file says it, a key of `units.MILLIMETRES`. `warnings` are notes that the user
    has to see even where tables are not shown. `bodies` are the numbers of vertices of each body, in their order, where
    the file says which are its bodies: such bodies may touch and are not united.
    """

    vertices: np.ndarray
    faces: np.ndarray | None = None
    normals: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    soup: bool = False
    unit: str | None = None
    warnings: tuple[str, ...] = ()
    bodies: tuple[int, ...] = ()


@dataclass(frozen=True)
class ReadOptions:
    """What the user says about a file that the file does not say itself."""

    unit: str | None = None  # of its numbers, a name of `units.NAMED`; None: the file's own, or unknown
    columns: tuple[int, ...] | None = None  # of a table: x, y, z and perhaps the three of the normal, counted from 1


AS_IT_SAYS = ReadOptions()


def clean_mesh(raw: Raw):
    """(vertices (V, 3) float64, faces (F, 3) int64, notes); Refused where nothing usable is left."""
    vertices, faces = check_arrays(raw.vertices, raw.faces)
    faces, notes = drop_unfinite_faces(vertices, faces)
    body = np.repeat(np.arange(len(raw.bodies)), raw.bodies) if len(raw.bodies) > 1 else None
    vertices, faces, unused, body = drop_unused(vertices, faces, body)
    if unused:
        notes += (f"dropped {count_of(unused, 'vertex', 'vertices')} that no face uses",)
    bounds = check_bounds(vertices)
    vertices, faces, merge_notes = merge_vertices(vertices, faces, bounds, raw.soup, body)
    vertices, faces = vertices.astype(np.float64, copy=False), faces.astype(np.int64, copy=False)
    if not has_area(vertices, faces, bounds):
        raise Refused("all its faces are degenerate (no area)")
    return vertices, faces, raw.notes + notes + merge_notes + flat_note(bounds)


def clean_cloud(raw: Raw):
    """(points (N, 3) float64, normals (N, 3) or None, notes); Refused where nothing usable is left."""
    points, _ = check_arrays(raw.vertices, None)
    normals = None if raw.normals is None else np.asarray(raw.normals)
    if normals is not None and normals.shape != points.shape:
        raise Refused(f"its normals have shape {normals.shape}, its points {points.shape}")
    finite = np.isfinite(points).all(axis=1)
    dropped = len(points) - int(finite.sum())
    points = points[finite] if dropped else points
    if len(points) == 0:
        raise Refused("none of its points has finite coordinates" if dropped else "it has no points")
    bounds = check_bounds(points)
    if len(points) < FEWEST_POINTS:
        raise Refused(f"it has only {count_of(len(points), 'point')}", f"give at least {FEWEST_POINTS}")
    notes = (f"dropped {count_of(dropped, 'point')} with coordinates that are not numbers",) if dropped else ()
    normals, notes = unit_normals(None if normals is None else normals[finite], notes + flat_note(bounds))
    return np.array(points, dtype=np.float64, order="C"), normals, raw.notes + notes


def check_arrays(vertices, faces):
    """`vertices` as floats (V, 3) and `faces` as integers (F, 3) or None; Refused where they cannot be that."""
    vertices = np.asarray(vertices)
    if vertices.ndim != 2 or vertices.shape[1] != 3 or vertices.dtype.kind not in "fiu":
        raise Refused(f"its vertices are {vertices.dtype} of shape {vertices.shape}, not numbers of shape (V, 3)")
    if vertices.dtype != np.float32:  # binary STL stays small until its corners are merged
        vertices = vertices.astype(np.float64, copy=False)
    if faces is None:
        return vertices, None
    faces = np.asarray(faces)
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu":
        raise Refused(f"its faces are {faces.dtype} of shape {faces.shape}, not vertex numbers of shape (F, 3)")
    if len(faces) == 0:
        raise Refused("it has no faces")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise Refused(f"its faces use vertices {faces.min()} to {faces.max()}, but it has {len(vertices)}")
    return vertices, faces


def box_of(vertices):
    """Lowest and highest corner (2, 3) of `vertices` (V, 3), in their dtype; NaN where a coordinate is NaN."""
    width = 256  # vertices in a row: numpy reduces long rows many times faster than rows of three numbers
    whole = len(vertices) // width * width
    pieces = [vertices[whole:]]
    if whole:
        rows = vertices[:whole].reshape(-1, 3 * width)
        pieces += [rows.min(axis=0).reshape(-1, 3), rows.max(axis=0).reshape(-1, 3)]
    rest = np.concatenate(pieces)
    return np.stack([rest.min(axis=0), rest.max(axis=0)])


def check_bounds(vertices):
    """Lowest and highest corner (2, 3) of finite `vertices` (V, 3); Refused for coordinates of no real part."""
    bounds = box_of(vertices).astype(np.float64)
    largest = np.abs(bounds).max()
    if largest > LARGEST:
        raise Refused(f"coordinates reach {largest:.3g}, which overflows", "check its units, or export it again")
    if (bounds[1] - bounds[0]).max() <= max(SMALLEST, 1e-12 * largest):
        raise Refused("all its points coincide, so it has no size")
    return bounds


def drop_unfinite_faces(vertices, faces):
    """(faces whose corners are all finite, notes)."""
    if np.isfinite(box_of(vertices)).all():
        return faces, ()
    finite = np.isfinite(vertices).all(axis=1)
    good = finite[faces].all(axis=1)
    if not good.any():
        raise Refused("all its faces have coordinates that are not numbers (NaN or infinite)")
    dropped = len(faces) - int(good.sum())
    note = (f"dropped {count_of(dropped, 'face')} with coordinates that are not numbers",) if dropped else ()
    return faces[good], note


def drop_unused(vertices, faces, body=None):
    """(vertices (U, 3), faces renumbered, count dropped, body (U,)): only vertices that some face uses, in order."""
    used = np.zeros(len(vertices), dtype=bool)
    used[faces.ravel()] = True
    dropped = len(vertices) - int(used.sum())
    if not dropped:
        return vertices, faces, 0, body
    return vertices[used], (np.cumsum(used) - 1)[faces], dropped, None if body is None else body[used]


def merge_vertices(vertices, faces, bounds, soup: bool, body=None):
    """(vertices (U, 3), faces, notes): close vertices merged, of one `body` (V,) each; faces that collapsed dropped.

    Of close vertices the first stays. A face of no area with three different corners stays: it may be what closes a
    seam.
    """
    first, number = cells_of(vertices, bounds) if body is None else cells_of_bodies(vertices, bounds, body)
    merged = len(vertices) - len(first)
    if merged:
        vertices, faces = vertices[first], number[faces]
    a, b, c = faces.T
    whole = (a != b) & (b != c) & (c != a)
    degenerate = len(faces) - int(whole.sum())
    if degenerate:
        vertices, faces, _, _ = drop_unused(vertices, faces[whole])
    notes = ()
    if merged and not soup:
        notes += (f"merged {count_of(merged, 'duplicate vertex', 'duplicate vertices')}",)
    if degenerate:
        notes += (f"dropped {count_of(degenerate, 'degenerate face')}",)
    return vertices, faces, notes


def cells_of(vertices, bounds):
    """Which of `vertices` (V, 3) lie in the same cell of a fine grid.

    Returns the first vertex (U,) of each cell that holds some, in their order, and for each vertex the place of its
    cell's in there, (V,).
    """
    order, starts = grouped(cell_keys(vertices, bounds))
    first = order[starts]
    by_first = np.argsort(first)
    place = np.empty_like(first)
    place[by_first] = np.arange(len(first))
    number = np.empty_like(order)
    number[order] = np.repeat(place, np.diff(starts, append=len(order)))
    return first[by_first], number


def cells_of_bodies(vertices, bounds, body):
    """As `cells_of`, where vertices of one `body` (V,) share a cell only with their own; `body` rises."""
    starts = np.searchsorted(body, np.arange(body[-1] + 2))
    parts = [cells_of(vertices[a:b], bounds) for a, b in zip(starts, starts[1:], strict=False) if b > a]
    begins = starts[:-1][np.diff(starts) > 0]
    before = np.cumsum([0] + [len(first) for first, _ in parts])
    firsts = [first + begin for (first, _), begin in zip(parts, begins, strict=True)]
    numbers = [number + count for (_, number), count in zip(parts, before[:-1], strict=True)]
    return np.concatenate(firsts), np.concatenate(numbers)


def cell_keys(vertices, bounds):
    """For each of `vertices` (V, 3) the number (V,) of its cell, 21 bits an axis."""
    low = bounds[0]
    cells_per_unit = CELLS / (bounds[1] - low).max()
    key = np.empty(len(vertices), dtype=np.int64)

    def fill(rows: slice) -> None:
        x, y, z = np.rint((vertices[rows].astype(np.float64) - low) * cells_per_unit).astype(np.int64).T
        key[rows] = (x << 42) | (y << 21) | z

    by_blocks(len(vertices), fill)
    return key


def grouped(key):
    """(indices (V,) of `key` (V,) in an order that puts equal keys side by side, where each of the runs starts).

    In a run indices rise. Sorting numbers is several times faster than sorting indices by numbers. So a hash of each
    key and its index make one number; where different keys share a hash, as few do, those are put in order among
    themselves.
    """
    bits = max(len(key) - 1, 1).bit_length()
    packed = np.empty(len(key), dtype=np.uint64)
    order = np.empty(len(key), dtype=np.int32 if len(key) < 2**31 else np.int64)

    def pack(rows: slice) -> None:
        packed[rows] = hashes(key[rows], bits) | np.arange(rows.start, rows.stop, dtype=np.uint64)

    def unpack(rows: slice) -> None:
        order[rows] = packed[rows] & np.uint64(2**bits - 1)
        packed[rows] = key[order[rows]].view(np.uint64)  # where it was packed: large meshes fill the memory

    by_blocks(len(key), pack)
    packed.sort()
    by_blocks(len(key), unpack)
    key = packed.view(np.int64)
    starts = run_starts(key)
    hashed = hashes(key[starts], bits)
    clash = np.concatenate([[False], hashed[1:] == hashed[:-1], [False]])
    if clash.any():
        lengths = np.diff(starts, append=len(key))
        places = np.flatnonzero(np.repeat(clash[1:] | clash[:-1], lengths))
        sorted_places = places[np.lexsort((key[places], hashes(key[places], bits)))]
        order[places], key[places] = order[sorted_places], key[sorted_places]
        starts = run_starts(key)
    return order, starts


def hashes(key, bits: int):
    """Hashes of `key` (V,) that leave the lowest `bits` free, by Fibonacci hashing (Knuth, The Art of Computer
    Programming 3, 6.4): the upper bits of the product are mixed best.
    """
    return key.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15) & np.uint64(2**64 - 2**bits)


def run_starts(key):
    """Where numbers begin that differ from the one before."""
    return np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))


def by_blocks(count: int, work: Callable[[slice], object]) -> list:
    """What `work` returns for each block of `count` rows, in their order; numpy works on several at a time."""
    blocks = [slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]
    if len(blocks) < 2:
        return [work(rows) for rows in blocks]
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(work, blocks))


def has_area(vertices, faces, bounds) -> bool:
    """Whether any face has one, by the precision of coordinates in parts of the longest side."""
    size = (bounds[1] - bounds[0]).max()
    starts = range(0, len(faces), BLOCK)  # mostly the first block tells
    return any(areas_of(vertices[faces[start : start + BLOCK]] / size).max() > 0 for start in starts)


def face_areas(vertices, faces):
    """Area (F,) of each triangle, in squared units of the vertices."""
    return np.concatenate(by_blocks(len(faces), lambda rows: areas_of(vertices[faces[rows]])))


def areas_of(corners):
    """Area (F,) of triangles with these corners (F, 3, 3)."""
    return np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2


def signed_volume(vertices, faces) -> float:
    """Volume of a closed mesh by the divergence theorem; negative where the faces look inwards."""
    centre = vertices.mean(axis=0)

    def volume(rows: slice) -> float:
        corners = (vertices[faces[rows]] - centre).transpose(1, 2, 0)
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = np.ascontiguousarray(corners)
        return float(ax @ (by * cz - bz * cy) + ay @ (bz * cx - bx * cz) + az @ (bx * cy - by * cx))

    return sum(by_blocks(len(faces), volume)) / 6


def closed_by_edges(faces, vertex_count: int) -> tuple[bool, bool]:
    """(watertight, paired).

    Watertight: every edge is passed equally often in both directions, so the surface has no border and one inside.
    Paired: every edge has an even number of faces, whichever way they are wound.
    """
    edges = np.empty((len(faces), 3), dtype=np.int64)

    def fill(rows: slice) -> None:
        tails = faces[rows]
        heads = tails[:, [1, 2, 0]]
        both = np.minimum(tails, heads) * vertex_count + np.maximum(tails, heads)
        edges[rows] = 2 * both + (tails < heads)

    by_blocks(len(faces), fill)
    edges = edges.ravel()
    edges.sort()  # each edge once or more, backward before forward
    if len(edges) % 2 == 0 and np.array_equal(edges[0::2] ^ 1, edges[1::2]):
        return True, True
    return balanced(edges), len(edges) % 2 == 0 and np.array_equal(edges[0::2] >> 1, edges[1::2] >> 1)


def balanced(edges) -> bool:
    """Whether sorted `edges` (E,), twice a number and 1 for forward, are as often forward as backward, each."""
    starts = np.flatnonzero(np.diff(edges >> 1, prepend=-1))
    return not np.add.reduceat(2 * (edges & 1) - 1, starts).any()


def unit_normals(normals, notes: tuple[str, ...]):
    """(normals or None, notes): columns beside the points are normals only where every row has length 1."""
    if normals is None:
        return None, notes
    if normals.dtype.kind not in "fiu":
        return None, notes + ("its normals are no numbers and were ignored",)
    unit = np.abs(np.linalg.norm(normals, axis=1) - 1) < 0.01  # NaN: False
    if unit.all():
        return normals.astype(np.float64), notes
    if unit.mean() > 0.5 and not np.nan_to_num(normals[~unit]).any():
        without = count_of(int((~unit).sum()), "point")
        return None, notes + (f"{without} without a normal, so that all normals were ignored",)
    return None, notes + ("the columns after the coordinates are not unit normals and were ignored",)


def flat_note(bounds) -> tuple[str, ...]:
    extents = bounds[1] - bounds[0]
    axes = [name for name, extent in zip("xyz", extents, strict=True) if extent <= 1e-9 * extents.max()]
    return (f"it is flat: no extent along {' and '.join(axes)}",) if axes else ()


def count_of(number: int, singular: str, plural: str = "") -> str:
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
