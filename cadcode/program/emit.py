"""A program tree as CadQuery text: `compact` for the models, `readable` for people."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from cadcode.program.syntax import (
    OPERATIONS,
    PLANES,
    Arc,
    Circle,
    Extrude,
    Face,
    Line,
    Loop,
    Point,
    Program,
    Rect,
    Step,
)
from cadcode.program.transform import control_box

IMPORT = "import cadquery as cq"


@dataclass(frozen=True, slots=True)
class _Spelling:
    """How numbers are written: bare ones (`number`) and those that deserve a name (`dimension`).

    `dimension(part, what, value)` gets the part of a sketch it belongs to ("hole", "window" or "" for the body itself).
    """

    number: Callable[[float], str]
    dimension: Callable[[str, str, float], str]


def number(value: float, digits: int = 6) -> str:
    """Plain decimal text: no exponent, no `-0`, no decimal point on integers, at most `digits` decimals.

    Raises ValueError for infinities and NaN.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a number a program can hold")
    text = f"{value:.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def compact(program: Program) -> str:
    """The spelling the small model writes: two lines, no spaces, no newline at the end.

    Neighbouring circles (or rectangles) of one size and mode share one `push`. Raises ValueError for a tree that has no
    such text: no bodies, a first step that is no union, a first face that subtracts, an open outline.
    """
    check_tree(program)
    spelling = _Spelling(number, lambda part, what, value: number(value))
    first, *rest = [_compact_body(step.body, spelling) for step in program.steps]
    tail = "".join(f".{step.operation}({body})" for step, body in zip(program.steps[1:], rest, strict=True))
    return f"{IMPORT}\nr={first}{tail}"


def check_tree(program: Program) -> None:
    """Raise ValueError where a tree says something no text of the dialect can say."""
    if not program.steps or program.steps[0].operation != "union":
        raise ValueError("a program starts with the union of one body")
    for step in program.steps:
        if step.operation not in OPERATIONS:
            raise ValueError(f"unknown operation {step.operation!r}")
        _check_body(step.body)


def _check_body(body: Extrude) -> None:
    if body.plane not in PLANES:
        raise ValueError(f"unknown plane {body.plane!r}")
    if not body.faces or body.faces[0].subtract:
        raise ValueError("a sketch starts with a face that adds material")
    for face in body.faces:
        if isinstance(face.outline, Loop):
            _check_loop(face.outline)


def _check_loop(loop: Loop) -> None:
    if len(loop.edges) < 2:
        raise ValueError("an outline needs two edges at least")
    if _point(loop.edges[-1].end, number) != _point(loop.start, number):
        raise ValueError("an outline ends where it starts")


def _compact_body(body: Extrude, spelling: _Spelling) -> str:
    plane = f"cq.Workplane('{body.plane}').workplane(offset={number(body.offset)})"
    return f"{plane}.sketch(){_faces(body, spelling)}.finalize().extrude({number(body.height)})"


def _faces(body: Extrude, spelling: _Spelling) -> str:
    """All faces of a sketch; neighbours of one kind share a `push` of several points."""
    groups = [list(group) for _, group in groupby(body.faces, key=lambda face: _kind(face, spelling.number))]
    return "".join(_face_group(group, spelling, first=index == 0) for index, group in enumerate(groups))


def _kind(face: Face, num: Callable[[float], str]) -> tuple:
    match face.outline:
        case Circle(radius=radius):
            return ("circle", num(radius), face.subtract)
        case Rect(width=width, height=height):
            return ("rect", num(width), num(height), face.subtract)
        case Loop():
            return ("loop", object())  # like no other


def _face_group(group: list[Face], spelling: _Spelling, first: bool) -> str:
    outline, subtract = group[0].outline, group[0].subtract
    mode = ",mode='s'" if subtract else ""
    if isinstance(outline, Loop):
        loop = _loop(outline, spelling.number)
        # Without `reset`, the points of a `push` before this face would repeat it.
        return loop if first else f".reset().face(cq.Sketch(){loop}{mode})"
    points = ",".join(_point(face.outline.centre, spelling.number) for face in group)
    return f".push([{points}]){_shape(outline, subtract, spelling)}{mode})"


def _shape(outline: Circle | Rect, subtract: bool, spelling: _Spelling) -> str:
    """`.circle(r` or `.rect(w,h`, left open for a mode."""
    if isinstance(outline, Circle):
        return f".circle({spelling.dimension('hole' if subtract else '', 'radius', outline.radius)}"
    part = "window" if subtract else ""
    width, length = spelling.dimension(part, "width", outline.width), spelling.dimension(part, "length", outline.height)
    return f".rect({width},{length}"


def _loop(loop: Loop, num: Callable[[float], str]) -> str:
    """The edges of a loop; a straight last edge is left to `close()`."""
    closing = isinstance(loop.edges[-1], Line)
    written = loop.edges[:-1] if closing else loop.edges
    starts = [_point(loop.start, num) + ","] + [""] * (len(written) - 1)
    edges = "".join(_edge(start, edge, num) for start, edge in zip(starts, written, strict=True))
    return edges + (".close()" if closing else "") + ".assemble()"


def _edge(start: str, edge: Line | Arc, num: Callable[[float], str]) -> str:
    if isinstance(edge, Line):
        return f".segment({start}{_point(edge.end, num)})"
    return f".arc({start}{_point(edge.middle, num)},{_point(edge.end, num)})"


def _point(point: Point, num: Callable[[float], str]) -> str:
    return f"({num(point[0])},{num(point[1])})"


def readable(program: Program, header: str = "") -> str:
    """The spelling for people: a `# parameters` block of named numbers, one feature per line, then `result`.

    Numbers keep the units of the tree and are rounded to a millionth of its size. The lines of `header` become comments
    at the top. Raises ValueError as `compact` does.
    """
    check_tree(program)
    parameters = _Parameters(_decimals(program))
    roles = ["base", *map(_role, program.steps[1:])]
    names = _feature_names(roles)
    bodies = [step.body for step in program.steps]
    features = [_feature(*item, parameters) for item in zip(names, roles, bodies, strict=True)]
    tail = "".join(f".{step.operation}({name})" for name, step in zip(names[1:], program.steps[1:], strict=True))
    blocks = [IMPORT, f"# parameters\n{parameters.text()}", *features, f"result = {names[0]}{tail}"]
    return comment(header) + "\n\n".join(blocks) + "\n"


def _decimals(program: Program) -> int:
    """Decimals that hold a millionth of the longest side."""
    low, high = control_box(program)
    size = float((high - low).max())
    return min(max(6 - math.floor(math.log10(size)), 0), 15) if size > 0 else 6


def _role(step: Step) -> str:
    if step.operation == "cut":
        return "hole" if all(isinstance(face.outline, Circle) for face in step.body.faces) else "pocket"
    return {"union": "boss", "intersect": "trim"}[step.operation]


def _feature_names(roles: list[str]) -> list[str]:
    """`base`, then each role numbered on its own: `boss_1`, `hole_1`, `boss_2`."""
    return [role if role == "base" else f"{role}_{roles[: index + 1].count(role)}" for index, role in enumerate(roles)]


def _feature(name: str, role: str, body: Extrude, parameters: "_Parameters") -> str:
    """A comment and an assignment."""

    def dimension(part: str, what: str, value: float) -> str:
        return parameters.name(part or role, what, value)

    spelling = _Spelling(parameters.number, dimension)
    plane = f'cq.Workplane("{body.plane}")'
    if parameters.number(body.offset) != "0":
        plane += f".workplane(offset={dimension('', 'offset', body.offset)})"
    depth = dimension("", "depth" if role in ("hole", "pocket") else "height", abs(body.height))
    extrude = f".finalize().extrude({'-' if body.height < 0 else ''}{depth})"
    sketch = _faces(body, spelling).replace(",", ", ").replace("'", '"')
    return f"# {name}: {_description(body)}\n{name} = {plane}.sketch(){sketch}{extrude}"


def _description(body: Extrude) -> str:
    match body.faces[0].outline:
        case Circle():
            noun = "circle"
        case Rect():
            noun = "rectangle"
        case Loop(edges=edges):
            noun = f"outline of {len(edges)} edges"
    removed = sum(face.subtract for face in body.faces)
    added = len(body.faces) - removed - 1
    more = (f" and {added} more" if added else "") + (f", {removed} cut out" if removed else "")
    return f"{noun}{more}, drawn on {body.plane}"


class _Parameters:
    """Names for the dimensions of one program; equal dimensions of one role share a name."""

    def __init__(self, decimals: int):
        self.decimals = decimals
        self.values: dict[str, str] = {}  # name -> number as written

    def number(self, value: float) -> str:
        return number(value, self.decimals)

    def name(self, part: str, what: str, value: float) -> str:
        """`hole_radius`, or `hole_radius_2` where that name stands for another number already."""
        text, stem = self.number(value), f"{part}_{what}"
        name, count = stem, 1
        while self.values.setdefault(name, text) != text:
            count += 1
            name = f"{stem}_{count}"
        return name

    def text(self) -> str:
        return "\n".join(f"{name} = {value}" for name, value in self.values.items())


def comment(header: str) -> str:
    """The lines of `header` as comment lines; nothing in it can end a comment."""
    lines = ("".join(c if c.isprintable() else "?" for c in line) for line in header.splitlines())
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)
