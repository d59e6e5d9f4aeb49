"""The solid that the points of a cloud enclose: the region that a ball from outside cannot reach.

This is an alpha shape (Edelsbrunner & Mücke 1994) of which cavities count as solid: tetrahedra of the Delaunay
triangulation from which no way leads out through triangles wide enough for the ball. Points need no normals. A small
ball falls through the gaps between points and leaves a thin skin of them; from the radius on at which it no longer
does, the volume hardly grows. The smallest such radius is taken: larger balls do not enter holes.
"""

from itertools import pairwise

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Delaunay, QhullError

from cadcode.geometry.mesh import face_areas
from cadcode.geometry.sampling import spacing

RADII = tuple(2 * 1.25**n for n in range(16))  # in units of the mean distance of neighbouring points
STEADY = 0.85  # of the volume at the next radius: the ball stays outside
THIN = 0.3  # of that mean distance: a skin of points, no solid
OPPOSITE = np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]])  # the triangle opposite to each corner


def enclosed(points: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Vertices (V, 3), from points (N, 3), and outward triangles (F, 3) of the solid that the points enclose.

    None where they enclose nothing, as in a scan from one side.
    """
    points = np.unique(points, axis=0)
    try:
        mesh = Delaunay(points)
    except QhullError:  # all in one plane, or fewer than five
        return None
    distance = spacing(points, most=None)
    triangles, sizes = mesh.simplices[:, OPPOSITE], volumes(points[mesh.simplices])  # (T, 4, 3), (T,)
    radii = circumradii(points[triangles])
    solids = (~_reached(mesh.neighbors, radii > factor * distance) for factor in RADII)  # the first few will do
    for solid, wider in pairwise(solids):
        surface = solid[:, None] & np.append(~solid, True)[mesh.neighbors]  # outside is neighbour -1
        faces = outwards(points, triangles[surface], points[mesh.simplices[surface]])
        volume, area = sizes[solid].sum(), face_areas(points, faces).sum()
        if volume >= STEADY * sizes[wider].sum() and 2 * volume > THIN * distance * area:
            used, faces = np.unique(faces, return_inverse=True)
            return points[used], faces.reshape(-1, 3)
    return None


def volumes(tetrahedra: np.ndarray) -> np.ndarray:
    """Volumes (T,) of tetrahedra (T, 4, 3)."""
    a, b, c = (tetrahedra[:, i] - tetrahedra[:, 0] for i in (1, 2, 3))
    return np.abs((np.cross(a, b) * c).sum(1)) / 6


def circumradii(triangles: np.ndarray) -> np.ndarray:
    """Radii (...) of the circumcircles of triangles (..., 3, 3); infinite for collinear corners."""
    sides = np.stack([triangles[..., i, :] - triangles[..., i - 1, :] for i in range(3)])
    product = np.linalg.norm(sides, axis=-1).prod(0)
    area = np.linalg.norm(np.cross(sides[0], sides[1]), axis=-1) / 2
    return np.divide(product, 4 * area, out=np.full(product.shape, np.inf), where=area > 0)


def outwards(points: np.ndarray, triangles: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Triangles (F, 3) oriented so that the points `behind` (F, 3), one each, are on their back side."""
    a, b, c = (points[triangles[:, i]] for i in range(3))
    before = (np.cross(b - a, c - a) * (behind - a)).sum(1) > 0
    return np.where(before[:, None], triangles[:, ::-1], triangles)


def _reached(neighbours: np.ndarray, wide: np.ndarray) -> np.ndarray:
    """Whether a ball reaches each tetrahedron (T,) from outside, through triangles that are `wide` (T, 4)."""
    count = len(neighbours)
    rows, sides = np.nonzero(wide)
    others = np.where(neighbours[rows, sides] < 0, count, neighbours[rows, sides])  # outside is one place more
    graph = coo_matrix((np.ones(len(rows), bool), (rows, others)), (count + 1, count + 1))
    _, labels = connected_components(graph, directed=False)
    return labels[:count] == labels[count]
