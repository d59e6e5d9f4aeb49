"""Methods of the dialect: the kinds of values and the calls each of them knows.

Solids are made by features (their `parsers`) and combined here.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import wraps

from cadcode.program.arrays import ARRAY_METHODS, Ring, Rows
from cadcode.program.chained import CHAINED_METHODS, Chained
from cadcode.program.feature import Feature
from cadcode.program.features import FEATURES
from cadcode.program.features.tilted import tilted
from cadcode.program.place import Placement
from cadcode.program.selection import SELECTION_KINDS, SELECTION_METHODS
from cadcode.program.sketching import SKETCH_METHODS, Profile, Sketch
from cadcode.program.solid_plane import SOLID_PLANE_KINDS, SOLID_PLANE_METHODS, SolidPlane
from cadcode.program.tree import Step
from cadcode.program.workplane import PLANE_METHODS, Module, Outside, Plane, number_of

MAX_STEPS = 200

KINDS = {
    Module: "cadquery",
    Placement: "a plane",
    Plane: "a workplane",
    Rows: "an array of places",
    Ring: "an array of places",
    Sketch: "a sketch",
    Profile: "a finished sketch",
    Chained: "a solid",
    **SOLID_PLANE_KINDS,
    **SELECTION_KINDS,
}


def union(solid: Chained, toUnion, tol=None) -> Chained:
    return _combine(solid, "union", toUnion, tol)


def cut(solid: Chained, toCut, tol=None) -> Chained:
    return _combine(solid, "cut", toCut, tol)


def intersect(solid: Chained, toIntersect, tol=None) -> Chained:
    return _combine(solid, "intersect", toIntersect, tol)


def _combine(left: Chained, operation: str, right, tolerance) -> Chained:
    """Append `right` to `left`, body by body where set algebra allows it; a tolerance helps the kernel alone."""
    if not isinstance(right, Chained):
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


BOOLEAN_METHODS = {Chained: {"union": union, "cut": cut, "intersect": intersect}}
TABLES: tuple[dict, ...] = (
    PLANE_METHODS,
    SKETCH_METHODS,
    ARRAY_METHODS,
    SOLID_PLANE_METHODS,
    SELECTION_METHODS,
    CHAINED_METHODS,
    BOOLEAN_METHODS,
)


def _methods() -> dict[type, dict[str, Callable]]:
    """Kind of value -> method -> function."""
    found: dict[type, dict[str, Callable]] = {kind: {} for kind in KINDS}
    for table in TABLES:
        for kind, methods in table.items():
            found[kind] |= methods
    for feature in FEATURES.values():
        wrap = _as_cut if feature.is_tool else _as_program
        for kind, makers in feature.parsers().items():
            value = Chained if kind is Feature else kind
            found[value] |= {name: wrap(make) for name, make in makers.items()}
    return found


def _as_program(make: Callable) -> Callable:
    """The maker of a feature as the maker of a program, with the same signature; solids it takes are features.

    On a workplane with a place of its own, the maker works in its coordinates, and the feature is placed here.
    """

    @wraps(make)
    def made(base, *arguments, **named) -> Chained:
        features = {name: _as_feature(value) for name, value in named.items()}
        body = make(*map(_as_feature, (base, *arguments)), **features)
        solid = base if isinstance(base, Chained) else getattr(base, "solid", None)
        if solid is not None:
            return Chained((Step("union", body),), solid.origin)
        plane = getattr(base, "plane", base)  # what the maker starts from is a workplane, or is on one
        placed = body if plane.place is None else tilted(body, plane.place)
        return Chained((Step("union", placed),), plane.in_space())

    return made


def _as_feature(value):
    """The only feature of a solid; other values as they are."""
    return value.only_feature() if isinstance(value, Chained) else value


def _as_cut(make: Callable) -> Callable:
    """The maker of a tool on a workplane of a solid as a call that cuts it from the solid, with the same signature."""

    @wraps(make)
    def made(base: SolidPlane, *arguments, **named) -> Chained:
        steps = (*base.solid.steps, Step("cut", make(base, *arguments, **named)))
        if len(steps) > MAX_STEPS:
            raise Outside(f"more than {MAX_STEPS} steps")
        return Chained(steps, base.origin)

    return made


METHODS = _methods()
