"""Families of parts with material cut away: pockets, steps, slots, counterbores, thin walls.

A family generates upright steps (z is the build direction), in free units.
"""

from cadcode.data import profiles as P
from cadcode.data.bodies import block, cut, extrude, place, size, smaller, some_holes, thickness, union
from cadcode.data.holes import central_circle, offset_outline
from cadcode.data.loops import pick, shifted
from cadcode.program.tree import Circle, Step


def pocketed(rng) -> list[Step]:
    """A block or disc with pockets, steps, slots and blind holes cut into it."""
    w, h = size(rng)
    z = thickness(rng, w, h) + 0.08 * min(w, h)
    base = P.profile(rng, w, h, rare=0.35)
    cuts = []
    for _ in range(rng.choice([1, 2, 3], p=[0.6, 0.28, 0.12])):
        cuts += pick(rng, {_pocket: 5, _edge_step: 3, _side_slot: 2, _side_hole: 3, _counterbore: 1.5})(rng, w, h, z)
    holes = some_holes(rng, base, w, h, 0.15)
    return union(extrude(base, 0, z, holes)) + cut(*cuts)


def _pocket(rng, w, h, z):
    a, b = smaller(rng, (w, h))
    a, b = min(a, 0.92 * w), min(b, 0.92 * h)
    outline = pick(rng, {P.rectangle: 4, P.circle: 3, P.rounded_rectangle: 2, P.stadium: 1})(rng, a, b)
    dx, dy = place(rng, (0.9 * w, 0.9 * h), (a, b), 0.7)
    return [extrude(shifted(outline, dx, dy), z * (1 - rng.uniform(0.15, 0.9)), z)]


def _edge_step(rng, w, h, z):
    """A step along one side, or the same step along two opposite sides."""
    a, d = w * rng.uniform(0.08, 0.6), z * rng.uniform(0.15, 0.85)
    right = block(w / 2 - a, w / 2, -h / 2, h / 2, z - d, z)
    if rng.random() < 0.35 and a < 0.45 * w:
        return [right, block(-w / 2, -w / 2 + a, -h / 2, h / 2, z - d, z)]
    return [right]


def _side_slot(rng, w, h, z):
    """A channel across the top."""
    a, d = w * rng.uniform(0.1, 0.6), z * rng.uniform(0.15, 0.8)
    x = 0.0 if rng.random() < 0.7 else rng.uniform(-0.8, 0.8) * (w - a) / 2
    if rng.random() < 0.15:
        return [extrude(shifted(Circle((0.0, 0.0), min(a / 2, d)), z, x), -h / 2, h / 2, plane="ZX")]
    return [block(x - a / 2, x + a / 2, -h / 2, h / 2, z - d, z)]


def _side_hole(rng, w, h, z):
    """A hole from side to side, round most often."""
    a, b = h * rng.uniform(0.1, 0.7), z * rng.uniform(0.15, 0.7)
    opening = P.circle(rng, a, b) if rng.random() < 0.65 else P.rectangle(rng, a, b)
    dy = 0.0 if rng.random() < 0.75 else rng.uniform(-0.7, 0.7) * (h - a) / 2
    depth = -w / 2 if rng.random() < 0.7 else w / 2 - w * rng.uniform(0.1, 0.7)
    return [extrude(shifted(opening, dy, z / 2), depth, w / 2, plane="YZ")]


def _counterbore(rng, w, h, z):
    r = min(w, h) / 2 * rng.uniform(0.15, 0.7)
    deep = z * rng.uniform(0.15, 0.7)
    wide, narrow = Circle((0.0, 0.0), r), Circle((0.0, 0.0), r * rng.uniform(0.3, 0.75))
    return [extrude(wide, z - deep, z), extrude(narrow, 0, z - deep)]


def tray(rng) -> list[Step]:
    """A box or cup with thin walls: a base, and a wall around it as a ring of the same outline."""
    w, h = size(rng)
    makers = {P.rectangle: 5, P.circle: 4, P.rounded_rectangle: 2, P.u_profile: 0.5, P.stadium: 1}
    outline = pick(rng, makers)(rng, w, h)
    z, wall = thickness(rng, w, h) + 0.15, offset_outline(rng, outline, w, h)
    wall = wall if wall and wall[0].fits(outline, 0.005) else []
    floor = rng.uniform(0.04, 0.5) * z
    if not wall:
        return union(extrude(outline, 0, z))
    steps = union(extrude(outline, 0, z)) + cut(extrude(wall[0], floor, z))
    if rng.random() < 0.3:
        steps += cut(extrude(central_circle(rng, outline, w, h)[0], 0, floor))
    return steps if rng.random() < 0.85 else steps + cut(*_side_hole(rng, w, h, z))
