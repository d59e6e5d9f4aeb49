"""One spelling for one shape: integers, counter-clockwise loops, sorted faces and bodies.

A network that must choose between equal spellings learns slower, so the training data holds just one of them.
"""

from cadcode.program.normal_form import sorted_runs
from cadcode.program.tree import Program, Step


def canonical(program: Program) -> Program:
    """The program with its bodies, faces and loops in their one order; the solid stays the same.

    Only neighbours of one operation change places: a cut before a union is not a cut after it.
    """
    steps = [Step(s.operation, s.body.canonical()) for s in program.steps]
    return Program(sorted_runs(steps, lambda step: step.operation, lambda step: step.body.order()))


def rounded(program: Program) -> Program | None:
    """The program on the integer grid (half units where something is thin); None where a feature vanishes on it."""
    steps = [Step(s.operation, body) for s in program.steps if (body := s.body.rounded()) is not None]
    return Program(tuple(steps)) if len(steps) == len(program.steps) else None
