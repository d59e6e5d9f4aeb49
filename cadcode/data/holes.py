"""Random holes, windows and hole patterns that fit inside an outline.

A generator function takes a numpy Generator, the outline, and the width and height of the box it fills, centred on
(0, 0).
"""

import math

from cadcode.data.loops import pick, polygon, shifted, turned
from cadcode.data.profiles import rectangle, regular_polygon, rounded_rectangle, stadium
from cadcode.program.tree import Arc, Circle, Line, Loop, Outline


def holes(rng, outline: Outline, w: float, h: float) -> list[Outline]:
    """Holes of one kind that fit inside an outline filling a box of w by h; an empty list if they do not fit."""
    made = pick(rng, HOLES)(rng, outline, w, h)
    margin = 0.015 * min(w, h)
    return made if made and all(hole.fits(outline, margin) for hole in made) and _apart(made, margin) else []


def _apart(made, margin):
    circles = [c for c in made if c.kind == "circle"]
    return all(
        math.dist(a.centre, b.centre) >= a.radius + b.radius + margin
        for i, a in enumerate(circles)
        for b in circles[:i]
    )


def central_circle(rng, outline, w, h):
    return [Circle((0.0, 0.0), min(w, h) / 2 * rng.choice([rng.uniform(0.1, 0.5), rng.uniform(0.5, 0.95)]))]


def offset_outline(rng, outline, w, h):
    """The outline reduced by a wall of constant thickness."""
    wall = min(w, h) * rng.choice([rng.uniform(0.02, 0.1), rng.uniform(0.1, 0.3)])
    if outline.kind == "loop" and 1 - 2 * wall / min(w, h) <= 0.2:
        return []
    return [outline.inset(wall, (w, h))]


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
    made = [
        Circle((ring * math.cos(turn + 2 * math.pi * i / n), ring * math.sin(turn + 2 * math.pi * i / n)), r)
        for i in range(n)
    ]
    centre = rng.uniform(0.1, 0.85) * (ring - r)
    return made + ([Circle((0.0, 0.0), centre)] if rng.random() < 0.6 else [])


def row_of_holes(rng, outline, w, h):
    n = int(rng.choice([2, 2, 2, 3, 4, 5]))
    r = min(w / n, h) * rng.uniform(0.08, 0.38)
    pitch = rng.uniform(2.4 * r, max(w - 2.4 * r, 2.5 * r) / max(n - 1, 1))
    if w < h:
        return [c.mapped(lambda p: (p[1], p[0])) for c in row_of_holes(rng, outline, h, w)] if w != h else []
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


def mirrored_holes(rng, outline, w, h):
    """Two equal off-centre holes, mirror images in one axis."""
    r = min(w, h) * rng.uniform(0.03, 0.2)
    x, y = rng.uniform(0.25, 0.85, 2) * (w / 2 - r, h / 2 - r)
    return [Circle((x, y), r), Circle((-x, y) if rng.random() < 0.5 else (x, -y), r)]


def socket(rng, outline, w, h):
    """A hexagon or square in the middle."""
    r = min(w, h) / 2 * rng.uniform(0.3, 0.9)
    n = int(rng.choice([4, 6, 6, 6, 8]))
    turn = rng.choice([0, math.pi / n])
    return [polygon([(r * math.cos(turn + math.tau * i / n), r * math.sin(turn + math.tau * i / n)) for i in range(n)])]


def keyed_bore(rng, outline, w, h):
    """A bore with a keyway."""
    r = min(w, h) / 2 * rng.uniform(0.2, 0.7)
    t, top = r * rng.uniform(0.15, 0.4), r * rng.uniform(1.1, 1.35)
    y = math.sqrt(r * r - t * t)
    bore = Loop((t, top), (Line((-t, top)), Line((-t, y)), Arc((0.0, -r), (t, y)), Line((t, top))))
    return [turned(bore, int(rng.integers(4)))]


def row_of_slots(rng, outline, w, h):
    """Two to four equal slots side by side: grilles, adjustment slots."""
    n = int(rng.choice([2, 3, 4], p=[0.5, 0.3, 0.2]))
    a, b = w / n * rng.uniform(0.15, 0.7), h * rng.uniform(0.2, 0.8)
    made = pick(rng, {rectangle: 1, stadium: 1})(rng, a, b)
    pitch = (w - a) / n if n > 2 or rng.random() < 0.5 else (w - a) * rng.uniform(0.3, 0.9)
    return [shifted(made, (i - (n - 1) / 2) * pitch, 0.0) for i in range(n)]


HOLES = {
    central_circle: 30,
    offset_outline: 16,
    corner_holes: 12,
    bolt_circle: 9,
    row_of_holes: 10,
    grid_of_holes: 2,
    any_circle: 12,
    window: 10,
    two_windows: 3,
    mirrored_holes: 5,
    socket: 4,
    keyed_bore: 2,
    row_of_slots: 3,
}
