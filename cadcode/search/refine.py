"""Refine the numbers of a program: coordinate search, least squares, the planes of the input.

A step of the coordinate search is kept only if the score rises. The later steps, which make distances exact, may lower
the score a little, but by no more than was gained before, so the result is never worse by the score. Only bodies whose
numbers changed are measured again.
"""

from functools import cached_property

import numpy as np

from cadcode.program.tree import Program, Step
from cadcode.search.goal import Goal, Late, ResidualCells, never, until
from cadcode.search.least_squares import fitted_values
from cadcode.search.numbers import LOCAL, PLANE, SAME, Move, Parameters
from cadcode.search.options import LeastSquaresOptions, RefineOptions

GAIN = 1e-6  # the smallest rise of the score that counts
REACHED = 1e-9  # program units from a plane
STEP, JUMP = 1000.0, 3000.0  # program units, the largest step and jump to try at a score of 0; less in proportion


class Variant:
    """A program, its numbers, the goal's measurements of its bodies, and its score; trials change it in place."""

    def __init__(self, program: Program, goal: Goal, measured: list = (), work: int = 0):
        """`measured`: the measurements of the first bodies, if known; `work`: edges measured for this draft so far."""
        self.goal = goal
        self._steps = list(program.steps)
        self._measured = [*measured, *(goal.measure(step.body) for step in program.steps[len(measured) :])]
        self.score = goal.score(program, self._measured)
        self.work = work  # edges of outlines measured so far
        self._surface_share: float | None = None

    @cached_property
    def parameters(self) -> Parameters:
        return Parameters(self.program())

    @cached_property
    def values(self) -> np.ndarray:
        return self.parameters.values.copy()

    def program(self) -> Program:
        return Program(tuple(self._steps))

    @property
    def faces_found(self) -> np.ndarray:
        """For each analytic face of the input, the share that the program reproduces, (F,)."""
        return self.goal.faces_found(self.program(), self._measured)

    @property
    def faces_lacking(self) -> tuple[np.ndarray, np.ndarray]:
        """For each face (F,) whether the program lacks matter behind it, and whether it has matter before it."""
        return self.goal.faces_lacking(self.program(), self._measured)

    @property
    def worth(self) -> float:
        """The score, and a bonus for the faces that are reproduced."""
        weight = self.goal.face_weight
        return self.score + (weight * float(self.faces_found.mean()) if weight else 0.0)

    @property
    def whole_worth(self) -> float:
        """The worth, and a bonus for the program's surface that the input has too: slower, not for every trial."""
        if self._surface_share is None:
            self._surface_share = self.goal.surface_share(self.program())
        return self.worth + self.goal.surface_weight * self._surface_share

    @property
    def shortfall(self) -> float:
        """How much the worth could rise at most."""
        return 1 + self.goal.face_weight - self.worth

    def residual_cells(self) -> ResidualCells | None:
        """Grid cells where input and program disagree; None where the input has no inside."""
        return self.goal.residual_cells(self.program(), self._measured)

    def extended(self, step: Step) -> "Variant":
        """The variant with one step more; measurements are kept."""
        return Variant(Program((*self._steps, step)), self.goal, self._measured, self.work)

    def changed(self, program: Program) -> "Variant":
        """The variant of another program; measurements of the bodies that both have are kept."""
        known = {id(step.body): measured for step, measured in zip(self._steps, self._measured, strict=True)}
        bodies = [step.body for step in program.steps]
        measured = [known[id(body)] if id(body) in known else self.goal.measure(body) for body in bodies]
        return Variant(program, self.goal, measured, self.work)

    def attempt(self, values: np.ndarray, bodies: tuple[int, ...], allowance: float = -GAIN) -> bool:
        """Keep `values`, which change `bodies`, if the score falls by no more than `allowance` (negative: rises)."""
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
        self._surface_share = None
        return True


def refine(
    program: Program,
    goal: Goal,
    options: RefineOptions = RefineOptions(),  # noqa: B008 (frozen)
    only: int | None = None,
    work: int = 0,
    late: Late = never,
) -> Variant:
    """The program with better numbers; `only` limits the search to the moves of one body.

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
        _fit(variant, options.least_squares, min(options.least_squares.cost, variant.score - least), late)
    for move in until(late, moves):
        _snap_to_plane(variant, move, options, min(options.snap_cost, variant.score - least))
    if only is None and not late():
        _snap_together(variant, moves, options, late)
    return variant


def _steps_for(score: float, options: RefineOptions) -> tuple[float, ...]:
    """The step sizes, without those too large for a score close to 1; the two finest are always used."""
    return tuple(s for i, s in enumerate(options.steps) if s <= STEP * (1 - score) or i >= len(options.steps) - 2)


def _fit(variant: Variant, options: LeastSquaresOptions, allowance: float, late: Late):
    goal = variant.goal
    values = fitted_values(variant.parameters, variant.values, goal.surface, goal.noise_scale, options, late=late)
    if values is not None:
        variant.attempt(values, tuple(range(len(variant.program().steps))), allowance)


def _moved(variant: Variant, move: Move, step: float) -> np.ndarray:
    values = variant.values.copy()
    values[list(move.slots)] += np.multiply(step, move.directions)
    return values


def _walk(variant: Variant, move: Move, step: float) -> bool:
    """Repeat the move in the direction that raises the score, as long as it does; False if neither does."""
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
    """Move all faces to the input's planes at once and fit everything else: a slanted side fits again only when both
    of its ends have moved.
    """
    values, held = variant.values.copy(), set()
    for move in moves:
        for plane in _planes_near(variant, move, options.snap_reach)[:1]:
            values[list(move.slots)] = plane
            held |= set(move.slots)
    if np.allclose(values, variant.values, rtol=0, atol=SAME):
        return
    goal = variant.goal
    parameters, fitting = variant.parameters, options.least_squares
    found = fitted_values(parameters, values, goal.surface, goal.noise_scale, fitting, frozenset(held), late)
    variant.attempt(values if found is None else found, tuple(range(len(variant.program().steps))), 0.0)


def _planes_near(variant: Variant, move: Move, reach: float) -> list[float]:
    """The input's planes within reach of the face that a move carries, nearest first; none for other moves."""
    kinds = {(slot.kind, slot.axis) for slot in (variant.parameters.slots[i] for i in move.slots)}
    (kind, axis), values = min(kinds), variant.values[list(move.slots)]
    if len(kinds) > 1 or kind != PLANE or axis not in range(LOCAL):
        return []
    if set(move.directions) != {1.0} or np.ptp(values) > SAME:
        return []
    planes = variant.goal.planes[axis]
    near = planes[np.abs(planes - values[0]) <= reach]
    return near[np.argsort(np.abs(near - values[0]))][:8].tolist()
