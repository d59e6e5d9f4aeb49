"""Prisms whose cap edges are filleted or chamfered.

The field follows the kernel, edge by edge: along each edge the rim is swept by one profile. Neighbours meet in a seam
where their surfaces intersect, at convex and at concave corners alike, so an offset outline has mitred corners. Not
supported, because the kernel fails or does something else: shallow corners that are not tangent, arcs that meet at
concave or shallow corners, and sizes for which an edge of the outline vanishes.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from cadcode.program.bands import bands
from cadcode.program.curve import Arc, Point
from cadcode.program.feature import Patch, RoleContext, Similarity, Solid
from cadcode.program.features.extrude import Extrude
from cadcode.program.normal_form import grid
from cadcode.program.numbers import RADIUS, SAME, Numbers
from cadcode.program.offset import TANGENT, Side, side_of, straight
from cadcode.program.place import AXES, NamedPlane
from cadcode.program.rims import ENDS, RIM_KINDS, SIDES, Rim, by_likeness, rounded_edge
from cadcode.program.selection import EndEdges, edge_calls
from cadcode.program.text.plain import Write
from cadcode.program.workplane import Outside, size_of

SHALLOW = math.radians(10)  # turn at a corner of two lines
SHALLOW_ARC = math.radians(40)  # turn at a corner of an arc
SHARP = math.radians(150)


@dataclass(frozen=True, slots=True)
class Rimmed(Solid):
    """A prism over one outline, with or without holes, and its rims: at most one for each end along its axis."""

    kind: ClassVar[str] = "rimmed"
    on_any_plane: ClassVar[bool] = False  # faces are selected along the axes
    body: Extrude
    rims: tuple[Rim, ...]

    @property
    def axis(self) -> int:
        return self.body.axis

    @property
    def outline_count(self) -> int:
        return self.body.outline_count + len(self.rims)

    @property
    def edge_count(self) -> int:
        return self.body.edge_count * (1 + len(self.rims))

    # --- geometry ---

    def bounds(self) -> np.ndarray:
        return self.body.bounds()

    def reach(self, direction: np.ndarray) -> float:
        return self.body.reach(direction)

    def control_box(self) -> np.ndarray:
        return self.body.control_box()

    def distance(self, points: np.ndarray) -> np.ndarray:
        i, j, k = AXES[self.body.plane]
        outer, holes = self._across(points[:, [i, j]])
        levels = {"low": self.body.low - points[:, k], "high": points[:, k] - self.body.high}
        return np.maximum(*(self._at_end(end, outer, holes, levels[end]) for end in ENDS))

    def _at_end(self, end: str, outer: np.ndarray, holes: np.ndarray, along: np.ndarray) -> np.ndarray:
        """Signed distance of those to the first outline, the holes and the plane of one cap, (N,) each."""
        both = np.maximum(outer, holes)
        rim = next((rim for rim in self.rims if rim.end == end), None)
        if rim is None:
            return rounded_edge(both, along, 0.0)
        if rim.inner:
            return rim.distance(both, along)
        return np.maximum(rim.distance(outer, along), rounded_edge(holes, along, 0.0))

    def _across(self, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mitred distances of points (N, 2) to the first outline and to the holes, (N,) each."""
        return _across(self._sides(), flat)

    def _sides(self) -> list[Side]:
        return [side_of(face.outline, -1 if face.subtract else 1, mitred=True) for face in self.body.faces]

    def patches(self) -> tuple[Patch, ...]:
        kept = [self._without_rims(patch) for patch in self.body.patches()]
        return (*kept, *(patch for rim in self.rims for patch in self._bands(rim)))

    def _without_rims(self, patch: Patch) -> Patch:
        """A patch of the prism without what the rims replace: near a fillet, the rest cannot be told from it."""

        def fresh(front: np.ndarray, back: np.ndarray) -> np.ndarray:
            kept = ~self._replaced((front + back) / 2)
            return kept if patch.fresh is None else kept & patch.fresh(front, back)

        return Patch(patch.area, patch.sample, fresh)

    def _replaced(self, points: np.ndarray) -> np.ndarray:
        """Which points (N, 3) are nearer to the walls and to a cap than the size of its rim, (N,) bool."""
        i, j, k = AXES[self.body.plane]
        outer, holes = self._across(points[:, [i, j]])
        found = np.zeros(len(points), dtype=bool)
        for rim in self.rims:
            along = points[:, k] - self.body.high if rim.end == "high" else self.body.low - points[:, k]
            across = np.maximum(outer, holes) if rim.inner else outer
            found |= np.minimum(across, along) > -rim.size
        return found

    def _bands(self, rim: Rim) -> list[Patch]:
        profile = rim.profile(self.body.high if rim.end == "high" else self.body.low)
        sides, axes = self._sides()[: None if rim.inner else 1], AXES[self.body.plane]
        return [patch for side in sides for patch in bands(side, profile, axes)]

    def borders(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        found = list(self.body.borders())
        levels = [self.body.low + rim.size if rim.end == "low" else self.body.high - rim.size for rim in self.rims]
        found[self.axis] = np.concatenate([found[self.axis], levels])
        return found[0], found[1], found[2]

    def prepared(self) -> "Rimmed":
        return replace(self, body=self.body.prepared())

    # --- other features from this one ---

    def moved(self, by: Similarity) -> "Rimmed":
        kept = by.signs[self.axis] > 0
        ends = {end: end if kept else other for end, other in zip(ENDS, reversed(ENDS), strict=True)}
        rims = tuple(replace(rim, end=ends[rim.end], size=rim.size * by.scale) for rim in self.rims)
        return Rimmed(self.body.moved(by), rims if kept else rims[::-1])

    def numbers(self) -> Numbers:
        body, count = self.body.numbers(), len(self.rims)

        def rebuild(values) -> Rimmed | None:
            found, sizes = body.rebuild(values[:-count]), values[-count:]
            rims = tuple(replace(rim, size=float(size)) for rim, size in zip(self.rims, sizes, strict=True))
            return None if found is None else _sound(Rimmed(found, rims))

        slots = (*body.slots, *((RADIUS, -1) for _ in self.rims))
        return Numbers(slots, (*body.values, *(float(rim.size) for rim in self.rims)), rebuild)

    def canonical(self) -> "Rimmed":
        return Rimmed(self.body.upwards(), tuple(sorted(self.rims, key=lambda rim: SIDES[rim.end])))

    def rounded(self) -> "Rimmed | None":
        body = self.body.rounded()
        rims = tuple(replace(rim, size=grid(rim.size, 0.5)) for rim in self.rims)
        return None if body is None else _sound(Rimmed(body, rims))

    def simpler(self) -> tuple["Rimmed | Extrude", ...]:
        """Without one of the rims, or without one of the holes."""
        rims = [self.rims[:n] + self.rims[n + 1 :] for n in range(len(self.rims))]
        fewer = [replace(self, rims=kept) if kept else self.body for kept in rims]
        return (*fewer, *(replace(self, body=body) for body in self.body.simpler()))

    def core(self) -> "Rimmed":
        return replace(self, body=self.body.core())

    def stretched(self, axis: int, end: int, value: float) -> "Rimmed":
        return _sound(replace(self, body=self.body.stretched(axis, end, value))) or self

    def with_arcs(self, change: Callable[[Point, Arc], Arc]) -> "Rimmed":
        return _sound(replace(self, body=self.body.with_arcs(change))) or self

    # --- text ---

    def order(self) -> tuple:
        return self.body.order()

    def crosses_itself(self) -> bool:
        return self.body.crosses_itself()

    def check(self) -> None:
        self.body.check()
        if fault := self.fault():
            raise ValueError(fault)

    def fault(self) -> str | None:
        """Reason why the kernel makes no such solid; None: it does."""
        sides = self._sides()
        return self._fault_of_rims() or self._fault_of_sketch(sides) or self._fault_of_sizes(sides)

    def _fault_of_rims(self) -> str | None:
        if not self.rims or any(rim.kind not in RIM_KINDS or rim.end not in ENDS for rim in self.rims):
            return "a rim is a fillet or a chamfer at the low or high end"
        if len({rim.end for rim in self.rims}) < len(self.rims):
            return "two rims at one end"
        if not min(rim.size for rim in self.rims) > SAME:
            return "the size of a rim must be above 0"
        room = self.body.high - self.body.low - sum(rim.size for rim in self.rims)
        return None if room > SAME else "rims higher than their prism"

    def _fault_of_sketch(self, sides: list[Side]) -> str | None:
        if any(side.sense != (1 if n == 0 else -1) for n, side in enumerate(sides)):
            return "a prism with rims has one outline and holes in it"
        if not all(map(_corners_fit, sides if any(rim.inner for rim in self.rims) else sides[:1])):
            return "a corner that the kernel cannot finish: shallow, sharp, or a concave one of an arc"
        by = 0.01 * min(rim.size for rim in self.rims)
        if not all(side.outlasts(by, lambda flat: np.maximum(*_across(sides, flat))) for side in sides):
            return "holes that touch each other or the outline"
        return None

    def _fault_of_sizes(self, sides: list[Side]) -> str | None:
        """The fault of the largest rim along all outlines, or along the first one alone."""

        def outer(flat: np.ndarray) -> np.ndarray:
            first, holes = _across(sides, flat)
            return np.where(holes < 0, first, np.inf)

        largest = {rim.inner: rim for rim in sorted(self.rims, key=lambda rim: rim.size)}
        for inner, rim in largest.items():
            distance = (lambda flat: np.maximum(*_across(sides, flat))) if inner else outer
            if not all(side.outlasts(rim.size, distance) for side in (sides if inner else sides[:1])):
                return f"a {rim.kind} of {rim.size:g} is too large for the outline"
        return None

    @property
    def base(self) -> NamedPlane:
        return self.body.base

    def built(self, write: Write) -> list[str]:
        return [*self.body.built(write), *self.rim_calls(lambda rim: write(rim.size))]

    def rim_calls(self, write: Callable[[Rim], str]) -> list[str]:
        """The calls that finish the prism, the sizes by `write`; equal rims at both ends share one."""
        return [
            call
            for rim, ends in by_likeness(self.rims)
            for call in (*edge_calls(self.axis, ends, rim.inner), f"{rim.kind}({write(rim)})")
        ]

    def role(self, context: RoleContext) -> str:
        return self.body.role(context)

    @classmethod
    def parsers(cls) -> dict[type, dict[str, Callable]]:
        return {EndEdges: {"fillet": fillet, "chamfer": chamfer}}


def _across(sides: list[Side], flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, *holes = [side.distance(flat) for side in sides]
    return first, np.max(holes, axis=0) if holes else np.full(len(flat), -np.inf)


def _corners_fit(side: Side) -> bool:
    """Whether the kernel joins rims at all corners as the field does."""
    turn, line = side.turns, straight(side.curve)
    lines = line & np.roll(line, -1)
    joined = np.where(lines, np.abs(turn) >= SHALLOW, turn >= SHALLOW_ARC) & (np.abs(turn) <= SHARP)
    return bool((joined | (np.abs(turn) <= TANGENT)).all())


def _sound(feature: Rimmed) -> Rimmed | None:
    return None if feature.fault() else feature


def fillet(edges: EndEdges, radius) -> Rimmed:
    return _finished(edges, "fillet", size_of(radius, "a radius"))


def chamfer(edges: EndEdges, length) -> Rimmed:
    return _finished(edges, "chamfer", size_of(length, "a length"))


def _finished(edges: EndEdges, kind: str, size: float) -> Rimmed:
    prism, faces = edges.solid.only_feature(), edges.faces
    body, before = (prism.body, prism.rims) if prism.kind == Rimmed.kind else (prism, ())
    if body.kind != Extrude.kind or body.axis != faces.axis:
        raise Outside(f"a {kind} of other edges than those of the caps of a prism")
    rims = tuple(Rim(kind, end, size, edges.inner) for end in faces.ends)
    feature = Rimmed(body, (*before, *rims))
    if fault := feature.fault():
        raise Outside(fault)
    return feature
