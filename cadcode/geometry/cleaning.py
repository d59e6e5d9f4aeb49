"""Cleaning of meshes and clouds: broken data is dropped and counted, unusable data is refused.

A note is one short text for the user, a refusal is a `Refused`.
"""

from dataclasses import dataclass

import numpy as np

from cadcode.geometry.mesh import BLOCK, areas_of, box_of, drop_unused, merge_vertices

LARGEST = 1e12  # coordinates beyond this are damage, not parts: their volume would lose all its digits
SMALLEST = 1e-30  # a longest side below this counts as zero
FEWEST_POINTS = 4


class Refused(Exception):
    """Geometry that cannot be used: the reason and advice. `load_shape` adds the file and raises InputError."""

    def __init__(self, reason: str, advice: str = "export it again from the program that made it"):
        self.reason, self.advice = reason, advice
        super().__init__(reason)


@dataclass(frozen=True, eq=False)
class Raw:
    """Result of a reader: `vertices` (V, 3), `faces` (F, 3) or None for a cloud, `normals` (V, 3) of a cloud or None.

    `soup`: the format repeats corners by design, so merging them is not reported. `unit` is the unit of the coordinates
    that the file states, a key of `units.MILLIMETRES`, or None. `warnings` are notes that the user has to see even
    where tables are not shown. `bodies` are the numbers of vertices of each body, in order, where the file states its
    bodies: such bodies may touch and are not united.
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
    """The user's statements about a file."""

    unit: str | None = None  # unit of the coordinates, a name of `units.NAMED`; None: the file's own, or unknown
    columns: tuple[int, ...] | None = None  # of a table, counted from 1: x, y, z and perhaps the normal's three


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
    vertices, faces, merged, degenerate = merge_vertices(vertices, faces, bounds, body)
    if merged and not raw.soup:
        notes += (f"merged {count_of(merged, 'duplicate vertex', 'duplicate vertices')}",)
    if degenerate:
        notes += (f"dropped {count_of(degenerate, 'degenerate face')}",)
    vertices, faces = vertices.astype(np.float64, copy=False), faces.astype(np.int64, copy=False)
    if not has_area(vertices, faces, bounds):
        raise Refused("all its faces are degenerate (no area)")
    return vertices, faces, raw.notes + notes + flat_note(bounds)


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


def check_bounds(vertices):
    """Lowest and highest corner (2, 3) of finite `vertices` (V, 3); Refused for overflow and for no extent."""
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


def has_area(vertices, faces, bounds) -> bool:
    """Whether any face has an area, within the precision of coordinates relative to the longest side."""
    size = (bounds[1] - bounds[0]).max()
    starts = range(0, len(faces), BLOCK)  # mostly the first block tells
    return any(areas_of(vertices[faces[start : start + BLOCK]] / size).max() > 0 for start in starts)


def unit_normals(normals, notes: tuple[str, ...]):
    """(normals or None, notes): extra columns of points are normals only where every row has length 1."""
    if normals is None:
        return None, notes
    if normals.dtype.kind not in "fiu":
        return None, notes + ("its normals are not numbers and were ignored",)
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
