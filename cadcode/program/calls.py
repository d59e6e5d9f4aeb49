"""Methods of the dialect: the kinds of values and the calls each of them knows.

Solids are made by features (their `parsers`) and combined here.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial, wraps

from cadcode.program.feature import EmptySolid
from cadcode.program.features import FEATURES
from cadcode.program.flat_ends import end, is_flat
from cadcode.program.place import PLANES
from cadcode.program.solid_plane import (
    CORNERS_METHODS,
    END_FACES_METHODS,
    OTHER_METHODS,
    OTHERS,
    SOLID_PLANE_METHODS,
    Corners,
    EndFaces,
    OtherPlane,
    SolidPlane,
    Vector,
    directions,
    facing,
    origin_of,
    other_plane,
    unit,
)
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
    workplane_of,
)

MAX_STEPS = 200


@dataclass(frozen=True, slots=True)
class Chained(Program):
    """A solid, and the origin of the workplane that its chain is on."""

    origin: Vector


KINDS = {
    Module: "cadquery",
    Plane: "a workplane",
    OtherPlane: f"a workplane other than {', '.join(PLANES)}",
    Sketch: "a sketch",
    Profile: "a finished sketch",
    Program: "a solid",
    Chained: "a solid",
    EndFaces: "a selection of faces",
    SolidPlane: "a workplane on a solid",
    Corners: "a rectangle for construction",
}


def any_workplane(module: Module, inPlane="XY", origin=(0.0, 0.0, 0.0)) -> Plane | OtherPlane:
    return other_plane(inPlane, origin) if inPlane in OTHERS else workplane_of(module, inPlane, origin)


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


def copy_workplane(solid: Program, obj) -> SolidPlane:
    if not isinstance(obj, Plane | OtherPlane):
        raise Outside("copyWorkplane takes a workplane")
    origin, x, normal = directions(obj)
    axis, sense = facing(normal)
    points = (obj.at,) if isinstance(obj, Plane) else ((0.0, 0.0),)
    return SolidPlane(solid, origin, x, normal, partial(_span, solid, axis, sense), points)


def faces(solid: Chained, selector) -> EndFaces:
    """The faces at one end of the solid, where its field tells that they are flat."""
    if not isinstance(selector, str) or len(selector) != 2 or selector[0] not in "<>" or selector[1] not in "XYZ":
        raise Outside("faces are selected by an end of the solid, as '>Z'")
    axis, sense = "XYZ".index(selector[1]), 1 if selector[0] == ">" else -1
    try:
        level, flat = end(solid, axis, sense), is_flat(solid, axis, sense)
    except EmptySolid as problem:
        raise Outside(str(problem)) from None
    if not flat:
        raise Outside(f"faces('{selector}') of a solid without a flat face at this end")
    return EndFaces(solid, unit(axis, sense), level, partial(_span, solid, axis, sense), solid.origin)


def _span(solid: Program, axis: int, sense: int) -> tuple[float, float]:
    """Where a solid starts, and where a hole through it ends: at a flat end, beyond any other one by its size."""
    try:
        first, last = end(solid, axis, sense), end(solid, axis, -sense)
        return first, last if is_flat(solid, axis, -sense) else 2 * last - first
    except EmptySolid as problem:
        raise Outside(str(problem)) from None


def _methods() -> dict[type, dict[str, Callable]]:
    """Kind of value -> method -> function."""
    found: dict[type, dict[str, Callable]] = {
        Module: {"Workplane": any_workplane, "Sketch": free_sketch},
        Plane: PLANE_METHODS,
        OtherPlane: OTHER_METHODS,
        Sketch: SKETCH_METHODS,
        Profile: {},
        Program: {"union": union, "cut": cut, "intersect": intersect, "copyWorkplane": copy_workplane},
        EndFaces: END_FACES_METHODS,
        SolidPlane: SOLID_PLANE_METHODS,
        Corners: CORNERS_METHODS,
    }
    for feature in FEATURES.values():
        for kind, makers in feature.parsers().items():
            wrap = _as_cut if feature.is_tool else _as_program
            found[kind] = found[kind] | {name: wrap(make) for name, make in makers.items()}
    return found | {Chained: found[Program] | {"faces": faces}}


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
