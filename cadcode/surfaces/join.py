"""Merging of claims that are one face, and removal of false claims."""

from math import pi, radians

import numpy as np
from scipy.sparse import csr_matrix

from cadcode.surfaces.faces import Cylinder, Plane
from cadcode.surfaces.facets import Mesh, edge_lengths
from cadcode.surfaces.finish import covered
from cadcode.surfaces.fit import fit_plane
from cadcode.surfaces.patch import Claim

LOOSE = radians(45)  # an edge that scraps may have within a face
SAME = 4e-5  # share of the longest side: distance up to which two neighbouring faces are merged
SAME_TURN = 0.9998  # cosine of the angle between their normals
FREE_BORDER = 0.25  # share of a curved face's border
FREE_AROUND = 0.6  # share of a plane's
FREE_PLANE = 2  # triangles from which a plane is kept
COARSE = radians(24)  # steps of a polygonal prism: 15 sides and fewer
FINER = 3.0  # step ratio of a prism to a smaller cylinder of the same mesh


def join(mesh: Mesh, claims: list[Claim], label: np.ndarray) -> tuple[list[Claim], np.ndarray]:
    """Claims and labels (F,) after neighbours on one surface are merged."""
    label = label.copy()
    area = np.array([mesh.areas[claim.triangles].sum() for claim in claims])
    sides = label[mesh.pairs[mesh.angles < LOOSE]]
    sides = np.unique(np.sort(sides[(sides >= 0).all(axis=1) & (sides[:, 0] != sides[:, 1])], axis=1), axis=0)
    into = list(range(len(claims)))

    def root(row: int) -> int:
        while into[row] != row:
            row = into[row]
        return row

    for first, second in sides.tolist():
        first, second = root(first), root(second)
        large, small = (first, second) if area[first] >= area[second] else (second, first)
        if large != small and same_surface(mesh, claims[large], claims[small]):
            into[small] = large
    roots = np.array([root(row) for row in range(len(claims))] + [-1])
    return renumbered(claims, roots[label])


def same_surface(mesh: Mesh, large: Claim, small: Claim) -> bool:
    if large.surface.kind != small.surface.kind or large.sign != small.sign:
        return False
    points = mesh.vertices[mesh.faces[small.triangles]].reshape(-1, 3)
    points = points - small.surface.signed(points)[:, None] * small.surface.normals(points)  # corners may be off it
    if np.abs(large.surface.signed(points)).max() > SAME * mesh.size:
        return False
    return bool(np.einsum("ij,ij->i", large.surface.normals(points), small.surface.normals(points)).min() > SAME_TURN)


def drop_free_form(mesh: Mesh, claims: list[Claim], label: np.ndarray) -> tuple[list[Claim], np.ndarray]:
    """Claims and labels (F,) without small claims surrounded by free form, which fit by chance.

    A curved claim is dropped if it continues smoothly as free form, a plane if almost all its border is free form.
    """
    count = np.bincount(label[label >= 0], minlength=len(claims))
    flat = np.array([isinstance(claim.surface, Plane) for claim in claims], dtype=bool)
    around = perimeters(mesh, np.where(label >= 0, label, len(claims)), len(claims) + 1)[:-1]
    smooth, whole = (free_border(mesh, label, len(claims), most) for most in (LOOSE, pi))
    small = count < np.where(flat, FREE_PLANE, (label < 0).sum())
    drop = small & np.where(flat, whole > FREE_AROUND * around, smooth > FREE_BORDER * around)
    return renumbered(claims, np.where(np.append(drop, False)[label], -1, label))


def free_border(mesh: Mesh, label: np.ndarray, count: int, most: float) -> np.ndarray:
    """Length (count,) of the edges shared with unclaimed triangles, at angles up to `most`."""
    length = np.where(mesh.angles <= most, edge_lengths(mesh), 0.0)
    total = np.zeros(count)
    for inner, outer in (mesh.pairs.T, mesh.pairs.T[::-1]):
        border = (label[inner] >= 0) & (label[outer] < 0)
        total += np.bincount(label[inner[border]], length[border], count)
    return total


def neighbours_of(mesh: Mesh, unit: np.ndarray, count: int) -> csr_matrix:
    """Sparse (count, count): units that share an edge across which a face may continue."""
    first, second = unit[mesh.pairs[mesh.angles < LOOSE]].T
    first, second = np.concatenate([first, second]), np.concatenate([second, first])
    return csr_matrix((np.ones(len(first), dtype=bool), (first, second)), shape=(count, count))


def drop_polygons(mesh: Mesh, claims: list[Claim], label: np.ndarray) -> tuple[list[Claim], np.ndarray]:
    """Claims and labels (F,) with the sides of polygonal prisms as planes.

    The angle step of a tessellation is constant or, with a constant chord error, smaller for a larger radius. So sides
    with a much larger step than that of a smaller cylinder of the same mesh are sides of a polygon.
    """
    label, claims = label.copy(), list(claims)
    steps = largest_steps(mesh, claims, label)
    cylinders = {row: claim.surface for row, claim in enumerate(claims) if isinstance(claim.surface, Cylinder)}
    finer = [(surface.radius, FINER * steps[row]) for row, surface in cylinders.items() if steps[row] > 0]
    for row, surface in cylinders.items():
        triangles, step = claims[row].triangles, steps[row]
        if step < COARSE or not any(radius <= surface.radius and least < step for radius, least in finer):
            continue
        if covered(mesh, triangles, surface.point, surface.direction) > 2 * pi - 1e-6:
            for facet in np.unique(mesh.facet[triangles]):
                claims.append(flat_claim(mesh, triangles[mesh.facet[triangles] == facet]))
                label[claims[-1].triangles] = len(claims) - 1
    return renumbered(claims, label)


def largest_steps(mesh: Mesh, claims: list[Claim], label: np.ndarray) -> np.ndarray:
    """Largest angle (C,) between neighbouring facets of each claim."""
    first, second = label[mesh.pairs].T
    inside = (first == second) & (first >= 0)
    steps = np.zeros(len(claims))
    np.maximum.at(steps, first[inside], mesh.angles[inside])
    return steps


def flat_claim(mesh: Mesh, triangles: np.ndarray) -> Claim:
    """The plane of flat triangles."""
    outward = (mesh.areas[triangles][:, None] * mesh.normals[triangles]).sum(axis=0)
    return Claim(fit_plane(mesh.vertices[np.unique(mesh.faces[triangles])], outward), 1, triangles)


def perimeters(mesh: Mesh, unit: np.ndarray, top: int) -> np.ndarray:
    """Length (top,) of the border of each unit."""
    corners = mesh.vertices[mesh.faces]
    total = np.bincount(unit, np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).sum(axis=1), top)
    first, second = mesh.pairs.T
    same = unit[first] == unit[second]
    return total - 2 * np.bincount(unit[first[same]], edge_lengths(mesh)[same], top)


def renumbered(claims: list[Claim], label: np.ndarray) -> tuple[list[Claim], np.ndarray]:
    """Claims with the triangles of their labels, without empty claims."""
    if not len(claims):
        return claims, label
    rows, place = np.unique(label, return_inverse=True)
    skip = int(rows[0] < 0)
    label = place - skip
    return [
        Claim(claims[row].surface, claims[row].sign, np.flatnonzero(label == new))
        for new, row in enumerate(rows[skip:].tolist())
    ], label
