"""What could be added or cut where input and program disagree.

Two places to look. Cells of the grid that only one of them fills, opened and labelled: each large component proposes a
box, a cylinder along each axis, and the outline that the input's own section has there. And points of the input's
surface that lie far from the program's, which are all that there is of thin things and of clouds.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from cadcode.program import outlines as plane
from cadcode.program.field import signed_distance
from cadcode.program.tree import AXES, Circle, Extrude, Face, Rect, Step
from cadcode.search.from_sections import PLANE_OF, Ring, sections
from cadcode.search.refine import Variant
from cadcode.search.volume_goal import Fit, Goal


@dataclass(frozen=True)
class ResidualOptions:
    components: int = 2  # of each sign, in each place
    smallest: int = 4  # grid cells of a component
    fewest: int = 8  # surface points of a cluster
    far: float = 1.0  # program units, or 3 times the input's blur: less is no reason for a feature
    reach: float = 3.0  # spacings between points of one cluster
    share: float = 0.6  # of a component's points that a section's outline has to enclose
    thinnest: float = 0.2  # program units of a proposed body


def proposals(variant: Variant, goal: Goal, options: ResidualOptions = ResidualOptions()) -> list[Step]:  # noqa: B008
    """Bodies to add where the input has more than the variant's program, and to cut where it has less."""
    steps = []
    for operation, points, half in [*_components(variant, goal, options), *_clusters(variant, goal, options)]:
        bodies = _plain_bodies(points, half, options)
        if isinstance(goal, Fit):
            bodies += _profiles(points, half, operation, goal, options)
        steps += [Step(operation, body) for body in bodies]
    return steps


def _components(variant: Variant, goal: Goal, options: ResidualOptions):
    """(operation, points (n, 3), half a cell (3,)) of the largest components on a grid, as they are and opened."""
    if not isinstance(goal, Fit):
        return
    from scipy import ndimage  # half a second to load, and not every run comes here

    n, half = goal.grid_size, (goal.box[1] - goal.box[0]) / np.array(goal.grid) / 2
    filled, inside = variant.filled()[:n].reshape(goal.grid), goal.inside[:n].reshape(goal.grid)
    for operation, wrong in (("union", inside & ~filled), ("cut", filled & ~inside)):
        for mask in (ndimage.binary_opening(wrong), wrong):
            labels, count = ndimage.label(mask)
            for rows in _largest(labels.ravel(), range(1, count + 1), options.components, options.smallest):
                yield operation, goal.points[:n][rows], half / 2  # the points lie anywhere in their cells


def _clusters(variant: Variant, goal: Goal, options: ResidualOptions):
    """The same of points on the input's surface: outside the program something is missing, inside too much is there."""
    away = signed_distance(variant.program(), goal.surface)
    spacing = np.median(cKDTree(goal.surface).query(goal.surface, 2)[0][:, 1])
    for operation, sign in (("union", 1), ("cut", -1)):
        points = goal.surface[sign * away > max(options.far, 3 * goal.blur)]
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


def _box(points: np.ndarray, half: np.ndarray, options: ResidualOptions) -> tuple[np.ndarray, np.ndarray]:
    """Lowest corner and size of the box about points (n, 3) and half a cell around them."""
    low, high = points.min(0) - half, points.max(0) + half
    size = np.maximum(high - low, options.thinnest)
    return (low + high - size) / 2, size


def _plain_bodies(points: np.ndarray, half: np.ndarray, options: ResidualOptions) -> list[Extrude]:
    """A box and three cylinders about the points (n, 3) of a component."""
    low, size = _box(points, half, options)
    centre, bodies = low + size / 2, []
    for name, (i, j, k) in AXES.items():
        outlines = [Circle((float(centre[i]), float(centre[j])), float(min(size[i], size[j])) / 2)]
        if name == "XY":
            outlines.append(Rect((float(centre[i]), float(centre[j])), float(size[i]), float(size[j])))
        bodies += [Extrude(name, float(low[k]), float(size[k]), (Face(outline),)) for outline in outlines]
    return bodies


def _profiles(points: np.ndarray, half: np.ndarray, operation: str, fit: Fit, options: ResidualOptions):
    """Prisms along each axis over the input's section in the middle of a component, matter to add or a hole to cut."""
    low, size = _box(points, half, options)
    bodies = []
    for axis in range(3):
        rings = sections(fit, axis, float(np.median(points[:, axis])))
        flat = points[:, [(axis + 1) % 3, (axis + 2) % 3]]
        about = [r for r in rings if r.solid == (operation == "union") and _encloses(r, flat, options)]
        for ring in sorted(about, key=lambda r: plane.area(r.outline))[:1]:
            inner = [r for r in rings if not r.solid and r.depth == ring.depth + 1] if ring.solid else []
            faces = (Face(ring.outline), *(Face(r.outline, subtract=True) for r in inner if _within(r, ring)))
            bodies.append(Extrude(PLANE_OF[axis], float(low[axis]), float(size[axis]), faces))
    return bodies


def _encloses(ring: Ring, flat: np.ndarray, options: ResidualOptions) -> bool:
    return bool(plane.inside(ring.outline, flat).mean() >= options.share)


def _within(inner: Ring, outer: Ring) -> bool:
    (a0, a1), (b0, b1) = plane.bounds(outer.outline), plane.bounds(inner.outline)
    return bool((a0 <= b0).all() and (b1 <= a1).all())
