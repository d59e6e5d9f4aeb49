"""What a designer would call things: guessed from their geometry, by tables and simple ratios."""

import math

from cadcode.program.field import body_bounds
from cadcode.program.outlines import bounds
from cadcode.program.tree import AXES, Arc, Circle, Extrude, Face, Line, Loop, Rect, Step

THIN = 0.25  # of the next longer side: plates and walls
LONG = 2.5  # length over width: slots, bars
LETTERS = "xyz"
WORDS = ("length", "width", "height")  # of a body, along x, y, z

# What is drawn into a sketch after its first outline.
ADDED = {Circle: "disc", Rect: "arm", Loop: "tab"}
TAKEN = {Circle: "hole", Rect: "window", Loop: "cutout"}
NOUNS = {Circle: "circle", Rect: "rectangle", Loop: "outline"}
VERBS = {"union": "extruded", "cut": "taken away", "intersect": "all but this is taken away,"}


def feature_names(steps: tuple[Step, ...]) -> list[str]:
    """`plate`, `boss`, `boss_2`, `hole`: one name for each step, none twice."""
    roles = [_role(step, steps[0].body, first=index == 0) for index, step in enumerate(steps)]
    counts = [roles[: index + 1].count(role) for index, role in enumerate(roles)]
    return [role if count == 1 else f"{role}_{count}" for role, count in zip(roles, counts, strict=True)]


def role(name: str) -> str:
    """`wall` of `wall_2`."""
    head, _, tail = name.rpartition("_")
    return head if tail.isdigit() else name


def _role(step: Step, base: Extrude, first: bool) -> str:
    if step.operation == "intersect":
        return "trim"
    if step.operation == "cut":
        return _cut_role(step.body)
    outline = step.body.faces[0].outline
    if isinstance(outline, Circle):
        return _round_role(step.body, base, first)
    thin = thin_axis(step.body)
    if thin is None:
        return _thick_role(step.body, base, first)
    if isinstance(outline, Loop) and len(outline.edges) == 3:
        return "plate" if first else "rib"
    return "wall" if not first and thin != _flat_axis(base) else "plate"


def _round_role(body: Extrude, base: Extrude, first: bool) -> str:
    ratio = abs(body.height) / (2 * body.faces[0].outline.radius)
    if bore(body) is not None:
        return "ring" if ratio < 0.5 else "tube"
    if not first and body.plane == base.plane and _carries(base, body.faces[0].outline):
        return "boss"
    return "disc" if ratio < 0.5 else "shaft" if ratio > 1 else "cylinder"


def _carries(base: Extrude, circle: Circle) -> bool:
    """Whether the base is something that a round boss stands on, and not the shaft before it."""
    outline = base.faces[0].outline
    return not isinstance(outline, Circle) or outline.radius > max(circle.radius, abs(base.height))


def _thick_role(body: Extrude, base: Extrude, first: bool) -> str:
    if not first and body.plane == base.plane and _smaller(body, base):
        return "boss"
    if isinstance(body.faces[0].outline, Loop):
        return "profile"
    short, middle, long = sorted(extents(body))
    return "bar" if long > LONG * middle else "block"


def _cut_role(body: Extrude) -> str:
    outline = body.faces[0].outline
    if isinstance(outline, Circle):
        return "hole"
    short, long = sorted((bounds(outline)[1] - bounds(outline)[0]).tolist())
    oblong = isinstance(outline, Rect) or sorted(type(edge).__name__ for edge in outline.edges) == SLOT
    if oblong and long > LONG * short:
        return "slot"
    return "pocket" if isinstance(outline, Rect) else "cutout"


SLOT = ["Arc", "Arc", "Line", "Line"]


def _smaller(body: Extrude, base: Extrude) -> bool:
    """Whether the body stays within the base's outline."""
    across = [axis for axis in range(3) if axis != AXES[base.plane][2]]
    (low, high), (floor, ceiling) = body_bounds(body)[:, across], body_bounds(base)[:, across]
    return bool((low > floor - 1e-6).all() and (high < ceiling + 1e-6).all() and (high - low < ceiling - floor).any())


def bore(body: Extrude) -> Face | None:
    """The one hole in the middle of a disc."""
    first, *rest = body.faces
    round_hole = len(rest) == 1 and rest[0].subtract and isinstance(rest[0].outline, Circle)
    if not round_hole or not isinstance(first.outline, Circle):
        return None
    return rest[0] if math.dist(rest[0].outline.centre, first.outline.centre) < 1e-6 * first.outline.radius else None


def extents(body: Extrude) -> list[float]:
    """Length along x, y, z."""
    low, high = body_bounds(body)
    return (high - low).tolist()


def thin_axis(body: Extrude) -> int | None:
    """Along which axis a body is a sheet, if it is one."""
    sides = extents(body)
    short, middle, _ = sorted(sides)
    return sides.index(short) if short <= THIN * middle else None


def _flat_axis(base: Extrude) -> int:
    thin = thin_axis(base)
    return AXES[base.plane][2] if thin is None else thin


def size_word(name: str, body: Extrude, axis: int) -> str:
    """`thickness`, `depth`, `length`...: what a feature's extent along an axis is called."""
    normal = AXES[body.plane][2]
    if role(name) in ("hole", "slot", "pocket", "cutout"):
        return "depth" if axis == normal else WORDS[axis]
    if role(name) in ("plate", "wall", "rib") and axis == thin_axis(body):
        return "thickness"
    if role(name) in ("disc", "ring"):
        return "thickness"
    return "length" if role(name) in ("shaft", "tube") else WORDS[axis]


def inset_word(loop: Loop, inset: float, tolerance: float) -> str:
    """What an inner coordinate of an outline is about: a rounded corner, a chamfer, a sheet's thickness, a step."""
    start = loop.start
    for edge in loop.edges:
        dx, dy = abs(edge.end[0] - start[0]), abs(edge.end[1] - start[1])
        if abs(dx - inset) <= tolerance and abs(dy - inset) <= tolerance:
            return "corner_radius" if isinstance(edge, Arc) else "chamfer"
        start = edge.end
    square = all(isinstance(edge, Line) for edge in loop.edges) and len(loop.edges) >= 6
    low, high = bounds(loop)
    return "thickness" if square and inset <= THIN * float((high - low).max()) else "inset"


def inner_word(face: Face, adds: bool) -> str:
    """What a later outline of a sketch is called; `adds`: whether the sketch's body adds material."""
    if adds:
        return (TAKEN if face.subtract else ADDED)[type(face.outline)]
    return "island" if face.subtract else {**TAKEN, Rect: "slot"}[type(face.outline)]


def describe(name: str, step: Step) -> str:
    """A few words for the comment above a feature: no numbers, they would go stale."""
    first, *rest = step.body.faces
    noun = NOUNS[type(first.outline)]
    if step.operation != "union":
        alike = [face for face in rest if type(face.outline) is type(first.outline) and not face.subtract]
        rest = [face for face in rest if face not in alike]
        noun = f"{len(alike) + 1} {noun}s" if alike else noun
    words = [inner_word(face, step.operation == "union") for face in rest]
    counts = [_counted(words.count(word), word) for word in dict.fromkeys(words)]
    inner = f" with {' and '.join(counts)}" if counts else ""
    axis = LETTERS[AXES[step.body.plane][2]]
    return f"{name}: {noun}{inner}, {VERBS[step.operation]} along {axis}"


def _counted(count: int, word: str) -> str:
    if count > 1:
        return f"{count} {word}s"
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
