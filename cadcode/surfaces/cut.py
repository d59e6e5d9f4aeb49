"""Cylinders and cones of meshes that were cut as meshes.

Mesh booleans put new corners on the facets, not on the original surface. Such a facet has many corners and looks like a
plane, but the cylinder or cone can be recovered: the lines between neighbouring facets are on it, and each facet is a
chord, inside the surface by the sagitta at most.
"""

from collections.abc import Iterator
from math import acos, cos, radians, sin

import numpy as np

from cadcode.surfaces import fit
from cadcode.surfaces.absorb import touches, well_joined
from cadcode.surfaces.evidence import enough, evidence
from cadcode.surfaces.faces import Cone, Cylinder, Plane, Surface, polar
from cadcode.surfaces.facets import Mesh
from cadcode.surfaces.grow import CHANCE, refit
from cadcode.surfaces.join import neighbours_of, renumbered
from cadcode.surfaces.patch import Claim
from cadcode.surfaces.seeds import chains

SMOOTH = radians(38)
EXACT = 4e-6  # share of the longest side
FEWEST = 5  # facets in a row
SHARED = 0.2  # share of a chord's border, which long cuts may lengthen
SLACK = 0.05  # share of the sagitta


def read_cuts(mesh: Mesh, claims: list[Claim], label: np.ndarray) -> tuple[list[Claim], np.ndarray]:
    """Claims and labels (F,) after cylinders and cones absorbed the planes that are their facets."""
    label, claims = label.copy(), list(claims)
    flat = np.array([isinstance(claim.surface, Plane) for claim in claims] + [True])  # loose triangles are flat too
    neighbours = neighbours_of(mesh, np.where(label >= 0, label, len(claims)), len(claims) + 1)
    for row, claim in enumerate(claims):
        near = neighbours.indices[neighbours.indptr[row] : neighbours.indptr[row + 1]]
        if isinstance(claim.surface, Cylinder | Cone) and flat[near].any():
            label[chords_of(mesh, claim, label == row, label, flat, *chord_of(mesh, claim))] = row
    for claim in facet_claims(mesh, claims, label, flat):
        label[claim.triangles] = len(claims)
        claims.append(claim)
    return renumbered(claims, label)


def facet_claims(mesh: Mesh, claims: list[Claim], label: np.ndarray, flat: np.ndarray) -> Iterator[Claim]:
    """Cylinders and cones of which only planes were found; `flat` (len(claims) + 1,) marks planes."""
    label, claims = label.copy(), list(claims)
    ridges = flat_ridges(mesh, label, flat)
    neighbours: list[list[int]] = [[] for _ in claims]
    for first, second in ridges:
        neighbours[first].append(second)
        neighbours[second].append(first)
    normals = np.array([getattr(claim.surface, "normal", np.zeros(3)) for claim in claims]).reshape(-1, 3)
    for start in range(len(claims)):
        for row in chains(start, neighbours, normals):
            if len(row) < FEWEST or not all((label[claims[member].triangles] == member).all() for member in row):
                continue
            claim = facet_claim(mesh, claims, label, row, ridges, normals, flat)
            if claim is not None:
                label[claim.triangles] = -2  # taken
                yield claim


def flat_ridges(mesh: Mesh, label: np.ndarray, flat: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
    """Rows of the edges between each two planes that meet at a small angle."""
    sides = np.sort(label[mesh.pairs], axis=1)
    edges = np.flatnonzero((sides[:, 0] >= 0) & (sides[:, 0] != sides[:, 1]) & (mesh.angles < SMOOTH))
    edges = edges[flat[sides[edges]].all(axis=1)]
    order = edges[np.lexsort((sides[edges, 1], sides[edges, 0]))]
    starts = np.flatnonzero(np.any(np.diff(sides[order], axis=0, prepend=-1) != 0, axis=1))
    return {tuple(sides[group[0]].tolist()): group for group in np.split(order, starts[1:]) if len(group)}


def facet_claim(
    mesh: Mesh,
    claims: list[Claim],
    label: np.ndarray,
    row: list[int],
    ridges: dict[tuple[int, int], np.ndarray],
    normals: np.ndarray,
    flat: np.ndarray,
) -> Claim | None:
    """Cylinder or cone through the ridges of a row of facets, with all facets that are its chords."""
    edges = np.concatenate([ridges[min(pair), max(pair)] for pair in zip(row[:-1], row[1:], strict=True)])
    points = mesh.vertices[np.unique(mesh.ends[edges])]
    surface = surface_through(mesh, points, np.array([claims[member].surface.origin for member in row]), normals[row])
    if surface is None:
        return None
    towards = mesh.vertices[mesh.ends[edges, 0]]
    sign = 1 if np.einsum("ij,ij->i", surface.normals(towards), mesh.normals[mesh.pairs[edges, 0]]).sum() > 0 else -1
    half = step_of(surface, float(mesh.angles[edges].max())) / 2
    widest = polar(points, surface.origin, surface.direction)[1].max()
    start = claims[row[len(row) // 2]].triangles
    inside = np.isin(np.arange(len(label)), start)
    chords = chords_of(mesh, Claim(surface, sign, start), inside, label, flat, widest * (1 - cos(half)), half)
    members = np.union1d(chords, start)
    if len(np.setdiff1d(label[members], [-1])) < FEWEST:
        return None
    return Claim(surface, sign, members)


def surface_through(mesh: Mesh, points: np.ndarray, centres: np.ndarray, normals: np.ndarray) -> Cylinder | Cone | None:
    """Cylinder, else cone, through points (N, 3) on the ridges between facets."""
    weights = np.ones(len(normals))
    candidates: list[Cylinder | Cone | None] = [fit.fit_cylinder(points, fit.common_direction(normals, weights))]
    cone = fit.cone_start(centres, normals, weights)
    candidates.append(fit.fit_cone(points, *cone) if cone else None)
    tolerance = EXACT * mesh.size + 2 * mesh.rounding
    for candidate in candidates:
        surface = candidate and refit(candidate, points)
        if not isinstance(surface, Cylinder | Cone) or np.abs(surface.signed(points)).max() > tolerance:
            continue
        if enough(surface, points, tolerance) and evidence(surface, points, mesh.rounding) > CHANCE:
            return surface
    return None


def step_of(surface: Surface, angle: float) -> float:
    """Step about the axis of facets whose normals differ by `angle`: larger on a cone, as its normals lean."""
    if not isinstance(surface, Cone):
        return angle
    lean = sin(surface.half_angle) ** 2
    return acos(max(-1.0, (cos(angle) - lean) / (1 - lean)))


def chord_of(mesh: Mesh, claim: Claim) -> tuple[float, float]:
    """(sagitta, half the angle step) of a claim's own facets."""
    corners = mesh.vertices[mesh.faces[claim.triangles]]
    sagitta = -1.125 * float(claim.surface.signed(corners.mean(axis=1)).min())  # a middle is a third of a chord aside
    agree = np.einsum("ij,ij->i", claim.surface.normals(corners[:, 0]), mesh.normals[claim.triangles])
    return sagitta, float(np.arccos(np.clip(claim.sign * agree, -1, 1)).max())


def chords_of(
    mesh: Mesh, claim: Claim, inside: np.ndarray, label: np.ndarray, flat: np.ndarray, sagitta: float, half: float
) -> np.ndarray:
    """Triangles (T,) of flat facets joined to `inside` (F,) that are chords of a surface."""
    loose = flat[label] & (label != -2) & ~inside
    unit = np.where(label >= 0, label, len(flat) + np.arange(len(label)))  # a loose triangle is a unit of its own
    unit[inside] = len(flat) - 1
    if not touches(mesh, inside, loose):
        return np.zeros(0, dtype=int)
    slack = SLACK * sagitta + 1e-6 * mesh.size
    pool = np.flatnonzero(loose & (mesh.doubt < 0.1))
    corners = mesh.vertices[mesh.faces[pool]]
    depth = claim.surface.signed(corners.reshape(-1, 3)).reshape(-1, 3)
    agree = claim.sign * np.einsum("ij,ij->i", claim.surface.normals(corners.mean(axis=1)), mesh.normals[pool])
    good = (depth >= -sagitta - slack).all(axis=1) & (depth <= slack).all(axis=1) & (agree >= cos(1.1 * half))
    fits = np.zeros(len(inside), dtype=bool)
    fits[pool[good]] = True
    fits &= ~np.isin(unit, unit[loose & ~fits])
    return np.flatnonzero(well_joined(mesh, inside, unit, fits, SHARED))
