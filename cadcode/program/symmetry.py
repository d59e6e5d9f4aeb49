"""The 48 symmetries of the cube acting on programs; nothing is added to them: planes, offsets and signs change."""

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np

from cadcode.program.tree import AXES, Arc, Circle, Extrude, Face, Line, Loop, Outline, Program, Rect, Step


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
_PLANE_OF_NORMAL = {axes[2]: plane for plane, axes in AXES.items()}


def transformed(program: Program, symmetry: CubeSymmetry) -> Program:
    """The program whose solid is the image of this one's under the symmetry."""
    return Program(tuple(Step(s.operation, _body(s.body, symmetry)) for s in program.steps))


def _body(body: Extrude, symmetry: CubeSymmetry) -> Extrude:
    x, y, normal = AXES[body.plane]
    plane = _PLANE_OF_NORMAL[symmetry.axes[normal]]
    swap = AXES[plane][0] != symmetry.axes[x]
    sx, sy, sign = symmetry.signs[x], symmetry.signs[y], symmetry.signs[normal]
    offset = body.offset if sign > 0 else -(body.offset + body.height)
    faces = (Face(_outline(f.outline, sx, sy, swap), f.subtract) for f in body.faces)
    return Extrude(plane, offset, body.height, tuple(faces))


def _outline(outline: Outline, sx: int, sy: int, swap: bool) -> Outline:
    def move(p):
        q = (sx * p[0] + 0.0, sy * p[1] + 0.0)  # + 0.0 turns -0.0 into 0.0
        return (q[1], q[0]) if swap else q

    if isinstance(outline, Circle):
        return Circle(move(outline.centre), outline.radius)
    if isinstance(outline, Rect):
        size = (outline.height, outline.width) if swap else (outline.width, outline.height)
        return Rect(move(outline.centre), *size)
    edges = (Arc(move(e.middle), move(e.end)) if isinstance(e, Arc) else Line(move(e.end)) for e in outline.edges)
    return Loop(move(outline.start), tuple(edges))
