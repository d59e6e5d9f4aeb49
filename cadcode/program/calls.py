"""Methods of the dialect: the kinds of values and the calls each of them knows.

Solids are made by features (their `parsers`) and combined here. A kind of value that is itself a feature type means: a
solid of one step, so far of this type alone.
"""

from collections.abc import Callable
from functools import wraps

from cadcode.program.features import FEATURES
from cadcode.program.selection import CapEdges, Caps, Largest, largest
from cadcode.program.tree import Program, Step
from cadcode.program.workplane import (
    PLANE_METHODS,
    SKETCH_METHODS,
    Module,
    Outside,
    Plane,
    Profile,
    Selectors,
    Sketch,
    free_sketch,
    number_of,
    workplane_of,
)

MAX_STEPS = 200

KINDS = {
    Module: "cadquery",
    Selectors: "cadquery.selectors",
    Plane: "a workplane",
    Sketch: "a sketch",
    Profile: "a finished sketch",
    Program: "a solid",
    Caps: "a selection of faces",
    CapEdges: "a selection of edges",
    Largest: "a selector",
}
TYPES = frozenset(FEATURES.values())


def union(solid: Program, toUnion, tol=None) -> Program:
    return _combine(solid, "union", toUnion, tol)


def cut(solid: Program, toCut, tol=None) -> Program:
    return _combine(solid, "cut", toCut, tol)


def intersect(solid: Program, toIntersect, tol=None) -> Program:
    return _combine(solid, "intersect", toIntersect, tol)


def _combine(left: Program, operation: str, right, tolerance) -> Program:
    """Append `right` to `left`, body by body where set algebra allows it; a tolerance helps the kernel alone."""
    if not isinstance(right, Program):
        raise Outside(f"{operation} takes a solid")
    if tolerance is not None:
        number_of(tolerance, "a tolerance")
    first, *rest = right.steps
    inner = {step.operation for step in rest}
    # A + (b + c) = A + b + c; A - (b + c) = A - b - c; A & (b & c - d) = A & b & c - d
    flat = {"union": {"union"}, "cut": {"union"}, "intersect": {"cut", "intersect"}}
    if not inner <= flat[operation]:
        raise Outside(f"{operation} with a solid that is itself combined: the order of steps would be lost")
    if len(left.steps) + len(right.steps) > MAX_STEPS:
        raise Outside(f"more than {MAX_STEPS} steps")
    again = [Step("cut" if operation == "cut" else step.operation, step.body) for step in rest]
    return Program((*left.steps, Step(operation, first.body), *again))


def method_of(target, name: str) -> Callable:
    """The function behind a call; raises Outside where the dialect has none."""
    if found := METHODS.get(type(target), {}).get(name):
        return found
    if isinstance(target, Program):
        if len(target.steps) == 1 and (make := METHODS.get(type(target.steps[0].body), {}).get(name)):
            return _on_its_feature(make)
        if any(name in METHODS.get(kind, {}) for kind in TYPES):
            raise Outside(f"`{name}` is only understood on a prism that nothing was combined with")
    raise Outside(f"{KINDS.get(type(target), 'a value')} has no call `{name}` in the dialect")


def _methods() -> dict[type, dict[str, Callable]]:
    """Kind of value -> method -> function."""
    found: dict[type, dict[str, Callable]] = {
        Module: {"Workplane": workplane_of, "Sketch": free_sketch},
        Selectors: {"AreaNthSelector": largest},
        Plane: PLANE_METHODS,
        Sketch: SKETCH_METHODS,
        Program: {"union": union, "cut": cut, "intersect": intersect},
    }
    for feature in FEATURES.values():
        for kind, makers in feature.parsers().items():
            found[kind] = found.get(kind, {}) | {name: _as_program(make) for name, make in makers.items()}
    return found


def _as_program(make: Callable) -> Callable:
    """A function with the same signature that returns a program of one step where `make` returns a feature."""

    @wraps(make)
    def made(*arguments, **named):
        result = make(*arguments, **named)
        return Program((Step("union", result),)) if type(result) in TYPES else result

    return made


def _on_its_feature(make: Callable) -> Callable:
    """A function of a program of one step that asks `make` with its feature."""

    @wraps(make)
    def made(solid: Program, *arguments, **named):
        return make(solid.steps[0].body, *arguments, **named)

    return made


METHODS = _methods()
