"""Selections of a prism's edges as values: the caps, and which of their edges a call finishes.

Checked against CadQuery 2.8: `faces('>Z')` of a prism along z is its upper cap, `faces('|Z')` both caps, and of a cap's
wires the one that encloses the largest area is its outline.
"""

from dataclasses import dataclass
from typing import Any

from cadcode.program.workplane import Outside

LETTERS = "XYZ"  # of the world axes
ENDS = {"<": ("low",), ">": ("high",), "|": ("low", "high")}  # sign of a selector -> ends of a prism
SIGNS = {ends: sign for sign, ends in ENDS.items()}
OUTLINE = "wires(cq.selectors.AreaNthSelector(-1))"


@dataclass(frozen=True, slots=True)
class Largest:
    """The selector of the largest wire or face."""


@dataclass(frozen=True, slots=True)
class Caps:
    """Caps of a prism, at its low or high end along its axis or at both."""

    prism: Any  # the feature
    ends: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CapEdges:
    """Edges of caps; `inner`: those of holes too."""

    caps: Caps
    inner: bool = True


def largest(_, n) -> Largest:
    if n != -1:
        raise Outside("AreaNthSelector is only understood with -1, the largest")
    return Largest()


def caps(prism, selector) -> Caps:
    letter = LETTERS[prism.axis]
    if not isinstance(selector, str) or selector[1:] != letter or selector[0] not in ENDS:
        raise Outside(f"faces of this prism are '>{letter}', '<{letter}' or '|{letter}', not {selector!r}")
    return Caps(prism, ENDS[selector[0]])


def outline_of(selected: Caps, selector) -> CapEdges:
    if not isinstance(selector, Largest):
        raise Outside("wires takes AreaNthSelector(-1)")
    if len(selected.ends) > 1:
        raise Outside("the largest of the wires of two caps")
    return CapEdges(selected, inner=False)


def edges_of(selected: Caps) -> CapEdges:
    return CapEdges(selected)


def same_edges(selected: CapEdges) -> CapEdges:
    return selected


def edge_calls(axis: int, ends: tuple[str, ...], inner: bool) -> list[str]:
    """CadQuery calls on a prism along a world axis that select edges of its caps."""
    return [f"faces('{SIGNS[ends]}{LETTERS[axis]}')", *([] if inner else [OUTLINE]), "edges()"]
