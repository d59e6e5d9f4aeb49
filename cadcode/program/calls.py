"""Methods of the dialect: the kinds of values and the calls each of them knows.

Solids are made by features (their `parsers`) and combined here.
"""

from collections.abc import Callable
from functools import wraps

from cadcode.program.feature import Feature
from cadcode.program.features import FEATURES
from cadcode.program.tree import Program, Step
from cadcode.program.workplane import (
    PLANE_METHODS,
    SKETCH_METHODS,
    Module,
    Outside,
    Plane,
    Profile,
    Ring,
    Rows,
    Sketch,
    free_sketch,
    number_of,
    workplane_of,
)

MAX_STEPS = 200

KINDS = {
    Module: "cadquery",
    Plane: "a workplane",
    Rows: "an array of places",
    Ring: "an array of places",
    Sketch: "a sketch",
    Profile: "a finished sketch",
    Program: "a solid",
}


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


def _methods() -> dict[type, dict[str, Callable]]:
    """Kind of value -> method -> function."""
    found: dict[type, dict[str, Callable]] = {
        Module: {"Workplane": workplane_of, "Sketch": free_sketch},
        Plane: PLANE_METHODS,
        Rows: {},
        Ring: {},
        Sketch: SKETCH_METHODS,
        Profile: {},
        Program: {"union": union, "cut": cut, "intersect": intersect},
    }
    for feature in FEATURES.values():
        for kind, makers in feature.parsers().items():
            value = Program if kind is Feature else kind
            found[value] = found[value] | {name: _as_program(make) for name, make in makers.items()}
    return found


def _as_program(make: Callable) -> Callable:
    """The maker of a feature as the maker of a program, with the same signature; solids it takes are features."""

    @wraps(make)
    def made(*arguments, **named) -> Program:
        features = {name: _as_feature(value) for name, value in named.items()}
        return Program((Step("union", make(*map(_as_feature, arguments), **features)),))

    return made


def _as_feature(value):
    """The only feature of a solid; other values as they are."""
    if not isinstance(value, Program):
        return value
    if len(value.steps) > 1:
        raise Outside("a solid that is itself combined cannot be repeated")
    return value.steps[0].body


METHODS = _methods()
