"""Filleted and chamfered rims of prisms, read off the strips along their caps.

A fillet ends at a cap in cylinders and tori of its radius, a chamfer in planes and cones that lean by 45 degrees.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from cadcode.program.feature import Feature
from cadcode.program.features.extrude import Extrude
from cadcode.program.features.rimmed import Rimmed
from cadcode.program.rims import ENDS, Rim
from cadcode.program.tree import Program
from cadcode.search.from_sections import Sections
from cadcode.search.refine import Variant
from cadcode.surfaces import AnalyticFace, Cone, Cylinder, Plane, Torus

LEVEL = 0.02  # program units between a strip's end and the cap
LEANING = 1e-3  # of the sine of 45 degrees
SQUARE = 1e-3  # cosine of the angle between an axis and a direction across it
SAME = 1e-3  # program units between equal sizes

Size = tuple[str, str, float]  # kind of rim, end of the prism, size


def rimmed_programs(variant: Variant, index: int) -> Iterator[Program]:
    """The program with one more rim on the feature of one step, for all rims that strips at its caps propose."""
    mesh, steps = variant.goal.sections, variant.program().steps
    body = steps[index].body
    prism, rims = (body.body, body.rims) if body.kind == "rimmed" else (body, ())
    if prism.kind != "extrude" or prism.height < 0 or len([f for f in prism.faces if not f.subtract]) > 1:
        return
    taken = {rim.end for rim in rims}
    for (kind, end, size), inner in product(rim_sizes(mesh, prism), (True, False)):
        if end not in taken:
            changed = _checked(Rimmed(prism, _in_order(*rims, Rim(kind, end, size, inner))))
            if changed is not None:
                yield Program((*steps[:index], replace(steps[index], body=changed), *steps[index + 1 :]))


def rim_sizes(mesh: Sections, prism: Extrude) -> list[Size]:
    """Kinds, ends and sizes of the rims that the input's strips at the levels of a prism's caps have."""
    found: list[Size] = []
    for face in mesh.segmentation.faces:
        heights = mesh.vertices[np.unique(mesh.faces[face.triangles])][:, prism.axis]
        for end, level, other in (("low", heights.min(), heights.max()), ("high", heights.max(), heights.min())):
            cap = prism.low if end == "low" else prism.high
            size = _rim_size(face, prism.axis, abs(float(other - level)))
            if (
                size is not None
                and abs(level - cap) < LEVEL
                and not any(_same((size[0], end, size[1]), f) for f in found)
            ):
                found.append((size[0], end, size[1]))
    return found


def _in_order(*rims: Rim) -> tuple[Rim, ...]:
    return tuple(sorted(rims, key=lambda rim: ENDS.index(rim.end)))


def _same(one: Size, other: Size) -> bool:
    return one[:2] == other[:2] and abs(one[2] - other[2]) < SAME


def _rim_size(face: AnalyticFace, axis: int, height: float) -> tuple[str, float] | None:
    """Kind and size of the rim that a face of some height along an axis may be a strip of."""
    match face.surface:
        case Cylinder(direction=direction, radius=radius) if abs(direction[axis]) < SQUARE:
            return ("fillet", float(radius)) if abs(height - radius) < LEVEL else None
        case Torus(direction=direction, minor=radius) if abs(direction[axis]) > 1 - SQUARE:
            return ("fillet", float(radius)) if abs(height - radius) < LEVEL else None
        case Plane(normal=normal) if abs(abs(normal[axis]) - np.sqrt(0.5)) < LEANING:
            return "chamfer", height
        case Cone(direction=direction, half_angle=angle) if abs(direction[axis]) > 1 - SQUARE:
            return ("chamfer", height) if abs(angle - np.pi / 4) < LEANING else None
    return None


def _checked(feature: Rimmed) -> Feature | None:
    """The feature, None where no text can say it."""
    try:
        feature.check()
    except ValueError:
        return None
    return feature
