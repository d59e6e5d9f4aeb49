"""Flat ends of a solid, from its field: the faces that `faces(">Z")` selects, and where holes through it come out."""

import numpy as np

from cadcode.program import field
from cadcode.program.tree import Program

LATTICE = 160  # probes along each side of the solid's box
BENEATH = 1e-11  # of the solid's size: how deep the probes lie below the end


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
