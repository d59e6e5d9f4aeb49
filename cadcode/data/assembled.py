"""Families of parts with several related features: flanges, fins, stands, rods, tees, housings.

A family generates upright steps (z is the build direction), in free units.
"""

import math

import numpy as np

from cadcode.data import profiles as P
from cadcode.data.bodies import block, cut, extrude, size, some_holes, thickness, union
from cadcode.data.holes import bolt_circle, corner_holes
from cadcode.data.loops import log_uniform, pick, polygon, shifted
from cadcode.data.sections import keyed_disc, link
from cadcode.program.tree import Circle, Outline, Rect, Step


def flange(rng) -> list[Step]:
    """A plate with bolt holes and a hub, most often bored through; sometimes a hub on both sides."""
    w, h = (1.0, 1.0) if rng.random() < 0.75 else (rng.uniform(1.2, 2.0), 1.0)
    base = pick(rng, {P.circle: 5, P.rectangle: 2, P.rounded_rectangle: 2, P.oval_flange: 1, P.stadium: 0.6})(rng, w, h)
    t, r = log_uniform(rng, 0.03, 0.35), rng.uniform(0.12, 0.34)
    bolts = bolt_circle if base.kind == "circle" else corner_holes
    holes = [o for o in bolts(rng, base, *(base.bounds()[1] * 2)) if math.hypot(*o.centre) > 1e-6]
    clear = all(math.hypot(*o.centre) - o.radius > 1.04 * r and o.fits(base, 0.01) for o in holes)
    holes = holes if clear and rng.random() < 0.8 else []
    tall = t + log_uniform(rng, 0.05, 1.5)
    hub = Circle((0.0, 0.0), r) if rng.random() < 0.85 else P.regular_polygon(rng, 2 * r, 2 * r)
    bore = [Circle((0.0, 0.0), r * rng.uniform(0.2, 0.85 if hub.kind == "circle" else 0.45))]
    bore = bore if rng.random() < 0.7 else []
    bodies = [extrude(base, 0, t, [*holes, *bore]), extrude(hub, t, tall, bore)]
    if rng.random() < 0.2:
        bodies.append(extrude(hub, -(tall - t) * (1 if rng.random() < 0.5 else rng.uniform(0.1, 0.8)), 0, bore))
    return union(*bodies)


def finned(rng) -> list[Step]:
    """A plate or disc with two to four parallel ribs, or two crossed ribs."""
    w, h = size(rng)
    t, tall = log_uniform(rng, 0.02, 0.25) * min(w, h), log_uniform(rng, 0.08, 0.9) * min(w, h)
    base = P.rectangle(rng, w, h)
    n = int(rng.choice([1, 2, 3, 4], p=[0.2, 0.4, 0.25, 0.15]))
    rib = min(w / n * rng.uniform(0.03, 0.45), 0.9 * w)
    reach = h / 2 * (1 if rng.random() < 0.65 else rng.uniform(0.4, 0.95))
    span = (w - rib) * (1 if rng.random() < 0.5 else rng.uniform(0.3, 0.9))
    places = [0.0] if n == 1 else [span * (i / (n - 1) - 0.5) for i in range(n)]
    ribs = [block(x - rib / 2, x + rib / 2, -reach, reach, t, t + tall) for x in places]
    if n == 1:
        ribs.append(block(-w / 2, w / 2, -rib / 2, rib / 2, t, t + tall))
    return union(extrude(base, 0, t, some_holes(rng, base, w, h, 0.1)), *ribs)


def stand(rng) -> list[Step]:
    """A top on legs or side walls, sometimes with a rail: tables, benches, bridges, stools."""
    w, h = size(rng)
    w, h = max(w, h), min(w, h)
    top, tall = log_uniform(rng, 0.02, 0.3) * h, log_uniform(rng, 0.15, 1.5) * h
    slab = extrude(pick(rng, {P.rectangle: 5, P.rounded_rectangle: 1})(rng, w, h), tall, tall + top)
    a = h * log_uniform(rng, 0.04, 0.35)
    inset = 0.0 if rng.random() < 0.6 else rng.uniform(0.02, 0.15) * h
    x, y = w / 2 - a / 2 - inset, h / 2 - a / 2 - inset
    if rng.random() < 0.45:
        deep = h if rng.random() < 0.6 else h * rng.uniform(0.4, 0.9)
        legs = [block(s * x - a / 2, s * x + a / 2, -deep / 2, deep / 2, 0, tall) for s in (-1, 1)]
    else:
        foot = Rect((0.0, 0.0), a, a) if rng.random() < 0.7 else Circle((0.0, 0.0), a / 2)
        legs = [extrude(shifted(foot, sx * x, sy * y), 0, tall) for sx in (-1, 1) for sy in (-1, 1)]
    z, rail = tall * rng.uniform(0.0, 0.6), min(a, tall * 0.3)
    rails = [block(-x, x, -rail / 2, rail / 2, z, z + rail)] if len(legs) == 2 and rng.random() < 0.5 else []
    return union(slab, *legs, *rails)


def rod_and_plate(rng) -> list[Step]:
    """A thin rod or wire that runs into a plate, a block or a disc: nails, flags, pins, paddles, hangers."""
    r, length = log_uniform(rng, 0.006, 0.08), rng.uniform(0.6, 1.6)
    rod = Circle((0.0, 0.0), r) if rng.random() < 0.7 else Rect((0.0, 0.0), 2 * r, 2 * r)
    w, h = (log_uniform(rng, 0.06, 0.8) for _ in range(2))
    w, h = (max(v, 2.6 * r) for v in (w, h if rng.random() < 0.6 else w))
    t = log_uniform(rng, 0.006, 0.3)
    head = P.profile(rng, w, h, rare=0.1)
    if rng.random() < 0.6:  # stands on the plate
        head = head if rod.fits(head, 0.0) else Rect((0.0, 0.0), w, h)
        bodies = [extrude(head, 0, t), extrude(rod, t, t + length)]
        return union(*bodies, *([extrude(head, t + length, 2 * t + length)] if rng.random() < 0.25 else []))
    flat = Rect((0.0, 0.0), w, h) if rng.random() < 0.7 else Circle((0.0, 0.0), w / 2)
    start, z = w / 2 - (min(r, w / 4) if flat.kind == "circle" else 0.0), t / 2
    y = float(rng.choice([0.0, 1.0, -1.0])) * max(h / 2 - r, 0) if flat.kind == "rect" else 0.0
    t = max(t, 2 * r)
    return union(extrude(flat, 0, t), extrude(shifted(rod, y, max(z, r)), start, start + length, plane="YZ"))


def tee(rng) -> list[Step]:
    """A pipe or bar with one or two branches across it, bored or not: fittings, hubs with arms, crosses."""
    r, length = rng.uniform(0.15, 0.5), rng.uniform(0.8, 2.0)
    q, reach = r * rng.uniform(0.25, 0.95), rng.uniform(1.15, 2.2)
    main = pick(rng, {P.circle: 4, P.rectangle: 1.5})(rng, 2 * r, 2 * r)
    arm = pick(rng, {P.circle: 3, P.rectangle: 1})(rng, 2 * q, 2 * q)
    z = 0.0 if rng.random() < 0.7 else rng.uniform(-0.5, 0.5) * (length - 2 * q)
    z = z if 2 * q < length else 0.0
    low = -reach * r if rng.random() < 0.35 else 0.0
    steps = union(extrude(main, -length / 2, length / 2), extrude(shifted(arm, 0, z), low, reach * r, plane="YZ"))
    if rng.random() < 0.5:
        k = rng.uniform(0.4, 0.85)
        steps += cut(extrude(Circle((0.0, 0.0), r * k), -length / 2, length / 2))
        if rng.random() < 0.5:
            steps += cut(extrude(Circle((0.0, z), q * k), low, reach * r, plane="YZ"))
    return steps


def keyed_shaft(rng) -> list[Step]:
    """A stepped shaft with a keyway, a flat, a cross hole, a groove or a bore in one end."""
    n = int(rng.choice([1, 2, 3], p=[0.3, 0.4, 0.3]))
    radii, heights = rng.uniform(0.25, 1, n), np.exp(rng.uniform(np.log(0.4), np.log(3.0), n))
    levels = [0.0, *np.cumsum(heights)]
    bodies = [extrude(Circle((0.0, 0.0), float(r)), levels[i], levels[i + 1]) for i, r in enumerate(radii)]
    i = int(rng.integers(n))
    r, low, high = float(radii[i]), levels[i], levels[i + 1]
    kind = rng.choice(5, p=[0.35, 0.2, 0.15, 0.15, 0.15])
    if kind == 0:  # keyway
        a, d = r * rng.uniform(0.15, 0.5), r * rng.uniform(0.4, 0.85)
        start = low if rng.random() < 0.4 else low + (high - low) * rng.uniform(0.1, 0.4)
        stop = high if rng.random() < 0.4 else high - (high - low) * rng.uniform(0.1, 0.4)
        return union(*bodies) + cut(block(-a / 2, a / 2, d, r, start, stop))
    if kind == 1:  # one flat or two
        d = r * rng.uniform(0.5, 0.9)
        flats = [block(-r, r, d, r, low, high), block(-r, r, -r, -d, low, high)]
        return union(*bodies) + cut(*flats[: rng.integers(1, 3)])
    if kind == 2:  # cross hole
        q = min(r, (high - low) / 2) * rng.uniform(0.15, 0.6)
        return union(*bodies) + cut(extrude(Circle((0.0, (low + high) / 2), q), -r, r, plane="YZ"))
    if kind == 3:  # blind bore in the end
        q, deep = float(radii[-1]) * rng.uniform(0.3, 0.85), heights[-1] * rng.uniform(0.2, 0.9)
        return union(*bodies) + cut(extrude(Circle((0.0, 0.0), q), levels[-1] - deep, levels[-1]))
    bodies[i] = extrude(keyed_disc(rng, 2 * r, 2 * r), low, high)
    return union(*bodies)


def housing(rng) -> list[Step]:
    """A thin-walled box, open above, with posts, a flange round its mouth, an opening, or a wall inside."""
    w, h = size(rng)
    w, h = min(w, 3.0), min(h, 3.0)
    z, wall, floor = rng.uniform(0.15, 1.2) * min(w, h), log_uniform(rng, 0.015, 0.12) * min(w, h), 0.0
    floor = wall * rng.uniform(0.6, 2.0) if rng.random() < 0.85 else 0.0
    outer = pick(rng, {P.rectangle: 5, P.rounded_rectangle: 2, P.circle: 2})(rng, w, h)
    inner = _inset(outer, wall)
    extra = rng.choice(4, p=[0.25, 0.25, 0.25, 0.25])
    steps = union(extrude(outer, 0, z)) if floor else union(extrude(outer, 0, z, [inner]))
    if extra == 0:  # a flange round the mouth, or round the foot
        low = z if rng.random() < 0.5 else 0.0
        t, rim = wall * rng.uniform(0.8, 2.0), wall * rng.uniform(1.0, 4.0)
        steps += union(extrude(_inset(outer, -rim), low, low + t, [inner] if low or not floor else []))
    steps += cut(extrude(inner, floor, z)) if floor else []
    if extra == 1 and floor:  # posts or a post on the floor
        (low, high), p = inner.bounds(), 0.12 * min(w, h)
        x, y = (high - low) * 0.3
        spots = [(0.0, 0.0)] if rng.random() < 0.5 else [(-x, 0.0), (x, 0.0)]
        r, top = p * rng.uniform(0.5, 1.2), z * rng.uniform(0.4, 1.0)
        steps += union(*(extrude(Circle(s, r), floor, top) for s in spots))
    if extra == 2:  # an opening in one side
        a, b = rng.uniform(0.15, 0.6) * h, rng.uniform(0.2, 0.6) * (z - floor)
        opening = P.circle(rng, a, b) if rng.random() < 0.4 else Rect((0.0, 0.0), a, b)
        middle = (floor + z) / 2 if rng.random() < 0.6 else z - b / 2
        steps += cut(extrude(shifted(opening, 0.0, middle), 0.0, w / 2, plane="YZ"))
    if extra == 3:  # a wall across
        low, high = inner.bounds()
        steps += union(block(-wall / 2, wall / 2, low[1] - wall / 2, high[1] + wall / 2, floor / 2, z))
    return steps


def _inset(outline: Outline, by: float) -> Outline:
    return outline.inset(by, tuple(outline.bounds()[1] * 2))


def arm(rng) -> list[Step]:
    """A lever: a flat link with a boss and a hole at each end."""
    w, h, t = rng.uniform(1.6, 4.0), 1.0, log_uniform(rng, 0.06, 0.5)
    outline = link(rng, w, h) if rng.random() < 0.6 else P.stadium(rng, w, h)
    left, right = (-w / 2 + h / 2, 0.0), (w / 2 - h / 2, 0.0)
    k, deep = rng.uniform(0.3, 0.75), t + log_uniform(rng, 0.08, 0.9)
    boss = Circle(left, h / 2 * rng.choice([1.0, rng.uniform(0.5, 0.95)]))
    bore = [Circle(left, boss.radius * k)] if rng.random() < 0.7 else []
    far = Circle(right, h / 2 * rng.uniform(0.15, 0.5))
    holes = bore + ([far] if far.fits(outline, 0.03) else [])
    return union(extrude(outline, 0, t, holes), extrude(boss, t, deep, bore))


def cut_across(rng) -> list[Step]:
    """A profile with a corner, a slope, an end or a window cut away from another direction."""
    w, h = size(rng)
    z = max(thickness(rng, w, h), 0.12 * min(w, h))
    base = P.profile(rng, w, h, rare=0.8)
    steps = union(extrude(base, 0, z, some_holes(rng, base, w, h, 0.25)))
    a, d = w * rng.uniform(0.1, 0.7), z * rng.uniform(0.2, 0.85)
    corner = lambda s: polygon([(z, s * w / 2), (z, s * (w / 2 - a)), (z - d, s * w / 2)])  # noqa: E731 ZX: (z, x)
    if rng.random() < 0.6:
        both = a < 0.45 * w and rng.random() < 0.4
        return steps + cut(*(extrude(corner(s), -h / 2, h / 2, plane="ZX") for s in ((1, -1) if both else (1,))))
    window = pick(rng, {P.rectangle: 3, P.stadium: 1, P.circle: 2, P.isosceles: 0.5})(rng, 0.7 * d, 0.8 * a)
    x = 0.0 if rng.random() < 0.6 else rng.uniform(-0.5, 0.5) * (w - a)
    return steps + cut(extrude(shifted(window, z / 2, x), -h / 2, h / 2, plane="ZX"))
