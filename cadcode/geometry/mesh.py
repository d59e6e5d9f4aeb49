"""Arithmetic of triangle meshes: boxes, areas, volumes, merging of vertices, and whether a mesh is closed.

Plain arrays in and out: `vertices` (V, 3), `faces` (F, 3) of vertex numbers, `corners` (F, 3, 3) of triangles.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

CELLS = 1 << 20  # vertices closer than a millionth of the longest side are one
EQUAL = 1e-7  # of the longest side: vertices of measured meshes this close are one
BLOCK = 1 << 15  # rows handled at a time, so that large meshes stay lean and in the processor's cache
THREADS = 4  # on blocks: memory is the limit, so that more gain nothing


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


def drop_unused(vertices, faces, body=None):
    """(vertices (U, 3), faces renumbered, count dropped, body (U,)): only vertices that some face uses, in order."""
    used = np.zeros(len(vertices), dtype=bool)
    used[faces.ravel()] = True
    dropped = len(vertices) - int(used.sum())
    if not dropped:
        return vertices, faces, 0, body
    return vertices[used], (np.cumsum(used) - 1)[faces], dropped, None if body is None else body[used]


def merge_vertices(vertices, faces, bounds, body=None):
    """(vertices (U, 3), faces, vertices merged, faces dropped): close vertices become one, collapsed faces go.

    The first of close vertices stays; vertices of different bodies, `body` (V,), are not merged. A face of no area with
    three different corners stays: it may be what closes a seam.
    """
    first, number = cells_of(vertices, bounds) if body is None else cells_of_bodies(vertices, bounds, body)
    merged = len(vertices) - len(first)
    if merged:
        vertices, faces = vertices[first], number[faces]
    whole = has_three_corners(faces)
    degenerate = len(faces) - int(whole.sum())
    if degenerate:
        vertices, faces, _, _ = drop_unused(vertices, faces[whole])
    return vertices, faces, merged, degenerate


def has_three_corners(faces):
    """Whether the three vertex numbers of each face differ. (F,) bool"""
    a, b, c = faces.T
    return (a != b) & (b != c) & (c != a)


def usable_mesh(vertices, faces):
    """(vertices (U, 3) float64, faces (G, 3) int64): close vertices merged, unusable faces dropped.

    Faces are unusable where they name vertices that do not exist or that are not finite, and where they collapse. Any
    input is accepted; nothing may be left. Finer than `merge_vertices`: results are measured to less than a millionth.
    """
    vertices = np.asarray(vertices, dtype=np.float64).reshape(-1, 3)
    faces = np.asarray(faces, dtype=np.int64).reshape(-1, 3)
    faces = faces[((faces >= 0) & (faces < len(vertices))).all(axis=1)]
    faces = faces[np.isfinite(vertices).all(axis=1)[faces].all(axis=1)]
    vertices, faces, _, _ = drop_unused(vertices, faces)
    if not len(faces):
        return vertices, faces
    cells = np.round((vertices - vertices.min(axis=0)) / (EQUAL * max(np.ptp(vertices, axis=0).max(), 1e-300)))
    _, first, same = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    vertices, faces = vertices[first], same.reshape(-1)[faces]
    return vertices, faces[has_three_corners(faces)]


def cells_of(vertices, bounds):
    """(first (U,), number (V,)): the first vertex of each occupied cell of a fine grid, and each vertex's cell.

    `first` rises; `number` counts its entries.
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
    """The same with separate cells for each body; `body` (V,) is the body of each vertex and must not fall."""
    starts = np.searchsorted(body, np.arange(body[-1] + 2))
    parts = [cells_of(vertices[a:b], bounds) for a, b in zip(starts, starts[1:], strict=False) if b > a]
    begins = starts[:-1][np.diff(starts) > 0]
    before = np.cumsum([0] + [len(first) for first, _ in parts])
    firsts = [first + begin for (first, _), begin in zip(parts, begins, strict=True)]
    numbers = [number + count for (_, number), count in zip(parts, before[:-1], strict=True)]
    return np.concatenate(firsts), np.concatenate(numbers)


def cell_keys(vertices, bounds):
    """Number (V,) of the cell of each vertex, 21 bits an axis."""
    low = bounds[0]
    cells_per_unit = CELLS / max((bounds[1] - low).max(), 1e-300)
    key = np.empty(len(vertices), dtype=np.int64)

    def fill(rows: slice) -> None:
        x, y, z = np.rint((vertices[rows].astype(np.float64) - low) * cells_per_unit).astype(np.int64).T
        key[rows] = (x << 42) | (y << 21) | z

    by_blocks(len(vertices), fill)
    return key


def grouped(key):
    """(order (V,), starts (R,)): an order of `key` (V,) in runs of equal keys, and where each run starts.

    Indices rise within a run. Sorting numbers is several times faster than sorting indices by numbers, so a hash of
    each key and its index are packed into one number; the few keys that share a hash are sorted afterwards.
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
    """Indices of the keys (V,) that differ from the key before."""
    return np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))


def by_blocks(count: int, work: Callable[[slice], object]) -> list:
    """Results of `work` for each block of `count` rows, in order; several threads run at a time."""
    blocks = [slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]
    if len(blocks) < 2:
        return [work(rows) for rows in blocks]
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(work, blocks))


def face_areas(vertices, faces):
    """Area (F,) of each triangle, in squared units of the vertices."""
    return np.concatenate(by_blocks(len(faces), lambda rows: areas_of(vertices[faces[rows]])))


def areas_of(corners):
    """Area (...) of triangles with these corners (..., 3, 3)."""
    return np.linalg.norm(double_area_vectors(corners), axis=-1) / 2


def double_area_vectors(corners):
    """Vectors (..., 3) along the normals of triangles with these corners (..., 3, 3), twice their area long."""
    return np.cross(corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :])


def tetrahedron_volumes(corners):
    """Signed volume (F,) between each triangle, corners (F, 3, 3), and the origin."""
    return np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6


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

    Watertight: every edge runs equally often in both directions, so the surface has no border and one inside.
    Paired: every edge has an even number of faces, in any winding.
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
    """Whether each edge runs as often forward as backward; `edges` (E,) sorted, 2 * number + 1 for forward."""
    starts = np.flatnonzero(np.diff(edges >> 1, prepend=-1))
    return not np.add.reduceat(2 * (edges & 1) - 1, starts).any()
