"""Goal for inputs with a volume: points whose inside or outside is computed once, shared by all candidates.

Two sets of points: a jittered grid over the part's box (volume), and pairs close to either side of the surface (shape:
thin walls and small features hardly change the volume). The score is the mean of the IoU on the grid and the agreement
near the surface. No points are sampled outside the box, so a program that extends beyond it, by a needle however thin,
is penalised by its overhang. A missing wire, which hardly changes volume and area, is penalised by the mean distance of
the input's surface from the program.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cadcode.geometry.frame import Frame
from cadcode.geometry.points import jittered_grid
from cadcode.geometry.sampling import sample_surface
from cadcode.geometry.shape import Shape
from cadcode.geometry.tree import triangle_tree
from cadcode.geometry.winding import winding_numbers
from cadcode.program.field import combine, combined_distances
from cadcode.program.point_set import PointSet
from cadcode.program.tree import Feature, Program
from cadcode.search.from_sections import Planes, Sections, axis_aligned_planes
from cadcode.search.goal import ResidualCells
from cadcode.search.options import EffortOptions, VolumeOptions
from cadcode.search.probes import Probes, probes_of
from cadcode.surfaces import Segmentation

MARGIN = 4.0  # program units around the part's box, so that overhang is penalised
OUTSIDE = 25.0  # program units of overhang that halve the score
FAR = 100.0  # mean distance of the input's surface from the program that halves the score, program units
FACES = 0.2  # worth of reproducing all faces of the input, on top of the score
FEWEST_CELLS, MOST_CELLS = 6, 96  # of the grid along each axis
MESH_NOISE = 0.2  # program units: curved faces are flat in places


@dataclass(frozen=True, eq=False)
class BodyVolume:
    """One body as the goal measures it: the points inside it, its overhang, its distance to the input's surface."""

    inside: np.ndarray  # (M,) bool
    overhang: float  # beyond the grid's box, program units
    body: Feature
    surface: np.ndarray  # (D, 3) the first points of the input's

    @cached_property
    def distances(self) -> np.ndarray:
        """Signed distances (D,) of those points to the body."""
        return self.body.distance(self.surface)


@dataclass(frozen=True, eq=False)
class VolumeGoal:
    """Points in the program frame and whether the input encloses them; the first `grid_size` are the jittered grid.

    Behind these M points are the probes of the input's faces.
    """

    points: np.ndarray  # (M + probes, 3)
    inside: np.ndarray  # (M,) bool
    grid: tuple[int, int, int]
    box: np.ndarray  # (2, 3) of the grid
    planes: Planes
    surface: np.ndarray  # (S, 3) on the input
    sections: Sections | None = None
    far_points: int = VolumeOptions.far_points
    noise_scale: float = MESH_NOISE
    effort: EffortOptions = EffortOptions()
    probes: Probes = Probes(np.empty((0, 3)), 0, 0)

    @property
    def face_weight(self) -> float:
        return FACES if self.probes.faces else 0.0

    @property
    def grid_size(self) -> int:
        return int(np.prod(self.grid))

    def measure(self, body: Feature) -> BodyVolume:
        """The measurement of one body, which `score` combines with those of the others."""
        body = body.prepared()
        low, high = body.bounds()
        overhang = float(max(np.max(self.box[0] - low), np.max(high - self.box[1]), 0.0))
        return BodyVolume(body.inside_of(self.point_set), overhang, body, self.surface[: self.far_points])

    @cached_property
    def point_set(self) -> PointSet:
        return PointSet(self.points)

    def inside_program(self, program: Program, measured: list[BodyVolume]) -> np.ndarray:
        """Whether the points and the probes are inside the program, (M + probes,) bool."""
        inside = np.zeros(len(self.points), bool)
        for step, body in zip(program.steps, measured, strict=True):
            inside = combine(step.operation, inside, body.inside)
        return inside

    def score(self, program: Program, measured: list[BodyVolume], least: float = 0.0) -> float:
        """The agreement of program and input, in [0, 1]; see `Goal` for `least`."""
        overhang = max(b.overhang for s, b in zip(program.steps, measured, strict=True) if s.operation == "union")
        most = self.agreement(self.inside_program(program, measured)) / (1 + overhang / OUTSIDE)
        if most < least:
            return most
        away = combined_distances(program, [body.distances for body in measured])
        far = float(np.abs(away).mean()) if len(away) else 0.0
        return most / (1 + far / FAR)

    def agreement(self, inside: np.ndarray) -> float:
        """The score of an occupancy (M,) by its points only, without overhang and distances."""
        n, m = self.grid_size, len(self.inside)
        near = np.count_nonzero(inside[n:m] == self.inside[n:]) / (m - n)
        return 0.5 * self._iou(inside) + 0.5 * near

    def faces_found(self, program: Program, measured: list[BodyVolume]) -> np.ndarray:
        """For each analytic face of the input, the share of its probes on whose spot the program has a surface."""
        if not self.probes.faces:
            return np.empty(0)
        return self.probes.found(self.inside_program(program, measured)[len(self.inside) :])

    def faces_lacking(self, program: Program, measured: list[BodyVolume]) -> tuple[np.ndarray, np.ndarray]:
        """For each face (F,) whether the program lacks matter behind it, and whether it has matter before it."""
        return self.probes.lacking(self.inside_program(program, measured)[len(self.inside) :])

    def residual_cells(self, program: Program, measured: list[BodyVolume]) -> ResidualCells:
        """Grid cells that only one of input and program fills."""
        n, size = self.grid_size, (self.box[1] - self.box[0]) / np.array(self.grid)
        mine = self.inside[:n].reshape(self.grid)
        other = self.inside_program(program, measured)[:n].reshape(self.grid)
        return ResidualCells(self.points[:n], size, mine & ~other, other & ~mine)

    def unexplained(self, program: Program) -> float:
        """Zero: there is no other goal to try."""
        return 0.0

    def enclosed_goal(self, options: VolumeOptions) -> None:
        """None: this goal has the volume already."""
        return None

    def expected_iou(self, program: Program) -> float:
        """The IoU of program and input, estimated on the grid."""
        return self._iou(self.inside_program(program, [self.measure(step.body) for step in program.steps]))

    def _iou(self, inside: np.ndarray) -> float:
        n = self.grid_size
        both = np.count_nonzero(inside[:n] & self.inside[:n])
        either = np.count_nonzero(inside[:n] | self.inside[:n])
        return both / either if either else 0.0


def measure_volume_goal(
    shape: Shape,
    frame: Frame,
    options: VolumeOptions = VolumeOptions(),  # noqa: B008 (frozen)
    resolution: float = 0.0,
    known: Segmentation | None = None,
) -> VolumeGoal:
    """The goal for a mesh with a volume; inside and outside by winding numbers, which tolerate small holes.

    `resolution`: of the sample points that the mesh was made from, `known`: its analytic faces; see `Sections`.
    """
    rng = np.random.default_rng([options.seed, 2])
    vertices = frame.to_program(shape.vertices)
    tree = triangle_tree(vertices[shape.faces])
    box = np.stack([vertices.min(0) - MARGIN, vertices.max(0) + MARGIN])
    extents = box[1] - box[0]
    wanted = np.rint(extents / (extents.prod() / options.grid_points) ** (1 / 3))
    grid = tuple(int(number) for number in np.clip(wanted, FEWEST_CELLS, MOST_CELLS))
    cells = jittered_grid(box, np.array(grid), rng)
    surface, normals = sample_surface(shape, options.near_points // 2, rng)
    surface = frame.to_program(surface)
    points = np.concatenate([cells, *_either_side(surface, normals, options, rng)])
    inside = np.abs(winding_numbers(tree, points)) > 0.5
    planes = axis_aligned_planes(vertices, shape.faces, options.plane_area)
    surface = np.asfortranarray(surface[: options.surface_points])  # read one axis after the other
    sections, effort = Sections(vertices, shape.faces, resolution=resolution, known=known), options.effort
    probes = probes_of(vertices, shape.faces, sections.segmentation, rng)
    points = np.concatenate([points, probes.points])
    return VolumeGoal(
        points, inside, grid, box, planes, surface, sections, options.far_points, effort=effort, probes=probes
    )


def _either_side(surface: np.ndarray, normals: np.ndarray, options: VolumeOptions, rng: np.random.Generator):
    """Points on either side of the surface (N, 3), most of them very close to it."""
    gap = np.exp(rng.uniform(np.log(options.nearest), np.log(options.farthest), (len(surface), 1)))
    return surface + gap * normals, surface - gap * normals
