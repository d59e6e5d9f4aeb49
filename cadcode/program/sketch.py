"""Sketches: outlines in a plane, added or taken away one after the other."""

import math
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from cadcode.program.curve import Point, PointMap
from cadcode.program.normal_form import sorted_runs
from cadcode.program.outlines import Outline
from cadcode.program.text.plain import Write, point


@dataclass(frozen=True, slots=True)
class Face:
    """One outline of a sketch, added to the faces before it or (`subtract`) taken away from them."""

    outline: Outline
    subtract: bool = False


Faces = tuple[Face, ...]


def faces_inside(faces: Faces, points: np.ndarray) -> np.ndarray:
    """Which points (N, 2) a sketch covers, (N,) bool: faces in order, added or taken away."""
    covered = np.zeros(len(points), dtype=bool)
    for face in faces:
        hit = face.outline.inside(points)
        covered = covered & ~hit if face.subtract else covered | hit
    return covered


def faces_distance(faces: Faces, points: np.ndarray) -> np.ndarray:
    """Signed distance of points (N, 2) to a sketch, (N,); a lower bound where faces combine."""
    value = np.full(len(points), np.inf)
    for face in faces:
        away = face.outline.signed_distance(points)
        value = np.maximum(value, -away) if face.subtract else np.minimum(value, away)
    return value


def faces_reach(faces: Faces, direction: Point) -> float:
    """The largest product of a point of the added faces with a vector."""
    return max((face.outline.reach(direction) for face in faces if not face.subtract), default=-math.inf)


def moved_faces(faces: Faces, shift: Point, scale: float = 1.0) -> Faces:
    """Faces scaled about the sketch's origin, then shifted in its plane."""
    return mapped_faces(faces, lambda p: (p[0] * scale + shift[0], p[1] * scale + shift[1]), scale)


def mapped_faces(faces: Faces, point_map: PointMap, scale: float = 1.0, swap: bool = False) -> Faces:
    """Faces under a map of the plane; see `Outline.mapped`."""
    return tuple(Face(face.outline.mapped(point_map, scale, swap), face.subtract) for face in faces)


def canonical_faces(faces: Faces) -> Faces:
    """The faces in their one order and spelling; only neighbours that both add or both subtract change places."""
    return sorted_runs([Face(f.outline.canonical(), f.subtract) for f in faces], lambda face: face.subtract, _order)


def _order(face: Face) -> tuple:
    outline = face.outline
    return (face.subtract, outline.rank, -round(outline.area()), *outline.first_point)


# --- text ------------------------------------------------------------------------------------------------------------


def sketch_calls(faces: Faces, write: Write) -> list[str]:
    """CadQuery calls on a sketch; neighbouring circles (or rectangles) of one size and mode share a `push`."""
    groups = [list(group) for _, group in groupby(faces, key=lambda face: _alike(face, write))]
    return [call for index, group in enumerate(groups) for call in _group_calls(group, index == 0, write)]


def _alike(face: Face, write: Write):
    """A key that faces share which one `push` can repeat."""
    return (face.outline.drawn(write), face.subtract) if face.outline.repeats else object()


def _group_calls(group: list[Face], first: bool, write: Write) -> list[str]:
    outline, mode = group[0].outline, ",mode='s'" if group[0].subtract else ""
    drawn = outline.drawn(write)
    if outline.repeats:
        points = ",".join(point(face.outline.centre, write) for face in group)
        return [f"push([{points}])", f"{drawn}{mode})"]
    # Without `reset`, the points of a `push` before this face would repeat it.
    return [drawn] if first else ["reset()", f"face(cq.Sketch().{drawn}{mode})"]
