"""The numbers of a program as one vector, and the moves that keep its topology.

Edges, not centres and sizes: a rectangle is left, right, bottom, top; a body low, high; a loop the distinct x and y of
its vertices and how far each arc bulges. Numbers in one plane of the part are moved together first (flush faces
stay flush), then alone; pairs move apart (a slot gets wider) and along (a boss slides).
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from cadcode.program.numbers import ANGLE, BULGE, CENTRE, LOCAL, PLANE, RADIUS, SAME
from cadcode.program.tree import Feature, Program, Step

__all__ = ["ANGLE", "BULGE", "CENTRE", "LOCAL", "PLANE", "RADIUS", "SAME", "Move", "Parameters", "Slot", "is_sound"]


@dataclass(frozen=True, slots=True)
class Slot:
    """One number: which body it belongs to, what it is, and along which axis it moves something.

    0 to 2 are the world's axes, 3 to 5 those of the body's own plane, -1 none. Angles are in degrees.
    """

    body: int
    kind: str
    axis: int


@dataclass(frozen=True, slots=True)
class Move:
    """Change the numbers `slots` by a step times `directions`."""

    slots: tuple[int, ...]
    directions: tuple[float, ...]
    bodies: tuple[int, ...]  # what has to be computed again


class Parameters:
    """`values` (P,) of a program; `program(values)` is the same tree with these numbers, None where it breaks."""

    def __init__(self, program: Program):
        bodies = [step.body.numbers() for step in program.steps]
        self.slots = [Slot(index, *slot) for index, body in enumerate(bodies) for slot in body.slots]
        self.values = np.array([value for body in bodies for value in body.values])
        ends = np.cumsum([0, *(len(body.values) for body in bodies)]).tolist()
        self._parts = [slice(start, stop) for start, stop in zip(ends[:-1], ends[1:], strict=True)]
        self._rebuild = [body.rebuild for body in bodies]
        self._operations = [step.operation for step in program.steps]

    def body(self, index: int, values: np.ndarray) -> Feature | None:
        return self._rebuild[index](values[self._parts[index]])

    def program(self, values: np.ndarray) -> Program | None:
        bodies = [self.body(index, values) for index in range(len(self._parts))]
        if any(body is None for body in bodies):
            return None
        return Program(tuple(Step(o, b) for o, b in zip(self._operations, bodies, strict=True)))

    def groups(self, values: np.ndarray) -> list[list[int]]:
        """The indices of numbers that are equal and of one kind and axis; bulges of arcs and angles are each alone."""
        found = defaultdict(list)
        for i, (slot, value) in enumerate(zip(self.slots, values, strict=True)):
            alone = i if slot.kind in (BULGE, ANGLE) else 0
            found[slot.kind, slot.axis, round(value / SAME), alone].append(i)
        return list(found.values())

    def moves(self) -> list[Move]:
        """All moves, the ones that keep most relations first."""
        groups = self.groups(self.values)
        found = [_move(self.slots, g, [1.0] * len(g)) for g in groups]
        found += [_move(self.slots, [i], [1.0]) for g in groups if len(g) > 1 for i in g]
        for pair in _pairs(self.slots, self.values):
            found += [_move(self.slots, pair, [1.0] * len(pair)), _move(self.slots, pair, _apart(self.values[pair]))]
        return list(dict.fromkeys(move for move in found if any(move.directions)))


def is_sound(program: Program) -> bool:
    """Whether the numbers make sense as they are: no faces or heights of (nearly) no size."""
    parameters = Parameters(program)
    return parameters.program(parameters.values) is not None


def _move(slots, indices, directions) -> Move:
    return Move(tuple(int(i) for i in indices), tuple(directions), tuple(sorted({slots[i].body for i in indices})))


def _pairs(slots, values) -> list[list[int]]:
    """All numbers of one kind, axis and body: moved along or apart together; and every sketch as a whole."""
    together = defaultdict(list)
    for i, slot in enumerate(slots):
        if slot.axis >= 0:
            together[slot.body, slot.axis, slot.kind].append(i)
            together[slot.body, slot.axis].append(i)
    whole = [
        list(range(i, i + 2))
        for i in range(len(slots) - 1)
        if slots[i].kind == PLANE and slots[i] == slots[i + 1] and values[i] < values[i + 1]
    ]
    return [g for g in [*whole, *together.values()] if len(g) > 1]


def _apart(values: np.ndarray) -> list[float]:
    """Away from the middle of the numbers, the outermost at full speed."""
    middle = (values.min() + values.max()) / 2
    reach = (values.max() - values.min()) / 2
    return [float(d) for d in (values - middle) / reach] if reach > SAME else [0.0] * len(values)
