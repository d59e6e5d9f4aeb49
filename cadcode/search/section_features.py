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
from cadcode.search.views import View

REACH = 4.0  # program units between a component and the plane at which it may end
MOST_LEVELS = 2  # of the input's planes at either end
ON_FACES = 0.0  # program units around points on faces
BEYOND = 2.0  # program units by which a cut reaches out of a component
THIN = 0.02  # program units
Memory = dict[tuple[int, float, float], list[Ring]]  # sections that were made already, between two levels


def section_steps(variant: Variant, views: list[View], options: ResidualOptions, known: list[Memory]) -> Iterator[Step]:
    """Steps that may explain the components of the residual; `known` keeps each view's sections for the next call."""
    for operation, points, margin in chain(components(variant, options), face_components(variant)):
        for view, memory in zip(views, known, strict=True):
            component = (operation, view.local(points), margin)
            for prism in _prisms(view, component, options, memory):
                yield Step(operation, view.placed(prism))


def _prisms(view: View, component: Component, options: ResidualOptions, known: Memory) -> Iterator[Extrude]:
    mesh = view.mesh
    box = np.stack([mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)])
    for axis in view.axes:
        for low, high in _levels(component, axis, view.planes[axis]):
            if (axis, low, high) not in known:
                known[axis, low, high] = rings_at(mesh, axis, mesh.clean_level(axis, low, high))
            for faces in _sketches(component, axis, known[axis, low, high], box[:, AXES[PLANE_OF[axis]][:2]], options):
                yield Extrude(PLANE_OF[axis], low, high - low, faces)


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


def _sketches(
    component: Component, axis: int, rings: list[Ring], whole: np.ndarray, options: ResidualOptions
) -> Iterator[tuple]:
    """Sketches at one level that have to do with a component; `whole` (2, 2) is the part's box in the plane."""
    operation, points, margin = component
    flat = AXES[PLANE_OF[axis]][:2]
    within = points[:, flat]
    adds = operation == "union"
    about = [r for r in rings if r.solid == adds and r.outline.inside(within).mean() >= options.share]
    for ring in sorted(about, key=lambda r: r.outline.area())[:1]:
        inner = [r for r in rings if r.solid != adds and r.depth == ring.depth + 1 and ring.surrounds(r)]
        yield (Face(ring.outline), *(Face(r.outline, subtract=True) for r in inner))
    if not adds:
        edge = margin[list(flat)] + BEYOND
        yield _all_but(rings, within.min(0) - edge, within.max(0) + edge)
        yield _all_but(rings, whole[0] - BEYOND, whole[1] + BEYOND)


def _all_but(rings: list[Ring], low: np.ndarray, high: np.ndarray) -> tuple[Face, ...]:
    """A rectangle less the sections that it meets."""
    centre, size = (low + high) / 2, high - low
    box = Rect((float(centre[0]), float(centre[1])), float(size[0]), float(size[1]))
    met = [ring for ring in sorted(rings, key=lambda r: r.depth) if _meet(ring, low, high)]
    return (Face(box), *(Face(ring.outline, subtract=ring.solid) for ring in met))


def _meet(ring: Ring, low: np.ndarray, high: np.ndarray) -> bool:
    first, last = ring.outline.bounds()
    return bool((first < high).all() and (last > low).all())
