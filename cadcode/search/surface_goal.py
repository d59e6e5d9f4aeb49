"""How well a program fits points that enclose no volume: by the distances between two surfaces, both ways.

From the input to the program: the signed distance at points of the input. From the program to the input: points on the
program's skin and the nearest point of the input. Either way a distance d counts as 1 / (1 + (d / s)^2) (Geman &
McClure 1985), half of it with an s from the noise found in the input, half with one that feels faces farther away:
outliers and a side that no scan has seen cost about the same wherever the program is. Not covered: a thin plate seen
from one side only may collapse towards that side.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cadcode.geometry.frame import Frame
from cadcode.geometry.io.load import Shape
from cadcode.geometry.sampling import sample_surface
from cadcode.program import field
from cadcode.program import outlines as outline
from cadcode.program.tree import AXES, Extrude, Program

ASIDE = 0.01  # program units in front of and behind the skin, to see whether it is the solid's
FAR = 3.0  # times the noise
NEIGHBOURS = 16  # of a point, to see how far it lies off their plane


@dataclass(frozen=True)
class CloudOptions:
    tree_points: int = 20_000
    points: int = 1500  # of the input, whose distance to the program counts
    patch_points: int = 32  # on each wall and each cap of the program
    sharpness: float = 1.0  # the smaller s in units of the noise
    reach: float = 8.0  # the larger s, program units
    back: float = 0.2  # share of the score that the program's own skin has; the rest is the input's
    least_blur: float = 0.2  # program units
    most_blur: float = 4.0
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Skin:
    """What the goal knows of one body: its distance to the input's points, and points on its own skin."""

    distances: np.ndarray  # (N,)
    points: np.ndarray  # (S, 3)
    normals: np.ndarray  # (S, 3)
    areas: np.ndarray  # (S,) that each of them stands for
    closeness: np.ndarray  # (S,) to the input


@dataclass(frozen=True, eq=False)
class CloudFit:
    """Points of the input in the program frame; a goal for `refine` like `Fit`."""

    surface: np.ndarray  # (N, 3)
    tree: cKDTree
    blur: float
    spacing: float  # between points of the tree
    options: CloudOptions
    planes: tuple[np.ndarray, np.ndarray, np.ndarray] = (np.empty(0),) * 3  # noise leaves none to rely on

    def measure(self, body: Extrude) -> Skin:
        points, normals, areas = skin(body, self.options.patch_points, np.random.default_rng(self.options.seed))
        away, _ = self.tree.query(points)
        closeness = self._closeness(away, self.spacing)
        return Skin(field.body_distance(body, self.surface), points, normals, areas, closeness)

    def score(self, program: Program, measured: list[Skin], least: float = 0.0) -> float:
        """How close program and input are to each other, in [0, 1]; see `Goal` for `least`."""
        there = (1 - self.options.back) * float(self._closeness(self.distances(program, measured)).mean())
        if there + self.options.back < least:
            return there
        return there + self.options.back * _back(program, measured)

    def distances(self, program: Program, measured: list[Skin]) -> np.ndarray:
        """Signed distance (N,) of the input's points to the program."""
        return field.combined_distances(program, [skin.distances for skin in measured])

    def left_over(self, program: Program) -> float:
        """The share of the input's points that lie farther off the program than their noise explains."""
        away = self.distances(program, [self.measure(step.body) for step in program.steps])
        return float((np.abs(away) > FAR * self.blur).mean())

    def _closeness(self, distances: np.ndarray, spacing: float = 0.0) -> np.ndarray:
        sharp = np.hypot(self.options.sharpness * self.blur, spacing)
        square, wide = distances**2, max(self.options.reach, sharp)
        return 0.5 / (1 + square / sharp**2) + 0.5 / (1 + square / wide**2)


def measure_cloud(shape: Shape, frame: Frame, options: CloudOptions = CloudOptions()) -> CloudFit:  # noqa: B008 (frozen)
    """The goal for a cloud, or for a mesh that encloses nothing."""
    rng = np.random.default_rng([options.seed, 3])
    count = min(options.tree_points, len(shape.vertices)) if shape.is_cloud else options.tree_points
    points = frame.to_program(sample_surface(shape, count, rng)[0])
    tree = cKDTree(points)
    some = points[: options.points]
    away, rows = tree.query(some, min(NEIGHBOURS, len(points)))
    blur = np.clip(noise(points[rows]), options.least_blur, options.most_blur)
    return CloudFit(some, tree, float(blur), float(np.median(away[:, 1])), options)


def noise(groups: np.ndarray) -> float:
    """How far points lie off the plane of their neighbours, of groups (N, K, 3): the median of the least deviations."""
    least = np.linalg.eigvalsh(scatter(groups))[:, 0]
    return float(np.median(np.sqrt(np.maximum(least, 0) / max(groups.shape[1] - 3, 1))))


def scatter(groups: np.ndarray) -> np.ndarray:
    """Scatter matrices (N, 3, 3) of groups of points (N, K, 3); the least eigenvector is the normal of their plane."""
    centred = groups - groups.mean(1, keepdims=True)
    return centred.transpose(0, 2, 1) @ centred


def _back(program: Program, measured: list[Skin]) -> float:
    """Mean closeness to the input over the part of the bodies' skins that is the solid's."""
    points, normals = (np.concatenate([getattr(s, name) for s in measured]) for name in ("points", "normals"))
    either_side = np.concatenate([points + ASIDE * normals, points - ASIDE * normals])
    before, behind = np.split(field.occupancy(program, either_side), 2)
    seen = before != behind
    areas = np.concatenate([s.areas for s in measured]) * seen
    return float(areas @ np.concatenate([s.closeness for s in measured]) / max(areas.sum(), 1e-9))


def skin(body: Extrude, count: int, rng: np.random.Generator):
    """Points (S, 3) on the walls and caps of one body, `count` each, their normals (S, 3) and areas (S,).

    The same generator state gives points that follow the body's numbers smoothly.
    """
    i, j, k = AXES[body.plane]
    low, high = field.span(body)
    patches = []
    for face in body.faces:
        flat, outward = outline.sample_boundary(face.outline, count, rng)
        area = outline.perimeter(face.outline) * (high - low) / count
        patches.append((flat, low + (high - low) * rng.random(count), outward, np.zeros(count), area))
    box = field.body_bounds(body)[:, [i, j]]
    for level, side in ((low, -1.0), (high, 1.0)):
        flat = box[0] + (box[1] - box[0]) * rng.random((count, 2))
        area = float(np.prod(box[1] - box[0])) / count
        patches.append((flat, np.full(count, level), np.zeros((count, 2)), np.full(count, side), area))
    points, normals = np.empty((2, len(patches) * count, 3))
    points[:, [i, j]], points[:, k] = np.concatenate([p[0] for p in patches]), np.concatenate([p[1] for p in patches])
    normals[:, [i, j]], normals[:, k] = np.concatenate([p[2] for p in patches]), np.concatenate([p[3] for p in patches])
    return points, normals, np.repeat([p[4] for p in patches], count)
