"""Close holes: flat ones by triangles in their plane, others, where they are small, by cones."""

from dataclasses import dataclass
from functools import cached_property

import manifold3d
import numpy as np

from cadcode.geometry.edges import open_edges
from cadcode.geometry.mesh import areas_of

FLAT = 0.03  # rims whose vertices are this close to a plane (in sides of the rim's box) are flat
MOST_FLAT = 0.9  # filling more than this share of the surface would make a lens of a sheet
MOST_CURVED = 0.1  # filling more than this share of the surface with cones would invent a shape
MOST_OUTER = 50  # flat rims, the largest, in which others may lie
MOST_OPEN, MOST_HOLES = 200_000, 5000  # open edges and loops of them beyond which holes are not closed


@dataclass(frozen=True, eq=False)
class Rim:
    """One loop of open edges; `corners` (n,) are vertices, so ordered that a face on them closes the hole."""

    corners: np.ndarray
    points: np.ndarray  # (n, 3)

    @cached_property
    def centre(self) -> np.ndarray:
        return self.points.mean(axis=0)

    @cached_property
    def size(self) -> np.ndarray:
        """Side lengths (3,) of its box."""
        return np.ptp(self.points, axis=0)

    @cached_property
    def area(self) -> np.ndarray:
        """Vector area (3,), outwards (Newell)."""
        arms = self.points - self.centre
        return np.cross(arms, np.roll(arms, -1, axis=0)).sum(axis=0) / 2

    @cached_property
    def normal(self) -> np.ndarray:
        return self.area / max(np.linalg.norm(self.area), 1e-300)

    @cached_property
    def is_flat(self) -> bool:
        side = self.size.max()
        if np.linalg.norm(self.area) < 1e-6 * side**2:
            return False
        return bool(np.abs((self.points - self.centre) @ self.normal).max() <= FLAT * side)


@dataclass(frozen=True, eq=False)
class Filled:
    """A mesh with its holes closed: `flat` and `curved` rims, the filling's `share` of the surface."""

    vertices: np.ndarray
    faces: np.ndarray
    flat: tuple[Rim, ...]
    curved: tuple[Rim, ...]
    share: float


def filled(vertices: np.ndarray, faces: np.ndarray) -> Filled | None:
    """The mesh (V, 3), (F, 3) with every hole closed, or None where filling would invent too much surface."""
    starts, ends = open_edges(faces)
    if not 0 < len(starts) <= MOST_OPEN:
        return None
    rims = [Rim(loop, vertices[loop]) for loop in loops(ends, starts)]
    if len(rims) > MOST_HOLES:
        return None
    flat, curved = [rim for rim in rims if rim.is_flat], [rim for rim in rims if not rim.is_flat]
    lids = [_lid(group) for group in _in_one_plane(flat)]
    cones, apexes = _cones(curved, len(vertices))
    all_vertices = np.concatenate((vertices, *apexes))
    whole, made_flat, made_curved = (_area(all_vertices, part) for part in ([faces], lids, cones))
    if made_flat > MOST_FLAT * whole or made_curved > MOST_CURVED * whole:
        return None
    share = (made_flat + made_curved) / whole
    return Filled(all_vertices, np.concatenate((faces, *lids, *cones)), tuple(flat), tuple(curved), share)


def loops(starts: np.ndarray, ends: np.ndarray) -> list[np.ndarray]:
    """Closed chains of vertices along directed edges, no vertex twice in one; as many edges end as start anywhere."""
    after: dict[int, list[int]] = {}
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        after.setdefault(start, []).append(end)
    found, path, place = [], [], {}
    while after:
        here = path[-1] if path else next(iter(after))
        if not path:
            path, place = [here], {here: 0}
        ahead = after[here].pop()
        if not after[here]:
            del after[here]
        if ahead in place:
            loop, path = path[place[ahead] :], path[: place[ahead] + 1]
            found.append(np.array(loop))
            for vertex in loop[1:]:
                del place[vertex]
            path, place = (path, place) if path[-1] in after else ([], {})
        else:
            place[ahead] = len(path)
            path.append(ahead)
    return found


def _in_one_plane(rims: list[Rim]) -> list[list[Rim]]:
    """Rims with the rims that are holes in their filling, as at the end of a pipe."""
    rims = sorted(rims, key=lambda rim: -float(np.linalg.norm(rim.area)))
    if not rims:
        return []
    outer = rims[:MOST_OUTER]
    centres, normals = np.array([rim.centre for rim in outer]), np.array([rim.normal for rim in outer])
    sides = np.array([rim.size.max() for rim in outer])
    groups = {}
    for i, rim in enumerate(rims):
        apart = np.abs(np.einsum("ij,ij->i", centres - rim.centre, normals))
        near = np.flatnonzero((normals @ rim.normal < -0.99) & (apart <= FLAT * sides))
        around = [j for j in near if j < i and j in groups and _encloses(rims[j], rim)]
        if around:
            groups[around[-1]].append(rim)  # the smallest of them
        else:
            groups[i] = [rim]
    return list(groups.values())


def _encloses(outer: Rim, inner: Rim) -> bool:
    """Whether a corner of the inner rim is inside the outer one, projected along its normal (even-odd rule)."""
    plane = _plane(outer.normal)
    polygon, (x, y) = outer.points @ plane.T, inner.points[0] @ plane.T
    (ax, ay), (bx, by) = polygon.T, np.roll(polygon, -1, axis=0).T
    crossed = (ay > y) != (by > y)
    right = ax + (y - ay) / np.where(crossed, by - ay, 1.0) * (bx - ax) > x
    return bool((crossed & right).sum() % 2)


def _plane(normal: np.ndarray) -> np.ndarray:
    """Two unit vectors (2, 3) that make a right-handed frame with a normal."""
    first = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(normal, first)])


def _lid(group: list[Rim]) -> np.ndarray:
    """Triangles (T, 3) on the corners of a flat rim, without those of the rims within it."""
    plane = _plane(group[0].normal)
    triangles = manifold3d.triangulate([np.ascontiguousarray(rim.points @ plane.T) for rim in group])
    return np.concatenate([rim.corners for rim in group])[np.asarray(triangles, dtype=np.int64).reshape(-1, 3)]


def _cones(rims: list[Rim], start: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(triangles, apexes) from each rim to its centre, a vertex of its own from number `start` on."""
    triangles, apexes = [], []
    for rim in rims:
        if len(rim.corners) == 3:
            triangles.append(rim.corners[None])
            continue
        apex = np.full(len(rim.corners), start + len(apexes))
        triangles.append(np.stack([rim.corners, np.roll(rim.corners, -1), apex], axis=1))
        apexes.append(rim.centre[None])
    return triangles, apexes


def _area(vertices: np.ndarray, parts: list[np.ndarray]) -> float:
    return sum(float(areas_of(vertices[faces]).sum()) for faces in parts)
