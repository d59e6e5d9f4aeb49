"""Faces of an input that a result reproduces, and those that it does not."""

from collections import Counter
from dataclasses import dataclass
from math import cos, degrees, radians
from typing import Any

import numpy as np

from cadcode.surfaces.faces import AnalyticFace, Cone, Contact, Cylinder, Segmentation, Sphere, Torus, unit_length


@dataclass(frozen=True)
class MatchOptions:
    """How nearly a face of the result has to agree with one of the input."""

    distance: float = 0.002  # share of the longest side, of each corner from the other surface
    angle: float = 2.0  # degrees between the normals, in the mean


@dataclass(frozen=True)
class FaceRow:
    """One analytic face of the input: `feature` is its word for people, `at` a point on it, `size` its radii and angle.

    `off` is the largest distance of its corners from the surface of the matching face of the result; None where no face
    matches.
    """

    kind: str
    feature: str
    at: tuple[float, float, float]
    size: tuple[tuple[str, float], ...]
    area: float
    off: float | None

    @property
    def found(self) -> bool:
        return self.off is not None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dict(
            kind=self.kind,
            feature=self.feature,
            at=list(self.at),
            **dict(self.size),
            area=self.area,
            off=self.off,
            text=self.text(),
        )

    def text(self) -> str:
        """In words: 'hole, radius 3, at (10, 5, 0)'."""
        sizes = [f"{name} {value:.4g}" for name, value in self.size]
        return ", ".join([self.feature, *sizes, f"at ({', '.join(f'{x:.4g}' for x in self.at)})"])


@dataclass(frozen=True)
class FaceCheck:
    """The faces of an input against those of a result: `rows` largest first, `extra` faces of the result match none.

    `free_form` is the share of the input's surface on no analytic face.
    """

    rows: tuple[FaceRow, ...]
    extra: int
    faces: int  # of the result
    free_form: float

    @property
    def recall(self) -> float:
        return sum(row.found for row in self.rows) / len(self.rows) if self.rows else 1.0

    @property
    def precision(self) -> float:
        return (self.faces - self.extra) / self.faces if self.faces else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of recall and precision."""
        both = self.recall + self.precision
        return 2 * self.recall * self.precision / both if both else 0.0

    def counts(self) -> dict[str, tuple[int, int]]:
        """(found, all) by the features' words, the most frequent first."""
        every, found = Counter(row.feature for row in self.rows), Counter(row.feature for row in self.rows if row.found)
        return {feature: (found[feature], count) for feature, count in every.most_common()}

    def missing(self) -> tuple[FaceRow, ...]:
        return tuple(row for row in self.rows if not row.found)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dict(
            recall=self.recall,
            precision=self.precision,
            f1=self.f1,
            free_form=self.free_form,
            counts={feature: list(pair) for feature, pair in self.counts().items()},
            missing=[row.as_dict() for row in self.missing()],
        )


@dataclass(frozen=True, eq=False)
class Reading:
    """Analytic faces of a mesh; of each its corners (C, 3), and the middles and normals (K, 3) of its triangles."""

    segmentation: Segmentation
    corners: tuple[np.ndarray, ...]
    middles: tuple[np.ndarray, ...]
    normals: tuple[np.ndarray, ...]
    boxes: np.ndarray  # (K, 2, 3)
    size: float  # longest side
    free_form: float


def read_faces(vertices: np.ndarray, faces: np.ndarray, segmentation: Segmentation) -> Reading:
    """The faces of a mesh with vertices (V, 3) and faces (F, 3), ready to be compared."""
    corners = vertices[faces]  # (F, 3, 3)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(cross, axis=1) / 2
    own = [face.triangles for face in segmentation.faces]
    used = tuple(vertices[np.unique(faces[rows])] for rows in own)
    middles, normals = (tuple(values[rows] for rows in own) for values in (corners.mean(axis=1), unit_length(cross)))
    boxes = [[corners[rows].min(axis=(0, 1)), corners[rows].max(axis=(0, 1))] for rows in own]
    free = float(areas[segmentation.unclaimed].sum() / areas.sum())
    size = float(np.ptp(vertices, axis=0).max())
    return Reading(segmentation, used, middles, normals, np.array(boxes).reshape(-1, 2, 3), size, free)


def compare_faces(given: Reading, result: Reading, options: MatchOptions | None = None) -> FaceCheck:
    """For each face of the input whether the result has it: the same kind of surface, in the same place."""
    options = options or MatchOptions()
    tolerance = options.distance * given.size
    found = [_nearest(given, row, result, tolerance, options) for row in range(len(given.corners))]
    back = [_nearest(result, row, given, tolerance, options) for row in range(len(result.corners))]
    features = features_of(given.segmentation)
    rows = tuple(
        FaceRow(face.kind, feature, _place(middles, given.size), _size(face), face.area, off)
        for face, feature, middles, off in zip(given.segmentation.faces, features, given.middles, found, strict=True)
    )
    return FaceCheck(rows, sum(off is None for off in back), len(back), given.free_form)


def _nearest(one: Reading, row: int, other: Reading, tolerance: float, options: MatchOptions) -> float | None:
    """The largest distance of a face's corners from the nearest matching face of the other mesh, None without one."""
    low, high = one.boxes[row]
    meet = (other.boxes[:, 0] <= high + tolerance).all(axis=1) & (other.boxes[:, 1] >= low - tolerance).all(axis=1)
    best = None
    for number in np.flatnonzero(meet):
        face = other.segmentation.faces[number]
        if face.kind != one.segmentation.faces[row].kind:
            continue
        off = float(np.abs(face.surface.signed(one.corners[row])).max())
        if off <= tolerance and (best is None or off < best) and _agree(one, row, face, options):
            best = off
    return best


def _agree(one: Reading, row: int, face: AnalyticFace, options: MatchOptions) -> bool:
    """Whether the normals of a face are those of another face's surface: outwards, or inwards in a hole."""
    normals = face.surface.normals(one.middles[row])
    side = -1.0 if face.concave else 1.0
    return (
        float((side * normals * one.normals[row]).sum(axis=1).mean()) >= cos(radians(options.angle)) - CHORDS[face.kind]
    )


CHORDS = {"plane": 0.0, "cylinder": 0.03, "cone": 0.03, "sphere": 0.05, "torus": 0.05}  # normals of flat facets turn


def features_of(segmentation: Segmentation) -> list[str]:
    """A word for each face: hole, fillet, countersink, ... by its surface, its side and its neighbours."""
    smooth: Counter[int] = Counter()
    for contact in segmentation.contacts:
        smooth.update((contact.first, contact.second) if contact.smooth else ())
    return [
        _feature(face, smooth[row], _partners(segmentation.contacts, row))
        for row, face in enumerate(segmentation.faces)
    ]


def _partners(contacts: tuple[Contact, ...], row: int) -> list[int]:
    return [c.second if c.first == row else c.first for c in contacts if row in (c.first, c.second)]


def _feature(face: AnalyticFace, smooth: int, partners: list[int]) -> str:
    match face.surface:
        case Cylinder():
            if face.closed:
                return "hole" if face.concave else "round"
            return "fillet" if smooth >= 2 else "cylinder"
        case Cone():
            return "countersink" if face.concave and face.closed else "cone"
        case Torus():
            return "rim fillet" if smooth else "torus"
        case Sphere():
            return "ball corner" if smooth >= 3 else "sphere"
    return "plane"


def _place(middles: np.ndarray, size: float) -> tuple[float, float, float]:
    """The middle of a face, to a millionth of the part's `size`."""
    x, y, z = (np.round(middles.mean(axis=0) / size, 6) * size + 0.0).tolist()
    return x, y, z


def _size(face: AnalyticFace) -> tuple[tuple[str, float], ...]:
    match face.surface:
        case Cylinder(radius=radius) | Sphere(radius=radius):
            return (("radius", float(radius)),)
        case Cone(half_angle=half_angle):
            return (("angle", degrees(2 * half_angle)),)
        case Torus(major=major, minor=minor):
            return (("radius", float(minor)), ("ring radius", float(major)))
    return ()
