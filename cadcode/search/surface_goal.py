"""Goal for inputs that enclose no volume: distances between the surfaces of program and input, in both directions.

From the input to the program: the signed distance at points of the input. From the program to the input: samples of the
program's surface and the nearest point of the input. A distance d counts as 1 / (1 + (d / s)^2) (Geman & McClure 1985),
half of it with an s from the noise of the input, half with a larger s that attracts faces from farther away: outliers
and a side that no scan has seen change the score by about the same wherever the program is. Not covered: a thin plate
scanned from one side only may collapse towards that side.

A cloud often encloses a volume, with sections and residuals as those of a mesh. It is a second goal, for more drafts.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from cadcode.geometry.enclosing import enclosed
from cadcode.geometry.frame import Frame
from cadcode.geometry.sampling import sample_surface
from cadcode.geometry.shape import Shape
from cadcode.program import field
from cadcode.program.tree import Feature, Program
from cadcode.search.from_sections import Planes, Sections
from cadcode.search.options import EffortOptions, SurfaceOptions, VolumeOptions
from cadcode.search.volume_goal import VolumeGoal, measure_volume_goal

ASIDE = 0.01  # program units to either side of a body's surface, to test whether it is on the surface of the solid
FAR = 3.0  # times the noise scale
NEIGHBOURS = 16  # of a point, for the plane through them
MOST_POINTS = 8000  # of a cloud, for the volume that they enclose
UPRIGHT = 0.95  # cosine between an axis and the normal of a point on a plane across it
LEAST_SHARE = 0.01  # of the points, on a plane that counts


@dataclass(frozen=True, eq=False)
class Cloud:
    """The input, world frame, and its frame."""

    shape: Shape
    frame: Frame

    def enclosing_mesh(self, seed: int) -> Shape | None:
        """The mesh around the volume that the points enclose, world frame; None where they enclose nothing."""
        count, rng = min(MOST_POINTS, len(self.shape.vertices)), np.random.default_rng([seed, 4])
        found = enclosed(sample_surface(self.shape, count, rng)[0])
        if found is None:
            return None
        vertices, faces = found
        return replace(self.shape, vertices=vertices, faces=faces, normals=None, watertight=True)


@dataclass(frozen=True, eq=False)
class BodySurface:
    """One body as the goal measures it: its distance to the input's points, and samples of its own surface."""

    distances: np.ndarray  # (N,) signed
    points: np.ndarray  # (S, 3)
    normals: np.ndarray  # (S, 3)
    areas: np.ndarray  # (S,) of the surface for which each sample stands
    closeness: np.ndarray  # (S,) to the input


@dataclass(frozen=True, eq=False)
class SurfaceGoal:
    """Points of the input's surface in the program frame; see `Goal` for the fields that it shares with others."""

    surface: np.ndarray  # (N, 3)
    tree: cKDTree
    noise_scale: float
    spacing: float  # between points of the tree
    options: SurfaceOptions
    cloud: Cloud | None = None  # the input, if it is a cloud
    planes: Planes = (np.empty(0),) * 3  # noise leaves no reliable ones
    sections: None = None
    face_weight: float = 0.0

    @property
    def effort(self) -> EffortOptions:
        return self.options.effort

    def measure(self, body: Feature) -> BodySurface:
        """The measurement of one body, which `score` combines with those of the others."""
        points, normals, areas = skin(body, self.options.patch_points, np.random.default_rng(self.options.seed))
        away, _ = self.tree.query(points)
        closeness = self._closeness(away, self.spacing)
        return BodySurface(body.distance(self.surface), points, normals, areas, closeness)

    def score(self, program: Program, measured: list[BodySurface], least: float = 0.0) -> float:
        """The closeness of program and input to each other, in [0, 1]; see `Goal` for `least`."""
        forward = (1 - self.options.back) * float(self._closeness(self.distances(program, measured)).mean())
        if forward + self.options.back < least:
            return forward
        return forward + self.options.back * _back(program, measured)

    def distances(self, program: Program, measured: list[BodySurface]) -> np.ndarray:
        """Signed distance (N,) of the input's points to the program."""
        return field.combined_distances(program, [body.distances for body in measured])

    def faces_found(self, program: Program, measured: list[BodySurface]) -> np.ndarray:
        """None: noise leaves no reliable faces."""
        return np.empty(0)

    def residual_cells(self, program: Program, measured: list[BodySurface]) -> None:
        """None: the input has no inside."""
        return None

    def expected_iou(self, program: Program) -> None:
        """None: the input has no volume."""
        return None

    def unexplained(self, program: Program) -> float:
        """Share of a cloud's points that are farther from the program than their noise explains; 0 for a mesh."""
        if self.cloud is None:
            return 0.0
        away = self.distances(program, [self.measure(step.body) for step in program.steps])
        return float((np.abs(away) > FAR * self.noise_scale).mean())

    def enclosed_goal(self, options: VolumeOptions) -> VolumeGoal | None:
        """Goal for the volume that a cloud's points enclose; None for a mesh, and where they enclose nothing.

        Between the points this volume is a guess, so its programs are drafts, to be refined on the points themselves.
        """
        mesh = None if self.cloud is None else self.cloud.enclosing_mesh(options.seed)
        if mesh is None:
            return None
        resolution = self.spacing + 2 * self.noise_scale
        goal = measure_volume_goal(mesh, self.cloud.frame, options, resolution)
        vertices, faces = goal.sections.vertices, goal.sections.faces
        planes = point_planes(vertices, self.noise_scale)
        sections = Sections(vertices, faces, planes, resolution)
        surface = self.surface[: options.surface_points]
        return replace(goal, surface=surface, planes=planes, sections=sections, noise_scale=self.noise_scale)

    def _closeness(self, distances: np.ndarray, spacing: float = 0.0) -> np.ndarray:
        sharp = np.hypot(self.options.sharpness * self.noise_scale, spacing)
        square, wide = distances**2, max(self.options.reach, sharp)
        return 0.5 / (1 + square / sharp**2) + 0.5 / (1 + square / wide**2)


def measure_surface_goal(shape: Shape, frame: Frame, options: SurfaceOptions = SurfaceOptions()) -> SurfaceGoal:  # noqa: B008
    """The goal for a cloud, or for a mesh that encloses nothing."""
    rng = np.random.default_rng([options.seed, 3])
    count = min(options.tree_points, len(shape.vertices)) if shape.is_cloud else options.tree_points
    points = frame.to_program(sample_surface(shape, count, rng)[0])
    tree = cKDTree(points)
    some = points[: options.points]
    away, rows = tree.query(some, min(NEIGHBOURS, len(points)))
    scale = float(np.clip(noise(points[rows]), options.least_noise, options.most_noise))
    cloud = Cloud(shape, frame) if shape.is_cloud else None
    return SurfaceGoal(some, tree, scale, float(np.median(away[:, 1])), options, cloud)


def noise(groups: np.ndarray) -> float:
    """Noise of points in groups of neighbours (N, K, 3): the median deviation from the plane of each group."""
    least = np.linalg.eigvalsh(scatter(groups))[:, 0]
    return float(np.median(np.sqrt(np.maximum(least, 0) / max(groups.shape[1] - 3, 1))))


def scatter(groups: np.ndarray) -> np.ndarray:
    """Scatter matrices (N, 3, 3) of groups of points (N, K, 3); the least eigenvector is the normal of their plane."""
    centred = groups - groups.mean(1, keepdims=True)
    return centred.transpose(0, 2, 1) @ centred


def point_planes(points: np.ndarray, noise_scale: float) -> Planes:
    """Per axis the coordinates, rising, of planes on which many of the points (N, 3) are with their neighbours."""
    groups = points[cKDTree(points).query(points, min(NEIGHBOURS, len(points)))[1]]
    normals = np.linalg.eigh(scatter(groups))[1][:, :, 0]
    upright, least = np.abs(normals) > UPRIGHT, LEAST_SHARE * len(points)
    return tuple(_peaks(np.sort(points[upright[:, axis], axis]), 2 * noise_scale, least) for axis in range(3))


def _peaks(values: np.ndarray, width: float, least: float) -> np.ndarray:
    """Medians of separate windows of a `width` that hold the most of the sorted values, each at least `least`."""
    found = []
    while len(values):
        ends = np.searchsorted(values, values + width, side="right")
        first = int((ends - np.arange(len(values))).argmax())
        if ends[first] - first < least:
            break
        found.append(float(np.median(values[first : ends[first]])))
        values = values[np.abs(values - found[-1]) > 1.5 * width]
    return np.sort(found)


def _back(program: Program, measured: list[BodySurface]) -> float:
    """Mean closeness to the input over the part of the bodies' surfaces that is on the surface of the solid."""
    points, normals = (np.concatenate([getattr(s, name) for s in measured]) for name in ("points", "normals"))
    either_side = np.concatenate([points + ASIDE * normals, points - ASIDE * normals])
    before, behind = np.split(field.occupancy(program, either_side), 2)
    seen = before != behind
    areas = np.concatenate([s.areas for s in measured]) * seen
    return float(areas @ np.concatenate([s.closeness for s in measured]) / max(areas.sum(), 1e-9))


def skin(body: Feature, count: int, rng: np.random.Generator):
    """Samples (S, 3) on the patches of one body, `count` each, their normals (S, 3) and areas (S,).

    The same generator state gives points that follow the body's numbers smoothly.
    """
    patches = body.patches()
    points, normals = zip(*(patch.sample(count, rng) for patch in patches), strict=True)
    areas = np.repeat([patch.area / count for patch in patches], count)
    return np.concatenate(points), np.concatenate(normals), areas
