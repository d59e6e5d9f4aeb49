"""Bodies to add or to cut where input and program disagree.

Two sources. Cells of the grid that only one of them fills, opened and labelled: each large component proposes a box, a
cylinder along each axis, and the outline of the input's own section at this place. And points of the input's surface
that are far from the program's surface, the only source for thin features and for clouds.
"""

from collections.abc import Iterator

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from cadcode.geometry.sampling import nearest_distances
from cadcode.program.field import signed_distance
from cadcode.program.tree import AXES, Circle, Extrude, Face, Rect, Step
from cadcode.search.from_sections import PLANE_OF, Ring, Sections, rings_at
from cadcode.search.options import ResidualOptions
from cadcode.search.refine import Variant

Component = tuple[str, np.ndarray, np.ndarray]  # operation, points (n, 3), margin around them (3,)


def proposals(variant: Variant, options: ResidualOptions = ResidualOptions()) -> list[Step]:  # noqa: B008 (frozen)
    """Bodies to add where the input has more than the variant's program, and to cut where it has less."""
    steps = []
    for operation, points, margin in components(variant, options):
        bodies = _plain_bodies(points, margin, options)
        if variant.goal.sections is not None:
            bodies += _section_bodies(points, margin, operation, variant.goal.sections, options)
        steps += [Step(operation, body) for body in bodies]
    return steps


def components(variant: Variant, options: ResidualOptions) -> Iterator[Component]:
    """Places where input and program disagree, by the grid's cells and by the surface's points."""
    yield from _cells(variant, options)
    yield from _clusters(variant, options)


def _cells(variant: Variant, options: ResidualOptions) -> Iterator[Component]:
    """The largest components of the grid's residual cells, as they are and opened."""
    cells = variant.residual_cells()
    if cells is None:
        return
    from scipy import ndimage  # half a second to load, and not every run needs it

    for operation, wrong in (("union", cells.missing), ("cut", cells.excess)):
        for mask in (ndimage.binary_opening(wrong), wrong):
            labels, count = ndimage.label(mask)
            for rows in _largest(labels.ravel(), range(1, count + 1), options.components, options.smallest):
                yield operation, cells.points[rows], cells.size / 4  # a point may be anywhere in its cell


def _clusters(variant: Variant, options: ResidualOptions) -> Iterator[Component]:
    """Clusters of the input's surface points: outside the program something is missing, inside it is in excess."""
    goal = variant.goal
    away = signed_distance(variant.program(), goal.surface)
    spacing = np.median(nearest_distances(goal.surface))
    for operation, sign in (("union", 1), ("cut", -1)):
        points = goal.surface[sign * away > max(options.far, 3 * goal.noise_scale)]
        if len(points) < options.fewest:
            continue
        near = cKDTree(points).sparse_distance_matrix(cKDTree(points), options.reach * spacing)
        count, labels = connected_components(near, directed=False)
        for rows in _largest(labels, range(count), options.components, options.fewest):
            yield operation, points[rows], np.zeros(3)


def _largest(labels: np.ndarray, names: range, count: int, smallest: int) -> list[np.ndarray]:
    """Row numbers of the `count` most frequent labels among `names`, those with at least `smallest` rows."""
    sizes = np.bincount(labels, minlength=names.stop)[names.start :]
    order = np.argsort(-sizes, kind="stable")[:count]
    return [np.flatnonzero(labels == names[i]) for i in order if sizes[i] >= smallest]


def _box(points: np.ndarray, margin: np.ndarray, options: ResidualOptions) -> tuple[np.ndarray, np.ndarray]:
    """Lowest corner and size of the box around points (n, 3) with a margin (3,)."""
    low, high = points.min(0) - margin, points.max(0) + margin
    size = np.maximum(high - low, options.thinnest)
    return (low + high - size) / 2, size


def _plain_bodies(points: np.ndarray, margin: np.ndarray, options: ResidualOptions) -> list[Extrude]:
    """A box and three cylinders around the points (n, 3) of a component."""
    low, size = _box(points, margin, options)
    centre, bodies = low + size / 2, []
    for name, (i, j, k) in AXES.items():
        outlines = [Circle((float(centre[i]), float(centre[j])), float(min(size[i], size[j])) / 2)]
        if name == "XY":
            outlines.append(Rect((float(centre[i]), float(centre[j])), float(size[i]), float(size[j])))
        bodies += [Extrude(name, float(low[k]), float(size[k]), (Face(outline),)) for outline in outlines]
    return bodies


def _section_bodies(points: np.ndarray, margin: np.ndarray, operation: str, mesh: Sections, options: ResidualOptions):
    """Prisms along each axis from the input's section in the middle of a component: material to add, or a hole."""
    low, size = _box(points, margin, options)
    bodies = []
    for axis in range(3):
        rings = rings_at(mesh, axis, float(np.median(points[:, axis])))
        flat = points[:, [(axis + 1) % 3, (axis + 2) % 3]]
        about = [r for r in rings if r.solid == (operation == "union") and _encloses(r, flat, options)]
        for ring in sorted(about, key=lambda r: r.outline.area())[:1]:
            inner = [r for r in rings if not r.solid and r.depth == ring.depth + 1] if ring.solid else []
            faces = (Face(ring.outline), *(Face(r.outline, subtract=True) for r in inner if ring.surrounds(r)))
            bodies.append(Extrude(PLANE_OF[axis], float(low[axis]), float(size[axis]), faces))
    return bodies


def _encloses(ring: Ring, flat: np.ndarray, options: ResidualOptions) -> bool:
    return bool(ring.outline.inside(flat).mean() >= options.share)
