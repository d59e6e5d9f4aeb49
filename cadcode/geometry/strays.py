"""Points of a cloud that do not belong to the part: missing returns of a scanner, and distant outliers."""

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from cadcode.geometry.cleaning import Raw, count_of

MISSING = 10  # points at the origin, or more, are missing returns
REPEATED = 4  # times as often as any other point
SHARE = 0.005  # of the points may be outliers
CORE = (0.01, 0.99)  # quantiles of the box that outliers do not move
FAR = 5  # sizes of that box
ALONE = 1  # sizes of that box to the nearest other outlier
SAMPLED = 2000  # points of which repeats are counted


def without_strays(raw: Raw) -> Raw:
    """The same cloud without missing returns and outliers, with notes; as it is where there are none."""
    points = np.asarray(raw.vertices)
    if points.ndim != 2 or points.shape[1] != 3 or points.dtype.kind not in "fiu":
        return raw
    missing = missing_returns(points)
    if missing.any():
        note = f"dropped {count_of(int(missing.sum()), 'point')} at the origin as missing returns of a scanner"
        raw = _kept(raw, ~missing, note)
        points = np.asarray(raw.vertices)
    outliers = far_and_alone(points)
    if len(outliers):
        kept = np.ones(len(points), dtype=bool)
        kept[outliers] = False
        note = f"left out {count_of(len(outliers), 'outlier')} far away from all other points"
        raw = _kept(raw, kept, note)
        raw = replace(raw, warnings=raw.warnings + (note,))
    return raw


def _kept(raw: Raw, kept, note: str) -> Raw:
    normals = None if raw.normals is None else np.asarray(raw.normals)
    if normals is not None and len(normals) == len(kept):
        normals = normals[kept]
    return replace(raw, vertices=np.asarray(raw.vertices)[kept], normals=normals, notes=raw.notes + (note,))


def missing_returns(points):
    """Points exactly at the origin, (N,) bool of `points` (N, 3), if far more are there than at any other place."""
    zero = ~points.any(axis=1)
    count = int(zero.sum())
    if count < MISSING or count == len(points):
        return np.zeros(len(points), dtype=bool)
    others = points[~zero]
    places, counts = np.unique(others[:: max(1, len(others) // SAMPLED)], axis=0, return_counts=True)
    repeats = int((others == places[counts.argmax()]).all(axis=1).sum())
    return zero if count >= REPEATED * repeats else np.zeros(len(points), dtype=bool)


def far_and_alone(points):
    """Numbers (M,) of the outliers among `points` (N, 3): few, farther from the cloud's core than several times its
    size, and without another point near them. Takes time linear in N.

    The size of the core is the longest side of the box that holds all but the outermost points along each axis.
    """
    most = int(SHARE * len(points))
    columns = [column[np.isfinite(column)] for column in np.asarray(points, dtype=np.float64).T]
    if most < 1 or min(map(len, columns)) < len(points) / 2:
        return np.empty(0, dtype=np.int64)
    low, high = np.array([quantiles(column) for column in columns]).T
    with np.errstate(all="ignore"):
        size = (high - low).max()
        away = ((points < low - FAR * size) | (points > high + FAR * size)).any(axis=1)
    places = np.flatnonzero(away & np.isfinite(points).all(axis=1))
    if size <= 0 or not 0 < len(places) <= most:
        return np.empty(0, dtype=np.int64)
    return places[is_alone(points[places].astype(np.float64), ALONE * size)]


def quantiles(column) -> tuple[float, float]:
    ranks = [int(share * (len(column) - 1)) for share in CORE]
    ordered = np.partition(column, ranks)
    return float(ordered[ranks[0]]), float(ordered[ranks[1]])


def is_alone(points, distance: float):
    """Whether each of `points` (M, 3) has no other place among them within a distance. (M,) bool"""
    places, number = np.unique(points, axis=0, return_inverse=True)
    if len(places) == 1:
        return np.ones(len(points), dtype=bool)
    nearest, _ = cKDTree(places).query(places, k=2)
    return (nearest[:, 1] > distance)[number.ravel()]
