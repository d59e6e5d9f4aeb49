"""Methods of the dialect: the kinds of values and the calls each of them knows.

Solids are made by features (their `parsers`) and combined here.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps

from cadcode.program.chained import CHAINED_METHODS, Chained
from cadcode.program.features import FEATURES
from cadcode.program.solid_plane import SOLID_PLANE_KINDS, SOLID_PLANE_METHODS, SolidPlane, any_workplane, origin_of
from cadcode.program.tree import Program, Step
from cadcode.program.workplane import (
    PLANE_METHODS,
    SKETCH_METHODS,
    Module,
    Outside,
    Plane,
    Profile,
    Sketch,
    free_sketch,
    number_of,
)

MAX_STEPS = 200


KINDS = {
    Module: "cadquery",
    Plane: "a workplane",
    Sketch: "a sketch",
    Profile: "a finished sketch",
    Program: "a solid",
    Chained: "a solid",
    **SOLID_PLANE_KINDS,
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
    return replace(left, steps=(*left.steps, Step(operation, first.body), *again))


def _methods() -> dict[type, dict[str, Callable]]:
    """Kind of value -> method -> function."""
    found: dict[type, dict[str, Callable]] = {
        Module: {"Workplane": any_workplane, "Sketch": free_sketch},
        Plane: PLANE_METHODS,
        Sketch: SKETCH_METHODS,
        Profile: {},
        Program: {"union": union, "cut": cut, "intersect": intersect},
        **SOLID_PLANE_METHODS,
    }
    for feature in FEATURES.values():
        for kind, makers in feature.parsers().items():
            wrap = _as_cut if feature.is_tool else _as_program
            found[kind] = found[kind] | {name: wrap(make) for name, make in makers.items()}
    return found | {Chained: found[Program] | CHAINED_METHODS}


def _as_program(make: Callable) -> Callable:
    """The maker of a feature as the maker of a program, with the same signature."""

    @wraps(make)
    def made(base, *arguments, **named) -> Program:
        return Chained((Step("union", make(base, *arguments, **named)),), origin_of(base))

    return made


def _as_cut(make: Callable) -> Callable:
    """The maker of a tool on a workplane of a solid as a call that cuts it from the solid, with the same signature."""

    @wraps(make)
    def made(base: SolidPlane, *arguments, **named) -> Program:
        steps = (*base.solid.steps, Step("cut", make(base, *arguments, **named)))
        if len(steps) > MAX_STEPS:
            raise Outside(f"more than {MAX_STEPS} steps")
        return Chained(steps, base.origin)

    return made


METHODS = _methods()
