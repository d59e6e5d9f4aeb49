"""What parts are like, in numbers that generated programs and meshes share: from points on the surface, with normals.

Tells whether training data resemble real parts. Counted on a few thousand points, so tiny faces are missed.
"""

from dataclasses import dataclass

import numpy as np

from cadcode.data.pieces import cells
from cadcode.program.field import bounds, occupancy
from cadcode.program.surface import sample_surface
from cadcode.program.tree import Program

POINTS = 4000
SMALLEST_FACE = 0.004  # of the points: what is less counts as noise, or as a curved wall
CELL = 2.5  # program units, for counting holes
VOLUME_POINTS = 20_000


@dataclass(frozen=True, eq=False)
class Skin:
    """Points on a part's surface, uniform over its area; and what points do not tell."""

    points: np.ndarray  # (N, 3)
    normals: np.ndarray  # (N, 3) unit, outward
    curved: np.ndarray  # (N,) bool: whether the point is on a curved face
    volume: float
    holes: int | None  # through holes (the genus); None where a mesh is not closed


def skin_of(program: Program, rng: np.random.Generator) -> Skin:
    """The skin of a program's solid. EmptySolid as `sample_surface`."""
    points, normals = sample_surface(program, POINTS, rng)
    low, high = bounds(program)
    filled = occupancy(program, low + (high - low) * rng.random((VOLUME_POINTS, 3)))
    planes = _planes(points, normals)
    counts = np.bincount(planes)
    curved = counts[planes] < SMALLEST_FACE * POINTS
    return Skin(points, normals, curved, float(filled.mean() * np.prod(high - low)), genus(cells(program, CELL)[1]))


def genus(filled: np.ndarray) -> int:
    """Handles of one solid of cells (X, Y, Z) without hollows: 1 less its Euler characteristic V - E + F - C."""
    padded = np.pad(filled, 1)
    total = 0
    for axes in ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)):
        there = padded
        for axis in axes:  # a face, edge or corner is there when one of the cells around it is
            there = there | np.roll(there, 1, axis)
        total += (-1) ** (3 - len(axes)) * int(there.sum())
    return max(1 - total, 0)


def _planes(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """A number for each point (N,), the same for points of one plane."""
    size = np.ptp(points, axis=0).max()
    offset = np.einsum("ij,ij->i", points, normals) / size
    keys = np.rint(np.column_stack([normals * 200, offset * 800])) + 0.0
    return np.unique(keys, axis=0, return_inverse=True)[1].ravel()


def measures(skin: Skin) -> dict[str, float | None]:
    """The numbers of one part: lengths over its longest side, areas over its area, booleans as 0 or 1."""
    size = np.ptp(skin.points, axis=0)
    thinnest, middle, longest = np.sort(size)
    flat = ~skin.curved
    counts = np.bincount(_planes(skin.points, skin.normals)[flat])
    along = (np.abs(skin.normals) > 0.999).any(1)
    planes = _symmetry_planes(skin.points)
    return {
        "thinnest side": thinnest / longest,
        "middle side": middle / longest,
        "volume over box": skin.volume / np.prod(size),
        "planar faces": float((counts >= SMALLEST_FACE * len(skin.points)).sum()),
        "curved area": float(skin.curved.mean()),
        "slanted area": float((flat & ~along).mean()),
        "symmetry planes": float(planes),
        "no symmetry": float(planes == 0),
        "one extrusion": float(is_prism(skin)),
        "with holes": None if skin.holes is None else float(skin.holes > 0),
        "holes": None if skin.holes is None else float(skin.holes),
    }


def is_prism(skin: Skin) -> bool:
    """Whether every normal is along one axis, at either end of the part, or square to it (999 points of 1000)."""
    low, high = skin.points.min(0), skin.points.max(0)
    near = 0.002 * (high - low).max()
    for axis in range(3):
        level, up = skin.points[:, axis], np.abs(skin.normals[:, axis])
        cap = (up > 0.999) & (np.minimum(level - low[axis], high[axis] - level) < near)
        if np.mean(cap | (up < 0.02)) > 0.999:
            return True
    return False


def _symmetry_planes(points: np.ndarray) -> int:
    """How many of the three middle planes of the box mirror the part onto itself: mirrored points lie near points."""
    centred = (points - (points.min(0) + points.max(0)) / 2)[:1500].astype(np.float32)
    spacing = np.sort(np.sqrt(_nearest(centred[:750], centred[750:])))
    mirrors = [np.where(np.arange(3) == axis, -1, 1).astype(np.float32) for axis in range(3)]
    found = [np.sort(np.sqrt(_nearest(centred[:750] * m, centred[750:]))) for m in mirrors]
    tail = int(0.98 * 750)
    return sum(bool(d[tail] < 1.35 * spacing[tail] and d.mean() < 1.15 * spacing.mean()) for d in found)


def _nearest(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distance (N,) of each of a (N, 3) to the nearest of b (M, 3)."""
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
    return np.maximum(squares.min(1), 0)


def summary(parts: list[dict[str, float | None]]) -> dict[str, tuple[float, float, float, float]]:
    """Mean and the 10, 50 and 90 % quantiles of each measure, over the parts that have it."""
    found = {}
    for name in parts[0]:
        values = np.array([part[name] for part in parts if part[name] is not None], float)
        if len(values):
            found[name] = (float(values.mean()), *(float(v) for v in np.quantile(values, [0.1, 0.5, 0.9])))
    return found
