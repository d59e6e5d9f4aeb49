"""Token ids of a program: the fourth reading of the tree, and the grammar that keeps a decoder inside the dialect.

Every number is one token, every stretch of syntax between numbers one or two. Concatenating the pieces of the ids gives
the program's compact text; a number piece is written `|12`, and the bar reads as the comma between two numbers.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from cadcode.program.tree import OPERATIONS, PLANES

SPECIAL = ("<pad>", "<start>", "<end>")
PAD, START, END = range(3)

FIRST = tuple(f"import cadquery as cq\nr=cq.Workplane('{p}').workplane(offset=" for p in PLANES)
NEXT = tuple(f".{o}(cq.Workplane('{p}').workplane(offset=" for o in OPERATIONS for p in PLANES)
SKETCH_PUSH, SKETCH_SEGMENT, SKETCH_ARC = ").sketch().push([(", ").sketch().segment((", ").sketch().arc(("
PUSH, FACE_SEGMENT, FACE_ARC = ".push([(", ".reset().face(cq.Sketch().segment((", ".reset().face(cq.Sketch().arc(("
POINT, CIRCLE, RECT = "),(", ")]).circle(", ")]).rect("
ADD, SUBTRACT = ")", ",mode='s')"
SEGMENT, ARC, CLOSE, ASSEMBLE = ")).segment((", ")).arc((", ")).close().assemble()", ")).assemble()"
EXTRUDE, CLOSE_BODY = ".finalize().extrude(", "))"

SYNTAX = (
    *FIRST,
    *NEXT,
    SKETCH_PUSH,
    SKETCH_SEGMENT,
    SKETCH_ARC,
    PUSH,
    FACE_SEGMENT,
    FACE_ARC,
    POINT,
    CIRCLE,
    RECT,
    ADD,
    SUBTRACT,
    SEGMENT,
    ARC,
    CLOSE,
    ASSEMBLE,
    EXTRUDE,
    CLOSE_BODY,
)
# Half units occur as centres of odd widths; nothing longer than 200 fits the program frame.
NUMBERS = tuple(v / 2 for v in range(-200, 201)) + tuple(float(v) for v in range(101, 201))


def number_text(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


# The vocabulary is append-only: an id is a place in PIECES. RELEASED, the vocabulary of the first weights, never
# changes; new pieces are appended to ADDED. Checkpoints carry their pieces and are mapped by piece at loading.
RELEASED = SPECIAL + SYNTAX + tuple("|" + number_text(v) for v in NUMBERS)
ADDED: tuple[str, ...] = ()
PIECES = RELEASED + ADDED
IDS = {piece: i for i, piece in enumerate(PIECES)}
VALUES = np.array([float(p[1:]) if p.startswith("|") else np.nan for p in PIECES])  # (V,), NaN: no number
NUMBER_PATTERN = r"-?\d+(?:\.5)?(?![\d.])"
TEXT_PIECES = sorted((p for p in PIECES if p not in SPECIAL and not p.startswith("|")), key=len, reverse=True)
_SPLIT = re.compile("|".join([*map(re.escape, TEXT_PIECES), NUMBER_PATTERN, ","]))


def encode(text: str) -> list[int]:
    """Token ids of a compact program text, without start, with the end token. ValueError where it does not fit."""
    ids, at = [], 0
    while at < len(text):
        found = _SPLIT.match(text, at)
        if not found:
            raise ValueError(f"not in the vocabulary: {text[at : at + 20]!r}")
        piece, at = found.group(), found.end()
        if piece != ",":
            ids.append(_id(piece))
    return [*ids, END]


def _id(piece: str) -> int:
    try:
        return IDS[piece] if piece in IDS else IDS["|" + piece]
    except KeyError:
        raise ValueError(f"not in the vocabulary: {piece!r}") from None


def decode(ids) -> str:
    """The program text of token ids; special tokens are left out."""
    text = "".join(PIECES[i] for i in ids if i > END)
    return text.replace("(|", "(").replace("=|", "=").replace("|", ",")


# --- the grammar -----------------------------------------------------------------------------------------------------
# A state is the slot that comes next, whether body and face are the first ones, and the loop so far: where it started,
# where it is, the numbers of the edge being written, and twice the area of its polygon. They forbid what parses but
# makes no outline: edges of no length, arcs through points on a line, loops around nothing.

COORDINATE, SIZE, HEIGHT = "coordinate", "size", "height"
_NUMBER_SLOTS = {  # state -> (kind of number, next state)
    "offset": (COORDINATE, "sketch"),
    "push x": (COORDINATE, "push y"),
    "push y": (COORDINATE, "pushed"),
    "radius": (SIZE, "close face"),
    "width": (SIZE, "depth"),
    "depth": (SIZE, "close face"),
    "start x": (COORDINATE, "start y"),
    "start y": (COORDINATE, "started"),
    "end x": (COORDINATE, "end y"),
    "end y": (COORDINATE, "edge done"),
    "arc x": (COORDINATE, "arc y"),
    "arc y": (COORDINATE, "arc middle"),
    "height": (HEIGHT, "close body"),
}


@dataclass(frozen=True, slots=True)
class State:
    name: str = "program"
    first_body: bool = True
    first_face: bool = True
    arc: bool = False  # the edge being written
    start: tuple[float, ...] = ()
    here: tuple[float, ...] = ()
    edge: tuple[float, ...] = ()  # its numbers so far: the end, of an arc the middle and the end
    area: float = 0.0


def _ids(*pieces):
    return tuple(IDS[p] for p in pieces)


@lru_cache(4096)
def _number_ids(kind: str, forbidden: tuple[float, ...] = ()) -> tuple[int, ...]:
    low, high = {COORDINATE: (-100, 100), SIZE: (0.5, 200), HEIGHT: (0.5, 200)}[kind]
    return tuple(i for i, v in enumerate(VALUES) if low <= v <= high and v not in forbidden)


def allowed_ids(state: State) -> tuple[int, ...]:
    """The tokens that may come next; never empty before the end."""
    name = state.name
    if name in _NUMBER_SLOTS:
        return _number_ids(_NUMBER_SLOTS[name][0], _forbidden(state))
    if name == "edge done":
        return _edge_done_ids(state)
    if name == "close face":
        return _ids(ADD) if state.first_face else _ids(ADD, SUBTRACT)
    if name == "close body":
        return _ids(ADD) if state.first_body else _ids(CLOSE_BODY)
    return _FIXED[name]


def _forbidden(state: State) -> tuple[float, ...]:
    """The coordinates that would end an edge where it began, bend an arc on a line, or close a loop by a line."""
    (x, y), edge = state.here or (0.0, 0.0), state.edge
    if state.name == "arc y":
        return (y,) if edge[0] == x else ()
    if state.name == "end x":
        return (x,) if edge and edge[0] == x else ()  # with the middle straight above or below, no end there bends
    if state.name != "end y":
        return ()
    if not state.arc:
        return tuple(sorted({py for px, py in (state.here, state.start) if px == edge[0]}))
    mx, my, ex = edge
    if mx == x:
        return ()
    on_line = y + (my - y) * (ex - x) / (mx - x)
    return (on_line,) if on_line in _COORDINATES else ()


_COORDINATES = frozenset(v for v in NUMBERS if abs(v) <= 100)


def _edge_done_ids(state: State) -> tuple[int, ...]:
    if state.area == 0:
        return _ids(SEGMENT, ARC)
    return _ids(ASSEMBLE) if state.here == state.start else _ids(SEGMENT, ARC, CLOSE)


_FIXED = {
    "program": _ids(*FIRST),
    "sketch": _ids(SKETCH_PUSH, SKETCH_SEGMENT, SKETCH_ARC),
    "pushed": _ids(POINT, CIRCLE, RECT),
    "started": _ids(POINT),
    "arc middle": _ids(POINT),
    "face done": _ids(PUSH, FACE_SEGMENT, FACE_ARC, EXTRUDE),
    "body done": (*_ids(*NEXT), END),
    "end": (END,),
}


def advance(state: State, token: int) -> State:
    """The state after `token`; ValueError when the grammar does not allow it."""
    if token not in allowed_ids(state):
        raise ValueError(f"{PIECES[token]!r} may not follow here ({state.name})")
    if state.name in _NUMBER_SLOTS:
        return _after_number(state, VALUES[token])
    return _after_syntax(state, PIECES[token])


def _with(state: State, name: str, **changes) -> State:
    fields = dict(
        first_body=state.first_body,
        first_face=state.first_face,
        arc=state.arc,
        start=state.start,
        here=state.here,
        edge=state.edge,
        area=state.area,
    )
    return State(name, **(fields | changes))


def _after_number(state: State, value: float) -> State:
    name = _NUMBER_SLOTS[state.name][1]
    if state.name == "start x":
        return _with(state, name, start=(value,), edge=(), area=0.0)
    if state.name == "start y":
        start = (*state.start, value)
        return _with(state, name, start=start, here=start)
    if state.name in ("arc x", "arc y", "end x"):
        return _with(state, name, edge=(*state.edge, value))
    if state.name == "end y":
        return _edge_done(state, (*state.edge, value))
    return _with(state, name)


def _edge_done(state: State, edge: tuple[float, ...]) -> State:
    """The state behind an edge: its triangles with the start (an arc's middle counts as a corner) join the area."""
    (x0, y0), points = state.start, [state.here, edge[:2], edge[-2:]]
    twice = sum(
        (ax - x0) * (by - y0) - (bx - x0) * (ay - y0) for (ax, ay), (bx, by) in zip(points, points[1:], strict=False)
    )
    return _with(state, "edge done", here=edge[-2:], edge=(), area=state.area + twice)


def _after_syntax(state: State, piece: str) -> State:
    if piece == "<end>":
        return _with(state, "end")
    if piece in FIRST or piece in NEXT:
        return State("offset", first_body=piece in FIRST)
    if piece in (SKETCH_PUSH, PUSH):
        return _with(state, "push x")
    if piece in (SKETCH_SEGMENT, SKETCH_ARC, FACE_SEGMENT, FACE_ARC):
        return _with(state, "start x", arc=piece in (SKETCH_ARC, FACE_ARC))
    if piece == POINT:
        return _with(state, _after_point(state))
    if piece in (SEGMENT, ARC):
        return _with(state, "arc x" if piece == ARC else "end x", arc=piece == ARC)
    if piece in (CLOSE, ASSEMBLE):
        # A later loop stands inside .face(...), which is closed by the same pieces as a circle.
        return _with(state, "face done" if state.first_face else "close face", first_face=False)
    names = {CIRCLE: "radius", RECT: "width", EXTRUDE: "height", CLOSE_BODY: "body done"}
    if piece in names:
        return _with(state, names[piece])
    return _with(state, "face done" if state.name == "close face" else "body done", first_face=False)


def _after_point(state: State) -> str:
    if state.name == "pushed":
        return "push x"
    return "arc x" if state.name == "started" and state.arc else "end x"


def close_at_last_body(ids: list[int]) -> list[int] | None:
    """Ids cut after the last complete body and ended, for a program that ran into the length limit; else None."""
    state, complete = State(), None
    for count, token in enumerate(ids, 1):
        state = advance(state, token)
        if state.name == "body done":
            complete = count
    return None if complete is None else [*ids[:complete], END]
