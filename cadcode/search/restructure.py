"""Change the structure of a program where its numbers cannot help: drop idle features, add and cut missing ones.

A proposal from the residual is refined, and stays only if the score rises by more than the cost of a feature. Features
that describe the same body become one.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations

from cadcode.program.tree import Program, Step
from cadcode.search.goal import Goal, Late, never, until
from cadcode.search.options import RefineOptions, RestructureOptions
from cadcode.search.refine import Variant, refine
from cadcode.search.residual import proposals


def restructure(
    program: Program, goal: Goal, options: RestructureOptions, refining: RefineOptions, late: Late = never
) -> Variant:
    """A refined program with idle features dropped and missing ones added, refined after every addition.

    When it is `late`, nothing more is tried.
    """
    best = simplest(Variant(program, goal), options, late)
    for _ in until(late, range(options.additions)):
        if best.shortfall < options.feature_cost or best.work > options.work:
            break
        winner = max(_extended(best, options, refining, late), key=lambda v: v.worth, default=None)
        if winner is None or winner.worth < best.worth + options.feature_cost:
            break
        best = refine(winner.program(), goal, refining, work=best.work, late=late)
    return simplest(best, options, late)


def _extended(variant: Variant, options: RestructureOptions, refining: RefineOptions, late: Late) -> list[Variant]:
    """The variant with one step more: the best proposals, the new step refined."""
    longer = [variant.extended(step) for step in until(late, proposals(variant, options.residual))]
    best = sorted(longer, key=lambda v: -v.worth)[: options.tried]
    new = len(variant.program().steps)
    return [refine(v.program(), v.goal, refining, only=new, work=v.work, late=late) for v in best]


def simplest(
    variant: Variant,
    options: RestructureOptions = RestructureOptions(),  # noqa: B008 (frozen)
    late: Late = never,
) -> Variant:
    """The variant without idle bodies and sketch faces, and with one body where two describe the same."""
    for simpler in until(late, simpler_programs(variant.program())):
        candidate = variant.changed(simpler)
        if candidate.worth > variant.worth - options.idle:
            return simplest(candidate, options, late)
    return variant


def simpler_programs(program: Program) -> Iterator[Program]:
    """All programs with one body or one sketch face less, and those in which one body replaces two."""
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
