"""Tapered prisms: an outline extruded with walls that lean inwards or outwards.

The kernel offsets the outline as it goes along: by the exact distance, so corners that the offset opens become cones
(concave ones where the prism narrows, convex ones where it widens). CadQuery refuses sketches with holes. Not
supported, because the kernel fails: corners of less than half a degree that are not exactly tangent, and tapers for
which an edge of the outline vanishes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from cadcode.program.bands import Slope, bands, caps
from cadcode.program.curve import Arc, Point
from cadcode.program.feature import Patch, RoleContext, Similarity, Solid
from cadcode.program.features.extrude import Extrude, plain_prism
from cadcode.program.normal_form import FRAME, grid
from cadcode.program.numbers import PLANE, RADIUS, SAME, Numbers
from cadcode.program.offset import side_of
from cadcode.program.outlines import Outline
from cadcode.program.place import AXES, PLANES, NamedPlane
from cadcode.program.sketch import Face
from cadcode.program.sketching import Profile
from cadcode.program.text.plain import Write
from cadcode.program.text.roles import extrude_role
from cadcode.program.workplane import Outside, number_of

STEEPEST = 80.0  # degrees
EXACT = 2e-9  # radians: smaller turns are exactly tangent
SHALLOW = math.radians(0.5)


@dataclass(frozen=True, slots=True)
class Tapered(Solid):
    """The outline on `plane`, moved by `offset` along the normal, extruded by `height` (may be negative).

    `taper` in degrees: above 0 the prism narrows away from its workplane, below 0 it widens.
    """

    kind: ClassVar[str] = "tapered"
    plane: str
    offset: float
    height: float
    outline: Outline
    taper: float

    @property
    def faces(self) -> tuple[Face, ...]:
        """The sketch."""
        return (Face(self.outline),)

    @property
    def low(self) -> float:
        """Its lower end along the normal."""
        return min(self.offset, self.offset + self.height)

    @property
    def high(self) -> float:
        """Its upper end along the normal."""
        return max(self.offset, self.offset + self.height)

    @property
    def inset(self) -> float:
        """Distance by which its far outline is smaller than the one on the workplane."""
        return abs(self.height) * math.tan(math.radians(self.taper))

    @property
    def axis(self) -> int:
        return AXES[self.plane][2]

    @property
    def edge_count(self) -> int:
        return self.outline.edge_count

    # --- geometry ---

    def bounds(self) -> np.ndarray:
        i, j, k = AXES[self.plane]
        grown = max(-self.inset, 0.0)
        box = np.empty((2, 3))
        box[:, [i, j]] = self.outline.bounds() + np.array([[-grown], [grown]])
        box[:, k] = self.low, self.high
        return box

    def reach(self, direction: np.ndarray) -> float:
        i, j, k = AXES[self.plane]
        flat, grown = (float(direction[i]), float(direction[j])), max(-self.inset, 0.0)
        start, end = (level * float(direction[k]) for level in (self.offset, self.offset + self.height))
        return self.outline.reach(flat) + max(start, end + grown * math.hypot(*flat))

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Signed distance, (N,): the walls are level surfaces of the outline's distance and the height together."""
        i, j, k = AXES[self.plane]
        slope = math.radians(self.taper)
        along = (points[:, k] - self.offset) * math.copysign(1.0, self.height)
        walls = self.outline.signed_distance(points[:, [i, j]]) * math.cos(slope) + along * math.sin(slope)
        return np.maximum(walls, np.maximum(-along, along - abs(self.height)))

    def patches(self) -> tuple[Patch, ...]:
        """The walls, and the box around both caps: points off the solid are rejected."""
        axes, wall = AXES[self.plane], Slope((0.0, self.inset), (self.offset, self.offset + self.height))
        return (*bands(side_of(self.outline), wall, axes), caps(self.bounds(), axes))

    def borders(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        i, j, _ = AXES[self.plane]
        found, corners = list(self.bounds().T), self.outline.corners()
        found[i], found[j] = np.concatenate([found[i], corners[:, 0]]), np.concatenate([found[j], corners[:, 1]])
        return found[0], found[1], found[2]

    def prepared(self) -> "Tapered":
        return replace(self, outline=self.outline.prepared())

    # --- other features from this one ---

    def moved(self, by: Similarity) -> "Tapered":
        k = self.axis
        straight = Extrude(self.plane, self.offset, self.height, self.faces).moved(by)
        height = self.height * by.scale * by.signs[k]
        return Tapered(straight.plane, by.along(k, self.offset), height, straight.faces[0].outline, self.taper)

    def numbers(self) -> Numbers:
        """Start, end, inset, then those of the outline."""
        i, j, k = AXES[self.plane]
        outline, upward = self.outline.numbers((i, j)), self.height > 0

        def rebuild(values) -> Tapered | None:
            start, height, found = float(values[0]), float(values[1] - values[0]), outline.rebuild(values[3:])
            if found is None or abs(height) <= SAME or (height > 0) != upward:
                return None
            taper = math.degrees(math.atan2(float(values[2]), abs(height)))
            return _sound(Tapered(self.plane, start, height, found, taper))

        slots = ((PLANE, k), (PLANE, k), (RADIUS, -1), *outline.slots)
        values = (float(self.offset), float(self.offset + self.height), self.inset, *outline.values)
        return Numbers(slots, values, rebuild)

    def canonical(self) -> "Tapered":
        return replace(self, outline=self.outline.canonical())

    def rounded(self) -> "Tapered | None":
        outline = self.outline.rounded()
        start, end = (min(max(grid(value), -FRAME), FRAME) for value in (self.offset, self.offset + self.height))
        if outline is None or (end - start) * self.height <= 0:
            return None
        return _sound(Tapered(self.plane, start, end - start, outline, grid(self.taper, 0.5)))

    def stretched(self, axis: int, end: int, value: float) -> "Tapered":
        """Along the normal only; the taper stays."""
        if axis != self.axis:
            return self
        ends = [self.low, self.high]
        ends[end] = value
        start, stop = ends if self.height > 0 else ends[::-1]
        kept = (stop - start) * self.height > 0
        return (_sound(replace(self, offset=start, height=stop - start)) if kept else None) or self

    def with_arcs(self, change: Callable[[Point, Arc], Arc]) -> "Tapered":
        return _sound(replace(self, outline=self.outline.with_arcs(change))) or self

    # --- text ---

    def order(self) -> tuple:
        return Extrude(self.plane, self.offset, abs(self.height), self.faces).order()

    def crosses_itself(self) -> bool:
        return self.outline.crosses_itself()

    def check(self) -> None:
        if self.plane not in PLANES:
            raise ValueError(f"unknown plane {self.plane!r}")
        self.outline.check()
        if fault := self.fault():
            raise ValueError(fault)

    def fault(self) -> str | None:
        """Reason why the kernel makes no such solid; None: it does."""
        if not SAME < abs(self.taper) <= STEEPEST:
            return f"a taper is between 0 and {STEEPEST:g} degrees, either way"
        side = side_of(self.outline)
        turn = np.abs(side.turns)
        if ((turn > EXACT) & (turn < SHALLOW)).any():
            return "a tapered outline with a corner that is neither sharp nor exactly tangent"
        if not side.outlasts(self.inset, side.distance):
            return f"a taper of {self.taper:g} degrees is too large for the outline"
        return None

    @property
    def base(self) -> NamedPlane:
        return NamedPlane(self.plane)

    def built(self, write: Write) -> list[str]:
        *before, _ = Extrude(self.plane, self.offset, self.height, self.faces).built(write)
        return [*before, f"extrude({write(self.height)},taper={write(self.taper)})"]

    def role(self, context: RoleContext) -> str:
        return extrude_role(self, context)

    @classmethod
    def parsers(cls) -> dict[type, dict[str, Callable]]:
        return {Profile: {"extrude": extrude}}


def _sound(feature: Tapered) -> Tapered | None:
    return None if feature.fault() else feature


def extrude(profile: Profile, until, *, taper=0.0) -> Extrude | Tapered:
    """Any prism, tapered or not."""
    prism, angle = plain_prism(profile, until), number_of(taper, "a taper")
    if angle == 0:
        return prism
    if len(prism.faces) > 1:
        raise Outside("a taper of a sketch with more than one outline")
    feature = Tapered(prism.plane, prism.offset, prism.height, prism.faces[0].outline, angle)
    if fault := feature.fault():
        raise Outside(fault)
    return feature
