"""Cross-sections of a mesh by a plane: closed polygons, by walking from triangle to triangle."""

import numpy as np


def section(vertices: np.ndarray, faces: np.ndarray, axis: int, level: float) -> list[np.ndarray]:
    """Closed polygons (n, 2) in which the plane `level` of world axis `axis` cuts the mesh; open ends are left out.

    Their coordinates are the two following axes in cyclic order. A vertex on the plane counts as above it, so there are
    no degenerate cuts. Solid lies to the left of each polygon where faces are turned outwards: outer ones run
    counter-clockwise, holes clockwise.
    """
    above = vertices[:, axis] >= level
    cut = faces[above[faces].any(1) & ~above[faces].all(1)]
    if not len(cut):
        return []
    down, up = _crossed_edges(cut, above)  # (n, 2) vertices each: the edge where the cut leaves, where it enters
    keys, places = np.unique(np.concatenate([up, down]), axis=0, return_inverse=True)
    places = places.ravel()
    points = _crossings(vertices, keys, axis, level)
    return [points[chain] for chain in _closed_chains(places[len(up) :], places[: len(up)])]


def _crossed_edges(cut: np.ndarray, above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per triangle its edge that goes down through the plane and the one that goes up, vertices in order."""
    ends = np.stack([cut, np.roll(cut, -1, 1)], axis=2)  # (n, 3, 2)
    start, stop = above[ends[..., 0]], above[ends[..., 1]]
    rows = np.arange(len(cut))
    down, up = ends[rows, (start & ~stop).argmax(1)], ends[rows, (~start & stop).argmax(1)]
    return np.sort(down, 1), np.sort(up, 1)


def _crossings(vertices: np.ndarray, edges: np.ndarray, axis: int, level: float) -> np.ndarray:
    """Points (n, 2) where edges (n, 2) of vertices meet the plane."""
    a, b = vertices[edges[:, 0]], vertices[edges[:, 1]]
    share = ((level - a[:, axis]) / (b[:, axis] - a[:, axis]))[:, None]
    return (a + share * (b - a))[:, [(axis + 1) % 3, (axis + 2) % 3]]


def _closed_chains(starts: np.ndarray, stops: np.ndarray) -> list[list[int]]:
    """Loops of points along the directed links `starts[i]` to `stops[i]`; where several leave a point, any."""
    after: dict[int, list[int]] = {}
    for a, b in zip(starts.tolist(), stops.tolist(), strict=True):
        after.setdefault(a, []).append(b)
    found = []
    while after:
        first = here = next(iter(after))
        chain = []
        while here in after:
            chain.append(here)
            following = after[here]
            ahead = following.pop()
            if not following:
                del after[here]
            here = ahead
            if here == first:
                found.append(chain)
                break
    return [chain for chain in found if len(chain) >= 3]
