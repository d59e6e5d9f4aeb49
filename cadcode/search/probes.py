"""Probes of the input's analytic faces: pairs of points just behind and just in front of each face.

Volume and area hardly see a countersink or a small fillet; its probes do. Each face has the same number of pairs,
whatever its area. They are taken from the surface itself and not from the facets, which lie inside of round faces.
"""

from dataclasses import dataclass

import numpy as np

from cadcode.surfaces import AnalyticFace, Segmentation

ASIDE, NARROW = 0.1, 0.2  # program units between a face and its probes, and share of the width of a narrow face
HALF = 0.5  # of a face's probes
MOST_PAIRS, FEWEST, MOST = 3000, 4, 12  # of the whole input, and of one face


@dataclass(frozen=True, eq=False)
class Probes:
    """F faces with K pairs each; `points` holds for each face K points behind it, then K in front of it."""

    points: np.ndarray  # (2 * F * K, 3)
    faces: int
    pairs: int  # of one face

    def found(self, inside: np.ndarray) -> np.ndarray:
        """Share (F,) of each face's pairs between which a solid, by its occupancy (2 * F * K,), has its surface."""
        behind, before = inside.reshape(self.faces, 2, self.pairs).transpose(1, 0, 2)
        return (behind & ~before).mean(axis=1)

    def middles(self) -> np.ndarray:
        """Points (F, K, 3) on the faces."""
        return self.points.reshape(self.faces, 2, self.pairs, 3).mean(axis=1)

    def lacking(self, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each face (F,): whether a solid lacks matter behind most of it, and whether it has matter before it."""
        behind, before = inside.reshape(self.faces, 2, self.pairs).mean(axis=2).T
        return behind < HALF, before > HALF


def probes_of(vertices: np.ndarray, faces: np.ndarray, read: Segmentation | None, rng: np.random.Generator) -> Probes:
    """Probes of a mesh with vertices (V, 3) and faces (F, 3); none where its faces are not known."""
    known = () if read is None else read.faces
    pairs = int(np.clip(MOST_PAIRS // max(len(known), 1), FEWEST, MOST))
    points = [_pairs(vertices[faces[face.triangles]], face, pairs, rng) for face in known]
    return Probes(np.concatenate([np.empty((0, 3)), *points]), len(known), pairs)


def _pairs(corners: np.ndarray, face: AnalyticFace, count: int, rng: np.random.Generator) -> np.ndarray:
    """Points (2 * count, 3) behind and in front of a face with triangles (T, 3, 3)."""
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(cross, axis=1)
    rows = rng.choice(len(corners), count, p=areas / areas.sum())
    shares = rng.dirichlet(np.full(3, 2.0), count)  # seldom close to an edge
    middles = np.einsum("nk,nkx->nx", shares, corners[rows])
    outward = face.surface.normals(middles)
    on_surface = middles - face.surface.signed(middles)[:, None] * outward
    step = _aside(corners, areas) * np.where((outward * cross[rows]).sum(axis=1) >= 0, 1.0, -1.0)[:, None] * outward
    return np.concatenate([on_surface - step, on_surface + step])


def _aside(corners: np.ndarray, areas: np.ndarray) -> float:
    """Distance of the probes from a face with triangles (T, 3, 3) of doubled areas (T,)."""
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    return float(min(ASIDE, NARROW * np.median(areas / longest)))
