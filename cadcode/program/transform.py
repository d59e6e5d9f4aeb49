"""Move and measure program trees: scale them, shift them, box them."""

import numpy as np

from cadcode.program.tree import AXES, Arc, Circle, Edge, Extrude, Face, Line, Loop, Outline, Point, Program, Rect, Step


def moved(program: Program, scale: float, translation) -> Program:
    """The program of the solid `scale * x + translation`; `translation` holds 3 numbers (world x, y, z).

    Raises ValueError for a scale that is not positive: a mirrored arc or a flipped normal needs more than this.
    """
    if not scale > 0:
        raise ValueError(f"a program can only be scaled by a positive factor, not by {scale}")
    shift = tuple(float(value) for value in translation)
    return Program(tuple(Step(step.operation, _moved_body(step.body, float(scale), shift)) for step in program.steps))


def _moved_body(body: Extrude, scale: float, translation: tuple[float, ...]) -> Extrude:
    across, along, normal = (translation[axis] for axis in AXES[body.plane])
    faces = moved_faces(body.faces, (across, along), scale)
    return Extrude(body.plane, body.offset * scale + normal, body.height * scale, faces)


def moved_faces(faces: tuple[Face, ...], shift: Point, scale: float = 1.0) -> tuple[Face, ...]:
    """Faces scaled about the sketch's origin, then shifted in its plane."""
    return tuple(Face(_moved_outline(face.outline, shift, scale), face.subtract) for face in faces)


def _moved_outline(outline: Outline, shift: Point, scale: float) -> Outline:
    def point(p: Point) -> Point:
        return (p[0] * scale + shift[0], p[1] * scale + shift[1])

    def edge(e: Edge) -> Edge:
        return Line(point(e.end)) if isinstance(e, Line) else Arc(point(e.middle), point(e.end))

    match outline:
        case Circle(centre=centre, radius=radius):
            return Circle(point(centre), radius * scale)
        case Rect(centre=centre, width=width, height=height):
            return Rect(point(centre), width * scale, height * scale)
        case Loop(start=start, edges=edges):
            return Loop(point(start), tuple(edge(e) for e in edges))


def control_box(program: Program) -> np.ndarray:
    """(2, 3) lower and upper corner of all numbers of the program, cut bodies included.

    Arcs count by their three points, so the box can be smaller than the solid where an arc bulges between them.
    """
    corners = np.concatenate([_body_corners(step.body) for step in program.steps])  # (2 * faces, 3)
    return np.stack([corners.min(axis=0), corners.max(axis=0)])


def _body_corners(body: Extrude) -> np.ndarray:
    levels = np.array([[body.offset], [body.offset + body.height]])  # (2, 1)
    local = np.concatenate([np.hstack([_outline_box(face.outline), levels]) for face in body.faces])
    world = np.empty_like(local)
    world[:, AXES[body.plane]] = local
    return world


def _outline_box(outline: Outline) -> np.ndarray:
    """(2, 2) lower and upper corner in the sketch's plane."""
    match outline:
        case Circle(centre=centre, radius=radius):
            half = (radius, radius)
        case Rect(centre=centre, width=width, height=height):
            half = (width / 2, height / 2)
        case Loop(start=start, edges=edges):
            points = [start, *(e.end for e in edges), *(e.middle for e in edges if isinstance(e, Arc))]
            return np.array([np.min(points, axis=0), np.max(points, axis=0)])
    return np.array([np.subtract(centre, half), np.add(centre, half)])
