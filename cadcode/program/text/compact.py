"""A program tree as CadQuery text: `compact`, the spelling of the models. The one for people is in `readable`."""

import math
from itertools import groupby

from cadcode.program.tree import OPERATIONS, PLANES, Arc, Circle, Extrude, Face, Line, Loop, Point, Program, Rect

IMPORT = "import cadquery as cq"


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
    first, *rest = [_body(step.body) for step in program.steps]
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
    if _point(loop.edges[-1].end) != _point(loop.start):
        raise ValueError("an outline ends where it starts")


def _body(body: Extrude) -> str:
    plane = f"cq.Workplane('{body.plane}').workplane(offset={number(body.offset)})"
    return f"{plane}.sketch(){_faces(body.faces)}.finalize().extrude({number(body.height)})"


def _faces(faces: tuple[Face, ...]) -> str:
    """All faces of a sketch; neighbours of one kind share a `push` of several points."""
    groups = [list(group) for _, group in groupby(faces, key=_kind)]
    return "".join(_face_group(group, first=index == 0) for index, group in enumerate(groups))


def _kind(face: Face) -> tuple:
    match face.outline:
        case Circle(radius=radius):
            return ("circle", number(radius), face.subtract)
        case Rect(width=width, height=height):
            return ("rect", number(width), number(height), face.subtract)
        case Loop():
            return ("loop", object())  # like no other


def _face_group(group: list[Face], first: bool) -> str:
    outline, subtract = group[0].outline, group[0].subtract
    mode = ",mode='s'" if subtract else ""
    if isinstance(outline, Loop):
        loop = _loop(outline)
        # Without `reset`, the points of a `push` before this face would repeat it.
        return loop if first else f".reset().face(cq.Sketch(){loop}{mode})"
    points = ",".join(_point(face.outline.centre) for face in group)
    return f".push([{points}]){_shape(outline)}{mode})"


def _shape(outline: Circle | Rect) -> str:
    """`.circle(r` or `.rect(w,h`, left open for a mode."""
    if isinstance(outline, Circle):
        return f".circle({number(outline.radius)}"
    return f".rect({number(outline.width)},{number(outline.height)}"


def _loop(loop: Loop) -> str:
    """The edges of a loop; a straight last edge is left to `close()`."""
    closing = isinstance(loop.edges[-1], Line)
    written = loop.edges[:-1] if closing else loop.edges
    starts = [_point(loop.start) + ","] + [""] * (len(written) - 1)
    edges = "".join(_edge(start, edge) for start, edge in zip(starts, written, strict=True))
    return edges + (".close()" if closing else "") + ".assemble()"


def _edge(start: str, edge: Line | Arc) -> str:
    if isinstance(edge, Line):
        return f".segment({start}{_point(edge.end)})"
    return f".arc({start}{_point(edge.middle)},{_point(edge.end)})"


def _point(point: Point) -> str:
    return f"({number(point[0])},{number(point[1])})"


def comment(header: str) -> str:
    """The lines of `header` as comment lines; nothing in it can end a comment."""
    lines = ("".join(c if c.isprintable() else "?" for c in line) for line in header.splitlines())
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)
