"""Names of features and of their parts in readable programs, from tables."""

from cadcode.program.feature import RoleContext
from cadcode.program.text.roles import THIN, thin_axis
from cadcode.program.tree import Extrude, Face, Loop, Step

LETTERS = "xyz"
WORDS = ("length", "width", "height")  # of a body, along x, y, z

# What is drawn into a sketch after its first outline.
ADDED = {"circle": "disc", "rect": "arm", "loop": "tab"}
TAKEN = {"circle": "hole", "rect": "window", "loop": "cutout"}
NOUNS = {"circle": "circle", "rect": "rectangle", "loop": "outline"}
VERBS = {"union": "extruded", "cut": "taken away", "intersect": "all but this is taken away,"}


def feature_names(steps: tuple[Step, ...]) -> list[str]:
    """`plate`, `boss`, `boss_2`, `hole`: one name for each step, none twice."""
    roles = [step.body.role(RoleContext(step.operation, steps[0].body, n == 0)) for n, step in enumerate(steps)]
    counts = [roles[: index + 1].count(role) for index, role in enumerate(roles)]
    return [role if count == 1 else f"{role}_{count}" for role, count in zip(roles, counts, strict=True)]


def role(name: str) -> str:
    """`wall` of `wall_2`."""
    head, _, tail = name.rpartition("_")
    return head if tail.isdigit() else name


def size_word(name: str, body: Extrude, axis: int) -> str:
    """Name of a feature's extent along an axis: `thickness`, `depth`, `length`..."""
    normal = body.axis
    if role(name) in ("hole", "slot", "pocket", "cutout"):
        return "depth" if axis == normal else WORDS[axis]
    if role(name) in ("plate", "wall", "rib") and axis == thin_axis(body):
        return "thickness"
    if role(name) in ("disc", "ring"):
        return "thickness"
    return "length" if role(name) in ("shaft", "tube") else WORDS[axis]


def inset_word(loop: Loop, inset: float, tolerance: float) -> str:
    """Name of an inner coordinate of an outline: of a rounded corner, a chamfer, a sheet's thickness, a step."""
    start = loop.start
    for edge in loop.edges:
        dx, dy = abs(edge.end[0] - start[0]), abs(edge.end[1] - start[1])
        if abs(dx - inset) <= tolerance and abs(dy - inset) <= tolerance:
            return "corner_radius" if edge.bent else "chamfer"
        start = edge.end
    square = all(not edge.bent for edge in loop.edges) and len(loop.edges) >= 6
    low, high = loop.bounds()
    return "thickness" if square and inset <= THIN * float((high - low).max()) else "inset"


def inner_word(face: Face, adds: bool) -> str:
    """Name of a later outline of a sketch; `adds`: whether the sketch's body adds material."""
    if adds:
        return (TAKEN if face.subtract else ADDED)[face.outline.kind]
    return "island" if face.subtract else {**TAKEN, "rect": "slot"}[face.outline.kind]


def describe(name: str, step: Step) -> str:
    """A few words for the comment above a feature: no numbers, they would go stale."""
    first, *rest = step.body.faces
    noun = NOUNS[first.outline.kind]
    if step.operation != "union":
        alike = [face for face in rest if face.outline.kind == first.outline.kind and not face.subtract]
        rest = [face for face in rest if face not in alike]
        noun = f"{len(alike) + 1} {noun}s" if alike else noun
    words = [inner_word(face, step.operation == "union") for face in rest]
    counts = [_counted(words.count(word), word) for word in dict.fromkeys(words)]
    inner = f" with {' and '.join(counts)}" if counts else ""
    axis = LETTERS[step.body.axis]
    return f"{name}: {noun}{inner}, {VERBS[step.operation]} along {axis}"


def _counted(count: int, word: str) -> str:
    if count > 1:
        return f"{count} {word}s"
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
