"""Random 2D profiles as designers draw them, and holes that fit inside them.

Every maker takes a numpy Generator and the width and height of the box it fills, centred on (0, 0), and returns an
Outline.
"""

import math

import numpy as np

from cadcode.program.outline import distance, inside
from cadcode.program.syntax import Arc, Circle, Line, Loop, Outline, Point, Rect


def log_uniform(rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def polygon(points) -> Loop:
    """A closed loop of straight edges through (x, y) points."""
    points = [(float(x), float(y)) for x, y in points]
    return Loop(points[0], tuple(Line(p) for p in [*points[1:], points[0]]))


def cornered(points, cuts, chamfer: bool = False) -> Loop:
    """A polygon whose i-th corner is rounded (or chamfered) with radius (or leg) `cuts[i]`; 0 leaves it sharp."""
    corners = [_corner(points[i - 1], p, points[(i + 1) % len(points)], c, chamfer)
               for i, (p, c) in enumerate(zip(points, cuts, strict=True))]  # fmt: skip
    start, edges = corners[0][-1], []
    for corner in [*corners[1:], corners[0]]:
        edges.append(Line(corner[0]))
        if len(corner) == 3:
            edges.append(Arc(corner[1], corner[2]))
        elif len(corner) == 2:
            edges.append(Line(corner[1]))
    return without_short_lines(Loop(start, tuple(edges)))


def _corner(before, corner, after, cut, chamfer):
    """The points of one corner: itself, or where the cut starts, (the middle of its arc,) and where it ends."""
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
    """The loop without straight edges of no length, as where two roundings meet."""
    edges, here = [], loop.start
    for edge in loop.edges:
        if isinstance(edge, Arc) or math.dist(here, edge.end) > shortest:
            edges.append(edge)
            here = edge.end
    return Loop(loop.start, tuple(edges))


# --- profiles --------------------------------------------------------------------------------------------------------


def rectangle(rng, w, h) -> Outline:
    return Rect((0.0, 0.0), w, h)


def circle(rng, w, h) -> Outline:
    return Circle((0.0, 0.0), min(w, h) / 2)


def _box(w, h):
    return [(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2), (-w / 2, h / 2)]


def rounded_rectangle(rng, w, h) -> Outline:
    radius = min(w, h) * rng.choice([rng.uniform(0.05, 0.2), rng.uniform(0.2, 0.45)])
    which = [(1, 1, 1, 1), (1, 1, 0, 0), (1, 0, 0, 0), (1, 0, 1, 0)][rng.choice(4, p=[0.65, 0.2, 0.1, 0.05])]
    return cornered(_box(w, h), [radius * k for k in which])


def chamfered_rectangle(rng, w, h) -> Outline:
    leg = min(w, h) * rng.uniform(0.08, 0.45)
    which = [(1, 1, 1, 1), (0, 0, 1, 1), (0, 0, 1, 0)][rng.choice(3, p=[0.4, 0.35, 0.25])]
    return cornered(_box(w, h), [leg * k for k in which], chamfer=True)


def stadium(rng, w, h) -> Outline:
    if abs(w - h) < 0.05 * max(w, h):
        return circle(rng, w, h)
    return cornered(_box(w, h), [min(w, h) / 2] * 4)


def arch(rng, w, h) -> Outline:
    """A rectangle with one side replaced by a half circle (or a flatter arc)."""
    rise = w / 2 if h > w / 2 * 1.1 else h * rng.uniform(0.2, 0.8)
    y = h / 2 - rise
    return Loop((-w / 2, -h / 2), (Line((w / 2, -h / 2)), Line((w / 2, y)), Arc((0.0, h / 2), (-w / 2, y)),
                                   Line((-w / 2, -h / 2))))  # fmt: skip


def half_disc(rng, w, h) -> Outline:
    return Loop((-w / 2, -h / 2), (Line((w / 2, -h / 2)), Arc((0.0, h / 2), (-w / 2, -h / 2))))


def quarter_disc(rng, w, h) -> Outline:
    r, c = min(w, h), math.sqrt(0.5)
    return Loop((-r / 2, -r / 2), (Line((r / 2, -r / 2)), Arc((r * c - r / 2, r * c - r / 2), (-r / 2, r / 2)),
                                   Line((-r / 2, -r / 2))))  # fmt: skip


def l_profile(rng, w, h) -> Outline:
    t = min(w, h) * rng.choice([rng.uniform(0.05, 0.3), rng.uniform(0.3, 0.7)])
    s = t if rng.random() < 0.6 else h * rng.uniform(0.1, 0.7)
    points = [(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, -h / 2 + s), (-w / 2 + t, -h / 2 + s), (-w / 2 + t, h / 2),
              (-w / 2, h / 2)]  # fmt: skip
    return _maybe_rounded(rng, points, [(3, 0), (0,), (0, 3)], min(t, s, w - t, h - s) * 0.5)


def u_profile(rng, w, h) -> Outline:
    t = w * rng.uniform(0.06, 0.38)
    s = t if rng.random() < 0.5 and t < 0.8 * h else h * rng.uniform(0.1, 0.7)
    points = [(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2), (w / 2 - t, h / 2), (w / 2 - t, -h / 2 + s),
              (-w / 2 + t, -h / 2 + s), (-w / 2 + t, h / 2), (-w / 2, h / 2)]  # fmt: skip
    return _maybe_rounded(rng, points, [(0, 1), (4, 5), (0, 1, 4, 5)], min(t, s, (w - 2 * t) / 2, h - s) * 0.6)


def _maybe_rounded(rng, points, choices, largest):
    cuts = [0.0] * len(points)
    if rng.random() < 0.25:
        for i in choices[rng.integers(len(choices))]:
            cuts[i] = largest * rng.choice([0.4, 0.7, 1.0])
    return cornered(points, cuts)


def t_profile(rng, w, h) -> Outline:
    s, t = h * rng.uniform(0.12, 0.6), w * rng.uniform(0.12, 0.6)
    return polygon([(-t / 2, -h / 2), (t / 2, -h / 2), (t / 2, h / 2 - s), (w / 2, h / 2 - s), (w / 2, h / 2),
                    (-w / 2, h / 2), (-w / 2, h / 2 - s), (-t / 2, h / 2 - s)])  # fmt: skip


def i_profile(rng, w, h) -> Outline:
    s, t = h * rng.uniform(0.08, 0.3), w * rng.uniform(0.1, 0.6)
    half = [(w / 2, -h / 2), (w / 2, -h / 2 + s), (t / 2, -h / 2 + s), (t / 2, h / 2 - s), (w / 2, h / 2 - s),
            (w / 2, h / 2)]  # fmt: skip
    return polygon(half + [(-x, y) for x, y in half[::-1]])


def cross_profile(rng, w, h) -> Outline:
    t = min(w, h) * rng.uniform(0.15, 0.6)
    s = t if rng.random() < 0.7 else h * rng.uniform(0.15, 0.6)
    a, b, c, d = w / 2, h / 2, t / 2, s / 2
    return polygon([(-c, -b), (c, -b), (c, -d), (a, -d), (a, d), (c, d), (c, b), (-c, b), (-c, d), (-a, d), (-a, -d),
                    (-c, -d)])  # fmt: skip


def z_profile(rng, w, h) -> Outline:
    t = w * rng.uniform(0.12, 0.45)
    s = h * rng.uniform(0.12, 0.45)
    return polygon([(-w / 2, -h / 2), (t / 2, -h / 2), (t / 2, h / 2 - s), (w / 2, h / 2 - s), (w / 2, h / 2),
                    (-t / 2, h / 2), (-t / 2, -h / 2 + s), (-w / 2, -h / 2 + s)])  # fmt: skip


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
    """A rectangle with a notch in one side, or the same notch in two opposite ones."""
    t, s = w * rng.uniform(0.12, 0.6), h * rng.uniform(0.08, 0.42)
    x = 0.0 if rng.random() < 0.6 else rng.uniform(-0.9, 0.9) * (w - t) / 2
    top = [(x + t / 2, h / 2), (x + t / 2, h / 2 - s), (x - t / 2, h / 2 - s), (x - t / 2, h / 2)]
    low = [(px, -py) for px, py in top[::-1]] if rng.random() < 0.35 else []
    return polygon([(-w / 2, -h / 2), *low, (w / 2, -h / 2), (w / 2, h / 2), *top, (-w / 2, h / 2)])


def corner_notched(rng, w, h) -> Outline:
    """A rectangle with square corners cut out: two or four."""
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
    angles = np.sort(rng.uniform(0, 2 * math.pi, n)) if rng.random() < 0.3 else (
        np.arange(n) + rng.uniform(-0.3, 0.3, n)) * 2 * math.pi / n  # fmt: skip
    return polygon(np.c_[np.cos(angles) * w / 2, np.sin(angles) * h / 2])


def turned_rectangle(rng, w, h) -> Outline:
    angle = rng.choice([math.pi / 4, math.pi / 6, math.pi / 3, rng.uniform(0.1, 1.4)])
    c, s = math.cos(angle), math.sin(angle)
    return polygon([(x * c - y * s, x * s + y * c) for x, y in _box(w, h)])


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
    """A disc drawn out to two rounded ears: two big arcs, two small ones and their common tangents."""
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
    return Loop(mirror(ear, 1, -1), (
        Arc((a + small, 0.0), ear), Line(top), Arc((0.0, big), mirror(top, -1, 1)), Line(mirror(ear, -1, 1)),
        Arc((-a - small, 0.0), mirror(ear, -1, -1)), Line(mirror(top, -1, -1)), Arc((0.0, -big), mirror(top, 1, -1)),
        Line(mirror(ear, 1, -1))))  # fmt: skip


def ring_sector(rng, w, h) -> Outline:
    """A part of a ring, symmetric about the y axis."""
    outer = w / 2
    inner, half = outer * rng.uniform(0.4, 0.92), rng.choice([math.pi / 2, math.pi / 4, rng.uniform(0.4, 2.6)])
    at = lambda r, t: (r * math.sin(t), r * math.cos(t))  # noqa: E731
    return Loop(at(outer, half), (Arc(at(outer, 0), at(outer, -half)), Line(at(inner, -half)),
                                  Arc(at(inner, 0), at(inner, half)), Line(at(outer, half))))  # fmt: skip


def bitten_rectangle(rng, w, h) -> Outline:
    """A rectangle with a half-round bite out of one side."""
    r = min(w / 2, h) * rng.uniform(0.2, 0.85)
    return Loop((-w / 2, -h / 2), (
        Line((w / 2, -h / 2)), Line((w / 2, h / 2)), Line((r, h / 2)), Arc((0.0, h / 2 - r), (-r, h / 2)),
        Line((-w / 2, h / 2)), Line((-w / 2, -h / 2))))  # fmt: skip


def flat_disc(rng, w, h) -> Outline:
    """A disc with one flat or two opposite ones."""
    r = min(w, h) / 2
    y = r * rng.uniform(0.3, 0.9)
    x = math.sqrt(r * r - y * y)
    if rng.random() < 0.5:
        return Loop((-x, y), (Arc((0.0, -r), (x, y)), Line((-x, y))))
    return Loop((x, -y), (Arc((r, 0.0), (x, y)), Line((-x, y)), Arc((-r, 0.0), (-x, -y)), Line((x, -y))))


COMMON = {rectangle: 40, circle: 26, rounded_rectangle: 7, stadium: 3, l_profile: 5, u_profile: 4, t_profile: 2}
RARE = {chamfered_rectangle: 3, arch: 3, half_disc: 1.2, quarter_disc: 1, i_profile: 1.2, cross_profile: 1,
        z_profile: 1, stairs: 1.5, notched_rectangle: 2, corner_notched: 1.5, right_triangle: 1.5, isosceles: 0.8,
        trapezoid: 2, parallelogram: 0.7, house: 0.8, regular_polygon: 2, convex_polygon: 1, turned_rectangle: 1,
        symmetric_polygon: 2, oval_flange: 1.2, ring_sector: 2, bitten_rectangle: 1, flat_disc: 1}  # fmt: skip


def pick(rng, weights: dict):
    """One of the keys, by weight."""
    values = np.array(list(weights.values()), float)
    return list(weights)[rng.choice(len(values), p=values / values.sum())]


def profile(rng, w: float, h: float, rare: float = 1.0) -> Outline:
    """A random profile in a box of w by h; `rare` scales the share of the uncommon ones."""
    makers = COMMON | {k: v * rare for k, v in RARE.items()}
    outline = pick(rng, makers)(rng, w, h)
    turns = int(rng.integers(4)) if w == h or isinstance(outline, Loop) else 0
    return turned(outline, turns if w == h else 2 * (turns % 2))


# --- moving ----------------------------------------------------------------------------------------------------------


def mapped(outline: Outline, f, swap: bool = False) -> Outline:
    """The outline under a map of the plane that keeps axes (`swap`: exchanges them)."""
    if isinstance(outline, Circle):
        return Circle(f(outline.centre), outline.radius)
    if isinstance(outline, Rect):
        w, h = (outline.height, outline.width) if swap else (outline.width, outline.height)
        return Rect(f(outline.centre), w, h)
    edges = (Arc(f(e.middle), f(e.end)) if isinstance(e, Arc) else Line(f(e.end)) for e in outline.edges)
    return Loop(f(outline.start), tuple(edges))


def shifted(outline: Outline, dx: float, dy: float) -> Outline:
    return mapped(outline, lambda p: (p[0] + dx, p[1] + dy))


def turned(outline: Outline, quarters: int) -> Outline:
    """Turned by quarter turns about the origin."""
    for _ in range(quarters % 4):
        outline = mapped(outline, lambda p: (-p[1], p[0]), swap=True)
    return outline


# --- holes -----------------------------------------------------------------------------------------------------------


def fits(hole: Outline, outline: Outline, margin: float) -> bool:
    """Whether a hole lies inside the outline, at least `margin` from its edge."""
    if isinstance(hole, Circle):
        points, margin = np.array([hole.centre]), margin + hole.radius
    else:
        points = np.array(_vertices(hole))
    return bool(inside(outline, points).all() and (distance(outline, points) >= margin).all())


def _vertices(outline: Outline) -> list[Point]:
    if isinstance(outline, Rect):
        return [(x + outline.centre[0], y + outline.centre[1]) for x, y in _box(outline.width, outline.height)]
    return [p for e in outline.edges for p in ((e.middle, e.end) if isinstance(e, Arc) else (e.end,))]


def holes(rng, outline: Outline, w: float, h: float) -> list[Outline]:
    """Holes of one kind that fit inside an outline filling a box of w by h; an empty list when they do not."""
    made = pick(rng, HOLES)(rng, outline, w, h)
    margin = 0.015 * min(w, h)
    return made if made and all(fits(hole, outline, margin) for hole in made) and _apart(made, margin) else []


def _apart(made, margin):
    circles = [c for c in made if isinstance(c, Circle)]
    return all(math.dist(a.centre, b.centre) >= a.radius + b.radius + margin
               for i, a in enumerate(circles) for b in circles[:i])  # fmt: skip


def central_circle(rng, outline, w, h):
    return [Circle((0.0, 0.0), min(w, h) / 2 * rng.choice([rng.uniform(0.1, 0.5), rng.uniform(0.5, 0.95)]))]


def offset_outline(rng, outline, w, h):
    """The same shape, smaller by a wall all round."""
    wall = min(w, h) * rng.choice([rng.uniform(0.02, 0.1), rng.uniform(0.1, 0.3)])
    if isinstance(outline, Rect):
        return [Rect(outline.centre, outline.width - 2 * wall, outline.height - 2 * wall)]
    if isinstance(outline, Circle):
        return [Circle(outline.centre, outline.radius - wall)]
    k = 1 - 2 * wall / min(w, h)
    return [mapped(outline, lambda p: (p[0] * (w - 2 * wall) / w, p[1] * (h - 2 * wall) / h))] if k > 0.2 else []


def corner_holes(rng, outline, w, h):
    r = min(w, h) * rng.uniform(0.02, 0.14)
    inset = rng.uniform(1.3, 3) * r
    x, y = w / 2 - inset, h / 2 - inset
    return [Circle((sx * x, sy * y), r) for sx in (-1, 1) for sy in (-1, 1)] if min(x, y) > 0 else []


def bolt_circle(rng, outline, w, h):
    n = int(rng.choice([3, 4, 4, 4, 6, 6, 8]))
    ring = min(w, h) / 2 * rng.uniform(0.5, 0.85)
    r = min(ring * math.sin(math.pi / n) * 0.7, min(w, h) / 2 * rng.uniform(0.04, 0.18))
    turn = rng.choice([0, math.pi / n, math.pi / 2])
    made = [Circle((ring * math.cos(turn + 2 * math.pi * i / n), ring * math.sin(turn + 2 * math.pi * i / n)), r)
            for i in range(n)]  # fmt: skip
    centre = rng.uniform(0.1, 0.85) * (ring - r)
    return made + ([Circle((0.0, 0.0), centre)] if rng.random() < 0.6 else [])


def row_of_holes(rng, outline, w, h):
    n = int(rng.choice([2, 2, 2, 3, 4, 5]))
    r = min(w / n, h) * rng.uniform(0.08, 0.38)
    pitch = rng.uniform(2.4 * r, max(w - 2.4 * r, 2.5 * r) / max(n - 1, 1))
    if w < h:
        return [mapped(c, lambda p: (p[1], p[0])) for c in row_of_holes(rng, outline, h, w)] if w != h else []
    return [Circle(((i - (n - 1) / 2) * pitch, 0.0), r) for i in range(n)]


def grid_of_holes(rng, outline, w, h):
    nx, ny = rng.integers(2, 5), rng.integers(2, 4)
    r = min(w / nx, h / ny) * rng.uniform(0.12, 0.4)
    return [Circle(((i - (nx - 1) / 2) * w / nx, (j - (ny - 1) / 2) * h / ny), r) for i in range(nx) for j in range(ny)]


def any_circle(rng, outline, w, h):
    r = min(w, h) * rng.uniform(0.05, 0.3)
    x, y = rng.uniform(-0.5, 0.5, 2) * (w - 2 * r, h - 2 * r)
    return [Circle((x if rng.random() < 0.5 else 0.0, y if rng.random() < 0.5 else 0.0), r)]


def window(rng, outline, w, h):
    """A rectangular, slotted or rounded opening, most often centred."""
    a, b = rng.uniform(0.15, 0.85, 2) * (w, h)
    made = pick(rng, {rectangle: 5, stadium: 2, rounded_rectangle: 2, regular_polygon: 1})(rng, a, b)
    if rng.random() < 0.6:
        return [made]
    dx, dy = rng.uniform(-0.5, 0.5, 2) * (w - a, h - b)
    return [shifted(made, dx if rng.random() < 0.6 else 0.0, dy if rng.random() < 0.6 else 0.0)]


def two_windows(rng, outline, w, h):
    a, b = rng.uniform(0.1, 0.4) * w, rng.uniform(0.2, 0.85) * h
    made = pick(rng, {rectangle: 3, stadium: 1})(rng, a, b)
    x = rng.uniform(a / 2 + 0.02 * w, w / 2 - a / 2)
    return [shifted(made, -x, 0.0), shifted(made, x, 0.0)]


HOLES = {central_circle: 30, offset_outline: 16, corner_holes: 12, bolt_circle: 9, row_of_holes: 12, grid_of_holes: 2,
         any_circle: 12, window: 10, two_windows: 3}  # fmt: skip
