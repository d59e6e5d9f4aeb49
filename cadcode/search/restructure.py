"""Change the structure of a program where its numbers cannot help: drop what does not pay, add and cut what is missing.

What the residual proposes is refined and stays only when the score rises by more than a feature costs. Features that
say the same become one.
"""

from dataclasses import dataclass, replace
from itertools import permutations

from cadcode.program.tree import Program, Step
from cadcode.search.deadline import Late, never
from cadcode.search.refine import RefineOptions, Variant, refine, until
from cadcode.search.residual import ResidualOptions, proposals
from cadcode.search.volume_goal import Goal


@dataclass(frozen=True)
class EditOptions:
    additions: int = 8
    tried: int = 3  # proposals that are refined in a round
    feature_cost: float = 0.002  # a new feature has to raise the score by this much
    work: int = 28_000  # edges measured until nothing new is begun
    idle: float = 3e-4  # a feature whose loss costs less goes; small holes are worth little more
    residual: ResidualOptions = ResidualOptions()


def edit(program: Program, goal: Goal, options: EditOptions, refining: RefineOptions, late: Late = never) -> Variant:
    """A refined program with idle features dropped and missing ones added, refined after every addition.

    When it is `late`, nothing more is tried.
    """
    best = simplest(Variant(program, goal), options, late)
    for _ in until(late, range(options.additions)):
        if 1 - best.score < options.feature_cost or best.work > options.work:
            break
        winner = max(_extended(best, goal, options, refining, late), key=lambda v: v.score, default=None)
        if winner is None or winner.score < best.score + options.feature_cost:
            break
        best = refine(winner.program(), goal, refining, work=best.work, late=late)
    return simplest(best, options, late)


def _extended(variant: Variant, goal: Goal, options: EditOptions, refining: RefineOptions, late: Late) -> list[Variant]:
    """The variant with one step more: the best proposals, the new step refined."""
    longer = [variant.extended(step) for step in until(late, proposals(variant, goal, options.residual))]
    best = sorted(longer, key=lambda v: -v.score)[: options.tried]
    new = len(variant.program().steps)
    return [refine(v.program(), goal, refining, only=new, work=v.work, late=late) for v in best]


def simplest(variant: Variant, options: EditOptions = EditOptions(), late: Late = never) -> Variant:  # noqa: B008
    """Without the bodies and sketch faces that may go, and with one body where two say the same, as `idle` allows."""
    for simpler in until(late, simpler_programs(variant.program())):
        candidate = Variant(simpler, variant.goal, work=variant.work)
        if candidate.score > variant.score - options.idle:
            return simplest(candidate, options, late)
    return variant


def simpler_programs(program: Program):
    """All programs with one body or one sketch face less, and those in which one body stands for two."""
    steps = program.steps
    for i in range(len(steps)):
        rest = steps[:i] + steps[i + 1 :]
        if rest and rest[0].operation == "union":
            yield Program(rest)
    for i, step in enumerate(steps):
        for body in step.body.simpler():
            yield Program((*steps[:i], replace(step, body=body), *steps[i + 1 :]))
    for i, j in permutations(range(len(steps)), 2):
        if steps[i].operation == steps[j].operation and (joint := steps[i].body.joined(steps[j].body)):
            kept = [step for at, step in enumerate(steps) if at != j]
            kept[i - (j < i)] = Step(steps[i].operation, joint)
            if kept[0].operation == "union":
                yield Program(tuple(kept))
