"""Move the numbers of a program until it fits the input better: coordinate search, least squares, the input's planes.

A step of the coordinate search is kept only when the score rises. What makes distances exact afterwards may cost a
little score, but no more than was won, so the result is never worse by the score. Only bodies whose numbers changed are
measured again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from cadcode.program.tree import Program, Step
from cadcode.search.deadline import Late, never
from cadcode.search.least_squares import PolishOptions, polished
from cadcode.search.numbers import PLANE, SAME, Move, Parameters
from cadcode.search.volume_goal import Goal

GAIN = 1e-6  # a smaller rise of the score is none
REACHED = 1e-9  # program units from a plane
STEP, JUMP = 1000.0, 3000.0  # program units, the largest step and jump worth trying when all of the score is missing


@dataclass(frozen=True)
class RefineOptions:
    steps: tuple[float, ...] = (8.0, 4.0, 2.0, 1.0, 0.5, 0.25, 0.1, 0.05)  # program units
    passes: int = 2  # over all moves, at each step size
    plane_reach: float = 30.0  # how far a face may jump to a plane of the input
    snap_reach: float = 0.6  # within this a face takes the input's plane unless that costs more than `snap_cost`
    snap_cost: float = 5e-4
    work: int = 14_000  # edges measured in the coordinate search: what a program of very many numbers may cost
    polish: PolishOptions = PolishOptions()


class Variant:
    """A program's numbers, what the goal measured of its bodies, and its score; trials are made and kept here."""

    def __init__(self, program: Program, goal: Goal, measured: list = (), work: int = 0):
        """`measured` is what the goal already knows of the first bodies; `work` what its draft has cost so far."""
        self.goal, self.parameters = goal, Parameters(program)
        self.values = self.parameters.values.copy()
        self._steps = list(program.steps)
        self._measured = [*measured, *(goal.measure(step.body) for step in program.steps[len(measured) :])]
        self.score = goal.score(program, self._measured)
        self.work = work  # edges of outlines measured so far

    def program(self) -> Program:
        return Program(tuple(self._steps))

    def filled(self) -> np.ndarray:
        """Which points of a `Fit` the program fills."""
        return self.goal.filled(self.program(), self._measured)

    def extended(self, step: Step) -> "Variant":
        """With one step more; what was measured is kept."""
        return Variant(Program((*self._steps, step)), self.goal, self._measured, self.work)

    def attempt(self, values: np.ndarray, bodies: tuple[int, ...], allowance: float = -GAIN) -> bool:
        """Keep `values`, which change `bodies`, when the score falls by no more than `allowance` (negative: rises)."""
        steps, measured = self._steps.copy(), self._measured.copy()
        for index in bodies:
            body = self.parameters.body(index, values)
            if body is None:
                return False
            steps[index], measured[index] = Step(steps[index].operation, body), self.goal.measure(body)
            self.work += body.edge_count
        least = self.score - allowance
        score = self.goal.score(Program(tuple(steps)), measured, least)
        if score < least:
            return False
        self.values, self.score, self._steps, self._measured = values, score, steps, measured
        return True


def refine(
    program: Program,
    goal: Goal,
    options: RefineOptions = RefineOptions(),
    only: int | None = None,  # noqa: B008
    work: int = 0,
    late: Late = never,
) -> Variant:
    """The program with better numbers, a `Variant`; `only` limits the search to the moves of one body.

    When it is `late`, no further move is tried.
    """
    variant = Variant(program, goal, work=work)
    least = variant.score
    moves = [m for m in variant.parameters.moves() if only is None or m.bodies == (only,)]
    reach = min(options.plane_reach, JUMP * (1 - variant.score))
    affordable = lambda: variant.work - work < options.work  # noqa: E731
    for move in until(late, moves):
        if affordable():
            _jump_to_planes(variant, move, reach)
    for step in _steps_for(variant.score, options):
        for _ in range(options.passes):
            trials = (affordable() and _walk(variant, move, step) for move in until(late, moves))
            if not any(list(trials)):
                break
    if only is None:
        _polish(variant, options.polish, min(options.polish.cost, variant.score - least), late)
    for move in until(late, moves):
        _snap_to_plane(variant, move, options, min(options.snap_cost, variant.score - least))
    if only is None and not late():
        _snap_together(variant, moves, options, late)
    return variant


def until(late: Late, items: Iterable) -> Iterator:
    """The items for as long as it is not late."""
    return takewhile(lambda _: not late(), items)


def _steps_for(score: float, options: RefineOptions) -> tuple[float, ...]:
    """The step sizes, without those that are large for how little is missing; always the two finest."""
    return tuple(s for i, s in enumerate(options.steps) if s <= STEP * (1 - score) or i >= len(options.steps) - 2)


def _polish(variant: Variant, options: PolishOptions, allowance: float, late: Late):
    goal = variant.goal
    values = polished(variant.parameters, variant.values, goal.surface, goal.blur, options, late=late)
    if values is not None:
        variant.attempt(values, tuple(range(len(variant.program().steps))), allowance)


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


def _jump_to_planes(variant: Variant, move: Move, reach: float):
    for plane in _planes_near(variant, move, reach):
        variant.attempt(_moved(variant, move, plane - variant.values[move.slots[0]]), move.bodies)


def _snap_to_plane(variant: Variant, move: Move, options: RefineOptions, allowance: float):
    for plane in _planes_near(variant, move, options.snap_reach)[:1]:
        if abs(plane - variant.values[move.slots[0]]) > REACHED:
            variant.attempt(_moved(variant, move, plane - variant.values[move.slots[0]]), move.bodies, allowance)


def _snap_together(variant: Variant, moves: list[Move], options: RefineOptions, late: Late):
    """Let all faces take the input's planes at once, and everything else follow: a slanted side fits again only when
    both of its ends have moved.
    """
    values, held = variant.values.copy(), set()
    for move in moves:
        for plane in _planes_near(variant, move, options.snap_reach)[:1]:
            values[list(move.slots)] = plane
            held |= set(move.slots)
    if np.allclose(values, variant.values, rtol=0, atol=SAME):
        return
    goal = variant.goal
    found = polished(variant.parameters, values, goal.surface, goal.blur, options.polish, frozenset(held), late)
    variant.attempt(values if found is None else found, tuple(range(len(variant.program().steps))), 0.0)


def _planes_near(variant: Variant, move: Move, reach: float) -> list[float]:
    """The input's planes within reach of the face that a move carries, nearest first; none for other moves."""
    kinds = {(slot.kind, slot.axis) for slot in (variant.parameters.slots[i] for i in move.slots)}
    (kind, axis), here = min(kinds), variant.values[list(move.slots)]
    if len(kinds) > 1 or kind != PLANE or set(move.directions) != {1.0} or np.ptp(here) > SAME:
        return []
    planes = variant.goal.planes[axis]
    near = planes[np.abs(planes - here[0]) <= reach]
    return near[np.argsort(np.abs(near - here[0]))][:8].tolist()
