"""Drafted walls: prisms whose sides lean, as tapered prisms.

The angle is that of the input's faces along the sides, the outline is the section just above the lower end.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cadcode.program.feature import Feature
from cadcode.program.features.extrude import Extrude
from cadcode.program.features.tapered import Tapered
from cadcode.program.tree import Program
from cadcode.search.from_sections import Sections, rings_at
from cadcode.search.refine import Variant
from cadcode.surfaces import AnalyticFace, Cone, Plane

LEAST, MOST = np.radians(0.2), np.radians(40)
ANGLE_DIGITS = 3  # degrees
INSIDE = 1e-3  # program units above the lower end
REACH = 0.05  # program units by which a side may end before the prism does
APART = 0.25  # of the size, between the prism's outline and the section at its lower end


def tapered_programs(variant: Variant, index: int) -> Iterator[Program]:
    """The program with the prism of one step tapered, for all angles of the input's faces along its sides."""
    steps, mesh = variant.program().steps, variant.goal.sections
    prism = steps[index].body
    if prism.kind != "extrude" or len(prism.faces) > 1:
        return
    for angle in side_angles(mesh, prism):
        changed = tapered_prism(mesh, prism, angle)
        if changed is not None:
            yield Program((*steps[:index], replace(steps[index], body=changed), *steps[index + 1 :]))


def side_angles(mesh: Sections, prism: Extrude) -> list[float]:
    """Angles in degrees by which faces between the prism's ends lean: above 0 if the prism narrows upwards."""
    found = []
    for face in mesh.segmentation.faces:
        heights = mesh.vertices[np.unique(mesh.faces[face.triangles])][:, prism.axis]
        between = heights.min() > prism.low - REACH and heights.max() < prism.high + REACH
        if between and np.ptp(heights) > 0.5 * (prism.high - prism.low):
            found.append(_lean(mesh, face, prism.axis))
    rounded = {round(float(np.degrees(angle)), ANGLE_DIGITS) for angle in found if LEAST < abs(angle) < MOST}
    return sorted(rounded, key=abs)


def _lean(mesh: Sections, face: AnalyticFace, axis: int) -> float:
    """Angle in radians between a face and an axis; above 0 where its normals look up. 0 for other faces."""
    match face.surface:
        case Plane(normal=normal):
            return float(np.arcsin(np.clip(normal[axis], -1, 1)))
        case Cone(direction=direction, half_angle=angle) if abs(direction[axis]) > 1 - 1e-6:
            corners = mesh.vertices[mesh.faces[face.triangles]]
            normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            return float(np.copysign(angle, normals[:, axis].sum()))
    return 0.0


def tapered_prism(mesh: Sections, prism: Extrude, angle: float) -> Feature | None:
    """The prism with leaning walls; None where there is no such outline at its lower end."""
    box = prism.faces[0].outline.bounds()
    reach = APART * float(np.ptp(box, axis=0).max())
    rings = rings_at(mesh, prism.axis, prism.low + INSIDE)
    near = [ring for ring in rings if np.abs(ring.outline.bounds() - box).max() < reach]
    if not near:
        return None
    outline = min(near, key=lambda ring: np.abs(ring.outline.bounds() - box).max()).outline
    found = Tapered(prism.plane, prism.low, prism.high - prism.low, outline, angle)
    try:
        found.check()
    except ValueError:
        return None
    return found
