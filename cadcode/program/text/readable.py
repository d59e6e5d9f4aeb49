"""A program tree as the CadQuery text a designer would like to receive.

A block of named parameters, one feature a statement, `result` built step by step. Sizes that mean the same are one
parameter, and places are written by each other (`placing`), so that editing one number moves what belongs together.
`parse` reads it back: every number is kept to less than a millionth of the size.
"""

import numpy as np

from cadcode.program.text.compact import IMPORT, check_tree, comment
from cadcode.program.text.drawing import drawn
from cadcode.program.text.expression import ZERO, Expression, Parameters
from cadcode.program.text.layout import statement
from cadcode.program.text.naming import LETTERS, feature_names
from cadcode.program.text.placing import Places
from cadcode.program.text.plain import number
from cadcode.program.transform import control_box, moved
from cadcode.program.tree import Program, Step

EXACT = 1.2e-7  # of the size: numbers this close are one, and are rounded this far


def readable(program: Program, header: str = "", tolerance: float | None = None) -> str:
    """Text for people; numbers keep the units of the tree. The lines of `header` become comments at the top.

    `tolerance`: how far apart the kernel takes faces for the same where bodies are combined; None: its own.

    Raises ValueError as `emit.compact` does.
    """
    check_tree(program)
    box = control_box(program)
    if not np.isfinite(box).all():
        raise ValueError("a program with numbers that are not finite")
    parameters = Parameters(EXACT * max(float((box[1] - box[0]).max()), 1e-12))
    datum = _datum(program, parameters)
    local = moved(program, 1.0, [-one.value for one in datum])
    names, places = feature_names(local.steps), Places(parameters, datum)
    features = {}
    for index in _building_order(local.steps):
        chain, words = drawn(names[index], local.steps[index], program.steps[index].body, places)
        name = "result" if _is_applied(program.steps[index]) else names[index]
        features[index] = f"# {words}\n{statement(name, chain)}"
    fuzzy = "" if tolerance is None else f", tol={tolerance:g}"
    result = [f"result = {names[0]}"]
    for index, step in list(enumerate(program.steps))[1:]:
        combined = f"result = result.{step.operation}({names[index]}{fuzzy})"
        result.append(features.pop(index) if _is_applied(step) else combined)
    blocks = [IMPORT, f"# parameters\n{parameters.text()}", *(features[i] for i in sorted(features)), "\n".join(result)]
    return comment(header) + "\n\n".join(blocks) + "\n"


def _is_applied(step: Step) -> bool:
    """Whether a step is calls on the solid so far, without a solid of its own."""
    return step.body.applied(step.operation, number) is not None


def _building_order(steps: tuple[Step, ...]) -> list[int]:
    """In which order places are worked out: bodies as they touch each other, then what is taken away."""
    boxes = [step.body.bounds() for step in steps]
    order, waiting = [0], [i for i, step in enumerate(steps) if step.operation == "union" and i > 0]
    near = 1e-9 * np.abs(boxes).max()

    def touch(i: int, j: int) -> bool:
        axis = steps[i].body.axis
        return axis is not None and bool(np.abs(boxes[i][:, axis, None] - boxes[j][:, axis]).min() <= near)

    while waiting:
        touching = (i for i in waiting for j in order if touch(i, j))
        order.append(next(touching, waiting[0]))
        waiting.remove(order[-1])
    return order + [i for i, step in enumerate(steps) if step.operation != "union"]


# --- where the part lies ---------------------------------------------------------------------------------------------


def _datum(program: Program, parameters: Parameters) -> list[Expression]:
    """The point that everything is measured from: the origin, where the part has to do with it, else the first body."""
    base = program.steps[0].body
    bodies = [base.core(), *(step.body for step in program.steps if step.operation == "union")]
    ends = np.array([body.bounds() for body in bodies])  # (B, 2, 3)
    found = []
    for axis in range(3):
        value = _datum_along(ends[:, :, axis], axis == base.axis, parameters.tolerance)
        found.append(parameters.new(f"part_{LETTERS[axis]}", value) if value else ZERO)
    return found


def _datum_along(ends: np.ndarray, upright: bool, tolerance: float) -> float:
    """One coordinate, from where the bodies start and end (B, 2) along an axis; 0 for the origin."""
    whole = np.array([ends[:, 0].min(), ends[:, 1].max()])
    if np.abs([*ends[0], ends[0].mean(), *whole, whole.mean()]).min() <= tolerance:
        return 0.0
    values = ends[1:].ravel()
    levels = np.rint(values / tolerance) * tolerance

    def order_about(value: float) -> int:
        """How many ends have a mirror image."""
        return int(sum(np.abs(2 * value - values - one).min() <= tolerance for one in np.unique(levels)))

    own = [ends[0, 0], ends[0].mean()] if upright else [ends[0].mean()]
    best = max([*own, whole.mean()], key=order_about)
    return float(best if order_about(best) > 2 else own[0])
