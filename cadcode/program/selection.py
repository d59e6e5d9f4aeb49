"""Selections on a solid as values: the flat faces at its ends, and which of their edges a call finishes.

Checked against CadQuery 2.8: `faces('>Z')` of a prism along z is its upper cap, `faces('|Z')` both caps, and of a cap's
wires the one that encloses the largest area is its outline.
"""

from dataclasses import dataclass
from typing import Any

from cadcode.program.workplane import Outside

LETTERS = "XYZ"  # of the world axes
ENDS_OF_SIGN = {"<": ("low",), ">": ("high",), "|": ("low", "high")}
SIGN_OF_ENDS = {ends: sign for sign, ends in ENDS_OF_SIGN.items()}
OUTLINE = "wires(cq.selectors.AreaNthSelector(-1))"


@dataclass(frozen=True, slots=True)
class Selectors:
    """`cadquery.selectors`."""


@dataclass(frozen=True, slots=True)
class Largest:
    """The selector of the largest wire or face."""


@dataclass(frozen=True, slots=True)
class EndFaces:
    """The faces of a solid at its low or high end along a world axis, or at both."""

    solid: Any  # a `Chained`
    axis: int
    ends: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EndEdges:
    """Edges of faces; `inner`: those of holes too."""

    faces: EndFaces
    inner: bool = True

    @property
    def solid(self) -> Any:
        return self.faces.solid


def largest(_: Selectors, n) -> Largest:
    if n != -1:
        raise Outside("AreaNthSelector is only understood with -1, the largest")
    return Largest()


def faces_of(solid, selector) -> EndFaces:
    if not isinstance(selector, str) or selector[:1] not in ENDS_OF_SIGN or selector[1:] not in tuple(LETTERS):
        raise Outside("faces are selected by an end of the solid, as '>Z', or by both, as '|Z'")
    return EndFaces(solid, LETTERS.index(selector[1]), ENDS_OF_SIGN[selector[0]])


def outline_of(faces: EndFaces, selector) -> EndEdges:
    if not isinstance(selector, Largest):
        raise Outside("wires takes AreaNthSelector(-1)")
    if len(faces.ends) > 1:
        raise Outside("the largest of the wires of two caps")
    return EndEdges(faces, inner=False)


def edges_of(faces: EndFaces) -> EndEdges:
    return EndEdges(faces)


def same_edges(edges: EndEdges) -> EndEdges:
    return edges


def edge_calls(axis: int, ends: tuple[str, ...], inner: bool) -> list[str]:
    """CadQuery calls on a prism along a world axis that select edges of its caps."""
    return [f"faces('{SIGN_OF_ENDS[ends]}{LETTERS[axis]}')", *([] if inner else [OUTLINE]), "edges()"]


SELECTION_KINDS = {
    Selectors: "cadquery.selectors",
    Largest: "a selector",
    EndFaces: "a selection of faces",
    EndEdges: "a selection of edges",
}
SELECTION_METHODS = {
    Selectors: {"AreaNthSelector": largest},
    EndFaces: {"wires": outline_of, "edges": edges_of},
    EndEdges: {"edges": same_edges},
}
