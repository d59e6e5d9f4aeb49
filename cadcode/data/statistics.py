"""Statistics of parts, computed from surface samples with normals, for generated programs and for meshes.

They show whether training data resemble real parts. A few thousand samples per part miss tiny faces.
"""

from dataclasses import dataclass

import numpy as np

from cadcode.data.pieces import cells
from cadcode.program.field import bounds, occupancy
from cadcode.program.surface import sample_surface
from cadcode.program.tree import Program

POINTS = 4000
SMALLEST_FACE = 0.004  # share of the points; a smaller face counts as noise, or as a curved wall
CELL = 2.5  # program units, cell size of the hole count
VOLUME_POINTS = 20_000


@dataclass(frozen=True, eq=False)
class SurfaceSamples:
    """Points on a part's surface, uniform over its area, with volume and number of through holes."""

    points: np.ndarray  # (N, 3)
    normals: np.ndarray  # (N, 3) unit, outward
    curved: np.ndarray  # (N,) bool: point on a curved face
    volume: float
    holes: int | None  # through holes (the genus); None for an open mesh


def sample_program(program: Program, rng: np.random.Generator) -> SurfaceSamples:
    """Surface samples of a program's solid. Raises EmptySolid as `sample_surface` does."""
    points, normals = sample_surface(program, POINTS, rng)
    low, high = bounds(program)
    filled = occupancy(program, low + (high - low) * rng.random((VOLUME_POINTS, 3)))
    planes = _planes(points, normals)
    counts = np.bincount(planes)
    curved = counts[planes] < SMALLEST_FACE * POINTS
    volume = float(filled.mean() * np.prod(high - low))
    return SurfaceSamples(points, normals, curved, volume, genus(cells(program, CELL)[1]))


def genus(filled: np.ndarray) -> int:
    """Genus of one solid of cells (X, Y, Z) without cavities: 1 minus its Euler characteristic V - E + F - C."""
    padded = np.pad(filled, 1)
    total = 0
    for axes in ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)):
        occupied = padded
        for axis in axes:  # a face, edge or corner exists if one of the cells around it is filled
            occupied = occupied | np.roll(occupied, 1, axis)
        total += (-1) ** (3 - len(axes)) * int(occupied.sum())
    return max(1 - total, 0)


def _planes(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """Plane number (N,) of each point; points of one plane share a number."""
    size = np.ptp(points, axis=0).max()
    offset = np.einsum("ij,ij->i", points, normals) / size
    keys = np.rint(np.column_stack([normals * 200, offset * 800])) + 0.0
    return np.unique(keys, axis=0, return_inverse=True)[1].ravel()


def measures(surface: SurfaceSamples) -> dict[str, float | None]:
    """Statistics of one part: lengths over its longest side, areas over its area, booleans as 0 or 1."""
    size = np.ptp(surface.points, axis=0)
    thinnest, middle, longest = np.sort(size)
    flat = ~surface.curved
    counts = np.bincount(_planes(surface.points, surface.normals)[flat])
    along = (np.abs(surface.normals) > 0.999).any(1)
    planes = _symmetry_planes(surface.points)
    return {
        "thinnest side": thinnest / longest,
        "middle side": middle / longest,
        "volume over box": surface.volume / np.prod(size),
        "planar faces": float((counts >= SMALLEST_FACE * len(surface.points)).sum()),
        "curved area": float(surface.curved.mean()),
        "slanted area": float((flat & ~along).mean()),
        "symmetry planes": float(planes),
        "no symmetry": float(planes == 0),
        "one extrusion": float(is_prism(surface)),
        "with holes": None if surface.holes is None else float(surface.holes > 0),
        "holes": None if surface.holes is None else float(surface.holes),
    }


def is_prism(surface: SurfaceSamples) -> bool:
    """Whether normals are along one axis (at the ends of the part) or perpendicular to it, at 999 points of 1000."""
    low, high = surface.points.min(0), surface.points.max(0)
    near = 0.002 * (high - low).max()
    for axis in range(3):
        level, up = surface.points[:, axis], np.abs(surface.normals[:, axis])
        cap = (up > 0.999) & (np.minimum(level - low[axis], high[axis] - level) < near)
        if np.mean(cap | (up < 0.02)) > 0.999:
            return True
    return False


def _symmetry_planes(points: np.ndarray) -> int:
    """Number of mid-planes of the box that are mirror planes: mirrored points are close to points."""
    centred = (points - (points.min(0) + points.max(0)) / 2)[:1500].astype(np.float32)
    spacing = np.sort(np.sqrt(_nearest(centred[:750], centred[750:])))
    mirrors = [np.where(np.arange(3) == axis, -1, 1).astype(np.float32) for axis in range(3)]
    distances = [np.sort(np.sqrt(_nearest(centred[:750] * m, centred[750:]))) for m in mirrors]
    tail = int(0.98 * 750)
    return sum(bool(d[tail] < 1.35 * spacing[tail] and d.mean() < 1.15 * spacing.mean()) for d in distances)


def _nearest(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distance (N,) from each point of a (N, 3) to the nearest of b (M, 3)."""
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
    return np.maximum(squares.min(1), 0)


def summary(parts: list[dict[str, float | None]]) -> dict[str, tuple[float, float, float, float]]:
    """Mean and the 10, 50 and 90 % quantiles of each measure, over the parts that have it."""
    quantiles = {}
    for name in parts[0]:
        values = np.array([part[name] for part in parts if part[name] is not None], float)
        if len(values):
            quantiles[name] = (float(values.mean()), *(float(v) for v in np.quantile(values, [0.1, 0.5, 0.9])))
    return quantiles
