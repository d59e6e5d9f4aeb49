"""Random 2D profiles as designers draw them.

Every generator function takes a numpy Generator and the width and height of the box it fills, centred on (0, 0), and
returns an Outline.
"""

import math

import numpy as np

from cadcode.data.loops import box_corners, cornered, pick, polygon, turned
from cadcode.data.sections import SECTIONS, askew
from cadcode.program.tree import Arc, Circle, Line, Loop, Outline, Rect


def rectangle(rng, w, h) -> Outline:
    return Rect((0.0, 0.0), w, h)


def circle(rng, w, h) -> Outline:
    return Circle((0.0, 0.0), min(w, h) / 2)


def rounded_rectangle(rng, w, h) -> Outline:
    radius = min(w, h) * rng.choice([rng.uniform(0.05, 0.2), rng.uniform(0.2, 0.45)])
    which = [(1, 1, 1, 1), (1, 1, 0, 0), (1, 0, 0, 0), (1, 0, 1, 0)][rng.choice(4, p=[0.65, 0.2, 0.1, 0.05])]
    return cornered(box_corners(w, h), [radius * k for k in which])


def chamfered_rectangle(rng, w, h) -> Outline:
    leg = min(w, h) * rng.uniform(0.08, 0.45)
    which = [(1, 1, 1, 1), (0, 0, 1, 1), (0, 0, 1, 0)][rng.choice(3, p=[0.4, 0.35, 0.25])]
    return cornered(box_corners(w, h), [leg * k for k in which], chamfer=True)


def stadium(rng, w, h) -> Outline:
    if abs(w - h) < 0.05 * max(w, h):
        return circle(rng, w, h)
    return cornered(box_corners(w, h), [min(w, h) / 2] * 4)


def arch(rng, w, h) -> Outline:
    """A rectangle with one side replaced by a half circle (or a flatter arc)."""
    rise = w / 2 if h > w / 2 * 1.1 else h * rng.uniform(0.2, 0.8)
    y = h / 2 - rise
    return Loop(
        (-w / 2, -h / 2),
        (Line((w / 2, -h / 2)), Line((w / 2, y)), Arc((0.0, h / 2), (-w / 2, y)), Line((-w / 2, -h / 2))),
    )


def half_disc(rng, w, h) -> Outline:
    return Loop((-w / 2, -h / 2), (Line((w / 2, -h / 2)), Arc((0.0, h / 2), (-w / 2, -h / 2))))


def quarter_disc(rng, w, h) -> Outline:
    r, c = min(w, h), math.sqrt(0.5)
    return Loop(
        (-r / 2, -r / 2),
        (Line((r / 2, -r / 2)), Arc((r * c - r / 2, r * c - r / 2), (-r / 2, r / 2)), Line((-r / 2, -r / 2))),
    )


def l_profile(rng, w, h) -> Outline:
    t = min(w, h) * rng.choice([rng.uniform(0.05, 0.3), rng.uniform(0.3, 0.7)])
    s = t if rng.random() < 0.6 else h * rng.uniform(0.1, 0.7)
    points = [
        (-w / 2, -h / 2),
        (w / 2, -h / 2),
        (w / 2, -h / 2 + s),
        (-w / 2 + t, -h / 2 + s),
        (-w / 2 + t, h / 2),
        (-w / 2, h / 2),
    ]
    return _maybe_rounded(rng, points, [(3, 0), (0,), (0, 3)], min(t, s, w - t, h - s) * 0.5)


def u_profile(rng, w, h) -> Outline:
    t = w * rng.uniform(0.06, 0.38)
    s = t if rng.random() < 0.5 and t < 0.8 * h else h * rng.uniform(0.1, 0.7)
    points = [
        (-w / 2, -h / 2),
        (w / 2, -h / 2),
        (w / 2, h / 2),
        (w / 2 - t, h / 2),
        (w / 2 - t, -h / 2 + s),
        (-w / 2 + t, -h / 2 + s),
        (-w / 2 + t, h / 2),
        (-w / 2, h / 2),
    ]
    return _maybe_rounded(rng, points, [(0, 1), (4, 5), (0, 1, 4, 5)], min(t, s, (w - 2 * t) / 2, h - s) * 0.6)


def _maybe_rounded(rng, points, choices, largest):
    cuts = [0.0] * len(points)
    if rng.random() < 0.25:
        for i in choices[rng.integers(len(choices))]:
            cuts[i] = largest * rng.choice([0.4, 0.7, 1.0])
    return cornered(points, cuts)


def t_profile(rng, w, h) -> Outline:
    s, t = h * rng.uniform(0.12, 0.6), w * rng.uniform(0.12, 0.6)
    return polygon(
        [
            (-t / 2, -h / 2),
            (t / 2, -h / 2),
            (t / 2, h / 2 - s),
            (w / 2, h / 2 - s),
            (w / 2, h / 2),
            (-w / 2, h / 2),
            (-w / 2, h / 2 - s),
            (-t / 2, h / 2 - s),
        ]
    )


def i_profile(rng, w, h) -> Outline:
    s, t = h * rng.uniform(0.08, 0.3), w * rng.uniform(0.1, 0.6)
    half = [
        (w / 2, -h / 2),
        (w / 2, -h / 2 + s),
        (t / 2, -h / 2 + s),
        (t / 2, h / 2 - s),
        (w / 2, h / 2 - s),
        (w / 2, h / 2),
    ]
    return polygon(half + [(-x, y) for x, y in half[::-1]])


def cross_profile(rng, w, h) -> Outline:
    t = min(w, h) * rng.uniform(0.15, 0.6)
    s = t if rng.random() < 0.7 else h * rng.uniform(0.15, 0.6)
    a, b, c, d = w / 2, h / 2, t / 2, s / 2
    return polygon(
        [(-c, -b), (c, -b), (c, -d), (a, -d), (a, d), (c, d), (c, b), (-c, b), (-c, d), (-a, d), (-a, -d), (-c, -d)]
    )


def z_profile(rng, w, h) -> Outline:
    t = w * rng.uniform(0.12, 0.45)
    s = h * rng.uniform(0.12, 0.45)
    return polygon(
        [
            (-w / 2, -h / 2),
            (t / 2, -h / 2),
            (t / 2, h / 2 - s),
            (w / 2, h / 2 - s),
            (w / 2, h / 2),
            (-t / 2, h / 2),
            (-t / 2, -h / 2 + s),
            (-w / 2, -h / 2 + s),
        ]
    )


def stairs(rng, w, h) -> Outline:
    n = int(rng.integers(2, 5))
    xs, ys = _cuts(rng, n, w), _cuts(rng, n, h)
    points = [(-w / 2, -h / 2), (w / 2, -h / 2)]
    for i in range(n):
        points += [(w / 2 - xs[i], -h / 2 + ys[i + 1]), (w / 2 - xs[i + 1], -h / 2 + ys[i + 1])]
    return polygon(points[:-1])


def _cuts(rng, n, length):
    parts = np.ones(n) if rng.random() < 0.6 else rng.uniform(0.4, 1.6, n)
    return [0.0, *(np.cumsum(parts) / parts.sum() * length)]


def notched_rectangle(rng, w, h) -> Outline:
    """A rectangle with a notch in one side, or the same notch in two opposite sides."""
    t, s = w * rng.uniform(0.12, 0.6), h * rng.uniform(0.08, 0.42)
    x = 0.0 if rng.random() < 0.6 else rng.uniform(-0.9, 0.9) * (w - t) / 2
    top = [(x + t / 2, h / 2), (x + t / 2, h / 2 - s), (x - t / 2, h / 2 - s), (x - t / 2, h / 2)]
    low = [(px, -py) for px, py in top[::-1]] if rng.random() < 0.35 else []
    return polygon([(-w / 2, -h / 2), *low, (w / 2, -h / 2), (w / 2, h / 2), *top, (-w / 2, h / 2)])


def corner_notched(rng, w, h) -> Outline:
    """A rectangle with two or four square corner notches."""
    t, s = w * rng.uniform(0.06, 0.35), h * rng.uniform(0.06, 0.35)
    upper = [(w / 2, h / 2 - s), (w / 2 - t, h / 2 - s), (w / 2 - t, h / 2)]
    left = [(-x, y) for x, y in upper[::-1]]
    if rng.random() < 0.5:
        return polygon([(-w / 2, -h / 2), (w / 2, -h / 2), *upper, *left])
    lower = [(x, -y) for x, y in upper[::-1]]
    return polygon([*[(-x, -y) for x, y in upper], *lower, *upper, *left])


def right_triangle(rng, w, h) -> Outline:
    return polygon([(-w / 2, -h / 2), (w / 2, -h / 2), (-w / 2, h / 2)])


def isosceles(rng, w, h) -> Outline:
    return polygon([(-w / 2, -h / 2), (w / 2, -h / 2), (0, h / 2)])


def trapezoid(rng, w, h) -> Outline:
    left, right = rng.uniform(0.05, 0.4, 2) * w
    right = left if rng.random() < 0.5 else (0.0 if rng.random() < 0.6 else right)
    return polygon([(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2 - right, h / 2), (-w / 2 + left, h / 2)])


def parallelogram(rng, w, h) -> Outline:
    s = w * rng.uniform(0.1, 0.5)
    return polygon([(-w / 2, -h / 2), (w / 2 - s, -h / 2), (w / 2, h / 2), (-w / 2 + s, h / 2)])


def house(rng, w, h) -> Outline:
    s = h * rng.uniform(0.2, 0.7)
    return polygon([(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2 - s), (0, h / 2), (-w / 2, h / 2 - s)])


def regular_polygon(rng, w, h) -> Outline:
    n = int(rng.choice([3, 5, 6, 6, 6, 8, 8]))
    turn = rng.choice([0, math.pi / n])
    r = min(w, h) / 2
    angles = [turn + 2 * math.pi * i / n for i in range(n)]
    return polygon([(r * math.cos(t), r * math.sin(t)) for t in angles])


def convex_polygon(rng, w, h) -> Outline:
    n = int(rng.integers(4, 8))
    angles = (
        np.sort(rng.uniform(0, 2 * math.pi, n))
        if rng.random() < 0.3
        else (np.arange(n) + rng.uniform(-0.3, 0.3, n)) * 2 * math.pi / n
    )
    return polygon(np.c_[np.cos(angles) * w / 2, np.sin(angles) * h / 2])


def turned_rectangle(rng, w, h) -> Outline:
    angle = rng.choice([math.pi / 4, math.pi / 6, math.pi / 3, rng.uniform(0.1, 1.4)])
    c, s = math.cos(angle), math.sin(angle)
    return polygon([(x * c - y * s, x * s + y * c) for x, y in box_corners(w, h)])


def symmetric_polygon(rng, w, h) -> Outline:
    """A random profile mirrored in x = 0."""
    n = int(rng.integers(2, 5))
    ys = np.sort(rng.uniform(-h / 2, h / 2, n)) if rng.random() < 0.5 else np.linspace(-h / 2, h / 2, n)
    ys[0], ys[-1] = -h / 2, h / 2
    xs = rng.uniform(0.15, 1, n) * w / 2
    right = [(xs[0], ys[0])]
    for i in range(1, n):
        if rng.random() < 0.5:
            right.append((xs[i], ys[i - 1]) if rng.random() < 0.5 else (xs[i - 1], ys[i]))
        right.append((xs[i], ys[i]))
    return polygon(_distinct([*right, *[(-x, y) for x, y in right[::-1]]]))


def _distinct(points):
    return [p for i, p in enumerate(points) if math.dist(p, points[i - 1]) > 1e-6]


def oval_flange(rng, w, h) -> Outline:
    """A disc with two rounded ears: two large arcs, two small arcs and their common tangents."""
    if w < 1.15 * h:
        return circle(rng, w, h)
    big, small = h / 2, h * rng.uniform(0.15, 0.4)
    a = w / 2 - small
    if a <= big - small + 0.05 * w:
        return stadium(rng, w, h)
    beta = math.asin((big - small) / a)  # tilt of the tangent's normal
    n = (math.sin(beta), math.cos(beta))
    top, ear = (big * n[0], big * n[1]), (a + small * n[0], small * n[1])
    mirror = lambda p, sx, sy: (p[0] * sx, p[1] * sy)  # noqa: E731
    return Loop(
        mirror(ear, 1, -1),
        (
            Arc((a + small, 0.0), ear),
            Line(top),
            Arc((0.0, big), mirror(top, -1, 1)),
            Line(mirror(ear, -1, 1)),
            Arc((-a - small, 0.0), mirror(ear, -1, -1)),
            Line(mirror(top, -1, -1)),
            Arc((0.0, -big), mirror(top, 1, -1)),
            Line(mirror(ear, 1, -1)),
        ),
    )


def ring_sector(rng, w, h) -> Outline:
    """A part of a ring, symmetric about the y axis."""
    outer = w / 2
    inner, half = outer * rng.uniform(0.4, 0.92), rng.choice([math.pi / 2, math.pi / 4, rng.uniform(0.4, 2.6)])
    at = lambda r, t: (r * math.sin(t), r * math.cos(t))  # noqa: E731
    return Loop(
        at(outer, half),
        (
            Arc(at(outer, 0), at(outer, -half)),
            Line(at(inner, -half)),
            Arc(at(inner, 0), at(inner, half)),
            Line(at(outer, half)),
        ),
    )


def bitten_rectangle(rng, w, h) -> Outline:
    """A rectangle with a half-round bite out of one side."""
    r = min(w / 2, h) * rng.uniform(0.2, 0.85)
    return Loop(
        (-w / 2, -h / 2),
        (
            Line((w / 2, -h / 2)),
            Line((w / 2, h / 2)),
            Line((r, h / 2)),
            Arc((0.0, h / 2 - r), (-r, h / 2)),
            Line((-w / 2, h / 2)),
            Line((-w / 2, -h / 2)),
        ),
    )


def flat_disc(rng, w, h) -> Outline:
    """A disc with one flat or two opposite flats."""
    r = min(w, h) / 2
    y = r * rng.uniform(0.3, 0.9)
    x = math.sqrt(r * r - y * y)
    if rng.random() < 0.5:
        return Loop((-x, y), (Arc((0.0, -r), (x, y)), Line((-x, y))))
    return Loop((x, -y), (Arc((r, 0.0), (x, y)), Line((-x, y)), Arc((-r, 0.0), (-x, -y)), Line((x, -y))))


COMMON = {rectangle: 40, circle: 20, rounded_rectangle: 7, stadium: 3, l_profile: 5, u_profile: 4, t_profile: 2}
RARE = {
    chamfered_rectangle: 3,
    arch: 3,
    half_disc: 1.2,
    quarter_disc: 1,
    i_profile: 1.2,
    cross_profile: 1,
    z_profile: 1,
    stairs: 1.5,
    notched_rectangle: 2,
    corner_notched: 1.5,
    right_triangle: 1.5,
    isosceles: 0.8,
    trapezoid: 2,
    parallelogram: 0.7,
    house: 0.8,
    regular_polygon: 2,
    convex_polygon: 1,
    turned_rectangle: 1,
    symmetric_polygon: 2,
    oval_flange: 1.2,
    ring_sector: 2,
    bitten_rectangle: 1,
    flat_disc: 1,
}
RARE |= SECTIONS
ASKEW = 0.05  # part of the uncommon share


def profile(rng, w: float, h: float, rare: float = 1.0) -> Outline:
    """A random profile in a box of w by h; `rare` scales the share of uncommon profiles."""
    makers = COMMON | {k: v * rare for k, v in RARE.items()}
    outline = pick(rng, makers)(rng, w, h)
    if rng.random() < ASKEW * rare:
        return askew(rng, outline, w, h)
    turns = int(rng.integers(4)) if w == h or outline.kind == "loop" else 0
    return turned(outline, turns if w == h else 2 * (turns % 2))
