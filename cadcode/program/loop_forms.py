"""Canonical and rounded forms of closed loops, as a start and its edges."""

import numpy as np

from cadcode.program.curve import Arc, Edge, Line, Point
from cadcode.program.normal_form import grid

Edges = tuple[Edge, ...]


def polygon_area(edges: Edges) -> float:
    """Signed area of the polygon through the ends of the edges and the middles of arcs."""
    x, y = np.array([point for edge in edges for point in edge.points]).T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def reversed_edges(start: Point, edges: Edges) -> Edges:
    """The edges of the same loop from the same start, the other way round."""
    starts = [start, *(e.end for e in edges[:-1])]
    turned = [Arc(e.middle, s) if isinstance(e, Arc) else Line(s) for s, e in zip(starts, edges, strict=True)]
    return tuple(turned[::-1])


def from_lowest(edges: Edges) -> Edges:
    """The edges in the same order from the lowest, then leftmost vertex."""
    ends = [e.end for e in edges]
    first = min(range(len(ends)), key=lambda i: (ends[i][1], ends[i][0])) + 1
    return edges[first:] + edges[:first]


def rectangle_of(start: Point, edges: Edges) -> tuple[Point, float, float] | None:
    """Centre, width and height of a loop that is an upright rectangle; None for others."""
    if len(edges) != 4 or any(isinstance(e, Arc) for e in edges):
        return None
    (x0, y0), (x1, y1), corners = start, edges[1].end, [e.end for e in edges]
    if corners != [(x1, y0), (x1, y1), (x0, y1), (x0, y0)]:
        return None
    return ((x0 + x1) / 2, (y0 + y1) / 2), abs(x1 - x0), abs(y1 - y0)


# --- rounding --------------------------------------------------------------------------------------------------------


def rounded_loop(start: Point, edges: Edges) -> tuple[Point, Edges] | None:
    """The loop on the integer grid; None where nothing is left of it."""
    start, kept = _rounded_point(start), []
    here = start
    for edge in edges:
        rounded_edge = _rounded_edge(here, edge)
        if rounded_edge is not None:
            kept.append(rounded_edge)
            here = rounded_edge.end
    kept = tuple(_without_straight_corners(start, kept))
    return (start, kept) if len(kept) >= 2 and abs(polygon_area(kept)) > 1 else None


def _rounded_point(point: Point) -> Point:
    return grid(point[0]), grid(point[1])


def _rounded_edge(here: Point, edge: Edge) -> Edge | None:
    end = _rounded_point(edge.end)
    if here == end:
        return None
    if isinstance(edge, Line):
        return Line(end)
    middle = _rounded_point(edge.middle)
    return Line(end) if abs(_cross(here, middle, end)) < 1 else Arc(middle, end)


def _cross(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _without_straight_corners(start: Point, edges: list[Edge]) -> list[Edge]:
    """Consecutive collinear lines become one."""
    kept: list[Edge] = []
    for edge in edges:
        before = kept[-2].end if len(kept) > 1 else start
        straight = kept and isinstance(edge, Line) and isinstance(kept[-1], Line)
        if straight and _cross(before, kept[-1].end, edge.end) == 0:
            kept.pop()
        kept.append(edge)
    return kept
