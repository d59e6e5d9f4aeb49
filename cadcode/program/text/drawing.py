"""One body of a program as CadQuery calls whose numbers are expressions."""

from cadcode.program.text.holes import HoleDrawing
from cadcode.program.text.layout import Block
from cadcode.program.text.patterns import PATTERNS, PatternDrawing
from cadcode.program.text.placing import Places, origin_text, plane_text
from cadcode.program.text.prisms import PrismDrawing, RimmedDrawing, TaperedDrawing
from cadcode.program.text.turned import TurnedDrawing
from cadcode.program.tree import Feature, Step

DRAWINGS = {"extrude": PrismDrawing, "rimmed": RimmedDrawing, "tapered": TaperedDrawing}
TOOL_DRAWINGS = {"hole": HoleDrawing}


def drawn(name: str, step: Step, body: Feature, places: Places) -> tuple[list[Block | str], str]:
    """The calls that make one step's feature, and a few words for the comment above it.

    A feature type without a drawing is written by its own `calls`, in plain numbers; one that is applied
    to the solid so far by calls on `result`. `body` is that of `step` where the part lies; the datum of `places` moves
    one to the other.
    """
    if step.body.kind in PATTERNS:
        return PATTERNS[step.body.kind](PatternDrawing(name, step, body, places, drawn))
    if step.body.kind == "tilted":
        return _drawn_tilted(name, step, body, places)
    if step.body.kind in TOOL_DRAWINGS:
        drawing = TOOL_DRAWINGS[step.body.kind](name, step.body, places)
        return drawing.calls(), drawing.words()
    if step.body.kind == "revolve":
        turned = TurnedDrawing(name, step.body, step.operation, places)
        return turned.calls(), turned.words()
    if step.body.kind in DRAWINGS:
        drawing = DRAWINGS[step.body.kind](name, step, places)
        plane = f'cq.Workplane("{step.body.base.name}"{origin_text(places.datum)})'
        return [plane, *drawing.calls()], drawing.words()
    return _plain(step.operation, body, places), f"{name}: {body.kind}"


def _drawn_tilted(name: str, step: Step, body: Feature, places: Places) -> tuple[list[Block | str], str]:
    """A feature in a plane of its own: sizes are shared with the other features, places are the plane's own."""
    inner = Step(step.operation, step.body.body)
    (_, *calls), words = drawn(name, inner, inner.body, Places(places.parameters))
    return [plane_text(body.base, places), *calls], f"{words}, in a plane of its own"


def _plain(operation: str, body: Feature, places: Places) -> list[Block | str]:
    """The calls of a feature in plain numbers."""
    applied, base = body.applied(operation, places.write), plane_text(body.base, places)
    calls = [base, *_dotted(body.built(places.write))] if applied is None else ["result", *_dotted(applied)]
    return [call.replace("'", '"') for call in calls]


def _dotted(calls: list[str]) -> list[str]:
    return [f".{call}" for call in calls]
