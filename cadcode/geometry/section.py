"""Cross-sections of a mesh by a plane: closed polygons, by walking from triangle to triangle."""

import numpy as np


def section(vertices: np.ndarray, faces: np.ndarray, axis: int, level: float) -> list[np.ndarray]:
    """Closed polygons (n, 2) in which the plane `level` of world axis `axis` cuts the mesh; open ends are left out.

    Their coordinates are the two following axes in cyclic order. A vertex on the plane counts as above it, so there are
    no degenerate cuts. Solid lies to the left of each polygon where faces are turned outwards: outer ones run
    counter-clockwise, holes clockwise.
    """
    return [points for points, _ in traced_section(vertices, faces, axis, level)]


def traced_section(
    vertices: np.ndarray, faces: np.ndarray, axis: int, level: float
) -> list[tuple[np.ndarray, np.ndarray]]:
    """As `section`, each polygon (n, 2) with the row number (n,) of the triangle from each point to the next."""
    above = vertices[:, axis] >= level
    rows = np.flatnonzero(above[faces].any(1) & ~above[faces].all(1))
    if not len(rows):
        return []
    down, up = _crossed_edges(
        faces[rows], above
    )  # (n, 2) vertices each: the edge where the cut leaves, where it enters
    keys, places = np.unique(np.concatenate([up, down]), axis=0, return_inverse=True)
    places = places.ravel()
    points, starts = _crossings(vertices, keys, axis, level), places[len(up) :]
    return [(points[starts[links]], rows[links]) for links in _closed_chains(starts, places[: len(up)])]


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
    """Loops of directed links, from point `starts[i]` to `stops[i]`, by number; where several leave a point, any."""
    after: dict[int, list[int]] = {}
    ends = stops.tolist()
    for link, start in enumerate(starts.tolist()):
        after.setdefault(start, []).append(link)
    found = []
    while after:
        first = here = next(iter(after))
        chain = []
        while here in after:
            following = after[here]
            link = following.pop()
            chain.append(link)
            if not following:
                del after[here]
            here = ends[link]
            if here == first:
                found.append(chain)
                break
    return [chain for chain in found if len(chain) >= 3]
