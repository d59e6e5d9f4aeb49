"""Shapes: meshes and point clouds, cleaned and repaired, in the units and position of their source."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cadcode.errors import InputError
from cadcode.geometry.bodies import count_bodies
from cadcode.geometry.cleaning import Raw, Refused, clean_cloud, clean_mesh
from cadcode.geometry.mending import mend
from cadcode.geometry.strays import without_strays


@dataclass(frozen=True, eq=False)
class Shape:
    """A mesh or a cloud in the units and position of its file.

    `vertices` (V, 3) float64 are the corners of a mesh or the points of a cloud; `faces` (F, 3) int64 look outwards,
    None for a cloud. `normals` (V, 3) are None for a mesh and for a cloud without normals. `watertight` is None for a
    cloud. `notes` list what was dropped or repaired; `warnings` are the notes that concern the part's size or volume.
    `unit` is 'mm' where the file or the user states the unit, and lengths are then in mm; None where it is unknown.
    """

    path: str
    format: str
    vertices: np.ndarray
    faces: np.ndarray | None
    normals: np.ndarray | None
    watertight: bool | None
    notes: tuple[str, ...]
    sha256: str
    unit: str | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_arrays(cls, vertices, faces=None, normals=None) -> "Shape":
        """A mesh of `vertices` (V, 3) and `faces` (F, 3), or without faces a cloud. Raises InputError if unusable."""
        arrays = [np.ascontiguousarray(array) for array in (vertices, faces, normals) if array is not None]
        digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
        try:
            return shape_of(Raw(vertices, faces, normals), "<arrays>", "arrays", digest)
        except Refused as refused:
            raise InputError("<arrays>", refused.reason, "check the arrays") from refused

    @property
    def is_cloud(self) -> bool:
        return self.faces is None

    @property
    def points(self) -> np.ndarray | None:
        """The points (N, 3) of a cloud, None for a mesh."""
        return self.vertices if self.is_cloud else None

    @cached_property
    def bodies(self) -> int:
        """Number of separate closed bodies without cavities; 0 for an open mesh and for a cloud.

        Bodies of a mesh that touch or overlap were united when it was read; each solid of a CAD file counts.
        """
        return count_bodies(self.vertices, self.faces) if self.watertight else 0

    @cached_property
    def bounds(self) -> np.ndarray:
        """Lowest and highest corner (2, 3)."""
        return np.stack([self.vertices.min(axis=0), self.vertices.max(axis=0)])

    @property
    def extents(self) -> np.ndarray:
        """Side lengths (3,) of the box."""
        return self.bounds[1] - self.bounds[0]


def shape_of(raw: Raw, path: str, format: str, digest: str) -> Shape:
    """The cleaned and repaired shape of a reader's result. Raises Refused where nothing usable is left."""
    if raw.faces is None:
        raw = without_strays(raw)
        points, normals, notes = clean_cloud(raw)
        return Shape(path, format, points, None, normals, None, notes, digest, raw.unit, raw.warnings)
    vertices, faces, notes = clean_mesh(raw)
    mesh = mend(vertices, faces, separate=len(raw.bodies) > 1)
    notes, warnings = notes + mesh.notes, raw.warnings + mesh.warnings
    return Shape(path, format, mesh.vertices, mesh.faces, None, mesh.closed, notes, digest, raw.unit, warnings)
