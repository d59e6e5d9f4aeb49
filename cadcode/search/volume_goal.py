"""How much of the input a program fills, by points whose inside or outside is known once and for all.

Two sets of points: a jittered grid over the part's box (volume), and pairs close to either side of the surface (shape:
thin walls and small features hardly show in the volume). The score is half the IoU on the grid, half the agreement near
the surface; all candidates and all their variants are scored on the same points. There are none beyond the box: what
reaches out of it, a needle however thin, lowers the score by how far it reaches. And what volume and area hardly show,
a missing wire, lowers it by the mean distance of the input's surface from the program.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np

from cadcode.geometry.frame import Frame
from cadcode.geometry.io.load import Shape
from cadcode.geometry.sampling import sample_surface
from cadcode.geometry.section import section
from cadcode.geometry.tree import triangle_tree
from cadcode.geometry.winding import winding_numbers
from cadcode.program.field import body_bounds, body_distance, combine, combined_distances, prepared_body, span
from cadcode.program.sketch import faces_inside
from cadcode.program.tree import AXES, Extrude, Program

MARGIN = 4.0  # program units around the part's box, so that reaching out of it costs
OUTSIDE = 25.0  # program units out of the box that halve the score
AXIS_ALIGNED = 0.99999  # cosine
FAR = 100.0  # program units that halve the score when the input's surface is this far from the program's


class Goal(Protocol):
    """What the search tries to reach. A body is measured once and again only when it changes."""

    planes: tuple[np.ndarray, np.ndarray, np.ndarray]  # coordinates of the input's upright faces, per axis
    surface: np.ndarray  # (S, 3) points on it, program frame
    blur: float  # how far they may lie off it, program units

    def measure(self, body: Extrude) -> Any: ...

    def score(self, program: Program, measured: list, least: float = 0.0) -> float:
        """In [0, 1], higher is better; `measured` holds what `measure` said of each body.

        If it is below `least`, another number below that may be returned: that many trials are worse is soon seen.
        """
        ...


@dataclass(frozen=True)
class FitOptions:
    grid_points: int = 8000
    near_points: int = 6000
    surface_points: int = 1500
    far_points: int = 400  # of them, whose distance to the program counts
    nearest: float = 0.05  # program units from the surface
    farthest: float = 6.0
    plane_area: float = 0.002  # of the whole surface, for a plane of the input to count
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Filled:
    """What a fit knows of one body: which points it fills, how far it reaches out of the grid's box, how far it is."""

    points: np.ndarray  # (M,) bool
    outside: float
    body: Extrude
    surface: np.ndarray  # (D, 3) the first points of the input's

    @cached_property
    def distances(self) -> np.ndarray:
        """(D,) from those points, signed."""
        return body_distance(self.body, self.surface)


class Slabs(NamedTuple):
    """Points (M, 3) in the order of one coordinate, so that those between two levels lie behind each other."""

    order: np.ndarray  # (M,)
    levels: np.ndarray  # (M,) that coordinate, rising
    across: np.ndarray  # (M, 2) the others, as `AXES` names them, each behind each other

    @classmethod
    def of(cls, points: np.ndarray, i: int, j: int, k: int) -> "Slabs":
        order = np.argsort(points[:, k], kind="stable")
        return cls(order, points[order, k], np.stack([points[order, i], points[order, j]]).T)


@dataclass(frozen=True, eq=False)
class Fit:
    """Points in the program frame and whether the input encloses them; the first `grid_size` are the jittered grid."""

    points: np.ndarray  # (M, 3)
    inside: np.ndarray  # (M,) bool
    grid: tuple[int, int, int]
    box: np.ndarray  # (2, 3) of the grid
    planes: tuple[np.ndarray, np.ndarray, np.ndarray]  # coordinates of the input's upright faces, per axis
    surface: np.ndarray  # (S, 3) on the input
    vertices: np.ndarray = field(default_factory=lambda: np.empty((0, 3)))  # (V, 3) of the input
    faces: np.ndarray = field(default_factory=lambda: np.empty((0, 3), int))  # (F, 3)
    far_points: int = FitOptions.far_points
    blur: float = 0.2  # curved faces of a mesh are flat in places
    roughness: float = 0.0  # program units between the points that the triangles were made from; 0: exact ones

    @property
    def grid_size(self) -> int:
        return int(np.prod(self.grid))

    def section(self, axis: int, level: float) -> list[np.ndarray]:
        """Closed polygons (n, 2) in which a plane cuts the input; see `geometry.section`."""
        return section(self.vertices, self.faces, axis, level)

    def measure(self, body: Extrude) -> Filled:
        """What is known of one body."""
        body = prepared_body(body)
        low, high = body_bounds(body)
        outside = float(max(np.max(self.box[0] - low), np.max(high - self.box[1]), 0.0))
        return Filled(self.inside_body(body), outside, body, self.surface[: self.far_points])

    @cached_property
    def slabs(self) -> dict[str, Slabs]:
        return {plane: Slabs.of(self.points, *axes) for plane, axes in AXES.items()}

    def inside_body(self, body: Extrude) -> np.ndarray:
        """As `field.inside_body` of the points, (M,) bool, in half of its time."""
        slabs, (low, high) = self.slabs[body.plane], span(body)
        found = np.zeros(len(self.points), bool)
        between = slice(np.searchsorted(slabs.levels, low, "right"), np.searchsorted(slabs.levels, high, "left"))
        found[slabs.order[between]] = faces_inside(body.faces, slabs.across[between])
        return found

    def filled(self, program: Program, measured: list[Filled]) -> np.ndarray:
        """Which points the program fills, (M,) bool."""
        filled = np.zeros(len(self.points), bool)
        for step, body in zip(program.steps, measured, strict=True):
            filled = combine(step.operation, filled, body.points)
        return filled

    def score(self, program: Program, measured: list[Filled], least: float = 0.0) -> float:
        """How well the program agrees with the input, in [0, 1]; see `Goal` for `least`."""
        outside = max(b.outside for s, b in zip(program.steps, measured, strict=True) if s.operation == "union")
        most = self.agreement(self.filled(program, measured)) / (1 + outside / OUTSIDE)
        if most < least:
            return most
        away = combined_distances(program, [body.distances for body in measured])
        far = float(np.abs(away).mean()) if len(away) else 0.0
        return most / (1 + far / FAR)

    def agreement(self, filled: np.ndarray) -> float:
        """The score of an occupancy (M,), wherever the surfaces are."""
        n = self.grid_size
        near = np.count_nonzero(filled[n:] == self.inside[n:]) / (len(filled) - n)
        return 0.5 * self._iou(filled) + 0.5 * near

    def iou(self, program: Program) -> float:
        """The IoU of a program with the input, on the grid."""
        return self._iou(self.filled(program, [self.measure(step.body) for step in program.steps]))

    def _iou(self, filled: np.ndarray) -> float:
        n = self.grid_size
        both = np.count_nonzero(filled[:n] & self.inside[:n])
        either = np.count_nonzero(filled[:n] | self.inside[:n])
        return both / either if either else 0.0


def measure_fit(shape: Shape, frame: Frame, options: FitOptions = FitOptions()) -> Fit:  # noqa: B008 (frozen)
    """The fit's points for a mesh with a volume; inside by winding numbers, which forgive small holes."""
    rng = np.random.default_rng([options.seed, 2])
    vertices = frame.to_program(shape.vertices)
    tree = triangle_tree(vertices[shape.faces])
    box = np.stack([vertices.min(0) - MARGIN, vertices.max(0) + MARGIN])
    cells, grid = _jittered_grid(box, options.grid_points, rng)
    surface, normals = sample_surface(shape, options.near_points // 2, rng)
    surface = frame.to_program(surface)
    points = np.concatenate([cells, *_either_side(surface, normals, options, rng)])
    inside = np.abs(winding_numbers(tree, points)) > 0.5
    planes = upright_planes(vertices, shape.faces, options.plane_area)
    surface = np.asfortranarray(surface[: options.surface_points])  # which is asked for one axis after the other
    return Fit(points, inside, grid, box, planes, surface, vertices, shape.faces, options.far_points)


def _jittered_grid(box: np.ndarray, count: int, rng):
    """About `count` points, one at random in each cell of a grid (nx * ny * nz, 3), and the grid's shape."""
    extent = box[1] - box[0]
    cell = (extent.prod() / count) ** (1 / 3)
    grid = np.clip(np.rint(extent / cell), 6, 96).astype(int)
    corners = np.stack(np.meshgrid(*(np.arange(n) for n in grid), indexing="ij"), -1).reshape(-1, 3)
    return box[0] + (corners + rng.random(corners.shape)) * extent / grid, tuple(int(n) for n in grid)


def _either_side(surface: np.ndarray, normals: np.ndarray, options: FitOptions, rng):
    """Points in front of and behind the surface (N, 3), most of them very close to it."""
    gap = np.exp(rng.uniform(np.log(options.nearest), np.log(options.farthest), (len(surface), 1)))
    return surface + gap * normals, surface - gap * normals


def upright_planes(vertices: np.ndarray, faces: np.ndarray, share: float):
    """Per axis, sorted, where the faces perpendicular to it lie that make up at least `share` of the surface."""
    corners = vertices[faces]  # (F, 3, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(normals, axis=1)
    found = []
    for axis in range(3):
        rows = np.abs(normals[:, axis]) > AXIS_ALIGNED * np.maximum(areas, 1e-12)
        level = np.rint(corners[rows].mean(1)[:, axis] * 1e4) / 1e4
        values, group = np.unique(level, return_inverse=True)
        weight = np.bincount(group, areas[rows], len(values)) if len(values) else np.empty(0)
        found.append(values[weight >= share * areas.sum()])
    return tuple(found)
