"""Closed shells of a mesh: their volumes, and which are bodies or cavities of a body."""

from dataclasses import dataclass

import numpy as np

from cadcode.geometry.edges import shells
from cadcode.geometry.mesh import areas_of, tetrahedron_volumes
from cadcode.geometry.tree import triangle_tree
from cadcode.geometry.winding import winding_numbers

THINNEST = 1e-9  # of area times longest side; a shell of less volume than this is a folded sheet
MOST_PAIRS = 1_000_000  # of shells whose boxes meet; beyond this they are not looked at
PROBES = 5  # corners of a shell that have to lie inside another


@dataclass(frozen=True, eq=False)
class Shells:
    """The S closed shells of a mesh, in the order of their first faces."""

    vertices: np.ndarray
    faces: np.ndarray
    label: np.ndarray  # (F,) the shell of each face
    order: np.ndarray  # (F,) faces, those of one shell side by side
    starts: np.ndarray  # (S + 1,) where each shell begins in there, and the end
    volume: np.ndarray  # (S,) negative where faces look inwards
    low: np.ndarray  # (S, 3)
    high: np.ndarray  # (S, 3)
    flat: np.ndarray  # (S,) bool: no volume

    def __len__(self) -> int:
        return len(self.volume)

    def faces_of(self, numbers) -> np.ndarray:
        """Faces (n, 3) of some shells, in their order in the mesh."""
        return self.faces[np.sort(np.concatenate([self.order[self.starts[n] : self.starts[n + 1]] for n in numbers]))]

    def areas(self) -> np.ndarray:
        """Surface area of each shell. (S,)"""
        return np.bincount(self.label, areas_of(self.vertices[self.faces]), len(self))

    def touching(self, reach: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of shells (P,), (P,) whose boxes are not further apart than `reach`, each pair once."""
        return box_pairs(self.low - reach / 2, self.high + reach / 2)

    def nested(self) -> tuple[np.ndarray, np.ndarray]:
        """Pairs (inner (P,), outer (P,)) of shells, one inside the other, smaller outer shells first."""
        left, right = self.touching()
        inner, outer = np.concatenate((left, right)), np.concatenate((right, left))
        boxed = (self.low[inner] >= self.low[outer]).all(axis=1) & (self.high[inner] <= self.high[outer]).all(axis=1)
        inner, outer = inner[boxed], outer[boxed]
        order = np.lexsort((outer, np.abs(self.volume[outer])))
        inner, outer = inner[order], outer[order]
        if not len(inner):
            return inner, outer
        groups = np.split(np.arange(len(outer)), np.flatnonzero(np.diff(outer)) + 1)
        inside = np.concatenate([self._inside(inner[group], outer[group[0]]) for group in groups])
        return inner[inside], outer[inside]

    def _inside(self, inner: np.ndarray, outer: int) -> np.ndarray:
        """Whether each shell of `inner` (I,) is inside shell `outer`, by the majority of some corners. (I,) bool"""
        tree = triangle_tree(self.vertices[self.faces_of([outer])])
        count = self.starts[inner + 1] - self.starts[inner]
        places = self.starts[inner][:, None] + np.linspace(0, count - 1, PROBES).astype(int).T  # (I, PROBES)
        probes = self.vertices[self.faces[self.order[places], 0]]
        winding = winding_numbers(tree, probes.reshape(-1, 3)).reshape(-1, PROBES)
        return np.median(np.abs(winding), axis=1) > 0.5

    def depth(self) -> np.ndarray:
        """Number of other shells around each shell. (S,)"""
        return np.bincount(self.nested()[0], minlength=len(self))

    def holders(self, cavities: np.ndarray) -> np.ndarray:
        """The smallest shell around each that is not one of `cavities` (S,), -1 without one. (S,)"""
        inner, outer = self.nested()
        around = np.full(len(self), -1)
        solid = np.flatnonzero(~cavities[outer])[::-1]
        around[inner[solid]] = outer[solid]  # the smallest are written last
        return around

    def bodies(self) -> np.ndarray:
        """The body (S,) of each shell, the number of an outer shell: a cavity belongs to the body around it."""
        body, cavities = np.arange(len(self)), self.volume < 0
        if not cavities.any():
            return body
        around = self.holders(cavities)
        return np.where(cavities & (around >= 0), around, body)


def shells_of(vertices: np.ndarray, faces: np.ndarray, label: np.ndarray | None = None) -> Shells:
    """The shells of a closed mesh, vertices (V, 3) and faces (F, 3); `label` (F,) if already known."""
    label = _by_first_face(shells(vertices, faces) if label is None else label)
    count = label.max() + 1
    corners = vertices[faces] - vertices[faces[0, 0]]
    volume = np.bincount(label, tetrahedron_volumes(corners), count)
    order = np.argsort(label, kind="stable")
    starts = np.flatnonzero(np.diff(label[order], prepend=-1, append=count))
    low = np.minimum.reduceat(vertices[faces].min(axis=1)[order], starts[:-1])
    high = np.maximum.reduceat(vertices[faces].max(axis=1)[order], starts[:-1])
    flat = np.abs(volume) <= THINNEST * np.bincount(label, areas_of(corners), count) * (high - low).max(axis=1)
    return Shells(vertices, faces, label, order, starts, volume, low, high, flat)


def box_pairs(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (P,), (P,) of boxes that meet, each once, by sorting along the longest axis; none where P is too large."""
    axis = (high.max(axis=0) - low.min(axis=0)).argmax()
    order = np.argsort(low[:, axis], kind="stable")
    low, high = low[order], high[order]
    ends = np.searchsorted(low[:, axis], high[:, axis], side="right")
    left, right, total = [], [], 0
    for i in range(len(low)):
        if ends[i] > i + 1:
            others = slice(i + 1, ends[i])
            meets = np.flatnonzero(((low[i] <= high[others]) & (high[i] >= low[others])).all(axis=1)) + i + 1
            left.append(np.full(len(meets), i))
            right.append(meets)
            total += len(meets)
        if total > MOST_PAIRS:
            return np.empty(0, dtype=int), np.empty(0, dtype=int)
    if not left:
        return np.empty(0, dtype=int), np.empty(0, dtype=int)
    return order[np.concatenate(left)], order[np.concatenate(right)]


def _by_first_face(label: np.ndarray) -> np.ndarray:
    _, first, index = np.unique(label, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[index.reshape(-1)]
