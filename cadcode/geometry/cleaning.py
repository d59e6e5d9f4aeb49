"""From what a file holds to what can be used: drop what is broken and count it, refuse what cannot be used.

Everything here works on plain arrays; a note is one short text for the user, a refusal is a `Refused`.
"""

from dataclasses import dataclass

import numpy as np

LARGEST = 1e12  # coordinates beyond this are damage, not parts: their volume would lose all its digits
SMALLEST = 1e-30  # a longest side below this is no size
CELLS = 1 << 20  # vertices closer than a millionth of the longest side are one
BLOCK = 1 << 20  # faces handled at a time, so that large meshes stay lean
FEWEST_POINTS = 4


class Refused(Exception):
    """Geometry that cannot be used: why, and what to do about it. `load_shape` adds the file and raises InputError."""

    def __init__(self, reason: str, advice: str = "export it again from the program that made it"):
        self.reason, self.advice = reason, advice
        super().__init__(reason)


@dataclass(frozen=True, eq=False)
class Raw:
    """What a reader found: `vertices` (V, 3), `faces` (F, 3) or None for a cloud, `normals` (V, 3) of a cloud or None.

    `soup`: corners are repeated by design of the format, so that merging them is no repair to report.
    """

    vertices: np.ndarray
    faces: np.ndarray | None = None
    normals: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    soup: bool = False


def clean_mesh(raw: Raw):
    """(vertices (V, 3) float64, faces (F, 3) int64, watertight, notes); Refused where nothing usable is left."""
    vertices, faces = check_arrays(raw.vertices, raw.faces)
    faces, notes = drop_unfinite_faces(vertices, faces)
    vertices, faces, unused = drop_unused(vertices, faces)
    if unused:
        notes += (f"dropped {count_of(unused, 'vertex', 'vertices')} that no face uses",)
    bounds = check_bounds(vertices)
    vertices, faces, merge_notes = merge_vertices(vertices, faces, bounds, raw.soup)
    vertices = vertices.astype(np.float64, copy=False)
    if len(faces) == 0 or face_areas(vertices / (bounds[1] - bounds[0]).max(), faces).max() == 0:
        raise Refused("all its faces are degenerate (no area)")
    watertight, paired = closed_by_edges(faces, len(vertices))
    notes += merge_notes + flat_note(bounds)
    if watertight and signed_volume(vertices, faces) < 0:
        faces = faces[:, ::-1].copy()
        notes += ("its faces looked inwards and were flipped",)
    if paired and not watertight:
        notes += ("some faces are wound against their neighbours, so it counts as open",)
    return vertices, faces, watertight, raw.notes + notes


def clean_cloud(raw: Raw):
    """(points (N, 3) float64, normals (N, 3) or None, notes); Refused where nothing usable is left."""
    points, _ = check_arrays(raw.vertices, None)
    normals = None if raw.normals is None else np.asarray(raw.normals)
    if normals is not None and normals.shape != points.shape:
        raise Refused(f"its normals have shape {normals.shape}, its points {points.shape}")
    finite = np.isfinite(points).all(axis=1)
    points, dropped = points[finite], len(points) - int(finite.sum())
    if len(points) == 0:
        raise Refused("none of its points has finite coordinates" if dropped else "it has no points")
    bounds = check_bounds(points)
    if len(points) < FEWEST_POINTS:
        raise Refused(f"it has only {count_of(len(points), 'point')}", f"give at least {FEWEST_POINTS}")
    notes = (f"dropped {count_of(dropped, 'point')} with coordinates that are not numbers",) if dropped else ()
    normals, notes = unit_normals(None if normals is None else normals[finite], notes + flat_note(bounds))
    return points.astype(np.float64, copy=False), normals, raw.notes + notes


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
    return vertices, faces.astype(np.int64, copy=False)


def check_bounds(vertices):
    """Lowest and highest corner (2, 3) of finite `vertices` (V, 3); Refused for coordinates of no real part."""
    bounds = np.stack([vertices.min(axis=0), vertices.max(axis=0)]).astype(np.float64)
    largest = np.abs(bounds).max()
    if largest > LARGEST:
        raise Refused(f"coordinates reach {largest:.3g}, which overflows", "check its units, or export it again")
    if (bounds[1] - bounds[0]).max() <= max(SMALLEST, 1e-12 * largest):
        raise Refused("all its points coincide, so it has no size")
    return bounds


def drop_unfinite_faces(vertices, faces):
    """(faces whose corners are all finite, notes)."""
    finite = np.isfinite(vertices).all(axis=1)
    if finite.all():
        return faces, ()
    good = finite[faces].all(axis=1)
    if not good.any():
        raise Refused("all its faces have coordinates that are not numbers (NaN or infinite)")
    dropped = len(faces) - int(good.sum())
    note = (f"dropped {count_of(dropped, 'face')} with coordinates that are not numbers",) if dropped else ()
    return faces[good], note


def drop_unused(vertices, faces):
    """(vertices (U, 3), faces renumbered, count dropped): only vertices that some face uses, in their order."""
    used = np.zeros(len(vertices), dtype=bool)
    used[faces.ravel()] = True
    dropped = len(vertices) - int(used.sum())
    if not dropped:
        return vertices, faces, 0
    return vertices[used], (np.cumsum(used) - 1)[faces], dropped


def merge_vertices(vertices, faces, bounds, soup: bool):
    """(vertices (U, 3), faces, notes): close vertices merged, faces that collapsed dropped.

    A face of no area with three different corners stays: it may be what closes a seam.
    """
    first = first_of_cell(vertices, bounds)
    merged = int((first != np.arange(len(first))).sum())
    faces = first[faces] if merged else faces
    a, b, c = faces.T
    whole = (a != b) & (b != c) & (c != a)
    degenerate = len(faces) - int(whole.sum())
    vertices, faces, _ = drop_unused(vertices, faces[whole])
    notes = ()
    if merged and not soup:
        notes += (f"merged {count_of(merged, 'duplicate vertex', 'duplicate vertices')}",)
    if degenerate:
        notes += (f"dropped {count_of(degenerate, 'degenerate face')}",)
    return vertices, faces, notes


def first_of_cell(vertices, bounds):
    """For each of `vertices` (V, 3) the index (V,) of the first one in the same cell of a fine grid."""
    low = bounds[0]
    cells_per_unit = CELLS / (bounds[1] - low).max()
    key = np.zeros(len(vertices), dtype=np.int64)
    for axis in range(3):
        cell = np.rint((vertices[:, axis].astype(np.float64) - low[axis]) * cells_per_unit)
        key = (key << 21) | cell.astype(np.int64)
    order = np.argsort(key, kind="stable")
    key = key[order]
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    first = np.empty(len(vertices), dtype=np.int64)
    first[order] = np.repeat(order[starts], np.diff(starts, append=len(key)))
    return first


def triangle_blocks(vertices, faces):
    """The corners (B, 3, 3) of all triangles, a block at a time."""
    for start in range(0, len(faces), BLOCK):
        yield vertices[faces[start : start + BLOCK]]


def face_areas(vertices, faces):
    """Area (F,) of each triangle, in squared units of the vertices."""
    blocks = [
        np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
        for corners in triangle_blocks(vertices, faces)
    ]
    return np.concatenate(blocks)


def signed_volume(vertices, faces) -> float:
    """Volume of a closed mesh by the divergence theorem; negative where the faces look inwards."""
    centre = vertices.mean(axis=0)
    blocks = ((corners - centre).transpose(1, 0, 2) for corners in triangle_blocks(vertices, faces))
    return float(sum(np.einsum("ij,ij->", a, np.cross(b, c)) for a, b, c in blocks)) / 6


def closed_by_edges(faces, vertex_count: int) -> tuple[bool, bool]:
    """(watertight, paired).

    Watertight: every edge is passed equally often in both directions, so the surface has no border and one inside.
    Paired: every edge has an even number of faces, whichever way they are wound.
    """
    tails, heads = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    if np.array_equal(np.sort(tails * vertex_count + heads), np.sort(heads * vertex_count + tails)):
        return True, True
    edges = np.sort(np.minimum(tails, heads) * vertex_count + np.maximum(tails, heads))
    return False, len(edges) % 2 == 0 and np.array_equal(edges[0::2], edges[1::2])


def unit_normals(normals, notes: tuple[str, ...]):
    """(normals or None, notes): columns beside the points are normals only where every row has length 1."""
    if normals is None:
        return None, notes
    if normals.dtype.kind in "fiu" and (np.abs(np.linalg.norm(normals, axis=1) - 1) < 0.01).all():  # NaN: False
        return normals.astype(np.float64), notes
    return None, notes + ("the columns after the coordinates are not unit normals and were ignored",)


def flat_note(bounds) -> tuple[str, ...]:
    extents = bounds[1] - bounds[0]
    axes = [name for name, extent in zip("xyz", extents, strict=True) if extent <= 1e-9 * extents.max()]
    return (f"it is flat: no extent along {' and '.join(axes)}",) if axes else ()


def count_of(number: int, singular: str, plural: str = "") -> str:
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
