"""The 48 symmetries of the cube acting on programs; nothing is added to them: planes, offsets and signs change."""

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

from cadcode.program.feature import Similarity
from cadcode.program.transform import placed
from cadcode.program.tree import Program


@dataclass(frozen=True, slots=True)
class CubeSymmetry:
    """World axis i of a shape becomes axis `axes[i]`, times `signs[i]`."""

    axes: tuple[int, int, int] = (0, 1, 2)
    signs: tuple[int, int, int] = (1, 1, 1)

    def matrix(self) -> np.ndarray:
        m = np.zeros((3, 3))
        m[list(self.axes), range(3)] = self.signs
        return m

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Points (N, 3) under the symmetry."""
        return points @ self.matrix().T

    def inverse(self) -> "CubeSymmetry":
        axes = tuple(self.axes.index(i) for i in range(3))
        return CubeSymmetry(axes, tuple(self.signs[a] for a in axes))

    @property
    def proper(self) -> bool:
        """Whether it is a rotation and not a reflection."""
        return np.linalg.det(self.matrix()) > 0


SYMMETRIES = tuple(CubeSymmetry(a, s) for a in permutations(range(3)) for s in product((1, -1), repeat=3))
ROTATIONS = tuple(s for s in SYMMETRIES if s.proper)


def transformed(program: Program, symmetry: CubeSymmetry) -> Program:
    """The program whose solid is the image of this one's under the symmetry."""
    return placed(program, Similarity(symmetry.axes, symmetry.signs))
