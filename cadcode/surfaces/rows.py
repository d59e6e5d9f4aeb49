"""Rows of facets as seeds: cylinders and cones fitted to many rows at once, and tried one after another."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from cadcode.surfaces import fit
from cadcode.surfaces.faces import Surface
from cadcode.surfaces.grow import Gate, key_of, try_starts
from cadcode.surfaces.patch import NEEDLE, Claim, Patch, facet_data, points_of
from cadcode.surfaces.seeds import chains, facet_neighbours, facet_normals
from cadcode.surfaces.turned import fit_cones, fit_cylinders, padded

BATCH = 64  # facets whose rows are fitted at once, at most


@dataclass(eq=False)
class Attempt:
    """Facets in a row, and the surfaces fitted to them."""

    facets: list[int]
    seeds: np.ndarray  # (S,) local triangles
    points: np.ndarray  # (N, 3)
    kinds: tuple[str, ...]
    starts: list[Surface] = field(default_factory=list)


class Rows:
    """Attempts of all facets of a patch. Batches grow as long as facets fail."""

    def __init__(self, patch: Patch, gate: Gate) -> None:
        self.patch, self.gate, self.batch = patch, gate, 1
        self.neighbours, self.normals = facet_neighbours(patch), facet_normals(patch)
        self.order = np.argsort(patch.facet, kind="stable")  # triangles by facet
        self.first = np.concatenate([[0], np.cumsum(np.bincount(patch.facet))])
        self.ready: dict[int, list[Attempt]] = {}
        sound = patch.mesh.doubt[patch.triangles] < NEEDLE
        self.place = np.cumsum(np.bincount(patch.facet, sound, len(self.normals)) > 0) - 1  # rows of `data`
        self.sound = np.diff(self.place, prepend=-1) > 0

    @cached_property
    def data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return facet_data(self.patch, np.arange(len(self.patch.triangles)))

    def claim(self, facet: int, used: np.ndarray) -> Claim | None:
        """Claim of a row through a facet, or None; `used` (G,) are facets that will not be asked for."""
        if facet not in self.ready:
            self.prepare([other for other in np.flatnonzero(~used).tolist() if other >= facet][: self.batch])
        for attempt in self.ready.pop(facet, []):
            key = key_of(self.patch, attempt.seeds, attempt.kinds)
            claim = try_starts(self.patch, attempt.seeds, attempt.points, self.gate, key, attempt.starts)
            if claim is not None:
                self.batch = 1
                return claim
        return None

    def prepare(self, facets: list[int]) -> None:
        self.batch = min(2 * self.batch, BATCH)
        facets = [facet for facet in facets if facet not in self.ready]
        self.ready |= {facet: list(self.attempts(facet)) for facet in facets}
        new = [attempt for facet in facets for attempt in self.ready[facet]]
        self.fit([attempt for attempt in new if len(attempt.points) >= 6 and self.sound[attempt.facets].sum() > 1])

    def attempts(self, facet: int) -> Iterator[Attempt]:
        """Rows through a facet, each followed by its middle three, without those that failed before."""
        for row in chains(facet, self.neighbours, self.normals):
            middle = len(row) // 2
            yield from self.attempt(row, ("cylinder", "cone"))
            if len(row) > 3:
                yield from self.attempt(row[middle - 1 : middle + 2], ("cylinder",))

    def attempt(self, facets: list[int], kinds: tuple[str, ...]) -> Iterator[Attempt]:
        seeds = np.concatenate([self.order[self.first[facet] : self.first[facet + 1]] for facet in facets])
        if not self.patch.tried.failed(key_of(self.patch, seeds, kinds), self.gate.tolerance):
            yield Attempt(facets, seeds, points_of(self.patch, seeds), kinds)

    def fit(self, attempts: list[Attempt]) -> None:
        """Fill in the starts of attempts with six points and two facets or more."""
        if not attempts:
            return
        places = [self.place[[facet for facet in attempt.facets if self.sound[facet]]] for attempt in attempts]
        points, valid = padded([attempt.points for attempt in attempts])
        centres, normals, weights = (padded([values[rows] for rows in places])[0] for values in self.data)
        cylinders: list[Surface | None] = [*fit_cylinders(points, valid, fit.common_direction(normals, weights))]
        add(attempts, cylinders)
        most = np.array(["cone" in attempt.kinds and len(attempt.points) >= 7 for attempt in attempts])
        conic = np.flatnonzero(most & (np.array([len(rows) for rows in places]) > 2))
        apexes, directions, angles = fit.cone_starts(centres[conic], normals[conic], weights[conic])
        spread = ~np.isnan(angles)
        conic = conic[spread]
        cones = fit_cones(points[conic], valid[conic], apexes[spread], directions[spread], angles[spread])
        add([attempts[row] for row in conic], [*cones])


def add(attempts: list[Attempt], starts: list[Surface | None]) -> None:
    for attempt, start in zip(attempts, starts, strict=True):
        if start is not None:
            attempt.starts.append(start)
