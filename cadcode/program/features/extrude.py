"""Extrusions: a sketch along the normal of its plane; of one `Rect` it is a box, of one `Circle` a cylinder."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from cadcode.program.bands import caps
from cadcode.program.curve import Arc, Point
from cadcode.program.feature import EmptySolid, Patch, RoleContext, Similarity, Solid
from cadcode.program.normal_form import FINE, FRAME, grid
from cadcode.program.numbers import PLANE, SAME, Numbers
from cadcode.program.outlines import Circle, Rect
from cadcode.program.place import AXES, PLANE_OF_NORMAL, PLANES, NamedPlane
from cadcode.program.point_set import PointSet
from cadcode.program.sketch import (
    Face,
    canonical_faces,
    faces_distance,
    faces_inside,
    faces_reach,
    mapped_faces,
    moved_faces,
    sketch_calls,
)
from cadcode.program.sketching import Profile
from cadcode.program.text.plain import Write
from cadcode.program.text.roles import extrude_role
from cadcode.program.workplane import Outside, Plane, number_of, size_of

VOLUME_CLASS = 500  # cubic units that make a difference to the order of a canonical program


@dataclass(frozen=True, slots=True)
class Extrude(Solid):
    """A prism: the sketch on `plane`, moved by `offset` along the normal, extruded by `height` (may be negative)."""

    kind: ClassVar[str] = "extrude"
    in_vocabulary: ClassVar[bool] = True
    plane: str
    offset: float
    height: float
    faces: tuple[Face, ...]

    @property
    def low(self) -> float:
        """Its lower end along the normal."""
        return min(self.offset, self.offset + self.height)

    @property
    def high(self) -> float:
        """Its upper end along the normal."""
        return max(self.offset, self.offset + self.height)

    @property
    def axis(self) -> int:
        return AXES[self.plane][2]

    @property
    def is_box(self) -> bool:
        return len(self.faces) == 1 and self.faces[0].outline.kind == "rect"

    @property
    def outline_count(self) -> int:
        return len(self.faces)

    @property
    def edge_count(self) -> int:
        return sum(face.outline.edge_count for face in self.faces)

    # --- geometry ---

    def bounds(self) -> np.ndarray:
        """Lowest and highest corner, (2, 3); subtracted faces are ignored."""
        added = [face.outline.bounds() for face in self.faces if not face.subtract]
        if not added:
            raise EmptySolid("a sketch without any added face")
        return self._box(added)

    def reach(self, direction: np.ndarray) -> float:
        i, j, k = AXES[self.plane]
        flat, upright = (float(direction[i]), float(direction[j])), float(direction[k])
        return faces_reach(self.faces, flat) + max(self.low * upright, self.high * upright)

    def control_box(self) -> np.ndarray:
        return self._box([face.outline.control_box() for face in self.faces])

    def inside(self, points: np.ndarray) -> np.ndarray:
        i, j, k = AXES[self.plane]
        answer = (points[:, k] > self.low) & (points[:, k] < self.high)
        rows = np.flatnonzero(answer)  # the sketch is the costly part: ask it only within the slab
        answer[rows] = faces_inside(self.faces, np.stack([points[rows, i], points[rows, j]]).T)
        return answer

    def inside_lattice(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        (i, j, k), lines = AXES[self.plane], (x, y, z)
        u, v = np.meshgrid(lines[i], lines[j], indexing="ij")
        flat = faces_inside(self.faces, np.stack([u.ravel(), v.ravel()], 1)).reshape(u.shape)
        level = (lines[k] > self.low) & (lines[k] < self.high)
        return np.moveaxis(flat[:, :, None] & level, (0, 1, 2), (i, j, k))

    def inside_of(self, point_set: PointSet) -> np.ndarray:
        """The result of `inside` in half of its time."""
        slabs, found = point_set.slabs[self.plane], np.zeros(len(point_set.points), dtype=bool)
        between = slabs.between(self.low, self.high)
        found[slabs.order[between]] = faces_inside(self.faces, slabs.across[between])
        return found

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Signed distance, (N,): Quilez's extrusion operator."""
        i, j, k = AXES[self.plane]
        low, high = self.low, self.high
        across = faces_distance(self.faces, np.stack([points[:, i], points[:, j]]).T)
        along = np.abs(points[:, k] - (low + high) / 2) - (high - low) / 2
        return np.hypot(np.maximum(across, 0), np.maximum(along, 0)) + np.minimum(np.maximum(across, along), 0)

    def patches(self) -> tuple[Patch, ...]:
        """The wall of each face, and the box around both caps: points off the sketch are rejected."""
        return (*(self._wall(number) for number in range(len(self.faces))), caps(self.bounds(), AXES[self.plane]))

    def borders(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        i, j, k = AXES[self.plane]
        corners = np.concatenate([face.outline.corners() for face in self.faces])
        found = {i: corners[:, 0], j: corners[:, 1], k: np.array([self.offset, self.offset + self.height])}
        return found[0], found[1], found[2]

    def prepared(self) -> "Extrude":
        return replace(self, faces=tuple(replace(face, outline=face.outline.prepared()) for face in self.faces))

    def _box(self, boxes: list[np.ndarray]) -> np.ndarray:
        """The box (2, 3) of boxes (2, 2) in the plane."""
        i, j, k = AXES[self.plane]
        box = np.empty((2, 3))
        box[0, [i, j]] = np.min([flat[0] for flat in boxes], axis=0)
        box[1, [i, j]] = np.max([flat[1] for flat in boxes], axis=0)
        box[:, k] = self.low, self.high
        return box

    def _wall(self, number: int) -> Patch:
        (i, j, k), outline = AXES[self.plane], self.faces[number].outline

        def sample(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
            points, normals = np.empty((3, count)), np.zeros((3, count))
            flat, outward = outline.sample_boundary(count, rng)
            points[i], points[j] = flat.T
            points[k] = self.offset + self.height * rng.random(count)
            normals[i], normals[j] = outward.T
            return points.T, normals.T

        def fresh(front: np.ndarray, back: np.ndarray) -> np.ndarray:
            """Which samples lie on no wall of the sketch's earlier faces."""
            front, back = front[:, [i, j]], back[:, [i, j]]
            found = np.ones(len(front), dtype=bool)
            for face in self.faces[:number]:
                found &= face.outline.inside(front) == face.outline.inside(back)
            return found

        return Patch(outline.perimeter() * abs(self.height), sample, fresh if number else None)

    # --- other features from this one ---

    def moved(self, by: Similarity) -> "Extrude":
        x, y, normal = AXES[self.plane]
        plane = PLANE_OF_NORMAL[by.axes[normal]]
        swap = AXES[plane][0] != by.axes[x]

        def point_map(p: Point) -> Point:
            u, v = by.along(x, p[0]), by.along(y, p[1])
            return (v, u) if swap else (u, v)

        start = self.offset if by.signs[normal] > 0 else self.offset + self.height
        faces = mapped_faces(self.faces, point_map, by.scale, swap)
        return Extrude(plane, by.along(normal, start), self.height * by.scale, faces)

    def numbers(self) -> Numbers:
        i, j, k = AXES[self.plane]
        outlines = [face.outline.numbers((i, j)) for face in self.faces]
        ends = np.cumsum([2, *(len(outline.values) for outline in outlines)]).tolist()
        parts = list(zip(outlines, self.faces, ends[:-1], ends[1:], strict=True))

        def rebuild(values) -> Extrude | None:
            faces = [(outline.rebuild(values[start:stop]), face.subtract) for outline, face, start, stop in parts]
            height = values[1] - values[0]
            if height <= SAME or any(outline is None for outline, _ in faces):
                return None
            return Extrude(self.plane, float(values[0]), float(height), tuple(Face(*face) for face in faces))

        slots = ((PLANE, k), (PLANE, k), *(slot for outline in outlines for slot in outline.slots))
        values = (float(self.low), float(self.high), *(value for outline in outlines for value in outline.values))
        return Numbers(slots, values, rebuild)

    def canonical(self) -> "Extrude":
        """Upwards, with sorted faces; a box is a prism in three directions: it is always written as the upright one."""
        body = self.upwards()
        return body._upright() if body.is_box else body

    def upwards(self) -> "Extrude":
        """Extruded along the normal, not against it, with canonical faces."""
        return Extrude(self.plane, self.low, abs(self.height), canonical_faces(self.faces))

    def _upright(self) -> "Extrude":
        """This box on XY."""
        rect, height = self.faces[0].outline, self.height
        (x, y), w, h, z = rect.centre, rect.width, rect.height, self.offset + height / 2
        if self.plane == "YZ":
            (x, y, z), (w, h, height) = (z, x, y), (height, w, h)
        elif self.plane == "ZX":
            (x, y, z), (w, h, height) = (y, z, x), (h, height, w)
        return Extrude("XY", z - height / 2, height, (Face(Rect((x, y), w, h)),))

    def rounded(self) -> "Extrude | None":
        faces = tuple(Face(outline, f.subtract) for f in self.faces if (outline := f.outline.rounded()) is not None)
        low, high = self.low, self.high
        step = 1.0 if high - low >= FINE else 0.5
        low, high = max(grid(low, step), -FRAME), min(grid(high, step), FRAME)  # cuts outside do not matter
        if len(faces) < len(self.faces) or high <= low:
            return None
        return Extrude(self.plane, low, high - low, faces)

    def simpler(self) -> tuple["Extrude", ...]:
        """Without one of the faces after the first."""
        return tuple(replace(self, faces=self.faces[:j] + self.faces[j + 1 :]) for j in range(1, len(self.faces)))

    def core(self) -> "Extrude":
        return replace(self, faces=self.faces[:1])

    def joined(self, other) -> "Extrude | None":
        """This prism prolonged as far as the other goes, or the box about two boxes; None on different planes."""
        if other.kind != self.kind or other.plane != self.plane:
            return None
        low, high = min(self.low, other.low), max(self.high, other.high)
        if self.is_box and other.is_box:
            (a0, a1), (b0, b1) = self.faces[0].outline.bounds(), other.faces[0].outline.bounds()
            (x0, y0), (x1, y1) = (min(a0[0], b0[0]), min(a0[1], b0[1])), (max(a1[0], b1[0]), max(a1[1], b1[1]))
            box = Rect((float(x0 + x1) / 2, float(y0 + y1) / 2), float(x1 - x0), float(y1 - y0))
            return Extrude(self.plane, low, high - low, (Face(box),))
        return Extrude(self.plane, low, high - low, self.faces)

    def stretched(self, axis: int, end: int, value: float) -> "Extrude":
        """Along the normal any; across it only over a rectangle."""
        ends = self.bounds()
        ends[end, axis] = value
        i, j, k = AXES[self.plane]
        if axis == k:
            return replace(self, offset=float(ends[0, k]), height=float(ends[1, k] - ends[0, k]))
        if self.faces[0].outline.kind != "rect":
            return self
        (x0, y0), (x1, y1) = ends[:, [i, j]].tolist()
        return replace(self, faces=(Face(Rect(((x0 + x1) / 2, (y0 + y1) / 2), x1 - x0, y1 - y0)), *self.faces[1:]))

    def with_arcs(self, change: Callable[[Point, Arc], Arc]) -> "Extrude":
        return replace(self, faces=tuple(Face(f.outline.with_arcs(change), f.subtract) for f in self.faces))

    # --- text ---

    def order(self) -> tuple:
        net = sum(face.outline.area() * (-1 if face.subtract else 1) for face in self.faces)
        volume = round(net * self.height / VOLUME_CLASS)
        return (-volume, self.plane, self.offset, *self.faces[0].outline.first_point)

    def crosses_itself(self) -> bool:
        return any(face.outline.crosses_itself() for face in self.faces)

    def check(self) -> None:
        if self.plane not in PLANES:
            raise ValueError(f"unknown plane {self.plane!r}")
        if not self.faces or self.faces[0].subtract:
            raise ValueError("a sketch starts with a face that adds material")
        for face in self.faces:
            face.outline.check()

    @property
    def base(self) -> NamedPlane:
        return NamedPlane(self.plane)

    def built(self, write: Write) -> list[str]:
        sketch = ["sketch()", *sketch_calls(self.faces, write), "finalize()"]
        return [f"workplane(offset={write(self.offset)})", *sketch, f"extrude({write(self.height)})"]

    def role(self, context: RoleContext) -> str:
        return extrude_role(self, context)

    @classmethod
    def parsers(cls) -> dict[type, dict[str, Callable[..., "Extrude"]]]:
        """The call `extrude` is read by `tapered`, which uses `plain_prism`."""
        return {Plane: {"box": box, "cylinder": cylinder}}


def box(plane: Plane, length, width, height) -> Extrude:
    return _centred(plane, Rect((0.0, 0.0), size_of(length, "a length"), size_of(width, "a width")), height)


def cylinder(plane: Plane, height, radius) -> Extrude:
    return _centred(plane, Circle((0.0, 0.0), size_of(radius, "a radius")), height)


def plain_prism(profile: Profile, until) -> Extrude:
    height = number_of(until, "a height")
    if height == 0:
        raise Outside("a height of 0")
    return _prism(profile.plane, height, profile.faces)


def _centred(plane: Plane, outline: Rect | Circle, height) -> Extrude:
    """Boxes and cylinders lie around the workplane, half of the height on each side."""
    height = size_of(height, "a height")
    return _prism(replace(plane, offset=plane.offset - height / 2), height, (Face(outline),))


def _prism(plane: Plane, height: float, faces: tuple[Face, ...]) -> Extrude:
    shift = (plane.origin[0] + plane.at[0], plane.origin[1] + plane.at[1])
    return Extrude(plane.name, plane.offset, height, moved_faces(faces, shift))
