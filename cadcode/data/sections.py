"""More random 2D profiles: bent sheet, fins, levers, links, bearing blocks, dovetails, keyed discs, soft corners.

Every generator function takes a numpy Generator and the width and height of the box it fills, centred on (0, 0), and
returns an Outline.
"""

import math

import numpy as np

from cadcode.data.loops import cornered, log_uniform, polygon
from cadcode.program.tree import Arc, Circle, Line, Loop, Outline

SHEET = (0.006, 0.12)  # thickness of bent sheet over its shorter side


def bent_sheet(rng, w, h) -> Outline:
    """A strip of one thickness along a path with square bends: angles, channels, hats, lips, steps."""
    t = min(w, h) * log_uniform(rng, *SHEET)
    x, y, lip = w / 2, h / 2, rng.uniform(0.15, 0.35) * w
    path = [
        [(-x, y), (-x, -y), (x, -y)],
        [(-x, y), (-x, -y), (x, -y), (x, y)],
        [(-x, y), (-x, -y), (x, -y), (x, y * rng.uniform(-0.6, 0.6))],
        [(-x, y), (x - lip, y), (x - lip, -y), (x, -y)],
        [(-x, -y), (-x + lip, -y), (-x + lip, y), (x - lip, y), (x - lip, -y), (x, -y)],
        [(-x + lip, y), (-x, y), (-x, -y), (x, -y), (x, y), (x - lip, y)],
    ][rng.choice(6, p=[0.32, 0.3, 0.1, 0.12, 0.08, 0.08])]
    return _strip(path, t, round_bends=rng.random() < 0.2)


def _strip(path, t, round_bends) -> Loop:
    """Outline of a strip of width `t` whose outer edge stays inside the box of a path of axis-parallel legs."""
    middle = [_pulled_in(p, path, t / 2) for p in path]
    left, right = [], []
    for i, p in enumerate(middle):
        before = _direction(middle[i - 1], p) if i else _direction(p, middle[1])
        after = _direction(p, middle[i + 1]) if i + 1 < len(middle) else before
        mitre = (-(before[1] + after[1]), before[0] + after[0]) if before != after else (-before[1], before[0])
        left.append((p[0] + mitre[0] * t / 2, p[1] + mitre[1] * t / 2))
        right.append((p[0] - mitre[0] * t / 2, p[1] - mitre[1] * t / 2))
    if not round_bends:
        return polygon([*left, *right[::-1]])
    turns = [_turn(middle, i) for i in range(len(middle))]
    cuts = [[1.6 * t if turn == side else 0.6 * t if turn else 0.0 for turn in turns] for side in (-1, 1)]
    return cornered([*left, *right[::-1]], [*cuts[0], *cuts[1][::-1]])


def _pulled_in(p, path, inset):
    """A corner of the path, moved towards the middle of its box if it is on the box; ends stay in their leg."""
    xs, ys = zip(*path, strict=True)
    end = path.index(p) in (0, len(path) - 1)
    leg = _direction(path[0], path[1]) if path.index(p) == 0 else _direction(path[-2], path[-1])
    pull = lambda v, low, high: v + inset * ((v == low) - (v == high)) * 1.0  # noqa: E731
    x = p[0] if end and leg[0] else pull(p[0], min(xs), max(xs))
    y = p[1] if end and leg[1] else pull(p[1], min(ys), max(ys))
    return x, y


def _direction(a, b):
    return float(np.sign(b[0] - a[0])), float(np.sign(b[1] - a[1]))


def _turn(path, i) -> int:
    """1 for a left bend, -1 for a right one, 0 at the ends."""
    if i in (0, len(path) - 1):
        return 0
    (ax, ay), (bx, by) = _direction(path[i - 1], path[i]), _direction(path[i], path[i + 1])
    return int(np.sign(ax * by - ay * bx))


def comb(rng, w, h) -> Outline:
    """A bar with two to four teeth: heat sinks, racks, forks."""
    n = int(rng.choice([2, 3, 4], p=[0.3, 0.45, 0.25]))
    tooth, depth = w / (2 * n - 1) * rng.uniform(0.3, 1.5), h * rng.uniform(0.25, 0.85)
    gap = (w - n * tooth) / (n - 1)
    if gap <= 0.02 * w:
        tooth, gap = w / (2 * n - 1), w / (2 * n - 1)
    points = [(-w / 2, -h / 2), (w / 2, -h / 2)]
    for i in range(n):
        right = w / 2 - i * (tooth + gap)
        points += [(right, h / 2), (right - tooth, h / 2)]
        if i + 1 < n:
            points += [(right - tooth, h / 2 - depth), (right - tooth - gap, h / 2 - depth)]
    return polygon(points)


def lever(rng, w, h) -> Outline:
    """A disc with a bar out of one side, square or round at its end: keys, handles, pedals."""
    if w < 1.2 * h:
        return Circle((0.0, 0.0), min(w, h) / 2)
    r = h / 2
    t, x = r * rng.uniform(0.15, 0.8), -w / 2 + r
    root = x + math.sqrt(r * r - t * t)
    far = w / 2 - (t if rng.random() < 0.4 else 0.0)
    end = [Line((far, t))] if far == w / 2 else [Arc((w / 2, 0.0), (far, t))]
    return Loop((root, -t), (Line((far, -t)), *end, Line((root, t)), Arc((x - r, 0.0), (root, -t))))


def link(rng, w, h) -> Outline:
    """Two discs of different size and their common tangents: connecting rods, cams, pear shapes."""
    if w < 1.15 * h:
        return Circle((0.0, 0.0), min(w, h) / 2)
    big, small = h / 2, h / 2 * rng.uniform(0.25, 0.9)
    a, b = -w / 2 + big, w / 2 - small
    if b - a <= 1.05 * (big - small):
        return Circle((0.0, 0.0), min(w, h) / 2)
    tilt = (big - small) / (b - a)
    n = (tilt, math.sqrt(1 - tilt * tilt))
    near, far = (a + big * n[0], big * n[1]), (b + small * n[0], small * n[1])
    return Loop(
        (far[0], -far[1]),
        (Arc((w / 2, 0.0), far), Line(near), Arc((-w / 2, 0.0), (near[0], -near[1])), Line((far[0], -far[1]))),
    )


def bearing_block(rng, w, h) -> Outline:
    """A foot with an arch on it."""
    s, r = h * rng.uniform(0.12, 0.4), w / 2 * rng.uniform(0.35, 0.8)
    r = min(r, h - s)
    y, foot = h / 2 - r, -h / 2 + s
    rise = [Line((r, y))] if y > foot + 1e-6 else []
    fall = [Line((-r, foot))] if y > foot + 1e-6 else []
    return Loop(
        (-w / 2, -h / 2),
        (
            Line((w / 2, -h / 2)),
            Line((w / 2, foot)),
            Line((r, foot)),
            *rise,
            Arc((0.0, h / 2), (-r, y)),
            *fall,
            Line((-w / 2, foot)),
            Line((-w / 2, -h / 2)),
        ),
    )


def ramp(rng, w, h) -> Outline:
    """A block with a slope between a low and a high level: wedges, stops, ramps with a step at the foot."""
    low, high = h * rng.uniform(0.1, 0.6), h
    start, stop = np.sort(rng.uniform(0.1, 0.95, 2)) * w
    points = [(0, 0), (w, 0), (w, high), (stop, high), (start, low), (0, low)]
    return polygon([(x - w / 2, y - h / 2) for x, y in points])


def dovetail(rng, w, h) -> Outline:
    """A rectangle with a slot or a tongue that widens or narrows inwards."""
    mouth, floor = w * rng.uniform(0.1, 0.6), w * rng.uniform(0.1, 0.75)
    d = h * rng.uniform(0.15, 0.6)
    if rng.random() < 0.65:
        top = [(mouth / 2, h / 2), (floor / 2, h / 2 - d), (-floor / 2, h / 2 - d), (-mouth / 2, h / 2)]
        return polygon([(-w / 2, -h / 2), (w / 2, -h / 2), (w / 2, h / 2), *top, (-w / 2, h / 2)])
    y = h / 2 - d
    return polygon(
        [
            (-w / 2, -h / 2),
            (w / 2, -h / 2),
            (w / 2, y),
            (mouth / 2, y),
            (floor / 2, h / 2),
            (-floor / 2, h / 2),
            (-mouth / 2, y),
            (-w / 2, y),
        ]
    )


def keyed_disc(rng, w, h) -> Outline:
    """A disc with a square notch in its rim, or a square key on it."""
    r = min(w, h) / 2
    t, out = r * rng.uniform(0.12, 0.45), rng.random() < 0.3
    r = r * 0.85 if out else r
    y = math.sqrt(r * r - t * t)
    level = r * rng.uniform(1.08, 1.17) if out else r * rng.uniform(0.45, 0.85)
    return Loop((-t, level), (Line((-t, y)), Arc((0.0, -r), (t, y)), Line((t, level)), Line((-t, level))))


def soft_polygon(rng, w, h) -> Outline:
    """A triangle, trapezoid, house or regular polygon with all corners rounded."""
    x, y, k = w / 2, h / 2, rng.uniform(0.1, 0.8)
    n = int(rng.choice([3, 5, 6]))
    ring = [(x * math.sin(2 * math.pi * i / n), y * math.cos(2 * math.pi * i / n)) for i in range(n)][::-1]
    points = [
        [(-x, -y), (x, -y), (0.0, y)],
        [(-x, -y), (x, -y), (x * k, y), (-x * k, y)],
        [(-x, -y), (x, -y), (-x, y)],
        [(-x, -y), (x, -y), (x, y * k), (0, y), (-x, y * k)],
        ring,
    ][rng.integers(5)]
    loop = cornered(points, [min(w, h) * rng.choice([0.05, 0.1, 0.15])] * len(points))
    low, high = loop.bounds()  # rounding takes tips away
    scale = min((w, h) / (high - low))
    return loop.mapped(lambda p: tuple(float(v) for v in (np.array(p) - (low + high) / 2) * scale))


def slotted_disc(rng, w, h) -> Outline:
    """A disc with a slot from its rim past its middle: clamps, horseshoes, retaining washers."""
    r = min(w, h) / 2
    t, depth = r * rng.uniform(0.1, 0.45), rng.uniform(-0.3, 0.4) * r
    y = math.sqrt(r * r - t * t)
    floor = [Arc((0.0, depth - t), (-t, depth))] if rng.random() < 0.6 else [Line((-t, depth))]
    return Loop((t, y), (Line((t, depth)), *floor, Line((-t, y)), Arc((0.0, -r), (t, y))))


def askew(rng, outline: Outline, w, h) -> Outline:
    """An outline turned by any angle in its plane and fitted into the box again."""
    if outline.kind == "circle":
        return outline
    angle = rng.choice([math.pi / 4, math.pi / 6, math.pi / 3, rng.uniform(0.1, 1.4)]) * rng.choice([-1, 1])
    c, s = math.cos(angle), math.sin(angle)
    loop = outline.loop() if outline.kind == "rect" else outline
    loop = loop.mapped(lambda p: (p[0] * c - p[1] * s, p[0] * s + p[1] * c))
    low, high = loop.bounds()
    scale = min((w, h) / (high - low))
    return loop.mapped(lambda p: tuple(float(v) for v in (np.array(p) - (low + high) / 2) * scale))


SECTIONS = {
    bent_sheet: 6,
    comb: 1.2,
    lever: 1.5,
    link: 1.2,
    bearing_block: 1.2,
    ramp: 2,
    dovetail: 1.2,
    keyed_disc: 0.8,
    soft_polygon: 1.5,
    slotted_disc: 0.7,
}
