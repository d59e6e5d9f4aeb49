"""Roles of extrusions: a designer's words for them, guessed from their geometry by simple ratios."""

import math

from cadcode.program.feature import Feature, RoleContext
from cadcode.program.sketch import Face

THIN = 0.25  # of the next longer side: plates and walls
LONG = 2.5  # length over width: slots, bars


def extrude_role(body, context: RoleContext) -> str:
    """The role of an `Extrude`."""
    base, first = context.base, context.first
    if context.operation == "intersect":
        return "trim"
    if context.operation == "cut":
        return _cut_role(body)
    outline = body.faces[0].outline
    if outline.kind == "circle":
        return _round_role(body, base, first)
    thin = thin_axis(body)
    if thin is None:
        return _thick_role(body, base, first)
    if outline.kind == "loop" and len(outline.edges) == 3:
        return "plate" if first else "rib"
    return "wall" if not first and thin != _flat_axis(base) else "plate"


def _round_role(body, base: Feature, first: bool) -> str:
    ratio = (body.high - body.low) / (2 * body.faces[0].outline.radius)
    if bore(body) is not None:
        return "ring" if ratio < 0.5 else "tube"
    if not first and body.axis == base.axis and _carries(base, body.faces[0].outline):
        return "boss"
    return "disc" if ratio < 0.5 else "shaft" if ratio > 1 else "cylinder"


def _carries(base: Feature, circle) -> bool:
    """Whether the base is something that a round boss stands on, and not the shaft before it."""
    if base.kind != "extrude":
        return True
    outline = base.faces[0].outline
    return outline.kind != "circle" or outline.radius > max(circle.radius, base.high - base.low)


def _thick_role(body, base: Feature, first: bool) -> str:
    if not first and body.axis == base.axis and _smaller(body, base):
        return "boss"
    if body.faces[0].outline.kind == "loop":
        return "profile"
    short, middle, long = sorted(extents(body))
    return "bar" if long > LONG * middle else "block"


def _cut_role(body) -> str:
    outline = body.faces[0].outline
    if outline.kind == "circle":
        return "hole"
    short, long = sorted((outline.bounds()[1] - outline.bounds()[0]).tolist())
    oblong = outline.kind == "rect" or sorted(type(edge).__name__ for edge in outline.edges) == SLOT
    if oblong and long > LONG * short:
        return "slot"
    return "pocket" if outline.kind == "rect" else "cutout"


SLOT = ["Arc", "Arc", "Line", "Line"]


def _smaller(body, base: Feature) -> bool:
    """Whether the body stays within the base's outline."""
    across = [axis for axis in range(3) if axis != base.axis]
    (low, high), (floor, ceiling) = body.bounds()[:, across], base.bounds()[:, across]
    return bool((low > floor - 1e-6).all() and (high < ceiling + 1e-6).all() and (high - low < ceiling - floor).any())


def bore(body) -> Face | None:
    """The one hole in the middle of a disc."""
    first, *rest = body.faces
    round_hole = len(rest) == 1 and rest[0].subtract and rest[0].outline.kind == "circle"
    if not round_hole or first.outline.kind != "circle":
        return None
    return rest[0] if math.dist(rest[0].outline.centre, first.outline.centre) < 1e-6 * first.outline.radius else None


def extents(body: Feature) -> list[float]:
    """Length along x, y, z."""
    low, high = body.bounds()
    return (high - low).tolist()


def thin_axis(body: Feature) -> int | None:
    """Along which axis a body is a sheet, if it is one."""
    sides = extents(body)
    short, middle, _ = sorted(sides)
    return sides.index(short) if short <= THIN * middle else None


def _flat_axis(base: Feature) -> int | None:
    thin = thin_axis(base)
    return base.axis if thin is None else thin
