"""Move the numbers of a program until it fills the input better: coordinate search, then the input's own planes.

Every step is kept only when the score rises, so the result is never worse by the score. Occupancies are kept per body, and
only the body whose number changed is computed again.
"""

from dataclasses import dataclass

import numpy as np

from cadcode.program.field import combine, inside_body
from cadcode.program.syntax import Program
from cadcode.search.fit import Fit
from cadcode.search.parameters import PLANE, Move, Parameters

GAIN = 1e-6  # a smaller rise of the score is none


@dataclass(frozen=True)
class RefineOptions:
    steps: tuple[float, ...] = (8.0, 4.0, 2.0, 1.0, 0.5, 0.25, 0.1, 0.05)  # program units
    passes: int = 2  # over all moves, at each step size
    plane_reach: float = 30.0  # how far a face may jump to a plane of the input
    snap_reach: float = 0.6  # within this a face takes the input's plane unless that costs more than `snap_cost`
    snap_cost: float = 5e-4


class Variant:
    """A program's numbers, its bodies' occupancies and its score; trials are made and kept here."""

    def __init__(self, program: Program, fit: Fit):
        self.fit, self.parameters = fit, Parameters(program)
        self.values = self.parameters.values.copy()
        self._operations = [s.operation for s in program.steps]
        self._bodies = [inside_body(s.body, fit.points) for s in program.steps]
        self.score = fit.score(self._combined({}))

    def program(self) -> Program:
        return self.parameters.program(self.values)

    def _combined(self, changed: dict[int, np.ndarray]) -> np.ndarray:
        filled = np.zeros(len(self.fit.points), bool)
        for i, (operation, body) in enumerate(zip(self._operations, self._bodies, strict=True)):
            filled = combine(operation, filled, changed.get(i, body))
        return filled

    def attempt(self, values: np.ndarray, bodies: tuple[int, ...], allowance: float = -GAIN) -> bool:
        """Keep `values` when the score does not fall by more than `allowance` (negative: when it rises)."""
        changed = {}
        for index in bodies:
            body = self.parameters.body(index, values)
            if body is None:
                return False
            changed[index] = inside_body(body, self.fit.points)
        score = self.fit.score(self._combined(changed))
        if score < self.score - allowance:
            return False
        self.values, self.score = values, score
        for index, filled in changed.items():
            self._bodies[index] = filled
        return True


def refine(program: Program, fit: Fit, options: RefineOptions = RefineOptions(), only: int | None = None) -> Variant:  # noqa: B008
    """The program with better numbers; `only` limits the search to the moves of one body."""
    variant = Variant(program, fit)
    moves = [m for m in variant.parameters.moves() if only is None or m.bodies == (only,)]
    planes = [m for m in moves if _is_plane(variant, m)]
    for move in planes:
        _jump_to_planes(variant, move, options)
    for step in options.steps:
        for _ in range(options.passes):
            if not any([_walk(variant, move, step) for move in moves]):
                break
    for move in planes:
        _snap_to_plane(variant, move, options)
    return variant


def _is_plane(variant: Variant, move: Move) -> bool:
    """Whether the move carries equal face coordinates of one axis."""
    slots = [variant.parameters.slots[i] for i in move.slots]
    return all(s.kind == PLANE and s.axis == slots[0].axis for s in slots) and set(move.directions) == {1.0} and (
        np.ptp(variant.values[list(move.slots)]) < GAIN
    )


def _moved(variant: Variant, move: Move, step: float) -> np.ndarray:
    values = variant.values.copy()
    values[list(move.slots)] += np.multiply(step, move.directions)
    return values


def _walk(variant: Variant, move: Move, step: float) -> bool:
    """Go on in the direction that raises the score, for as long as it does."""
    for signed in (step, -step):
        if variant.attempt(_moved(variant, move, signed), move.bodies):
            while variant.attempt(_moved(variant, move, signed), move.bodies):
                pass
            return True
    return False


def _jump_to_planes(variant: Variant, move: Move, options: RefineOptions):
    for target in _planes_near(variant, move, options.plane_reach):
        variant.attempt(_moved(variant, move, target - variant.values[move.slots[0]]), move.bodies)


def _snap_to_plane(variant: Variant, move: Move, options: RefineOptions):
    for target in _planes_near(variant, move, options.snap_reach)[:1]:
        step = target - variant.values[move.slots[0]]
        if abs(step) > 1e-9:
            variant.attempt(_moved(variant, move, step), move.bodies, options.snap_cost)


def _planes_near(variant: Variant, move: Move, reach: float) -> list[float]:
    """The input's planes within reach of a face, nearest first."""
    slot = variant.parameters.slots[move.slots[0]]
    planes, here = variant.fit.planes[slot.axis], variant.values[move.slots[0]]
    near = planes[np.abs(planes - here) <= reach]
    return [float(p) for p in near[np.argsort(np.abs(near - here))][:8]]
