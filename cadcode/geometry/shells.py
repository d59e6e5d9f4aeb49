"""The closed shells of a mesh: their volumes, which are bodies and which are cavities of a body."""

from dataclasses import dataclass

import numpy as np

from cadcode.geometry.cleaning import areas_of
from cadcode.geometry.edges import shells
from cadcode.geometry.tree import triangle_tree
from cadcode.geometry.winding import winding_numbers

THINNEST = 1e-9  # of area times longest side; a shell of less volume than this is a folded sheet
PROBES = 5  # corners of a shell that have to lie inside another


@dataclass(frozen=True, eq=False)
class Shells:
    """The S closed shells of a mesh, in the order of their first faces."""

    vertices: np.ndarray
    faces: np.ndarray
    label: np.ndarray  # (F,) the shell of each face
    volume: np.ndarray  # (S,) negative where faces look inwards
    low: np.ndarray  # (S, 3)
    high: np.ndarray  # (S, 3)
    flat: np.ndarray  # (S,) bool: no volume

    def __len__(self) -> int:
        return len(self.volume)

    def faces_of(self, numbers) -> np.ndarray:
        return self.faces[np.isin(self.label, numbers)]

    def areas(self) -> np.ndarray:
        """Surface area of each shell. (S,)"""
        return np.bincount(self.label, areas_of(self.vertices[self.faces]), len(self))

    def inside(self, inner: np.ndarray, outer: int) -> np.ndarray:
        """Which of shells `inner` (I,) lie inside shell `outer`. (I,) bool"""
        found = (self.low[inner] >= self.low[outer]).all(axis=1) & (self.high[inner] <= self.high[outer]).all(axis=1)
        found &= inner != outer
        if not found.any():
            return found
        probes = np.stack([self._probes(number) for number in inner[found]])  # (I, PROBES, 3)
        tree = triangle_tree(self.vertices[self.faces_of([outer])])
        winding = winding_numbers(tree, probes.reshape(-1, 3)).reshape(-1, PROBES)
        found[found] = np.median(np.abs(winding), axis=1) > 0.5
        return found

    def _probes(self, number: int) -> np.ndarray:
        corners = self.faces_of([number]).ravel()
        return self.vertices[corners[np.linspace(0, len(corners) - 1, PROBES).astype(int)]]

    def around(self, inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
        """For each of shells `inner` (I,) the smallest of `outer` (O,) that holds it, -1 where none does. (I,)"""
        found = np.full(len(inner), -1)
        for number in outer[np.argsort(np.abs(self.volume[outer]), kind="stable")]:
            open_ = np.flatnonzero(found < 0)
            if not len(open_):
                break
            found[open_[self.inside(inner[open_], number)]] = number
        return found

    def depth(self) -> np.ndarray:
        """In how many other shells each lies. (S,)"""
        every = np.arange(len(self))
        return sum((self.inside(every, number).astype(int) for number in every), np.zeros(len(self), dtype=int))

    def bodies(self) -> np.ndarray:
        """The body (S,) of each shell, the number of an outer shell: a cavity belongs to the body around it."""
        body = np.arange(len(self))
        cavities = np.flatnonzero(self.volume < 0)
        if len(cavities):
            around = self.around(cavities, np.flatnonzero(self.volume > 0))
            body[cavities] = np.where(around < 0, cavities, around)
        return body


def shells_of(vertices: np.ndarray, faces: np.ndarray, label: np.ndarray | None = None) -> Shells:
    """The shells of a closed mesh, vertices (V, 3) and faces (F, 3); `label` (F,) where they were told apart before."""
    label = _by_first_face(shells(vertices, faces) if label is None else label)
    count = label.max() + 1
    corners = vertices[faces] - vertices[faces[0, 0]]
    volume = np.bincount(label, np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6, count)
    order = np.argsort(label, kind="stable")
    starts = np.flatnonzero(np.diff(label[order], prepend=-1))
    low = np.minimum.reduceat(vertices[faces].min(axis=1)[order], starts)
    high = np.maximum.reduceat(vertices[faces].max(axis=1)[order], starts)
    flat = np.abs(volume) <= THINNEST * np.bincount(label, areas_of(corners), count) * (high - low).max(axis=1)
    return Shells(vertices, faces, label, volume, low, high, flat)


def _by_first_face(label: np.ndarray) -> np.ndarray:
    _, first, index = np.unique(label, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[index.reshape(-1)]
