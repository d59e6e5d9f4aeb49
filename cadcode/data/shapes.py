"""Random programs that look like parts: plates, flanges, brackets, shafts, channels, housings, frames, ribs, legs.

A family makes steps standing upright (z is the way it was built), in free units; `random_program` then turns the part
into a random position of the cube, scales it to the program frame, rounds it and writes it in its one canonical
spelling. Seeded: the same generator state gives the same program.
"""

import math

import numpy as np

from cadcode.data import profiles as P
from cadcode.program.canonical import canonical, rounded
from cadcode.program.emit import compact
from cadcode.program.field import bounds
from cadcode.program.outline import bounds as outline_bounds
from cadcode.program.symmetry import SYMMETRIES, transformed
from cadcode.program.syntax import Circle, Extrude, Face, Loop, Outline, Program, Rect, Step
from cadcode.program.tokens import encode
from cadcode.program.transform import moved


def extrude(outline: Outline, low: float, high: float, holes=(), plane: str = "XY") -> Extrude:
    faces = (Face(outline), *(Face(h, subtract=True) for h in holes))
    return Extrude(plane, float(low), float(high - low), faces)


def union(*bodies: Extrude) -> list[Step]:
    return [Step("union", b) for b in bodies]


def cut(*bodies: Extrude) -> list[Step]:
    return [Step("cut", b) for b in bodies]


def block(x0, x1, y0, y1, z0, z1) -> Extrude:
    return extrude(Rect(((x0 + x1) / 2, (y0 + y1) / 2), x1 - x0, y1 - y0), z0, z1)


def size(rng) -> tuple[float, float]:
    """Width and height of a sketch: often square or a simple ratio, sometimes long."""
    ratio = 1.0 if rng.random() < 0.3 else P.log_uniform(rng, 1, rng.choice([2.5, 8, 25], p=[0.5, 0.4, 0.1]))
    return (ratio, 1.0) if rng.random() < 0.5 else (1.0, ratio)


def thickness(rng, w: float, h: float) -> float:
    """From sheet metal to a rod."""
    low, high = ((0.01, 0.08), (0.06, 0.35), (0.3, 1.2), (1.0, 5.0))[rng.choice(4, p=[0.23, 0.33, 0.3, 0.14])]
    return P.log_uniform(rng, low, high) * (max(w, h) if high < 0.5 else min(w, h))


# --- families --------------------------------------------------------------------------------------------------------


def prism(rng) -> list[Step]:
    """One sketch, extruded: the commonest part of all."""
    w, h = size(rng)
    outline = P.profile(rng, w, h, rare=1.3)
    return union(extrude(outline, 0, thickness(rng, w, h), _some_holes(rng, outline, w, h)))


def _some_holes(rng, outline, w, h, share=0.55):
    if rng.random() > share:
        return []
    made = P.holes(rng, outline, w, h)
    if made and rng.random() < 0.25:
        more = P.holes(rng, outline, w, h)
        made = made + more if all(_clear(a, b) for a in more for b in made) else made
    return made


def _clear(a: Outline, b: Outline) -> bool:
    """Whether the boxes of two holes stay apart."""
    (a0, a1), (b0, b1) = outline_bounds(a), outline_bounds(b)
    return bool((a0 > b1).any() or (b0 > a1).any())


def several_prisms(rng) -> list[Step]:
    """Separate outlines in one sketch level: legs, feet, pairs of bars."""
    w, h = size(rng)
    a, b = rng.uniform(0.08, 0.4, 2) * (w, h)
    foot = P.pick(rng, {P.rectangle: 3, P.circle: 2, P.l_profile: 0.5})(rng, a, b)
    x, y = w / 2 - a / 2, h / 2 - b / 2
    places = [[(-x, 0), (x, 0)], [(-x, -y), (x, -y), (-x, y), (x, y)]][rng.integers(2)]
    z = thickness(rng, w, h)
    legs = [extrude(P.shifted(foot, *p), 0, z) for p in places]
    slab = extrude(P.profile(rng, w, h, rare=0.3), z, z + thickness(rng, w, h) * 0.5)
    return union(slab, *legs)


def stacked(rng) -> list[Step]:
    """A base with one to three smaller things standing on it, in line with its centre, its edges or its corners."""
    w, h = size(rng)
    z = thickness(rng, w, h)
    base = P.profile(rng, w, h, rare=0.7)
    steps, z_top, room = [], z, (w, h)
    through, bore = None, rng.random() < 0.3
    for _ in range(rng.choice([1, 2, 3], p=[0.7, 0.22, 0.08])):
        a, b = _smaller(rng, room)
        outline = P.profile(rng, a, b, rare=0.5)
        dx, dy = _place(rng, (w, h), (a, b), centred=0.55 if not steps else 0.8)
        tall = thickness(rng, a, b)
        hole = _some_holes(rng, outline, a, b, 0.3)
        if bore and not steps and dx == dy == 0:
            through = Circle((0.0, 0.0), min(a, b) / 2 * rng.uniform(0.2, 0.85))
            hole = [through] if P.fits(through, outline, 0.01) else []
            through = through if hole else None
        steps += union(extrude(P.shifted(outline, dx, dy), z_top, z_top + tall, [P.shifted(o, dx, dy) for o in hole]))
        if rng.random() < 0.5 and dx == dy == 0:
            z_top, room = z_top + tall, (a, b)
    holes = [through] if through and P.fits(through, base, 0.01) else _some_holes(rng, base, w, h, 0.3)
    steps += _below(rng, steps, z) if rng.random() < 0.2 else []
    return union(extrude(base, 0, z, holes)) + steps


def _below(rng, steps, z):
    """The first thing on top again, mirrored to the underside."""
    top = steps[0].body
    return [Step("union", Extrude(top.plane, -top.height, top.height, top.faces))]


def _smaller(rng, room):
    k = rng.uniform(0.12, 0.85)
    if rng.random() < 0.45:
        s = k * min(room)
        return s, s
    if rng.random() < 0.35:  # as long as the base in one direction
        return (room[0], k * room[1]) if rng.random() < 0.5 else (k * room[0], room[1])
    return k * room[0], rng.uniform(0.12, 0.85) * room[1]


def _place(rng, room, part, centred):
    """Where to put a part in a room: centred, flush with a side, or anywhere, in each direction."""
    def along(free):
        kind = rng.choice(3, p=[centred, (1 - centred) * 0.6, (1 - centred) * 0.4])
        return 0.0 if kind == 0 else (free * rng.choice([-1, 1]) if kind == 1 else rng.uniform(-free, free))

    return tuple(float(along(max(r - p, 0) / 2)) for r, p in zip(room, part, strict=True))


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
            holes = [h for h in P.bolt_circle(rng, outline, 2.0, 2.0)[:8] if math.hypot(*h.centre) > 0.3]
            holes = holes if _beyond(holes, sorted(radii)[-2]) else []
        bodies.append(extrude(outline, z, z + height, holes))
        z += height
    return union(*bodies) + (_cross_hole(rng, bodies) if rng.random() < 0.12 else [])


def _beyond(holes, radius):
    return all(math.hypot(*h.centre) - h.radius > radius for h in holes)


def _cross_hole(rng, bodies):
    body = bodies[rng.integers(len(bodies))]
    outer = float(np.abs(outline_bounds(body.faces[0].outline)).max())
    r = min(body.height, outer) * rng.uniform(0.1, 0.35)
    return cut(extrude(Circle((0.0, body.offset + body.height / 2), r), -outer, outer, plane="YZ"))


def bracket(rng) -> list[Step]:
    """A plate with one or two upright walls on its edges, holes in either."""
    w, h = size(rng)
    t = min(w, h) * rng.uniform(0.04, 0.3)
    tall = P.log_uniform(rng, 0.3, 1.6) * max(w, h) / 1.3
    base = Rect((0.0, 0.0), w, h) if rng.random() < 0.75 else P.rounded_rectangle(rng, w, h)
    wall_thickness = t if rng.random() < 0.7 else t * rng.uniform(0.5, 1.5)
    width = h if rng.random() < 0.75 else h * rng.uniform(0.3, 0.9)
    wall, holes = _wall(rng, width, tall)
    x = rng.choice([w / 2 - wall_thickness, -wall_thickness / 2, (w - wall_thickness) * rng.uniform(-0.5, 0.5)],
                   p=[0.65, 0.25, 0.1])  # fmt: skip
    lift = lambda o: P.shifted(o, 0.0, t + tall / 2)  # noqa: E731
    walls = [extrude(lift(wall), x, x + wall_thickness, [lift(o) for o in holes], "YZ")]
    if x > 0 and rng.random() < 0.4:
        walls.append(extrude(lift(wall), -x - wall_thickness, -x, [lift(o) for o in holes], "YZ"))
    steps = union(extrude(base, 0, t, _holes_clear_of(rng, base, w, h, x, wall_thickness)), *walls)
    return steps + (_rib(rng, w, t, x, wall_thickness, tall) if len(walls) == 1 and rng.random() < 0.25 else [])


def _wall(rng, width, tall):
    maker = P.pick(rng, {P.rectangle: 6, P.arch: 2, P.chamfered_rectangle: 1, P.trapezoid: 1, P.rounded_rectangle: 1})
    outline = maker(rng, width, tall)
    if rng.random() > 0.55:
        return outline, []
    if maker is P.arch and tall > width * 0.6 and rng.random() < 0.7:
        return outline, [Circle((0.0, tall / 2 - width / 2), width / 2 * rng.uniform(0.25, 0.75))]
    return outline, P.holes(rng, outline, width, tall)


def _holes_clear_of(rng, base, w, h, x, t):
    holes = _some_holes(rng, base, w, h, 0.45)
    edges = [outline_bounds(o)[:, 0] for o in holes]
    return holes if all(high < x or low > x + t for low, high in edges) else []


def _rib(rng, w, t, x, wall_thickness, tall):
    """A triangle between plate and wall."""
    y, leg, up = t * rng.uniform(0.3, 0.6), rng.uniform(0.3, 0.9) * (w / 2 + x), rng.uniform(0.3, 0.9) * tall
    if leg <= 0.05:
        return []
    # ZX plane: local x is world z, local y is world x
    return union(extrude(P.polygon([(t, x), (t, x - leg), (t + up, x)]), -y, y, plane="ZX"))


def pocketed(rng) -> list[Step]:
    """A block or disc with pockets, steps, slots and blind holes cut into it."""
    w, h = size(rng)
    z = thickness(rng, w, h) + 0.08 * min(w, h)
    base = P.profile(rng, w, h, rare=0.35)
    cuts = []
    for _ in range(rng.choice([1, 2, 3], p=[0.6, 0.28, 0.12])):
        cuts += P.pick(rng, {_pocket: 5, _edge_step: 3, _side_slot: 2, _side_hole: 3, _counterbore: 1.5})(rng, w, h, z)
    holes = _some_holes(rng, base, w, h, 0.15)
    return union(extrude(base, 0, z, holes)) + cut(*cuts)


def _pocket(rng, w, h, z):
    a, b = _smaller(rng, (w, h))
    a, b = min(a, 0.92 * w), min(b, 0.92 * h)
    outline = P.pick(rng, {P.rectangle: 4, P.circle: 3, P.rounded_rectangle: 2, P.stadium: 1})(rng, a, b)
    dx, dy = _place(rng, (0.9 * w, 0.9 * h), (a, b), 0.7)
    return [extrude(P.shifted(outline, dx, dy), z * (1 - rng.uniform(0.15, 0.9)), z)]


def _edge_step(rng, w, h, z):
    """A step along one side, or the same along two opposite ones."""
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
        return [extrude(P.shifted(Circle((0.0, 0.0), min(a / 2, d)), z, x), -h / 2, h / 2, plane="ZX")]
    return [block(x - a / 2, x + a / 2, -h / 2, h / 2, z - d, z)]


def _side_hole(rng, w, h, z):
    """A hole from side to side, round most often."""
    a, b = h * rng.uniform(0.1, 0.7), z * rng.uniform(0.15, 0.7)
    opening = P.circle(rng, a, b) if rng.random() < 0.65 else P.rectangle(rng, a, b)
    dy = 0.0 if rng.random() < 0.75 else rng.uniform(-0.7, 0.7) * (h - a) / 2
    depth = -w / 2 if rng.random() < 0.7 else w / 2 - w * rng.uniform(0.1, 0.7)
    return [extrude(P.shifted(opening, dy, z / 2), depth, w / 2, plane="YZ")]


def _counterbore(rng, w, h, z):
    r = min(w, h) / 2 * rng.uniform(0.15, 0.7)
    deep = z * rng.uniform(0.15, 0.7)
    wide, narrow = Circle((0.0, 0.0), r), Circle((0.0, 0.0), r * rng.uniform(0.3, 0.75))
    return [extrude(wide, z - deep, z), extrude(narrow, 0, z - deep)]


def tray(rng) -> list[Step]:
    """A box or cup with thin walls: a base, and a wall around it as a ring of the same outline."""
    w, h = size(rng)
    makers = {P.rectangle: 5, P.circle: 4, P.rounded_rectangle: 2, P.u_profile: 0.5, P.stadium: 1}
    outline = P.pick(rng, makers)(rng, w, h)
    z, wall = thickness(rng, w, h) + 0.15, P.offset_outline(rng, outline, w, h)
    wall = wall if wall and P.fits(wall[0], outline, 0.005) else []
    floor = rng.uniform(0.04, 0.5) * z
    if not wall:
        return union(extrude(outline, 0, z))
    steps = union(extrude(outline, 0, z)) + cut(extrude(wall[0], floor, z))
    if rng.random() < 0.3:
        steps += cut(extrude(P.central_circle(rng, outline, w, h)[0], 0, floor))
    return steps if rng.random() < 0.85 else steps + cut(*_side_hole(rng, w, h, z))


def crossed(rng) -> list[Step]:
    """Profiles on different planes that meet in the middle or run into each other."""
    bodies = []
    for plane in ("XY", "YZ", "ZX")[: rng.choice([2, 3], p=[0.85, 0.15])]:
        w, h = size(rng)
        k = P.log_uniform(rng, 0.3, 1.0)
        outline = P.profile(rng, w * k, h * k, rare=0.4)
        low, high = (-0.5, 0.5) if rng.random() < 0.7 else (0.0, 1.0)
        t = thickness(rng, w, h)
        dx, dy = _place(rng, (0.5, 0.5), (0, 0), 0.75)
        bodies.append(extrude(P.shifted(outline, dx, dy), low * t, high * t, plane=plane))
    return union(*bodies)


def beside(rng) -> list[Step]:
    """Two prisms side by side, flush on one face: levers, links, handles, steps."""
    w, h = size(rng)
    z = thickness(rng, w, h)
    first = P.profile(rng, w, h, rare=0.3)
    a, b, tall = w * rng.uniform(0.2, 1.2), h * rng.uniform(0.15, 1.0), z * rng.choice([1, rng.uniform(0.2, 2.5)])
    dy = float(rng.choice([0, (h - b) / 2, (b - h) / 2]))
    bodies = [extrude(first, 0, z, _some_holes(rng, first, w, h, 0.3))]
    level = float(rng.choice([0, (z - tall) / 2, z - tall]))
    second = P.profile(rng, a, b, rare=0.3)
    overlap = 0.0 if isinstance(first, Rect) else w * 0.25
    hole = [] if isinstance(first, Loop | Circle) else _some_holes(rng, second, a, b, 0.3)
    x = (w + a) / 2 - overlap
    bodies.append(extrude(P.shifted(second, x, dy), level, level + tall, [P.shifted(o, x, dy) for o in hole]))
    if rng.random() < 0.35:
        bodies.append(extrude(P.shifted(P.mapped(second, lambda p: (-p[0], p[1])), -x, dy), level, level + tall,
                              [P.shifted(P.mapped(o, lambda p: (-p[0], p[1])), -x, dy) for o in hole]))  # fmt: skip
    return union(*bodies)


def boxes(rng) -> list[Step]:
    """Two to four blocks set against each other: furniture, frames, stepped housings."""
    x, y, z = np.exp(rng.uniform(np.log(0.15), 0, 3))
    made = [(np.array([-x, -y, -z]) / 2, np.array([x, y, z]) / 2)]
    for _ in range(rng.choice([1, 2, 3], p=[0.45, 0.35, 0.2])):
        made.append(_attached(rng, *made[rng.integers(len(made)) if rng.random() < 0.4 else 0]))
    return union(*(block(*np.stack([low, high], 1).ravel()) for low, high in made))


def _attached(rng, low, high):
    """A box on a random side of another one."""
    axis, up = rng.integers(3), rng.random() < 0.5
    extent = (high - low) * np.where(rng.random(3) < 0.35, 1.0, rng.uniform(0.1, 0.9, 3))
    extent[axis] = P.log_uniform(rng, 0.06, 1.0)
    free = np.maximum(high - low - extent, 0) / 2
    centre = (low + high) / 2 + free * rng.choice([-1, 0, 1], 3)
    centre[axis] = high[axis] + extent[axis] / 2 if up else low[axis] - extent[axis] / 2
    return centre - extent / 2, centre + extent / 2


FAMILIES = {prism: 42, stacked: 15, shaft: 8, bracket: 8, pocketed: 9, tray: 4, crossed: 3, beside: 5, boxes: 4,
            several_prisms: 2}  # fmt: skip


def random_program(rng) -> Program:
    """A program on the grid of the program frame: longest side 200, centred, canonical. Tries until one is valid."""
    while True:
        steps = P.pick(rng, FAMILIES)(rng)
        if len(steps) > 6 or any(not s.body.faces or s.body.height <= 0 for s in steps):
            continue
        program = transformed(Program(tuple(steps)), SYMMETRIES[rng.integers(len(SYMMETRIES))])
        program = rounded(canonical(_in_program_frame(program)))
        if program is not None and _sound(program := canonical(program)):
            return program


def _in_program_frame(program: Program) -> Program:
    low, high = bounds(program)
    scale = 200 / float((high - low).max())
    return moved(program, scale, tuple(-scale * (low + high) / 2))


def _sound(program: Program) -> bool:
    return _on_grid(program) and _in_vocabulary(program) and all(_has_walls(s.body) for s in program.steps)


def _has_walls(body: Extrude) -> bool:
    """Whether the box of every hole lies inside the box of the sketch: rounding can close the wall between them."""
    low, high = outline_bounds(body.faces[0].outline)
    boxes = [outline_bounds(f.outline) for f in body.faces if f.subtract]
    return all((b[0] > low).all() and (b[1] < high).all() for b in boxes)


def _on_grid(program: Program) -> bool:
    """Whether nothing was rounded out of the frame, and the longest side still is 200."""
    low, high = bounds(program)
    return bool(np.abs([low, high]).max() <= 100.5 and (high - low).max() >= 199)


def _in_vocabulary(program: Program) -> bool:
    """Not so: cuts that reach far outside, boxes of odd half units that `canonical` turned (quarters in the centre)."""
    try:
        encode(compact(program))
    except ValueError:
        return False
    return True
