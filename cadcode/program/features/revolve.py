"""Revolutions: a sketch turned about a line along its y; cones, spheres, tori, turned shafts, grooves come of it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from cadcode.program.curve import Arc, Line, Point
from cadcode.program.feature import EmptySolid, Patch, RoleContext, Similarity, Solid
from cadcode.program.normal_form import grid
from cadcode.program.numbers import BULGE, CENTRE, RADIUS, SAME, Numbers
from cadcode.program.outlines import Circle, Loop, Outline, Rect
from cadcode.program.place import ALIGNED, AXES, PLANE_OF_NORMAL, PLANES, NamedPlane, Placement
from cadcode.program.sketch import (
    Face,
    Faces,
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
from cadcode.program.workplane import Outside, Plane, number_of, point_of, size_of

VOLUME_CLASS = 500  # cubic units that make a difference to the order of a canonical program
WHOLE = 360.0  # degrees
BEYOND = 1e4  # program units: how far an outline that reaches the axis is continued beyond it
LINE = "(0,0,0),(0,1,0)"  # always written: CadQuery's default depends on where the workplane lies
LONG = 1.2  # length over diameter of a shaft


@dataclass(frozen=True, slots=True)
class Revolve(Solid):
    """The sketch on `plane`, x the radius and y the height, turned by `angle` degrees about the line x = 0.

    `centre` is where this line passes, along the plane's x and its normal. A partial revolution begins `start` degrees
    from the plane, right-handed about the line.
    """

    kind: ClassVar[str] = "revolve"
    plane: str
    centre: tuple[float, float]
    faces: Faces
    angle: float = WHOLE
    start: float = 0.0
    open_faces: Faces | None = field(default=None, compare=False, repr=False)  # of a prepared one

    @property
    def axis(self) -> int:
        return AXES[self.plane][1]

    @property
    def outline_count(self) -> int:
        return len(self.faces)

    @property
    def edge_count(self) -> int:
        return sum(face.outline.edge_count for face in self.faces)

    @property
    def is_whole(self) -> bool:
        return self.angle >= WHOLE

    # --- geometry ---

    def bounds(self) -> np.ndarray:
        """Lowest and highest corner, (2, 3): of the whole revolution."""
        added = [face.outline.bounds() for face in self.faces if not face.subtract]
        if not added:
            raise EmptySolid("a sketch without any added face")
        return self._box(max(box[1, 0] for box in added), min(b[0, 1] for b in added), max(b[1, 1] for b in added))

    def reach(self, direction: np.ndarray) -> float:
        """That of the whole revolution."""
        i, j, k = AXES[self.plane]
        u, along, v = direction[[i, j, k]].tolist()
        return self.centre[0] * u + self.centre[1] * v + faces_reach(self.faces, (math.hypot(u, v), along))

    def control_box(self) -> np.ndarray:
        boxes = np.array([face.outline.control_box() for face in self.faces])
        return self._box(boxes[:, 1, 0].max(), boxes[:, 0, 1].min(), boxes[:, 1, 1].max())

    def inside(self, points: np.ndarray) -> np.ndarray:
        answer = faces_inside(self._opened(), self._profile_points(points))
        return answer if self.is_whole else answer & (self._beyond_sector(points) < 0)

    def distance(self, points: np.ndarray) -> np.ndarray:
        """Signed distance, (N,): the sketch's at (radius, height)."""
        away = faces_distance(self._opened(), self._profile_points(points))
        return away if self.is_whole else np.maximum(away, self._beyond_sector(points))

    def patches(self) -> tuple[Patch, ...]:
        """The wall of each face, and of a partial revolution both ends: points off the sketch are rejected."""
        walls = tuple(self._wall(number) for number in range(len(self.faces)))
        return (
            walls if self.is_whole else (*walls, self._end(self.start, -1.0), self._end(self.start + self.angle, 1.0))
        )

    def borders(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        corners = np.concatenate([face.outline.corners() for face in self.faces])
        (i, j, k), radii = AXES[self.plane], np.concatenate([corners[:, 0], -corners[:, 0]])
        found = {i: self.centre[0] + radii, j: corners[:, 1], k: self.centre[1] + radii}
        return found[0], found[1], found[2]

    def prepared(self) -> "Revolve":
        ready = lambda faces: tuple(replace(face, outline=face.outline.prepared()) for face in faces)  # noqa: E731
        return replace(self, faces=ready(self.faces), open_faces=ready(self._opened()))

    def _box(self, radius: float, low: float, high: float) -> np.ndarray:
        i, j, k = AXES[self.plane]
        box = np.empty((2, 3))
        box[:, i] = self.centre[0] - radius, self.centre[0] + radius
        box[:, k] = self.centre[1] - radius, self.centre[1] + radius
        box[:, j] = low, high
        return box

    def _opened(self) -> Faces:
        if self.open_faces is not None:
            return self.open_faces
        return tuple(replace(face, outline=continued(face.outline)) for face in self.faces)

    def _profile_points(self, points: np.ndarray) -> np.ndarray:
        """Radius and height of points (N, 3), (N, 2)."""
        i, j, k = AXES[self.plane]
        return np.stack([np.hypot(points[:, i] - self.centre[0], points[:, k] - self.centre[1]), points[:, j]]).T

    def _beyond_sector(self, points: np.ndarray) -> np.ndarray:
        """Signed distance (N,) to the sector of a partial revolution, a lower bound."""
        i, _, k = AXES[self.plane]
        u, v = points[:, i] - self.centre[0], points[:, k] - self.centre[1]
        (a, b), (c, d) = _ahead(self.start), _ahead(self.start + self.angle)
        before, after = -(u * a + v * b), u * c + v * d
        return np.maximum(before, after) if self.angle <= WHOLE / 2 else np.minimum(before, after)

    def _around(self, flat: np.ndarray, degrees: np.ndarray) -> np.ndarray:
        """Vectors (N, 3) of (radial, axial) components (N, 2) at angles (N,)."""
        i, j, k = AXES[self.plane]
        turn = np.radians(degrees)
        found = np.empty((len(flat), 3))
        found[:, i], found[:, j], found[:, k] = flat[:, 0] * np.cos(turn), flat[:, 1], -flat[:, 0] * np.sin(turn)
        return found

    def _placed(self, flat: np.ndarray, degrees: np.ndarray) -> np.ndarray:
        i, _, k = AXES[self.plane]
        points = self._around(flat, degrees)
        points[:, i] += self.centre[0]
        points[:, k] += self.centre[1]
        return points

    def _wall(self, number: int) -> Patch:
        outline, earlier = self.faces[number].outline, self.faces[:number]

        def sample(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
            flat, outward = _by_radius(outline, count, rng)
            degrees = self.start + self.angle * rng.random(count)
            return self._placed(flat, degrees), self._around(outward, degrees)

        def fresh(front: np.ndarray, back: np.ndarray) -> np.ndarray:
            """Which samples lie on no wall of the sketch's earlier faces."""
            front, back = self._profile_points(front), self._profile_points(back)
            found = np.ones(len(front), dtype=bool)
            for face in earlier:
                found &= face.outline.inside(front) == face.outline.inside(back)
            return found

        return Patch(math.radians(self.angle) * _moment(outline), sample, fresh if number else None)

    def _end(self, degrees: float, side: float) -> Patch:
        (low, high), normal = self._sketch_box(), np.zeros(3)
        i, _, k = AXES[self.plane]
        normal[[i, k]] = side * np.array(_ahead(degrees))

        def sample(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
            flat = low + (high - low) * rng.random((count, 2))
            return self._placed(flat, np.full(count, degrees)), np.tile(normal, (count, 1))

        return Patch(float(np.prod(high - low)), sample)

    def _sketch_box(self) -> np.ndarray:
        boxes = np.array([face.outline.bounds() for face in self.faces if not face.subtract])
        return np.stack([boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0)])

    # --- other features from this one ---

    def moved(self, by: Similarity) -> "Revolve":
        i, j, k = AXES[self.plane]
        plane = PLANE_OF_NORMAL[(by.axes[j] + 1) % 3]  # the one whose y is the new axis
        new_i, _, new_k = AXES[plane]
        at = {by.axes[i]: by.along(i, self.centre[0]), by.axes[k]: by.along(k, self.centre[1])}
        faces = mapped_faces(self.faces, lambda p: (p[0] * by.scale, by.along(j, p[1])), by.scale)
        turns_on = np.linalg.det(by.matrix()) * by.signs[j] > 0  # whether angles keep their sense
        first = self.start if turns_on else self.start + self.angle
        ray = self._around(np.array([[1.0, 0.0]]), np.array([first])) @ by.matrix().T
        start = math.degrees(math.atan2(-ray[0, new_k], ray[0, new_i]))
        return Revolve(plane, (at[new_i], at[new_k]), faces, self.angle, 0.0 if self.is_whole else _turned(start))

    def turned(self, place: Placement) -> "Revolve | None":
        """About an axis that is along one of the world's again; it starts at another angle."""
        i, j, k = AXES[self.plane]
        directions = place.rotation
        new = int(np.abs(directions[:, j]).argmax())
        if np.delete(np.abs(directions[:, j]), new).max() > ALIGNED:
            return None
        plane, sense = PLANE_OF_NORMAL[(new + 1) % 3], int(np.sign(directions[new, j]))
        axes, signs = [0, 0, 0], [1, 1, 1]
        axes[i], axes[j], axes[k] = AXES[plane]
        signs[j] = signs[k] = sense
        cube = Similarity(tuple(axes), tuple(signs), shift=place.origin)
        about = cube.matrix().T @ directions  # a rotation about the plane's y
        angle, (u, v) = math.degrees(math.atan2(-about[k, i], about[i, i])), self.centre
        centre = (float(about[i, i] * u + about[i, k] * v), float(about[k, i] * u + about[k, k] * v))
        start = 0.0 if self.is_whole else _turned(self.start + angle)
        return replace(self, centre=centre, start=start).moved(cube)

    def numbers(self) -> Numbers:
        """Centre, then the outlines' numbers: radii move along no axis, those on the axis stay there."""
        i, j, k = AXES[self.plane]
        outlines = [face.outline.numbers((-1, j)) for face in self.faces]
        ends = np.cumsum([0, *(len(outline.values) for outline in outlines)]).tolist()
        inner = [(RADIUS if kind != BULGE and axis < 0 else kind, axis) for o in outlines for kind, axis in o.slots]
        values = np.array([value for outline in outlines for value in outline.values])
        free = np.array([axis >= 0 or abs(value) > SAME for (_, axis), value in zip(inner, values, strict=True)])

        def rebuild(given) -> Revolve | None:
            whole = values.copy()
            whole[free] = given[2:]
            built = [outline.rebuild(whole[a:b]) for outline, a, b in zip(outlines, ends[:-1], ends[1:], strict=True)]
            if any(outline is None or outline.bounds()[0, 0] < -SAME for outline in built):
                return None
            faces = tuple(replace(face, outline=outline) for face, outline in zip(self.faces, built, strict=True))
            return replace(self, centre=(float(given[0]), float(given[1])), faces=faces)

        slots = ((CENTRE, i), (CENTRE, k), *(s for s, f in zip(inner, free, strict=True) if f))
        return Numbers(slots, (*map(float, self.centre), *map(float, values[free])), rebuild)

    def canonical(self) -> "Revolve":
        return replace(self, faces=canonical_faces(self.faces))

    def rounded(self) -> "Revolve | None":
        faces = tuple(Face(outline, f.subtract) for f in self.faces if (outline := f.outline.rounded()) is not None)
        if len(faces) < len(self.faces):
            return None
        centre = grid(self.centre[0], 0.5), grid(self.centre[1], 0.5)
        whole = replace(self, centre=centre, faces=faces, angle=max(grid(self.angle), 1.0), start=grid(self.start))
        return whole if whole._sketch_box()[0, 0] >= 0 else None

    def simpler(self) -> tuple["Revolve", ...]:
        """Without one of the faces after the first."""
        return tuple(replace(self, faces=self.faces[:j] + self.faces[j + 1 :]) for j in range(1, len(self.faces)))

    def core(self) -> "Revolve":
        return replace(self, faces=self.faces[:1])

    def with_arcs(self, change: Callable[[Point, Arc], Arc]) -> "Revolve":
        return replace(self, faces=tuple(Face(f.outline.with_arcs(change), f.subtract) for f in self.faces))

    # --- text ---

    def order(self) -> tuple:
        radius = float(self._sketch_box()[:, 0].mean())
        net = sum(face.outline.area() * (-1 if face.subtract else 1) for face in self.faces)
        volume = round(net * radius * math.radians(self.angle) / VOLUME_CLASS)  # roughly: Pappus
        return (-volume, self.plane, *self.centre, *self.faces[0].outline.first_point)

    def crosses_itself(self) -> bool:
        return any(face.outline.crosses_itself() for face in self.faces)

    def check(self) -> None:
        if self.plane not in PLANES:
            raise ValueError(f"unknown plane {self.plane!r}")
        if not self.faces or self.faces[0].subtract:
            raise ValueError("a sketch starts with a face that adds material")
        if not 0 < self.angle <= WHOLE:
            raise ValueError("an angle above 0 and up to 360 degrees")
        for face in self.faces:
            face.outline.check()
        if min(face.outline.bounds()[0, 0] for face in self.faces) < -SAME:
            raise ValueError("a turned sketch crosses its axis")

    @property
    def base(self) -> NamedPlane:
        i, _, k = AXES[self.plane]
        origin = [0.0, 0.0, 0.0]
        origin[i], origin[k] = self.centre
        return NamedPlane(self.plane, tuple(origin), self.start)

    def built(self, write: Write) -> list[str]:
        return ["sketch()", *sketch_calls(self.faces, write), "finalize()", f"revolve({write(self.angle)},{LINE})"]

    def role(self, context: RoleContext) -> str:
        if context.operation == "cut":
            return "recess"
        low, high = self.bounds()
        length, across = (high - low)[self.axis], (high - low)[AXES[self.plane][0]]
        if context.first:
            return "shaft" if length > LONG * across else "body"
        return "collar"

    @classmethod
    def parsers(cls) -> dict[type, dict[str, Callable[..., "Revolve"]]]:
        return {Plane: {"sphere": sphere}, Profile: {"revolve": revolve}}


def sphere(plane: Plane, radius) -> Revolve:
    r = size_of(radius, "a radius")
    i, j, k = AXES[plane.name]
    at = {i: plane.origin[0] + plane.at[0], j: plane.origin[1] + plane.at[1], k: plane.offset}
    half = Loop((0.0, at[k] - r), (Arc((r, at[k]), (0.0, at[k] + r)), Line((0.0, at[k] - r))))
    return Revolve(PLANE_OF_NORMAL[i], (at[j], at[i]), (Face(half),))


def revolve(profile: Profile, angleDegrees=WHOLE, axisStart=None, axisEnd=None) -> Revolve:
    angle = number_of(angleDegrees, "an angle") % WHOLE or WHOLE  # as CadQuery does, also for negative ones
    first, last = _line(profile.plane, axisStart, axisEnd)
    dx, dy = last[0] - first[0], last[1] - first[1]
    if (abs(dx) > SAME) == (abs(dy) > SAME):
        raise Outside("revolve turns about a line along the x or y of its workplane")
    make, way = (_about_y, dy) if abs(dy) > SAME else (_about_x, dx)
    whole = make(profile.plane, profile.faces, first)
    back = 0.0 if way > 0 else angle  # a sweep the other way ends at the sketch
    swept = replace(whole, angle=angle, start=0.0 if angle == WHOLE else _turned(whole.start - back))
    try:
        swept.check()
    except ValueError as problem:
        raise Outside(str(problem)) from None
    return swept


def _line(plane: Plane, start, end) -> tuple[Point, Point]:
    """Both points of the line to turn about; without them CadQuery looks at the y of the workplane in the world."""
    first = (0.0, 0.0) if start is None else _flat(start)
    if end is not None:
        return first, _flat(end)
    return first, (0.0, plane.in_space(*first)[1] or 1.0)


def _flat(point) -> Point:
    if isinstance(point, tuple) and len(point) == 3 and point[2] == 0:
        point = point[:2]
    return point_of(point)


def _about_y(plane: Plane, faces: Faces, line: Point) -> Revolve:
    """A whole revolution about a line along the workplane's y; `start` is where the sketch is."""
    (u, v), (x, y) = plane.origin, plane.at
    faces, side = _on_one_side(moved_faces(faces, (x - line[0], v + y)))
    return Revolve(plane.name, (u + line[0], plane.offset), faces, start=side)


def _about_x(plane: Plane, faces: Faces, line: Point) -> Revolve:
    """The same about a line along its x, which is the y of another named plane."""
    (u, v), (x, y), normal = plane.origin, plane.at, AXES[plane.name][1]
    swapped = mapped_faces(faces, lambda p: (p[1] + y - line[1], p[0] + u + x), swap=True)
    faces, side = _on_one_side(swapped)
    return Revolve(PLANE_OF_NORMAL[normal], (plane.offset, v + line[1]), faces, start=-90.0 + side)


def _on_one_side(faces: Faces) -> tuple[Faces, float]:
    """Faces at positive radii, and the degrees by which that turned them about the axis."""
    if min(face.outline.bounds()[0, 0] for face in faces) >= -SAME:
        return faces, 0.0
    return mapped_faces(faces, lambda p: (-p[0], p[1])), WHOLE / 2


def continued(outline: Outline) -> Outline:
    """An outline whose sides on the axis are moved far beyond it: they are no part of the surface."""
    if isinstance(outline, Circle):
        return outline
    loop = outline.loop() if isinstance(outline, Rect) else outline
    edges, here = [], loop.start
    for edge in loop.edges:
        if not edge.bent and max(abs(here[0]), abs(edge.end[0])) <= SAME:
            edges += [Line((-BEYOND, here[1])), Line((-BEYOND, edge.end[1]))]
        edges.append(edge)
        here = edge.end
    return Loop(loop.start, tuple(edges))


def _moment(outline: Outline) -> float:
    """Integral of the radius along an outline: its area when turned by one radian (Pappus)."""
    if isinstance(outline, Circle):
        return outline.centre[0] * outline.perimeter()
    curve = (outline.loop() if isinstance(outline, Rect) else outline).prepared()
    sides = curve.lengths * (curve.first[:, 0] + curve.last[:, 0]) / 2
    ends = curve.begins + curve.sweeps
    arcs = curve.centres[:, 0] * curve.sweeps + curve.radii * (np.sin(ends) - np.sin(curve.begins))
    sides[curve.bent] = np.abs(curve.radii * arcs)
    return float(sides.sum())


def _by_radius(outline: Outline, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points (count, 2) on an outline, as dense as their radius is large, and their normals (count, 2)."""
    most, points, normals = outline.bounds()[1, 0], [np.empty((0, 2))], [np.empty((0, 2))]
    missing = count
    while missing > 0:
        flat, outward = outline.sample_boundary(2 * missing + 8, rng)
        rows = np.flatnonzero(rng.random(len(flat)) * most < flat[:, 0])[:missing]
        points.append(flat[rows])
        normals.append(outward[rows])
        missing -= len(rows)
    return np.concatenate(points), np.concatenate(normals)


def _ahead(degrees: float) -> tuple[float, float]:
    """Direction (along the plane's x, along its normal) in which a point at an angle moves on."""
    turn = math.radians(degrees)
    return -math.sin(turn), -math.cos(turn)


def _turned(degrees: float) -> float:
    """An angle in [0, 360), without noise of rounding."""
    return round(degrees % WHOLE, 9) % WHOLE
