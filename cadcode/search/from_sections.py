"""Programs read off the input: what it is if everything was extruded along one axis.

Between two neighbouring levels of flat faces the sections of such a part are all the same, so one section in the middle
gives the outlines. An outline that goes on through several levels is one body or one hole. A part with many levels is
read twice, with all of them and with those of its large faces alone.
"""

from dataclasses import dataclass, replace

import numpy as np

from cadcode.program import outlines as plane
from cadcode.program.tree import AXES, Extrude, Face, Outline, Program, Step
from cadcode.search.outline_fit import fitted_outline, polygon_area
from cadcode.search.volume_goal import Fit, upright_planes

SECTIONS = tuple(f"sections along {axis}" for axis in "xyz")
PLANE_OF = {normal: name for name, (_, _, normal) in AXES.items()}
FEW_LEVELS, MOST_LEVELS = 10, 60
SHARES = (0.002, 0.01, 0.04)  # of the whole surface, for the faces at one level to count
CLOSE = 0.02  # program units between two levels that are one
LEAST_AREA = 0.01  # square program units of an outline
ROUGH_LEAST_AREA = 0.5  # the same where the input is rough
SAME_BOX, SAME_AREA = 0.3, 0.01  # program units and a share: outlines that are one outline


@dataclass(frozen=True, slots=True)
class Ring:
    """An outline from one level to another, around matter (`solid`) or a hole, inside `depth` other ones."""

    outline: Outline
    solid: bool
    depth: int
    first: int
    last: int

    def continues(self, other: "Ring") -> bool:
        if self.solid != other.solid or self.last != other.first:
            return False
        a, b = plane.area(self.outline), plane.area(other.outline)
        apart = np.abs(plane.bounds(self.outline) - plane.bounds(other.outline)).max()
        return abs(a - b) <= SAME_AREA * max(a, b) and bool(apart <= SAME_BOX)


def stacks(fit: Fit) -> list[tuple[str, Program]]:
    """Named programs, program frame: one or two for each axis that levels of flat faces cut."""
    found = [(name, stack(fit, axis, levels)) for axis, name in enumerate(SECTIONS) for levels in _levels(fit, axis)]
    return [(name, program) for name, program in found if program]


def stack(fit: Fit, axis: int, levels: np.ndarray) -> Program | None:
    """The input as prisms along an axis between `levels` (n,), rising; None where no body comes of it."""
    rings: list[Ring] = []
    for number, level in enumerate((levels[1:] + levels[:-1]) / 2):
        for ring in sections(fit, axis, level, number):
            rings = _with(rings, ring)
    steps = _steps(rings, levels, PLANE_OF[axis])
    return Program(steps) if steps and steps[0].operation == "union" else None


def _levels(fit: Fit, axis: int) -> list[np.ndarray]:
    """Both ends and the flat faces between them, all and the larger ones, up to a set of few."""
    found: list[np.ndarray] = []
    for share in SHARES:
        levels = _levels_of(fit, axis, share)
        if 1 < len(levels) <= MOST_LEVELS and not any(len(levels) == len(known) for known in found):
            found.append(levels)
        if len(levels) <= FEW_LEVELS:
            break
    return [*found[:1], *found[1:][-1:]]


def _levels_of(fit: Fit, axis: int, share: float) -> np.ndarray:
    """Both ends and the faces across an axis that make up a share of the whole surface, (n,)."""
    ends = fit.vertices[:, axis].min(), fit.vertices[:, axis].max()
    planes = (fit.planes if fit.roughness else upright_planes(fit.vertices, fit.faces, share))[axis]
    beyond = [end for end in ends if not (np.abs(planes - end) < fit.roughness).any()]  # noise makes ends no planes
    levels = np.unique([*beyond, *planes])
    return levels[np.diff(levels, prepend=-np.inf) > CLOSE]


def sections(fit: Fit, axis: int, level: float, number: int = 0) -> list[Ring]:
    """The outlines of the input at one level, those that can be fitted, of the `number`-th interval."""
    least = ROUGH_LEAST_AREA if fit.roughness else LEAST_AREA
    polygons = [p for p in fit.section(axis, level) if abs(polygon_area(p)) >= least]
    fitted = [(p, outline) for p in polygons if (outline := fitted_outline(p, fit.roughness)) is not None]
    if not fitted:
        return []
    starts = np.array([polygon[0] for polygon, _ in fitted])
    within = np.array([plane.inside(outline, starts) for _, outline in fitted])  # row: outline, column: polygon
    np.fill_diagonal(within, False)
    return [
        Ring(outline, polygon_area(polygon) > 0, int(depth), number, number + 1)
        for (polygon, outline), depth in zip(fitted, within.sum(0), strict=True)
    ]


def _with(rings: list[Ring], new: Ring) -> list[Ring]:
    """The rings, one of them prolonged by the new one, or one more."""
    for i, ring in enumerate(rings):
        if ring.continues(new):
            longer = replace(ring, last=new.last, depth=max(ring.depth, new.depth))
            return [*rings[:i], longer, *rings[i + 1 :]]
    return [*rings, new]


def _steps(rings: list[Ring], levels: np.ndarray, name: str) -> tuple[Step, ...]:
    """Bodies and cuts from the outside to the inside; a hole as long as its body belongs to the body's sketch."""
    order = sorted(rings, key=lambda ring: (ring.depth, -plane.area(ring.outline)))
    holes = {ring: body for ring in order if not ring.solid and (body := _body_around(ring, order))}
    steps = []
    for ring in order:
        if ring not in holes:
            own = [hole for hole, body in holes.items() if body is ring]
            faces = (Face(ring.outline), *(Face(hole.outline, subtract=True) for hole in own))
            low, high = float(levels[ring.first]), float(levels[ring.last])
            steps.append(Step("union" if ring.solid else "cut", Extrude(name, low, high - low, faces)))
    return tuple(steps)


def _body_around(hole: Ring, rings: list[Ring]) -> Ring | None:
    """The body that a hole goes all the way through, if it is the hole's alone."""
    around = [
        r
        for r in rings
        if r.solid
        and r.depth < hole.depth
        and r.first < hole.last
        and hole.first < r.last
        and _surrounds(r.outline, hole.outline)
    ]
    exact = [r for r in around if (r.first, r.last) == (hole.first, hole.last)]
    return exact[0] if len(around) == 1 and exact else None


def _surrounds(outer: Outline, inner: Outline) -> bool:
    (a0, a1), (b0, b1) = plane.bounds(outer), plane.bounds(inner)
    return bool((a0 <= b0).all() and (b1 <= a1).all())
