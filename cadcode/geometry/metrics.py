"""Errors of a result against the input: distances in the user's units, and the published metrics CD and IoU.

A metric is a number or a reason. Everything is seeded, and the input is measured once for all candidates.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from cadcode.errors import InputError
from cadcode.geometry.distance import Surface, cloud_surface, mesh_surface
from cadcode.geometry.mesh import areas_of, usable_mesh
from cadcode.geometry.solidity import NoVolume, Volume, measure_volume, outer_surface, overlap

INPUT, RESULT = "input", "result"  # whose volume is missing, at the start of an `iou_reason`


@dataclass(frozen=True)
class MetricOptions:
    points: int = 8192  # samples on each surface
    winding_points: int = 30_000  # samples in the box where a mesh is not closed: IoU to about 0.001
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Target:
    """The input, measured once; kept in the unit frame: its box centred, its longest side 1."""

    centre: np.ndarray  # (3,) world
    side: float  # world
    surface: Surface  # unit frame
    volume: Volume | NoVolume  # unit frame

    def to_unit(self, world: np.ndarray) -> np.ndarray:
        return (world - self.centre) / self.side

    @property
    def has_volume(self) -> bool:
        return isinstance(self.volume, Volume)


@dataclass(frozen=True)
class Errors:
    """Errors of one result; lengths and volumes in world units. None where `reason` or `iou_reason` explains it.

    Distances run from points on one surface to the other surface itself (to the nearest point where the input is a
    cloud, so that the cloud's own spacing is part of them). `cd_x1000` is between points and never reaches 0: two
    samplings of one surface are about 0.15 apart.
    """

    chamfer: float | None = None  # mean distance, averaged over both directions
    max_deviation: float | None = None  # the largest distance found at samples and vertices, either direction
    max_deviation_at: tuple[float, float, float] | None = None  # where: on the input or on the result
    p95_deviation: float | None = None  # 95th percentile of the distances, the larger of both directions
    volume_difference: float | None = None  # result less input
    cd_x1000: float | None = None  # mean squared nearest distance, both ways summed, unit frame, times 1000
    iou: float | None = None
    iou_method: str | None = None
    iou_reason: str | None = None
    reason: str | None = None  # explains why all numbers are missing

    @property
    def iou_failed(self) -> bool:
        """Whether the input has a volume and the result has none that could be compared with it."""
        return self.iou is None and (self.iou_reason or "").startswith(RESULT)

    def as_dict(self) -> dict:
        """Plain values for JSON."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class PaperErrors:
    """The published protocol's figures: the result first re-centred and re-scaled by its own box."""

    cd_x1000: float | None = None
    iou: float | None = None
    iou_method: str | None = None
    iou_reason: str | None = None
    reason: str | None = None

    def as_dict(self) -> dict:
        """Plain values for JSON."""
        return dataclasses.asdict(self)


def measure_target(shape, options: MetricOptions = MetricOptions()) -> Target:
    """Measure an input (`vertices` (V, 3) and `faces` (F, 3), or `points` (N, 3) and `is_cloud`; `bounds` (2, 3)).

    Raises InputError where the shape has neither a face with an area nor a point.
    """
    low, high = np.asarray(shape.bounds, dtype=np.float64)
    centre, side = (low + high) / 2, float(np.max(high - low)) or 1.0
    rng = np.random.default_rng((options.seed, 0))
    if shape.is_cloud:
        points = np.asarray(shape.points, dtype=np.float64)
        points = points[np.isfinite(points).all(axis=1)]
        if not len(points):
            raise _unmeasurable(shape, "has no points")
        surface = cloud_surface((points - centre) / side, options.points, rng)
        return Target(centre, side, surface, NoVolume("a point cloud has no volume"))
    mesh = _usable((np.asarray(shape.vertices, dtype=np.float64) - centre) / side, shape.faces)
    if mesh is None:
        raise _unmeasurable(shape, "has no face with an area")
    surface, volume = _measured(mesh, options, rng)
    return Target(centre, side, surface, volume)


def compare(vertices, faces, target: Target, options: MetricOptions = MetricOptions()) -> Errors:
    """Errors of a mesh, vertices (V, 3) in world units and faces (F, 3), against the input, place and size included."""
    mesh = _usable(target.to_unit(np.asarray(vertices, dtype=np.float64).reshape(-1, 3)), faces)
    if mesh is None:
        return Errors(iou_reason=f"{RESULT}: it is empty", reason="the result is empty")
    surface, volume = _measured(mesh, options, _of_results(options))
    return Errors(
        **_deviations(surface, target),
        **_overlap(volume, target),
        volume_difference=_volume_difference(volume, target),
        cd_x1000=_cd_x1000(surface, target.surface),
    )


def compare_paper(vertices, faces, target: Target, options: MetricOptions = MetricOptions()) -> PaperErrors:
    """CD and IoU as published for CAD-Recode and cadrille: blind to the result's scale and place."""
    mesh = _usable(target.to_unit(np.asarray(vertices, dtype=np.float64).reshape(-1, 3)), faces)
    if mesh is None:
        return PaperErrors(iou_reason="the result is empty", reason="the result is empty")
    used = mesh[0][np.unique(mesh[1])]
    low, high = used.min(axis=0), used.max(axis=0)
    mesh = (mesh[0] - (low + high) / 2) / np.max(high - low), mesh[1]
    surface, volume = _measured(mesh, options, _of_results(options))
    return PaperErrors(**_overlap(volume, target), cd_x1000=_cd_x1000(surface, target.surface))


def _unmeasurable(shape, reason: str) -> InputError:
    return InputError(getattr(shape, "path", "<shape>"), reason, "check the part in a mesh viewer")


def _usable(vertices: np.ndarray, faces) -> tuple[np.ndarray, np.ndarray] | None:
    """The mesh without broken faces, or None where nothing with an area is left."""
    vertices, faces = usable_mesh(vertices, np.empty((0, 3)) if faces is None else faces)
    return (vertices, faces) if areas_of(vertices[faces]).sum() > 0 else None


def _of_results(options: MetricOptions) -> np.random.Generator:
    """The result's samples come from another stream than the input's: equal samples would flatter equal meshes."""
    return np.random.default_rng((options.seed, 1))


def _measured(mesh: tuple[np.ndarray, np.ndarray], options: MetricOptions, rng) -> tuple[Surface, Volume | NoVolume]:
    """Surface, without faces between bodies that touch, and volume of a mesh."""
    volume = measure_volume(*mesh, options.winding_points, options.seed)
    return mesh_surface(*outer_surface(*mesh, volume), options.points, rng), volume


def _deviations(surface: Surface, target: Target) -> dict:
    """Both directions, input to result and result to input, in world units."""
    sampled, largest, where = [], [], []
    for from_, to in ((target.surface, surface), (surface, target.surface)):
        starts = np.concatenate((from_.points, from_.corners))
        distances = to.distances(starts)
        sampled.append(distances[: len(from_.points)])
        largest.append(distances.max())
        where.append(starts[distances.argmax()])
    worst = int(np.argmax(largest))
    return {
        "chamfer": float(np.mean([distances.mean() for distances in sampled])) * target.side,
        "max_deviation": float(largest[worst]) * target.side,
        "max_deviation_at": tuple(map(float, where[worst] * target.side + target.centre)),
        "p95_deviation": float(max(np.percentile(distances, 95) for distances in sampled)) * target.side,
    }


def _overlap(volume: Volume | NoVolume, target: Target) -> dict:
    for name, side in ((INPUT, target.volume), (RESULT, volume)):
        if isinstance(side, NoVolume):
            return {"iou_reason": f"{name}: {side.reason}"}
    iou, method = overlap(target.volume, volume)
    return {"iou": iou, "iou_method": method}


def _volume_difference(volume: Volume | NoVolume, target: Target) -> float | None:
    if isinstance(volume, NoVolume) or isinstance(target.volume, NoVolume):
        return None
    return (volume.size - target.volume.size) * target.side**3


def _cd_x1000(a: Surface, b: Surface) -> float:
    there, back = (cKDTree(to.points).query(from_.points)[0] for from_, to in ((a, b), (b, a)))
    return 1000 * float(np.mean(there**2) + np.mean(back**2))
