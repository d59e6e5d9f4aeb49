"""Meshes of polygons, and of triangles without shared corners."""

import numpy as np

from cadcode.geometry.cleaning import Raw
from cadcode.geometry.io.cutting import cut_polygons
from cadcode.geometry.io.rows import Rows
from cadcode.geometry.mesh import box_of

COARSE, FAR_TOO_COARSE = 1e-3, 1e-2  # steps between 32-bit numbers in parts of the longest side


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
