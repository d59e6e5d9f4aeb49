"""Closed loops from points, with rounded and chamfered corners, and their motions in the plane."""

import math
from bisect import bisect
from itertools import accumulate

import numpy as np

from cadcode.program.tree import Arc, Line, Loop, Outline, Point


def log_uniform(rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def polygon(points) -> Loop:
    """A closed loop of straight edges through (x, y) points."""
    points = [(float(x), float(y)) for x, y in points]
    return Loop(points[0], tuple(Line(p) for p in [*points[1:], points[0]]))


def cornered(points, cuts, chamfer: bool = False) -> Loop:
    """A polygon whose i-th corner is rounded (or chamfered) with radius (or leg) `cuts[i]`; 0 keeps it sharp."""
    corners = [
        _corner(points[i - 1], p, points[(i + 1) % len(points)], c, chamfer)
        for i, (p, c) in enumerate(zip(points, cuts, strict=True))
    ]
    start, edges = corners[0][-1], []
    for corner in [*corners[1:], corners[0]]:
        edges.append(Line(corner[0]))
        if len(corner) == 3:
            edges.append(Arc(corner[1], corner[2]))
        elif len(corner) == 2:
            edges.append(Line(corner[1]))
    return without_short_lines(Loop(start, tuple(edges)))


def _corner(before, corner, after, cut, chamfer):
    """Points of one corner: the corner itself, or the start of the cut, (the middle of its arc,) and its end."""
    if cut <= 0:
        return [(float(corner[0]), float(corner[1]))]
    p, u, v = np.array(corner, float), _unit(before, corner), _unit(after, corner)
    half = math.acos(np.clip(u @ v, -1, 1)) / 2
    leg = cut if chamfer else cut / math.tan(half)
    first, last = tuple(p + u * leg), tuple(p + v * leg)
    if chamfer:
        return [first, last]
    bisector = (u + v) / np.linalg.norm(u + v)
    return [first, tuple(p + bisector * (cut / math.sin(half) - cut)), last]


def _unit(to, origin):
    d = np.array(to, float) - np.array(origin, float)
    return d / np.linalg.norm(d)


def without_short_lines(loop: Loop, shortest: float = 1e-6) -> Loop:
    """The loop without straight edges of zero length, which occur between two adjacent roundings."""
    edges, start = [], loop.start
    for edge in loop.edges:
        if edge.bent or math.dist(start, edge.end) > shortest:
            edges.append(edge)
            start = edge.end
    return Loop(loop.start, tuple(edges))


def box_corners(w: float, h: float) -> list[Point]:
    return [(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2), (-w / 2, h / 2)]


def pick(rng, weights: dict):
    """A random key, drawn by weight."""
    ends = list(accumulate(weights.values()))
    return list(weights)[min(bisect(ends, rng.random() * ends[-1]), len(ends) - 1)]


# --- motions ---------------------------------------------------------------------------------------------------------


def shifted(outline: Outline, dx: float, dy: float) -> Outline:
    return outline.mapped(lambda p: (p[0] + dx, p[1] + dy))


def turned(outline: Outline, quarters: int) -> Outline:
    """The outline rotated by quarter turns about the origin."""
    for _ in range(quarters % 4):
        outline = outline.mapped(lambda p: (-p[1], p[0]), swap=True)
    return outline
