"""Programs from cross-sections of the input, as if everything was extruded along one axis.

Between two neighbouring levels of flat faces the sections of such a part are all the same, so one section in the middle
gives the outlines. An outline that continues through several levels is one body or one hole. A part with many levels
gives two programs: one with all levels, one with the levels of its large faces only.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from cadcode.geometry.section import traced_section
from cadcode.program.tree import AXES, Extrude, Face, Outline, Program, Step
from cadcode.search.outline_fit import fitted_outline, polygon_area
from cadcode.search.traced_outline import prism_curve, traced_outline
from cadcode.surfaces import Segmentation, segment

SECTIONS = tuple(f"sections along {axis}" for axis in "xyz")
PLANE_OF = {normal: name for name, (_, _, normal) in AXES.items()}
AXIS_ALIGNED = 0.99999  # cosine between a normal and an axis
FEW_LEVELS, MOST_LEVELS = 10, 60
SHARES = (0.002, 0.01, 0.04)  # of the whole surface, for the faces at one level to count
CLOSE = 0.02  # program units between two levels that count as one
LEAST_AREA = 0.01  # square program units of an outline
COARSE_LEAST_AREA = 0.5  # the same where the mesh was made from sample points
CLEAN = (0.5, 0.3, 0.7, 0.12, 0.88)  # between two levels, those to cut at, the preferred first
NOWHERE = 10**6  # sides of a section that meets nothing
MOST_TRIANGLES = 60_000  # of a mesh whose faces are read: more take seconds
SAME_BOX, SAME_AREA = 0.3, 0.01  # largest difference of equal outlines, program units and a share

Planes = tuple[np.ndarray, np.ndarray, np.ndarray]  # coordinates per axis, rising


@dataclass(frozen=True, eq=False)
class Sections:
    """The input as a mesh that can be cut, program frame.

    `resolution` is the distance between the sample points that the mesh was made from, with their noise, in program
    units; 0 for an exact mesh. `planes` are the planes of those sample points; None: those of the mesh's faces.
    `known`: the analytic faces, if they were read before.
    """

    vertices: np.ndarray  # (V, 3)
    faces: np.ndarray  # (F, 3)
    planes: Planes | None = None
    resolution: float = 0.0
    known: Segmentation | None = None

    @cached_property
    def segmentation(self) -> Segmentation | None:
        """The analytic faces; None where the mesh was made from sample points, or is too large to read."""
        if self.known is not None or self.resolution or len(self.faces) > MOST_TRIANGLES:
            return self.known
        return segment(self.vertices, self.faces)

    def clean_level(self, axis: int, low: float, high: float) -> float:
        """A level between two at which the section meets the fewest faces: holes across the axis are left out."""
        levels = [low + share * (high - low) for share in CLEAN]
        if self.segmentation is None:
            return levels[0]
        return min(levels, key=lambda level: self._faces_met(axis, level))

    def _faces_met(self, axis: int, level: float) -> int:
        """Sides of the section at a level, those along one face counted once."""
        labels = [self.segmentation.labels[rows] for _, rows in traced_section(self.vertices, self.faces, axis, level)]
        return sum(max(int((found != np.roll(found, 1)).sum()), 1) for found in labels) or NOWHERE

    def outlines(self, axis: int, level: float) -> list[tuple[np.ndarray, Outline]]:
        """The polygons that are large enough and can be fitted, each with its outline."""
        least = COARSE_LEAST_AREA if self.resolution else LEAST_AREA
        traced = traced_section(self.vertices, self.faces, axis, level)
        polygons = [(polygon, rows) for polygon, rows in traced if abs(polygon_area(polygon)) >= least]
        found = [(polygon, self._outline(polygon, rows, axis, level)) for polygon, rows in polygons]
        return [(polygon, outline) for polygon, outline in found if outline is not None]

    def _outline(self, polygon: np.ndarray, rows: np.ndarray, axis: int, level: float) -> Outline | None:
        """The outline along the analytic faces of triangles `rows` (n,) if all are such, else along the polygon."""
        if self.segmentation is not None:
            labels = self.segmentation.labels[rows]
            curves = {label: prism_curve(self.segmentation, label, axis, level) for label in set(labels.tolist())}
            return traced_outline(polygon, labels, curves.get)
        return fitted_outline(polygon, self.resolution)

    def levels(self, axis: int, share: float) -> np.ndarray:
        """Both ends and the faces across an axis that make up a share of the whole surface, (n,)."""
        ends = self.vertices[:, axis].min(), self.vertices[:, axis].max()
        planes = (self.planes or axis_aligned_planes(self.vertices, self.faces, share))[axis]
        beyond = [end for end in ends if not (np.abs(planes - end) < self.resolution).any()]  # noise makes false ends
        levels = np.unique([*beyond, *planes])
        return levels[np.diff(levels, prepend=-np.inf) > CLOSE]


@dataclass(frozen=True, slots=True)
class Ring:
    """An outline from one level to another, around material (`solid`) or a hole, inside `depth` other outlines."""

    outline: Outline
    solid: bool
    depth: int
    first: int
    last: int

    def continues(self, other: "Ring") -> bool:
        if self.solid != other.solid or self.last != other.first:
            return False
        a, b = self.outline.area(), other.outline.area()
        apart = np.abs(self.outline.bounds() - other.outline.bounds()).max()
        return abs(a - b) <= SAME_AREA * max(a, b) and bool(apart <= SAME_BOX)

    def surrounds(self, other: "Ring") -> bool:
        """Whether the box of the other outline is inside the box of this one."""
        (a0, a1), (b0, b1) = self.outline.bounds(), other.outline.bounds()
        return bool((a0 <= b0).all() and (b1 <= a1).all())


def from_sections(mesh: Sections) -> list[tuple[str, Program]]:
    """Named programs, program frame: one or two for each axis that levels of flat faces cut."""
    found = [(name, prisms(mesh, axis, levels)) for axis, name in enumerate(SECTIONS) for levels in _levels(mesh, axis)]
    return [(name, program) for name, program in found if program]


def prisms(mesh: Sections, axis: int, levels: np.ndarray) -> Program | None:
    """The input as prisms along an axis between `levels` (n,), rising; None where no body results."""
    rings: list[Ring] = []
    for number, (low, high) in enumerate(zip(levels[:-1], levels[1:], strict=True)):
        for ring in rings_at(mesh, axis, mesh.clean_level(axis, low, high), number):
            rings = _with(rings, ring)
    steps = _steps(rings, levels, PLANE_OF[axis])
    return Program(steps) if steps and steps[0].operation == "union" else None


def _levels(mesh: Sections, axis: int) -> list[np.ndarray]:
    """Both ends and the flat faces between them: all, and only the large ones where there are many."""
    found: list[np.ndarray] = []
    for share in SHARES:
        levels = mesh.levels(axis, share)
        if 1 < len(levels) <= MOST_LEVELS and not any(len(levels) == len(known) for known in found):
            found.append(levels)
        if len(levels) <= FEW_LEVELS:
            break
    return [*found[:1], *found[1:][-1:]]


def rings_at(mesh: Sections, axis: int, level: float, number: int = 0) -> list[Ring]:
    """The outlines of the input at one level that can be fitted; `number` is that of the interval between levels."""
    fitted = mesh.outlines(axis, level)
    if not fitted:
        return []
    starts = np.array([polygon[0] for polygon, _ in fitted])
    within = np.array([outline.inside(starts) for _, outline in fitted])  # row: outline, column: polygon
    np.fill_diagonal(within, False)
    return [
        Ring(outline, polygon_area(polygon) > 0, int(depth), number, number + 1)
        for (polygon, outline), depth in zip(fitted, within.sum(0), strict=True)
    ]


def _with(rings: list[Ring], new: Ring) -> list[Ring]:
    """The rings with a new one: as the continuation of one of them, else in addition to them."""
    for i, ring in enumerate(rings):
        if ring.continues(new):
            longer = replace(ring, last=new.last, depth=max(ring.depth, new.depth))
            return [*rings[:i], longer, *rings[i + 1 :]]
    return [*rings, new]


def _steps(rings: list[Ring], levels: np.ndarray, name: str) -> tuple[Step, ...]:
    """Bodies and cuts from the outside to the inside; a hole as long as its body becomes part of the body's sketch."""
    order = sorted(rings, key=lambda ring: (ring.depth, -ring.outline.area()))
    holes = {ring: body for ring in order if not ring.solid and (body := _body_around(ring, order))}
    steps = []
    for ring in order:
        if ring not in holes:
            own = [hole for hole, body in holes.items() if body is ring]
            faces = (Face(ring.outline), *(Face(hole.outline, subtract=True) for hole in own))
            low, high = float(levels[ring.first]), float(levels[ring.last])
            steps.append(Step("union" if ring.solid else "cut", Extrude(name, low, high - low, faces)))
    return tuple(steps)


def _body_around(hole: Ring, rings: list[Ring]) -> Ring | None:
    """The body that a hole goes all the way through, if it goes through this one only."""
    around = [
        r
        for r in rings
        if r.solid and r.depth < hole.depth and r.first < hole.last and hole.first < r.last and r.surrounds(hole)
    ]
    exact = [r for r in around if (r.first, r.last) == (hole.first, hole.last)]
    return exact[0] if len(around) == 1 and exact else None


def axis_aligned_planes(vertices: np.ndarray, faces: np.ndarray, share: float) -> Planes:
    """Per axis the coordinates of the faces perpendicular to it that make up at least `share` of the surface."""
    corners = vertices[faces]  # (F, 3, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(normals, axis=1)
    return tuple(_plane_levels(corners, normals, areas, axis, share) for axis in range(3))


def _plane_levels(corners: np.ndarray, normals: np.ndarray, areas: np.ndarray, axis: int, share: float) -> np.ndarray:
    rows = np.abs(normals[:, axis]) > AXIS_ALIGNED * np.maximum(areas, 1e-12)
    levels = np.rint(corners[rows].mean(1)[:, axis] * 1e4) / 1e4
    values, group = np.unique(levels, return_inverse=True)
    weight = np.bincount(group, areas[rows], len(values)) if len(values) else np.empty(0)
    return values[weight >= share * areas.sum()]
