"""Prisms and boxes in free units, their typical sizes, and their placement on each other."""

from cadcode.data.holes import holes
from cadcode.data.loops import log_uniform
from cadcode.program.tree import Extrude, Face, Outline, Rect, Step


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
    """Width and height of a sketch: often square, sometimes long."""
    ratio = 1.0 if rng.random() < 0.3 else log_uniform(rng, 1, rng.choice([2.5, 8, 25], p=[0.4, 0.42, 0.18]))
    return (ratio, 1.0) if rng.random() < 0.5 else (1.0, ratio)


def thickness(rng, w: float, h: float) -> float:
    """Thickness, from sheet metal to a rod."""
    low, high = ((0.007, 0.07), (0.06, 0.35), (0.3, 1.2), (1.0, 5.0))[rng.choice(4, p=[0.3, 0.33, 0.25, 0.12])]
    return log_uniform(rng, low, high) * (max(w, h) if high < 0.5 else min(w, h))


def some_holes(rng, outline, w, h, share=0.55):
    if rng.random() > share:
        return []
    made = holes(rng, outline, w, h) or holes(rng, outline, w, h)  # the first attempt often does not fit
    if made and rng.random() < 0.25:
        more = holes(rng, outline, w, h)
        made = made + more if all(_clear(a, b) for a in more for b in made) else made
    return made


def _clear(a: Outline, b: Outline) -> bool:
    """Whether the boxes of two holes stay apart."""
    (a0, a1), (b0, b1) = a.bounds(), b.bounds()
    return bool((a0 > b1).any() or (b0 > a1).any())


def smaller(rng, space):
    """Width and height of a part that fits into `space` (width, height)."""
    k = rng.uniform(0.12, 0.85)
    if rng.random() < 0.45:
        s = k * min(space)
        return s, s
    if rng.random() < 0.35:  # as long as the base in one direction
        return (space[0], k * space[1]) if rng.random() < 0.5 else (k * space[0], space[1])
    return k * space[0], rng.uniform(0.12, 0.85) * space[1]


def place(rng, space, part, centred):
    """Offset of a part within `space`: centred, flush with a side, or random, per direction."""

    def along(free):
        kind = rng.choice(3, p=[centred, (1 - centred) * 0.6, (1 - centred) * 0.4])
        return 0.0 if kind == 0 else (free * rng.choice([-1, 1]) if kind == 1 else rng.uniform(-free, free))

    return tuple(float(along(max(r - p, 0) / 2)) for r, p in zip(space, part, strict=True))
