"""Scraps that belong to a larger face: corners on approximated curves are off the surface by more than rounding.

Where two curved faces meet, a CAD kernel approximates the curve between them, so the facets along it miss their
surface a little. They come out as scraps: single triangles, small planes, thin strips. A larger face takes a scrap if
all its corners are within a rough tolerance, its normals agree, and most of its border is shared with that face.
"""

from math import radians

import numpy as np

from cadcode.surfaces.faces import Cylinder, Plane, Sphere, Torus
from cadcode.surfaces.facets import Mesh, components
from cadcode.surfaces.patch import Claim, make_patch, on_surface

ROUGH = 5e-4  # of the longest side
ROUGH_BEND = 0.03  # of the smallest radius of curvature
SCRAP = 40  # triangles of a curved scrap at most
SCRAP_PLANE = 3  # triangles of a flat one
LARGER = 3.0  # times as many triangles, or so much area, has the face that takes it
SHARED = 0.6  # share of a scrap's border
LOOSE = radians(45)


def absorb(mesh: Mesh, claims: list[Claim], label: np.ndarray) -> tuple[list[Claim], np.ndarray]:
    """Claims and labels (F,) after larger faces took the scraps; claims that are used up are gone."""
    label = label.copy()
    area = np.array([mesh.areas[claim.triangles].sum() for claim in claims])
    count = np.array([len(claim.triangles) for claim in claims])
    scrap = np.array([is_scrap(claim) for claim in claims], dtype=bool)
    unit = np.where(label >= 0, label, len(claims) + np.arange(len(label)))  # a loose triangle is a unit of its own
    loose = np.append(scrap, np.ones(len(label), dtype=bool))[unit]
    for row in sorted(range(len(claims)), key=lambda row: -area[row]):
        if count[row] < 2 or (label[claims[row].triangles] != row).any() or not touches(mesh, label == row, loose):
            continue
        small = np.append((area < area[row] / LARGER) | (count < count[row] / LARGER), np.ones(len(label), dtype=bool))
        taken = scraps_of(mesh, claims[row], label == row, unit, loose & small[unit])
        label[taken] = unit[taken] = row
        loose[taken] = False
    return renumbered(claims, label)


def is_scrap(claim: Claim) -> bool:
    return len(claim.triangles) <= (SCRAP_PLANE if isinstance(claim.surface, Plane) else SCRAP)


def touches(mesh: Mesh, inside, loose) -> bool:
    first, second = mesh.pairs.T
    return bool(((inside[first] & loose[second]) | (inside[second] & loose[first])).any())


def scraps_of(mesh: Mesh, claim: Claim, inside, unit, loose) -> np.ndarray:
    """Triangles (T,) of whole units that the claim takes."""
    tolerance = ROUGH * mesh.size
    if isinstance(claim.surface, Cylinder | Sphere | Torus):
        tolerance = min(tolerance, ROUGH_BEND * claim.surface.bend)
    low, high = _box(mesh, claim.triangles)
    corners = mesh.vertices[mesh.faces]
    near = loose & ~inside & ((corners >= low - tolerance) & (corners <= high + tolerance)).all(axis=(1, 2))
    pool = np.flatnonzero(near)
    none = np.zeros((0, 2), dtype=int)
    patch = make_patch(mesh, pool, none, none)
    fits = np.zeros(len(inside), dtype=bool)
    fits[pool[on_surface(patch, claim.surface, claim.sign, tolerance, by_facet=False)]] = True
    fits &= ~np.isin(unit, unit[loose & ~fits])  # all of a unit or nothing
    return np.flatnonzero(well_joined(mesh, inside, unit, fits))


def well_joined(mesh: Mesh, inside, unit, fits) -> np.ndarray:
    """Bool (F,): those of `fits` whose units have enough of their border in common with the face, or with such units."""
    first, second = mesh.pairs.T
    length = np.linalg.norm(mesh.vertices[mesh.ends[:, 0]] - mesh.vertices[mesh.ends[:, 1]], axis=1)
    length = np.where(mesh.angles < LOOSE, length, 0.0)
    top = int(unit.max()) + 1
    border = unit[first] != unit[second]
    around = perimeter(mesh, unit, top)
    while fits.any():
        member = inside | fits
        shared = border & member[first] & member[second]
        joined = np.bincount(unit[first[shared]], length[shared], top) + np.bincount(unit[second[shared]], length[shared], top)
        group = components(len(unit), mesh.pairs[member[first] & member[second] & (length > 0)])
        keep = fits & (joined >= SHARED * around)[unit] & np.isin(group, group[inside])
        if np.array_equal(keep, fits):
            break
        fits = keep
    return fits


def perimeter(mesh: Mesh, unit, top) -> np.ndarray:
    """Length (top,) of the border of each unit."""
    corners = mesh.vertices[mesh.faces]
    total = np.bincount(unit, np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).sum(axis=1), top)
    first, second = mesh.pairs.T
    same = unit[first] == unit[second]
    length = np.linalg.norm(mesh.vertices[mesh.ends[same, 0]] - mesh.vertices[mesh.ends[same, 1]], axis=1)
    return total - 2 * np.bincount(unit[first[same]], length, top)


def renumbered(claims: list[Claim], label: np.ndarray) -> tuple[list[Claim], np.ndarray]:
    """Claims with the triangles that the labels give them, the empty ones left out."""
    rows, place = np.unique(label, return_inverse=True)
    skip = int(rows[0] < 0)
    label = place - skip
    return [Claim(claims[row].surface, claims[row].sign, np.flatnonzero(label == new))
            for new, row in enumerate(rows[skip:].tolist())], label  # fmt: skip


def _box(mesh: Mesh, triangles):
    points = mesh.vertices[mesh.faces[triangles]].reshape(-1, 3)
    return points.min(axis=0), points.max(axis=0)
