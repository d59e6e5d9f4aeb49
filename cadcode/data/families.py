"""Families of parts made of prisms: stacked, adjacent or crossed.

A family generates upright steps (z is the build direction), in free units.
"""

import math

import numpy as np

from cadcode.data import profiles as P
from cadcode.data.bodies import block, cut, extrude, place, size, smaller, some_holes, thickness, union
from cadcode.data.holes import bolt_circle, holes
from cadcode.data.loops import log_uniform, pick, polygon, shifted
from cadcode.program.tree import Circle, Extrude, Rect, Step


def prism(rng) -> list[Step]:
    """One extruded sketch: the most common part."""
    w, h = size(rng)
    outline = P.profile(rng, w, h, rare=1.6)
    return union(extrude(outline, 0, thickness(rng, w, h), some_holes(rng, outline, w, h)))


def several_prisms(rng) -> list[Step]:
    """Separate outlines in one sketch level: legs, feet, pairs of bars."""
    w, h = size(rng)
    a, b = rng.uniform(0.08, 0.4, 2) * (w, h)
    foot = pick(rng, {P.rectangle: 3, P.circle: 2, P.l_profile: 0.5})(rng, a, b)
    x, y = w / 2 - a / 2, h / 2 - b / 2
    places = [[(-x, 0), (x, 0)], [(-x, -y), (x, -y), (-x, y), (x, y)]][rng.integers(2)]
    z = thickness(rng, w, h)
    legs = [extrude(shifted(foot, *p), 0, z) for p in places]
    plate = pick(rng, {P.rectangle: 4, P.rounded_rectangle: 1, P.corner_notched: 0.3})(rng, w, h)
    slab = extrude(plate, z, z + thickness(rng, w, h) * 0.5)
    return union(slab, *legs)


def stacked(rng) -> list[Step]:
    """A base with one to three smaller prisms on top, aligned with its centre, its edges or its corners."""
    w, h = size(rng)
    z = thickness(rng, w, h)
    base = P.profile(rng, w, h, rare=0.7)
    steps, z_top, space = [], z, (w, h)
    through, bore = None, rng.random() < 0.3
    for _ in range(rng.choice([1, 2, 3], p=[0.7, 0.22, 0.08])):
        a, b = smaller(rng, space)
        outline = P.profile(rng, a, b, rare=0.5)
        dx, dy = _on(base, place(rng, (w, h), (a, b), centred=0.55 if not steps else 0.8))
        tall = thickness(rng, a, b)
        hole = some_holes(rng, outline, a, b, 0.3)
        if bore and not steps and dx == dy == 0:
            through = Circle((0.0, 0.0), min(a, b) / 2 * rng.uniform(0.2, 0.85))
            hole = [through] if through.fits(outline, 0.01) else []
            through = through if hole else None
        steps += union(extrude(shifted(outline, dx, dy), z_top, z_top + tall, [shifted(o, dx, dy) for o in hole]))
        if rng.random() < 0.5 and dx == dy == 0:
            z_top, space = z_top + tall, (a, b)
    holes = [through] if through and through.fits(base, 0.01) else some_holes(rng, base, w, h, 0.3)
    steps += _below(rng, steps, z) if rng.random() < 0.2 else []
    return union(extrude(base, 0, z, holes)) + steps


def _on(base, at):
    """The place, or the middle of the base's first side where it would be off the base."""
    if base.inside(np.array([at]))[0]:
        return at
    corners = np.array([base.start, base.edges[0].end]) if base.kind == "loop" else np.zeros((1, 2))
    return tuple(float(v) for v in corners.mean(0))


def _below(rng, steps, z):
    """A copy of the first prism on top, mirrored to the underside."""
    top = steps[0].body
    return [Step("union", Extrude(top.plane, -top.height, top.height, top.faces))]


def shaft(rng) -> list[Step]:
    """Coaxial discs of different radii: shafts, hubs, bushes, knobs, bolts."""
    n = int(rng.choice([2, 3, 4], p=[0.5, 0.35, 0.15]))
    radii = rng.uniform(0.2, 1, n)
    if n == 3 and rng.random() < 0.5:
        radii[2] = radii[0]
    radii[rng.integers(n)] = 1.0
    heights = np.exp(rng.uniform(np.log(0.1), np.log(2.5), n))
    bore = rng.uniform(0.2, 0.85) * radii.min() if rng.random() < 0.4 else 0.0
    z, bodies = 0.0, []
    for r, height in zip(radii, heights, strict=True):
        outline = Circle((0.0, 0.0), float(r))
        if rng.random() < 0.1:
            outline = P.regular_polygon(rng, 2 * r, 2 * r)
        holes = [Circle((0.0, 0.0), float(bore))] if bore else []
        if not bore and r == 1.0 and rng.random() < 0.25:
            holes = [h for h in bolt_circle(rng, outline, 2.0, 2.0)[:8] if math.hypot(*h.centre) > 0.3]
            holes = holes if _beyond(holes, sorted(radii)[-2]) else []
        bodies.append(extrude(outline, z, z + height, holes))
        z += height
    return union(*bodies) + (_cross_hole(rng, bodies) if rng.random() < 0.12 else [])


def _beyond(holes, radius):
    return all(math.hypot(*h.centre) - h.radius > radius for h in holes)


def _cross_hole(rng, bodies):
    body = bodies[rng.integers(len(bodies))]
    outer = float(np.abs(body.faces[0].outline.bounds()).max())
    r = min(body.height, outer) * rng.uniform(0.1, 0.35)
    return cut(extrude(Circle((0.0, body.offset + body.height / 2), r), -outer, outer, plane="YZ"))


def bracket(rng) -> list[Step]:
    """A plate with one or two upright walls on its edges; plate and walls may have holes."""
    w, h = size(rng)
    t = min(w, h) * rng.uniform(0.04, 0.3)
    tall = log_uniform(rng, 0.3, 1.6) * max(w, h) / 1.3
    base = Rect((0.0, 0.0), w, h) if rng.random() < 0.75 else P.rounded_rectangle(rng, w, h)
    wall_thickness = t if rng.random() < 0.7 else t * rng.uniform(0.5, 1.5)
    width = h if rng.random() < 0.75 else h * rng.uniform(0.3, 0.9)
    wall, holes = _wall(rng, width, tall)
    x = rng.choice(
        [w / 2 - wall_thickness, -wall_thickness / 2, (w - wall_thickness) * rng.uniform(-0.5, 0.5)],
        p=[0.65, 0.25, 0.1],
    )
    lift = lambda o: shifted(o, 0.0, t + tall / 2)  # noqa: E731
    walls = [extrude(lift(wall), x, x + wall_thickness, [lift(o) for o in holes], "YZ")]
    if x > 0 and rng.random() < 0.4:
        walls.append(extrude(lift(wall), -x - wall_thickness, -x, [lift(o) for o in holes], "YZ"))
    steps = union(extrude(base, 0, t, _holes_clear_of(rng, base, w, h, x, wall_thickness)), *walls)
    return steps + (_rib(rng, w, t, x, wall_thickness, tall) if len(walls) == 1 and rng.random() < 0.25 else [])


def _wall(rng, width, tall):
    maker = pick(rng, {P.rectangle: 6, P.arch: 2, P.chamfered_rectangle: 1, P.trapezoid: 1, P.rounded_rectangle: 1})
    outline = maker(rng, width, tall)
    if rng.random() > 0.55:
        return outline, []
    if maker is P.arch and tall > width * 0.6 and rng.random() < 0.7:
        return outline, [Circle((0.0, tall / 2 - width / 2), width / 2 * rng.uniform(0.25, 0.75))]
    return outline, holes(rng, outline, width, tall)


def _holes_clear_of(rng, base, w, h, x, t):
    holes = some_holes(rng, base, w, h, 0.45)
    edges = [o.bounds()[:, 0] for o in holes]
    return holes if all(high < x or low > x + t for low, high in edges) else []


def _rib(rng, w, t, x, wall_thickness, tall):
    """A triangle between plate and wall."""
    y, leg, up = t * rng.uniform(0.3, 0.6), rng.uniform(0.3, 0.9) * (w / 2 + x), rng.uniform(0.3, 0.9) * tall
    if leg <= 0.05:
        return []
    # ZX plane: local x is world z, local y is world x
    return union(extrude(polygon([(t, x), (t, x - leg), (t + up, x)]), -y, y, plane="ZX"))


def crossed(rng) -> list[Step]:
    """Profiles on different planes that meet in the middle or intersect."""
    bodies = []
    for plane in ("XY", "YZ", "ZX")[: rng.choice([2, 3], p=[0.85, 0.15])]:
        w, h = size(rng)
        k = log_uniform(rng, 0.3, 1.0)
        outline = P.profile(rng, w * k, h * k, rare=0.4)
        low, high = (-0.5, 0.5) if rng.random() < 0.7 else (0.0, 1.0)
        t = thickness(rng, w, h)
        dx, dy = place(rng, (0.5, 0.5), (0, 0), 0.75)
        bodies.append(extrude(shifted(outline, dx, dy), low * t, high * t, plane=plane))
    return union(*bodies)


def adjacent(rng) -> list[Step]:
    """Two prisms side by side, flush on one face: levers, links, handles, steps."""
    w, h = size(rng)
    z = thickness(rng, w, h)
    first = P.profile(rng, w, h, rare=0.3)
    a, b, tall = w * rng.uniform(0.2, 1.2), h * rng.uniform(0.15, 1.0), z * rng.choice([1, rng.uniform(0.2, 2.5)])
    dy = float(rng.choice([0, (h - b) / 2, (b - h) / 2]))
    bodies = [extrude(first, 0, z, some_holes(rng, first, w, h, 0.3))]
    level = float(rng.choice([0, (z - tall) / 2, z - tall]))
    second = P.profile(rng, a, b, rare=0.3)
    overlap = w * 0.25 if first.kind != "rect" else 0.0 if second.kind == "rect" else min(w, a) * 0.2
    hole = [] if first.kind != "rect" else some_holes(rng, second, a, b, 0.3)
    x = (w + a) / 2 - overlap
    bodies.append(extrude(shifted(second, x, dy), level, level + tall, [shifted(o, x, dy) for o in hole]))
    if rng.random() < 0.35:
        bodies.append(
            extrude(
                shifted(second.mapped(lambda p: (-p[0], p[1])), -x, dy),
                level,
                level + tall,
                [shifted(o.mapped(lambda p: (-p[0], p[1])), -x, dy) for o in hole],
            )
        )
    return union(*bodies)


def boxes(rng) -> list[Step]:
    """Two to four adjacent blocks: furniture, frames, stepped housings."""
    x, y, z = np.exp(rng.uniform(np.log(0.15), 0, 3))
    made = [(np.array([-x, -y, -z]) / 2, np.array([x, y, z]) / 2)]
    for _ in range(rng.choice([1, 2, 3], p=[0.45, 0.35, 0.2])):
        made.append(_attached(rng, *made[rng.integers(len(made)) if rng.random() < 0.4 else 0]))
    return union(*(block(*np.stack([low, high], 1).ravel()) for low, high in made))


def _attached(rng, low, high):
    """A box on a random side of another box."""
    axis, up = rng.integers(3), rng.random() < 0.5
    extent = (high - low) * np.where(rng.random(3) < 0.35, 1.0, rng.uniform(0.1, 0.9, 3))
    extent[axis] = log_uniform(rng, 0.06, 1.0)
    free = np.maximum(high - low - extent, 0) / 2
    centre = (low + high) / 2 + free * rng.choice([-1, 0, 1], 3)
    centre[axis] = high[axis] + extent[axis] / 2 if up else low[axis] - extent[axis] / 2
    return centre - extent / 2, centre + extent / 2
