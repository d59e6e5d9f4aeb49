"""Change the structure of a program where its numbers cannot help: drop what does not pay, add and cut what is missing.

Where input and program disagree on the grid, the disagreement is opened and labelled; each large component proposes a
box and a cylinder along each axis. A proposal is refined and stays only when the score rises by more than a feature
costs.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from cadcode.program.field import occupancy
from cadcode.program.syntax import AXES, Circle, Extrude, Face, Program, Rect, Step
from cadcode.search.fit import Fit, Goal
from cadcode.search.refine import RefineOptions, Variant, refine


@dataclass(frozen=True)
class EditOptions:
    additions: int = 6
    components: int = 2  # of each sign, tried in a round
    feature_cost: float = 0.003  # a new feature has to raise the score by this much
    idle: float = 2e-4  # a feature whose loss costs less goes; small holes are worth little more
    smallest: int = 4  # grid cells of a component


def edit(program: Program, fit: Fit, options: EditOptions, refining: RefineOptions) -> Variant:
    """A refined program with idle features dropped and missing ones added, refined after every addition."""
    best = drop_idle(Variant(program, fit), fit, options)
    for _ in range(options.additions):
        winner = max(_extended(best.program(), fit, options, refining), key=lambda v: v.score, default=None)
        if winner is None or winner.score < best.score + options.feature_cost:
            break
        best = refine(winner.program(), fit, refining)
    return drop_idle(best, fit, options)


def _extended(program: Program, fit: Fit, options: EditOptions, refining: RefineOptions) -> list[Variant]:
    """The program with one step more: the two best proposals, the new step refined."""
    longer = [Variant(Program((*program.steps, step)), fit) for step in missing_and_surplus(program, fit, options)]
    best = sorted(longer, key=lambda variant: -variant.score)[:2]
    return [refine(variant.program(), fit, refining, only=len(program.steps)) for variant in best]


def drop_idle(variant: Variant, goal: Goal, options: EditOptions = EditOptions()) -> Variant:  # noqa: B008
    """Without the bodies and sketch faces whose loss costs less than `idle`, each."""
    for simpler in simpler_programs(variant.program()):
        candidate = Variant(simpler, goal)
        if candidate.score > variant.score - options.idle:
            return drop_idle(candidate, goal, options)
    return variant


def simpler_programs(program: Program):
    """All programs with one body or one sketch face less."""
    steps = program.steps
    for i in range(len(steps)):
        rest = steps[:i] + steps[i + 1 :]
        if rest and rest[0].operation == "union":
            yield Program(rest)
    for i, step in enumerate(steps):
        for j in range(1, len(step.body.faces)):
            body = replace(step.body, faces=step.body.faces[:j] + step.body.faces[j + 1 :])
            yield Program((*steps[:i], replace(step, body=body), *steps[i + 1 :]))


def missing_and_surplus(program: Program, fit: Fit, options: EditOptions) -> list[Step]:
    """Boxes and cylinders to add where the input has more, and to cut where it has less."""
    n = fit.grid_size
    filled, inside = occupancy(program, fit.points[:n]).reshape(fit.grid), fit.inside[:n].reshape(fit.grid)
    steps = []
    for operation, wrong in (("union", inside & ~filled), ("cut", filled & ~inside)):
        for cells in _components(wrong, options):
            steps += [Step(operation, body) for body in _bodies(fit.points[:n][cells], fit)]
    return steps


def _components(wrong: np.ndarray, options: EditOptions) -> list[np.ndarray]:
    """Row numbers of the cells of the largest connected components, as they are and opened."""
    found = []
    for mask in (ndimage.binary_opening(wrong), wrong):
        labels, count = ndimage.label(mask)
        sizes = np.bincount(labels.ravel())[1:] if count else np.empty(0)
        order = np.argsort(-sizes)[: options.components]
        found += [np.flatnonzero(labels.ravel() == i + 1) for i in order if sizes[i] >= options.smallest]
    return found


def _bodies(points: np.ndarray, fit: Fit) -> list[Extrude]:
    """A box and three cylinders about the points (n, 3) of a component."""
    half = (fit.box[1] - fit.box[0]) / np.array(fit.grid) / 2
    low, high = points.min(0) - half / 2, points.max(0) + half / 2
    (centre, size), bodies = ((low + high) / 2, high - low), []
    for plane, (i, j, k) in AXES.items():
        outlines = [Circle((float(centre[i]), float(centre[j])), float(min(size[i], size[j])) / 2)]
        if plane == "XY":
            outlines.append(Rect((float(centre[i]), float(centre[j])), float(size[i]), float(size[j])))
        bodies += [Extrude(plane, float(low[k]), float(size[k]), (Face(outline),)) for outline in outlines]
    return bodies
