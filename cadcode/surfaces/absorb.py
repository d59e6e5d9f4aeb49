"""Absorption of scraps into larger faces: corners on approximated curves are off the surface by more than rounding.

A CAD kernel approximates the curve between two curved faces, so the facets along it miss their surface a little. They
become scraps: single triangles, small planes, thin strips. A larger face absorbs a scrap if all its corners are within
a rough tolerance, its normals agree, and most of its border is shared with that face.
"""

import numpy as np

from cadcode.surfaces.faces import Cylinder, Plane, Sphere, Torus
from cadcode.surfaces.facets import Mesh, components, edge_lengths
from cadcode.surfaces.join import LOOSE, neighbours_of, perimeters, renumbered
from cadcode.surfaces.patch import Claim, make_patch, on_surface

ROUGH = 5e-4  # share of the longest side
ROUGH_BEND = 0.03  # share of the smallest radius of curvature
TILT = 0.05  # share of a triangle's height
SCRAP = 40  # triangles of a curved scrap at most
SCRAP_PLANE = 3  # triangles of a flat one
RANK = {"plane": 0, "cylinder": 1, "sphere": 1, "cone": 2, "torus": 3}  # a simpler face takes scraps of its own size
LARGER = 3.0  # times as many triangles, or so much area, has another face that takes it
SHARED = 0.6  # share of a scrap's border
EXACT = 2e-6  # share of the longest side
DEEPER = 4.0  # times as far inside the surface as its other triangles


def absorb(mesh: Mesh, claims: list[Claim], label: np.ndarray) -> tuple[list[Claim], np.ndarray]:
    """Claims and labels (F,) after larger faces absorbed the scraps; empty claims are removed."""
    label = label.copy()
    area = np.array([mesh.areas[claim.triangles].sum() for claim in claims])
    count = np.array([len(claim.triangles) for claim in claims])
    single = np.ones(len(label), dtype=bool)
    scrap = np.append(np.array([is_scrap(claim) for claim in claims], dtype=bool), single)
    unit = np.where(label >= 0, label, len(claims) + np.arange(len(label)))  # a loose triangle is a unit of its own
    rank = np.array([RANK[claim.surface.kind] for claim in claims])
    neighbours = neighbours_of(mesh, unit, len(claims) + len(label))
    for row in sorted(range(len(claims)), key=lambda row: -area[row]):
        near = neighbours.indices[neighbours.indptr[row] : neighbours.indptr[row + 1]]
        if count[row] < 2 or not scrap[near].any() or (label[claims[row].triangles] != row).any():
            continue
        inside = label == row
        small = np.append((area < area[row] / LARGER) | (count < count[row] / LARGER) | (rank > rank[row]), single)
        taken = scraps_of(mesh, claims[row], inside, unit, (scrap & small)[unit])
        label[taken] = unit[taken] = row
    return renumbered(claims, label)


def is_scrap(claim: Claim) -> bool:
    return len(claim.triangles) <= (SCRAP_PLANE if isinstance(claim.surface, Plane) else SCRAP)


def touches(mesh: Mesh, inside: np.ndarray, loose: np.ndarray) -> bool:
    first, second = mesh.pairs.T
    return bool(((inside[first] & loose[second]) | (inside[second] & loose[first])).any())


def scraps_of(mesh: Mesh, claim: Claim, inside: np.ndarray, unit: np.ndarray, loose: np.ndarray) -> np.ndarray:
    """Triangles (T,) of complete units that the claim absorbs."""
    if not touches(mesh, inside, loose):
        return np.zeros(0, dtype=int)
    tolerance = ROUGH * mesh.size
    if isinstance(claim.surface, Cylinder | Sphere | Torus):
        tolerance = min(tolerance, ROUGH_BEND * claim.surface.bends[0])
    low, high = box_of(mesh, claim.triangles)
    corners = mesh.vertices[mesh.faces]
    near = loose & ~inside & ((corners >= low - tolerance) & (corners <= high + tolerance)).all(axis=(1, 2))
    pool = np.flatnonzero(near)
    none = np.zeros((0, 2), dtype=int)
    patch = make_patch(mesh, pool, none, none)
    fits = np.zeros(len(inside), dtype=bool)
    allowed = np.minimum(tolerance, TILT * mesh.heights[pool])
    fits[pool[on_surface(patch, claim.surface, claim.sign, allowed, by_facet=False)]] = True
    fits[pool[wide_chords(mesh, claim, pool)]] = True
    fits &= ~np.isin(unit, unit[loose & ~fits])  # all of a unit or nothing
    return np.flatnonzero(well_joined(mesh, inside, unit, fits, SHARED))


def wide_chords(mesh: Mesh, claim: Claim, pool: np.ndarray) -> np.ndarray:
    """Bool (P,): triangles with corners exactly on a curved surface, but larger or more tilted than its others."""
    if isinstance(claim.surface, Plane) or not len(pool):
        return np.zeros(len(pool), dtype=bool)
    surface, corners = claim.surface, mesh.vertices[mesh.faces[pool]]
    exact = np.abs(surface.signed(corners.reshape(-1, 3))).reshape(-1, 3).max(axis=1) <= EXACT * mesh.size
    centres = corners.mean(axis=1)
    depth = np.abs(surface.signed(mesh.vertices[mesh.faces[claim.triangles]].mean(axis=1))).max()
    agree = claim.sign * np.einsum("ij,ij->i", surface.normals(centres), mesh.normals[pool])
    return exact & (np.abs(surface.signed(centres)) <= DEEPER * depth) & (agree > np.cos(LOOSE))


def well_joined(mesh: Mesh, inside: np.ndarray, unit: np.ndarray, fits: np.ndarray, least: float) -> np.ndarray:
    """Bool (F,): those of `fits` whose units share `least` of their border with the face or with such units."""
    if not fits.any():
        return fits
    first, second = mesh.pairs.T
    length = np.where(mesh.angles < LOOSE, edge_lengths(mesh), 0.0)
    top = int(unit.max()) + 1
    border = unit[first] != unit[second]
    around = perimeters(mesh, unit, top)
    while fits.any():
        member = inside | fits
        shared = border & member[first] & member[second]
        joined = sum(np.bincount(unit[side[shared]], length[shared], top) for side in (first, second))
        group = components(len(unit), mesh.pairs[member[first] & member[second] & (length > 0)])
        keep = fits & (joined >= least * around)[unit] & np.isin(group, group[inside])
        if np.array_equal(keep, fits):
            break
        fits = keep
    return fits


def box_of(mesh: Mesh, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    points = mesh.vertices[mesh.faces[triangles]].reshape(-1, 3)
    return points.min(axis=0), points.max(axis=0)
