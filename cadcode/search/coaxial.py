"""Turned features read off coaxial faces: holes with their countersinks, bosses with the fillet at their foot.

Faces about one axis follow each other along it. Hollow ones are the profile of a hole, the others that of a boss; a
rounding (torus) belongs to the side that it is tangent to. Whether a profile is to be added or taken away is left to
the goal.
"""

from dataclasses import dataclass

import numpy as np

from cadcode.program.features.extrude import Extrude
from cadcode.program.features.hole import Hole
from cadcode.program.features.revolve import Revolve
from cadcode.program.heads import Counterbore, Countersink, Head, Straight
from cadcode.program.outlines import Circle, Loop
from cadcode.program.place import AXES, FACING, PLANE_FACING, PLANE_OF_NORMAL
from cadcode.program.tree import Arc, Edge, Face, Feature, Line
from cadcode.search.from_sections import Sections
from cadcode.surfaces import AnalyticFace, Axis, Cone, Cylinder, Segmentation, Sphere, Torus, relate
from cadcode.surfaces.faces import polar

ALIGNED = 0.9999995  # cosine of the angle between an axis and a coordinate axis
LEAST_SPAN = np.pi * 1.01  # radians about the axis that the faces of a feature cover
ANGLE_DIGITS = 3  # of a countersink, degrees
SAME = 1e-3  # program units between ends that meet, and radii that are 0
GAP = 0.02  # program units along the axis from which on two profiles are two features


@dataclass(frozen=True, eq=False)
class Segment:
    """One face in (radius, height) about an axis, from its lower end to its upper; `middle` lies on an arc."""

    low: tuple[float, float]
    high: tuple[float, float]
    middle: tuple[float, float] | None
    row: int  # of the face


def coaxial_features(mesh: Sections, axes: tuple[int, ...] = (0, 1, 2)) -> list[tuple[Feature, Hole | None]]:
    """Turned features about axes along some of x, y and z, in the mesh's frame, each once; and the same as a hole."""
    if mesh.segmentation is None:
        return []
    found = [
        (feature, hole_of(run, axis))
        for axis in relate(mesh.segmentation).axes
        if int(np.abs(axis.direction).argmax()) in axes
        for run in runs_about(axis, mesh)
        if (feature := feature_of(run, axis)) is not None
    ]
    return list(dict.fromkeys(found))


def runs_about(axis: Axis, mesh: Sections) -> list[list[Segment]]:
    """The profiles about one axis: segments in the order of their heights, hollow ones and others apart."""
    read = mesh.segmentation
    rows = [row for row in axis.faces if read.faces[row].span > LEAST_SPAN]
    if abs(axis.direction).max() < ALIGNED or not rows:
        return []
    up = np.sign(axis.direction[np.abs(axis.direction).argmax()]) * axis.direction
    segments = {row: segment_of(read.faces[row], axis.point, up, mesh, row) for row in rows}
    found = []
    for hollow in (True, False):
        chosen = [segments[row] for row in rows if hollow in sides_of(read, row, rows)]
        found += split(sorted(chosen, key=lambda one: (one.low[1], one.high[1])))
    return found


def sides_of(read: Segmentation, row: int, rows: list[int]) -> set[bool]:
    """Whether a face bounds a hollow (True) or matter; a torus does what the faces it is tangent to do."""
    face = read.faces[row]
    if not isinstance(face.surface, Torus):
        return {face.concave}
    smooth = [c for c in read.contacts if c.smooth and row in (c.first, c.second)]
    neighbours = {c.second if c.first == row else c.first for c in smooth} & set(rows)
    return {read.faces[n].concave for n in neighbours if not isinstance(read.faces[n].surface, Torus)} or {True, False}


def segment_of(face: AnalyticFace, origin: np.ndarray, up: np.ndarray, mesh: Sections, row: int) -> Segment:
    """The face's part of the profile, from the corners of its triangles."""
    corners = mesh.vertices[np.unique(mesh.faces[face.triangles])]
    height, radius, _ = polar(corners, origin, up)
    surface = face.surface
    if isinstance(surface, Cylinder):
        r = float(surface.radius)
        return Segment((r, float(height.min())), (r, float(height.max())), None, row)
    if isinstance(surface, Cone):
        tip = float((surface.apex - origin) @ up)
        slope = np.tan(surface.half_angle) * np.sign(surface.direction @ up)
        low, high = float(height.min()), float(height.max())
        return Segment((max((low - tip) * slope, 0.0), low), (max((high - tip) * slope, 0.0), high), None, row)
    return _round_segment(surface, height, radius, float((surface.origin - origin) @ up), row)


def _round_segment(surface: Sphere | Torus, height: np.ndarray, radius: np.ndarray, level: float, row: int) -> Segment:
    """A segment of a circle about (major, level), between the outermost angles of the corners."""
    major, minor = (0.0, surface.radius) if isinstance(surface, Sphere) else (surface.major, surface.minor)
    angles = np.sort(np.arctan2(height - level, radius - major) % (2 * np.pi))
    widest = int(np.argmax(np.diff(np.append(angles, angles[0] + 2 * np.pi))))  # the gap that no corner is in
    angles = np.roll(angles, -1 - widest)
    first, last = angles[0], angles[0] + (angles[-1] - angles[0]) % (2 * np.pi)
    at = [(major + minor * np.cos(a), level + minor * np.sin(a)) for a in (first, (first + last) / 2, last)]
    start, middle, end = ((max(float(r), 0.0), float(h)) for r, h in at)
    return Segment(start, end, middle, row) if start[1] <= end[1] else Segment(end, start, middle, row)


def split(segments: list[Segment]) -> list[list[Segment]]:
    """Runs of segments, rising, that follow each other without a gap and without overlapping."""
    runs: list[list[Segment]] = []
    for segment in segments:
        if runs and abs(segment.low[1] - runs[-1][-1].high[1]) <= GAP:
            runs[-1].append(segment)
        else:
            runs.append([segment])
    return runs


def feature_of(run: list[Segment], axis: Axis) -> Feature | None:
    """The solid that a profile encloses with its axis; None where it encloses nothing."""
    along = int(np.abs(axis.direction).argmax())
    plane = PLANE_OF_NORMAL[(along + 1) % 3]
    i, _, k = AXES[plane]
    shift = float(axis.point[along])
    low, high = run[0].low[1] + shift, run[-1].high[1] + shift
    if high - low < SAME:
        return None
    if len(run) == 1 and run[0].middle is None and abs(run[0].low[0] - run[0].high[0]) < SAME:
        name = PLANE_OF_NORMAL[along]
        centre = tuple(float(axis.point[a]) for a in AXES[name][:2])
        return Extrude(name, low, high - low, (Face(Circle(centre, run[0].low[0])),))
    loop = profile_of(run, shift)
    if loop is None:
        return None
    return Revolve(plane, (float(axis.point[i]), float(axis.point[k])), (Face(loop),))


def hole_of(run: list[Segment], axis: Axis) -> Hole | None:
    """The drilled hole that a profile is: a cylinder, alone or with a countersink or counterbore at one end."""
    along = int(np.abs(axis.direction).argmax())
    shift = float(axis.point[along])
    for sense, segments in ((1, run[::-1]), (-1, run)):
        mouth = (segments[0].high if sense > 0 else segments[0].low)[1] + shift
        end = (segments[-1].low if sense > 0 else segments[-1].high)[1] + shift
        sides = [(s.high[0], s.low[0]) if sense > 0 else (s.low[0], s.high[0]) for s in segments]
        head = _head(sides, [abs(s.high[1] - s.low[1]) for s in segments])
        if head is not None and all(segment.middle is None for segment in segments):
            plane = PLANE_FACING[along, sense]
            i, j, *_ = FACING[plane]
            centre = (float(axis.point[i]), float(axis.point[j]))
            return Hole(plane, mouth, (centre,), 2 * sides[-1][1], abs(mouth - end), head)
    return None


def _head(sides: list[tuple[float, float]], heights: list[float]) -> Head | None:
    """The head of a hole whose faces have these (outer, inner) radii and heights from the mouth; None for no hole."""
    straight = [abs(outer - inner) < SAME for outer, inner in sides]
    if straight == [True]:
        return Straight()
    if straight == [True, True] and sides[0][0] > sides[1][0] + SAME:
        return Counterbore(2 * sides[0][0], heights[0])
    if straight == [False, True] and sides[0][0] > sides[0][1] and abs(sides[0][1] - sides[1][0]) < SAME:
        angle = 2 * np.degrees(np.arctan2(sides[0][0] - sides[0][1], heights[0]))
        return Countersink(2 * sides[0][0], round(float(angle), ANGLE_DIGITS))
    return None


def profile_of(run: list[Segment], shift: float) -> Loop | None:
    """The outline between the segments and the axis, upwards outside, back along the axis."""
    start, edges = (0.0, run[0].low[1] + shift), []
    here = start
    for segment in run:
        low, high = ((r, h + shift) for r, h in (segment.low, segment.high))
        here = _line_to(low, here, edges)
        if segment.middle is None:
            here = _line_to(high, here, edges)
        else:
            edges.append(Arc((segment.middle[0], segment.middle[1] + shift), high))
            here = high
    here = _line_to((0.0, here[1]), here, edges)
    _line_to(start, here, edges)
    if len(edges) < 3 and not any(edge.bent for edge in edges):
        return None
    loop = Loop(start, tuple(edges))
    return None if loop.faults() else loop


def _line_to(point: tuple[float, float], here: tuple[float, float], edges: list[Edge]) -> tuple[float, float]:
    """Append a line unless it has no length; the new end."""
    if np.hypot(point[0] - here[0], point[1] - here[1]) <= SAME:
        return here
    edges.append(Line(point))
    return point
