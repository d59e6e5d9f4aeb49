"""Bounding volume hierarchy of triangles, for distances and winding numbers."""

from dataclasses import dataclass

import numpy as np

from cadcode.geometry.mesh import double_area_vectors

LEAF = 8  # the most triangles in a leaf


@dataclass(frozen=True, eq=False)
class Level:
    """The groups of one depth of the tree."""

    low: np.ndarray  # (G, 3) box
    high: np.ndarray  # (G, 3)
    centre: np.ndarray  # (G, 3) of the area
    radius: np.ndarray  # (G,) of the ball around the centre that holds every triangle
    area: np.ndarray  # (G,)
    flux: np.ndarray  # (G, 3) sum of the area vectors


@dataclass(frozen=True, eq=False)
class Tree:
    """A complete binary tree: group i of one level holds groups 2i and 2i + 1 of the next; the last are the leaves."""

    levels: tuple[Level, ...]
    leaves: np.ndarray  # (G, n, 3, 3) triangles, some of them shrunk to a point


def triangle_tree(triangles: np.ndarray) -> Tree:
    """Sort triangles (F, 3, 3), F at least 1: each group is halved along its longest axis."""
    depth = max(0, int(np.ceil(np.log2(len(triangles) / LEAF))))
    leaf = -(-len(triangles) // (1 << depth))
    middles = _filled(triangles.mean(axis=1), leaf << depth)
    order = np.arange(len(middles))[None]  # (G, n)
    for _ in range(depth):
        order = _halved(middles, order)
    corners = _filled(triangles, leaf << depth)
    corners[len(triangles) :] = corners[-1, 0]  # fillers enclose nothing
    leaves = corners[order]
    levels = [_leaf_level(leaves)]
    while len(levels[0].area) > 1:
        levels.insert(0, _level_above(levels[0]))
    return Tree(tuple(levels), leaves)


def _filled(values: np.ndarray, count: int) -> np.ndarray:
    """Repeat the last value up to `count`."""
    return values[np.minimum(np.arange(count), len(values) - 1)]


def _halved(middles: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Split groups (G, n) of indices in two at the median of their longest axis. (2G, n / 2)"""
    grouped = middles[order]  # (G, n, 3)
    axis = np.ptp(grouped, axis=1).argmax(axis=1)  # (G,)
    keys = np.take_along_axis(grouped, axis[:, None, None], axis=2)[:, :, 0]
    half = order.shape[1] // 2
    return np.take_along_axis(order, np.argpartition(keys, half, axis=1), axis=1).reshape(-1, half)


def _leaf_level(leaves: np.ndarray) -> Level:
    flux = double_area_vectors(leaves) / 2  # (G, n, 3)
    area = np.linalg.norm(flux, axis=-1) + 1e-300
    centre = np.einsum("gn,gni->gi", area, leaves.mean(axis=2)) / area.sum(axis=1)[:, None]
    radius = np.linalg.norm(leaves - centre[:, None, None], axis=-1).max(axis=(1, 2))
    return Level(leaves.min(axis=(1, 2)), leaves.max(axis=(1, 2)), centre, radius, area.sum(axis=1), flux.sum(axis=1))


def _level_above(level: Level) -> Level:
    """Groups of two each; the radius is the smaller of two bounds, from the balls of the halves and from the box."""
    low, high, centres, flux = (a.reshape(-1, 2, 3) for a in (level.low, level.high, level.centre, level.flux))
    low, high, area = low.min(axis=1), high.max(axis=1), level.area.reshape(-1, 2)
    centre = np.einsum("gn,gni->gi", area, centres) / area.sum(axis=1)[:, None]
    balls = (np.linalg.norm(centres - centre[:, None], axis=-1) + level.radius.reshape(-1, 2)).max(axis=1)
    box = np.linalg.norm(np.maximum(high - centre, centre - low), axis=1)
    return Level(low, high, centre, np.minimum(balls, box), area.sum(axis=1), flux.sum(axis=1))
