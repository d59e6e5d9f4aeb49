"""Solids in the making, and the workplanes that are put on them.

Flat ends are found by the solid's field: the faces that `faces(">Z")` selects, and where holes through it come out.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from cadcode.program import field
from cadcode.program.feature import EmptySolid, Feature
from cadcode.program.place import Vector
from cadcode.program.rims import SIDES
from cadcode.program.selection import EndFaces, faces_of
from cadcode.program.solid_plane import SolidPlane, cross, raised, unit
from cadcode.program.tree import Program
from cadcode.program.workplane import Outside, Plane, numbers_of

LATTICE = 160  # probes along each side of the solid's box
BENEATH = 1e-11  # of the solid's size: how deep the probes lie below the end


@dataclass(frozen=True, slots=True)
class Chained(Program):
    """A solid, and the origin of the workplane that its chain is on."""

    origin: Vector

    def only_feature(self) -> Feature:
        """The feature of a solid of one step; calls that take features need one."""
        if len(self.steps) > 1:
            raise Outside("a call that is only understood on a solid that nothing was combined with")
        return self.steps[0].body


def copy_workplane(solid: Chained, obj) -> SolidPlane:
    if not isinstance(obj, Plane):
        raise Outside("copyWorkplane takes a workplane")
    symmetry = obj.placement.symmetry()
    if symmetry is None:
        raise Outside("holes along none of x, y and z")
    x, _, (axis, sense) = zip(*symmetry, strict=True)
    return SolidPlane(solid, obj.in_space(), unit(*x), unit(axis, sense), partial(_span, solid, axis, sense), (obj.at,))


def workplane_on(faces: EndFaces, offset=0.0, *, centerOption="ProjectedOrigin", origin=None) -> SolidPlane:
    """As in CadQuery: the origin is the one of the chain, or `origin`, on the plane of the faces; y is along z.

    The solid's field tells whether the faces are flat.
    """
    if centerOption != "ProjectedOrigin":
        raise Outside("a workplane on faces has its origin at the projected one")
    if len(faces.ends) > 1:
        raise Outside("a workplane on faces at both ends")
    solid, axis, sense = faces.solid, faces.axis, SIDES[faces.ends[0]]
    normal, projected = unit(axis, sense), list(solid.origin if origin is None else numbers_of(origin, 3, "an origin"))
    projected[axis] = _flat_end(solid, axis, sense)
    x = (1.0, 0.0, 0.0) if axis == 2 else cross((0.0, 0.0, 1.0), normal)
    at = raised((projected[0], projected[1], projected[2]), normal, offset)
    return SolidPlane(solid, at, x, normal, partial(_span, solid, axis, sense))


def _flat_end(solid: Program, axis: int, sense: int) -> float:
    """Coordinate of the flat faces at one end."""
    try:
        level, flat = end(solid, axis, sense), is_flat(solid, axis, sense)
    except EmptySolid as problem:
        raise Outside(str(problem)) from None
    if not flat:
        raise Outside("a workplane on a solid without a flat face at this end")
    return level


def _span(solid: Program, axis: int, sense: int) -> tuple[float, float]:
    """Where a solid starts, and where a hole through it ends: at a flat end, beyond any other one by its size."""
    try:
        first, last = end(solid, axis, sense), end(solid, axis, -sense)
        return first, last if is_flat(solid, axis, -sense) else 2 * last - first
    except EmptySolid as problem:
        raise Outside(str(problem)) from None


def end(solid: Program, axis: int, sense: int) -> float:
    """The last coordinate of the solid's box along an axis. Raises EmptySolid."""
    return float(field.bounds(solid)[int(sense > 0), axis])


def is_flat(solid: Program, axis: int, sense: int) -> bool:
    """Whether a flat face is found at this end; a rounded end, or one that was cut off, has none."""
    box = field.bounds(solid)
    across = [other for other in range(3) if other != axis]
    shares = (np.arange(LATTICE) + 0.5) / LATTICE
    probes = np.empty((LATTICE**2, 3))
    grid = np.stack(np.meshgrid(shares, shares), axis=-1).reshape(-1, 2)
    probes[:, across] = box[0, across] + grid * np.ptp(box[:, across], axis=0)
    probes[:, axis] = box[int(sense > 0), axis] - sense * BENEATH * float(np.ptp(box, axis=0).max())
    return bool(field.occupancy(solid, probes).any())


CHAINED_METHODS = {
    Chained: {"copyWorkplane": copy_workplane, "faces": faces_of},
    EndFaces: {"workplane": workplane_on},
}
