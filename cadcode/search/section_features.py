"""Exact features where input and program disagree: prisms along x, y and z between the input's own planes.

Their outlines are sections of the input along its analytic faces. To add material, a section is extruded; to take it
away, either one of its holes is, or a rectangle around the place less the section, which leaves what the input has.
"""

from collections.abc import Iterator
from itertools import chain, product

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cadcode.program.outlines import Rect
from cadcode.program.tree import AXES, Extrude, Face, Step
from cadcode.search.from_sections import PLANE_OF, Ring, rings_at
from cadcode.search.options import ResidualOptions
from cadcode.search.refine import Variant
from cadcode.search.residual import Component, components

REACH = 4.0  # program units between a component and the plane at which it may end
MOST_LEVELS = 2  # of the input's planes at either end
ON_FACES = 0.0  # program units around points on faces
BEYOND = 2.0  # program units by which a cut reaches out of a component
THIN = 0.02  # program units
Memory = dict[tuple[int, float], list[Ring]]  # sections that were made already


def section_steps(variant: Variant, options: ResidualOptions, known: Memory) -> Iterator[Step]:
    """Steps that may explain the components of the residual; `known` keeps the sections for the next call."""
    mesh = variant.goal.sections
    places = chain(components(variant, options), face_components(variant))
    for component, axis in product(places, range(3)):
        for low, high in _levels(component, axis, variant.goal.planes[axis]):
            level = round((low + high) / 2, 6)
            if (axis, level) not in known:
                known[axis, level] = rings_at(mesh, axis, level)
            for faces in _sketches(component, axis, known[axis, level], options):
                yield Step(component[0], Extrude(PLANE_OF[axis], low, high - low, faces))


def face_components(variant: Variant) -> Iterator[Component]:
    """Faces of the input that the program lacks, those that meet together: matter is missing behind or before them."""
    goal = variant.goal
    middles, contacts = goal.probes.middles(), goal.sections.segmentation.contacts if goal.probes.faces else ()
    for operation, wrong in zip(("union", "cut"), variant.faces_lacking, strict=True):
        pairs = [(c.first, c.second) for c in contacts if wrong[c.first] and wrong[c.second]]
        for rows in _together(np.flatnonzero(wrong), pairs):
            yield operation, middles[rows].reshape(-1, 3), np.full(3, ON_FACES)


def _together(rows: np.ndarray, pairs: list[tuple[int, int]]) -> list[np.ndarray]:
    """Groups of row numbers that pairs connect."""
    count = int(rows.max()) + 1 if len(rows) else 0
    ones = np.array(pairs, dtype=int).reshape(-1, 2)
    _, labels = connected_components(coo_array((np.ones(len(ones)), ones.T), shape=(count, count)), directed=False)
    return [rows[labels[rows] == label] for label in np.unique(labels[rows])]


def _levels(component: Component, axis: int, planes: np.ndarray) -> list[tuple[float, float]]:
    """Pairs of levels between which a component lies: planes of the input near its ends, or its own ends."""
    _, points, margin = component
    ends = points[:, axis].min() - margin[axis], points[:, axis].max() + margin[axis]
    lows, highs = (_nearest(planes, float(end), REACH + margin[axis]) for end in ends)
    return [(low, high) for low, high in product(lows, highs) if high - low > THIN]


def _nearest(planes: np.ndarray, level: float, reach: float) -> list[float]:
    """The planes nearest to a level, or the level itself where none is within reach."""
    away = np.abs(planes - level)
    near = planes[np.argsort(away, kind="stable")[: np.count_nonzero(away < reach)]]
    return near[:MOST_LEVELS].tolist() or [level]


def _sketches(component: Component, axis: int, rings: list[Ring], options: ResidualOptions) -> Iterator[tuple]:
    """Sketches at one level that have to do with a component."""
    operation, points, margin = component
    flat = AXES[PLANE_OF[axis]][:2]
    within = points[:, flat]
    adds = operation == "union"
    about = [r for r in rings if r.solid == adds and r.outline.inside(within).mean() >= options.share]
    for ring in sorted(about, key=lambda r: r.outline.area())[:1]:
        inner = [r for r in rings if r.solid != adds and r.depth == ring.depth + 1 and ring.surrounds(r)]
        yield (Face(ring.outline), *(Face(r.outline, subtract=True) for r in inner))
    if not adds:
        low, high = within.min(0) - margin[list(flat)] - BEYOND, within.max(0) + margin[list(flat)] + BEYOND
        centre, size = (low + high) / 2, high - low
        box = Rect((float(centre[0]), float(centre[1])), float(size[0]), float(size[1]))
        met = [r for r in sorted(rings, key=lambda r: r.depth) if _meet(r, low, high)]
        yield (Face(box), *(Face(r.outline, subtract=r.solid) for r in met))


def _meet(ring: Ring, low: np.ndarray, high: np.ndarray) -> bool:
    first, last = ring.outline.bounds()
    return bool((first < high).all() and (last > low).all())
