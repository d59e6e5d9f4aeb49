"""Scenes: meshes at one or several places, joined into one mesh."""

from dataclasses import dataclass

import numpy as np

from cadcode.geometry.cleaning import Raw, Refused

MOST_TRIANGLES = 2_500_000  # and vertices, of a small file with all its copies; larger files may hold more
BYTES_PER_TRIANGLE = 4  # a file has at least these for each triangle or vertex beyond that number
MOST_NODES = 200_000  # of a scene
MOST_COPIES = 50_000  # of meshes
MOST_MESHES = 20_000  # different ones
NO_FACES = "it has no faces, so it was read as a point cloud"


@dataclass(frozen=True, eq=False)
class Part:
    """A mesh and where it is: `vertices` (V, 3), `faces` (F, 3), `transforms` (T, 4, 4) of column vectors."""

    vertices: np.ndarray
    faces: np.ndarray
    transforms: np.ndarray


@dataclass(frozen=True)
class Said:
    """Notes for the user, and those of them that are warnings."""

    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def note(self, *texts: str) -> "Said":
        return Said(self.notes + texts, self.warnings)

    def warn(self, *texts: str) -> "Said":
        return Said(self.notes + texts, self.warnings + texts)


def check_count(count: int, most: int, kind: str) -> None:
    """Refused where a scene has more of a `kind` of things than any real part."""
    if count > most:
        raise Refused(f"its scene has more than {most:,} {kind}", "export one part alone")


def check_size(triangles: int, vertices: int, file_size: int) -> None:
    """Refused where copies multiply a file of `file_size` bytes to more than can be handled."""
    limit = max(MOST_TRIANGLES, file_size // BYTES_PER_TRIANGLE)
    if triangles > limit or vertices > limit:
        amount = f"{max(triangles, vertices // 3):,}"
        raise Refused(f"it holds {amount} triangles with all copies, more than {limit:,}", "export one part alone")


def join(parts: list[Part], said: Said, unit: str | None) -> Raw:
    """All copies of all `parts` as one mesh; Refused where a face uses a vertex that its mesh lacks."""
    for part in parts:
        if part.faces.min() < 0 or part.faces.max() >= len(part.vertices):
            wrong = part.faces.min() if part.faces.min() < 0 else part.faces.max()
            raise Refused(f"a mesh uses vertex {wrong}, but it has {len(part.vertices)}")
    starts = np.cumsum([0] + [len(part.vertices) * len(part.transforms) for part in parts])
    faces = [placed_faces(part) + start for part, start in zip(parts, starts[:-1], strict=True)]
    vertices = [placed_points(part.vertices, part.transforms) for part in parts]
    return Raw(np.concatenate(vertices), np.concatenate(faces), notes=said.notes, unit=unit, warnings=said.warnings)


def placed_points(points, transforms):
    """Points (T * P, 3) float64: `points` (P, 3) at each of the `transforms` (T, 4, 4)."""
    with np.errstate(all="ignore"):  # transforms may overflow: such points are dropped as not finite
        turned = np.asarray(points, dtype=np.float64) @ transforms[:, :3, :3].transpose(0, 2, 1)
        return (turned + transforms[:, None, :3, 3]).reshape(-1, 3)


def placed_faces(part: Part):
    """Faces (T * F, 3) int64 of all copies; a mirror turns them round again."""
    with np.errstate(all="ignore"):
        mirrored = np.linalg.det(part.transforms[:, :3, :3]) < 0
    faces = np.asarray(part.faces, dtype=np.int64)
    turned = np.where(mirrored[:, None, None], faces[:, ::-1], faces)  # (T, F, 3)
    return (turned + len(part.vertices) * np.arange(len(part.transforms))[:, None, None]).reshape(-1, 3)
