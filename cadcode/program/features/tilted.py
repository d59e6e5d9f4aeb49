"""Tilted features: any other feature in a plane of its own, which need not be along the axes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from cadcode.program.curve import Arc, Point
from cadcode.program.feature import Feature, Patch, RoleContext, Similarity, Solid, bounds_by_reach
from cadcode.program.normal_form import grid
from cadcode.program.numbers import ANGLE, CENTRE, LOCAL, Numbers
from cadcode.program.place import AXES, NamedPlane, Placement, angles_of, rotation_of, vector
from cadcode.program.text.plain import Write

NOWHERE = (0.0, 0.0, 0.0)
MIRROR = Similarity(signs=(-1, 1, 1))


@dataclass(frozen=True, slots=True)
class Tilted(Solid):
    """`body`, on XY and in the coordinates of `place`; made by `tilted`, which brings any feature to this form."""

    kind: ClassVar[str] = "tilted"
    on_any_plane: ClassVar[bool] = False
    body: Feature
    place: Placement

    @property
    def outline_count(self) -> int:
        return self.body.outline_count

    @property
    def edge_count(self) -> int:
        return self.body.edge_count

    # --- geometry ---

    def bounds(self) -> np.ndarray:
        self.body.bounds()  # raises EmptySolid where there is nothing
        return bounds_by_reach(self)

    def reach(self, direction: np.ndarray) -> float:
        return float(direction @ np.array(self.place.origin)) + self.body.reach(direction @ self.place.rotation)

    def control_box(self) -> np.ndarray:
        corners = self._corners(self.body.control_box())
        return np.stack([corners.min(axis=0), corners.max(axis=0)])

    def inside(self, points: np.ndarray) -> np.ndarray:
        return self.body.inside(self.place.local(points))

    def distance(self, points: np.ndarray) -> np.ndarray:
        return self.body.distance(self.place.local(points))

    def patches(self) -> tuple[Patch, ...]:
        return tuple(self._patch(patch) for patch in self.body.patches())

    def borders(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        x, y, z = self._corners(self.body.bounds()).T
        return x, y, z

    def prepared(self) -> "Tilted":
        return replace(self, body=self.body.prepared())

    def _corners(self, box: np.ndarray) -> np.ndarray:
        """The corners (8, 3) of a box of the body, in space."""
        return self.place.in_space(np.stack(np.meshgrid(*box.T), axis=-1).reshape(-1, 3))

    def _patch(self, patch: Patch) -> Patch:
        rotation, place = self.place.rotation, self.place

        def sample(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
            points, normals = patch.sample(count, rng)
            return place.in_space(points), normals @ rotation.T

        def fresh(front: np.ndarray, back: np.ndarray) -> np.ndarray:
            return patch.fresh(place.local(front), place.local(back))

        return Patch(patch.area, sample, fresh if patch.fresh else None)

    # --- other features from this one ---

    def moved(self, by: Similarity) -> "Tilted":
        """A reflection mirrors the body in its own plane; what is left of it is a rotation."""
        turn = by.matrix() / by.scale
        x, normal = turn @ self.place.x, turn @ self.place.normal
        body = self.body.moved(Similarity(scale=by.scale))
        if np.linalg.det(turn) < 0:
            body, x = body.moved(MIRROR), -x
        place = Placement(vector(by.apply(np.array(self.place.origin))), vector(x), vector(normal))
        return _on_xy(body, place)

    def numbers(self) -> Numbers:
        """Origin, the angles that turn XY to its plane, and the body's numbers along the axes of the plane."""
        inner = self.body.numbers()

        def rebuild(values: Sequence[float]) -> Feature | None:
            body = inner.rebuild(values[6:])
            return None if body is None else tilted(body, Placement.of(values[:3], rotation_of(tuple(values[3:6]))))

        slots = tuple((kind, LOCAL + axis if axis >= 0 else axis) for kind, axis in inner.slots)
        placing = ((CENTRE, 0), (CENTRE, 1), (CENTRE, 2), *((ANGLE, -1) for _ in range(3)))
        values = (*self.place.origin, *angles_of(self.place.rotation), *inner.values)
        return Numbers((*placing, *slots), values, rebuild)

    def canonical(self) -> "Tilted":
        """A body whose canonical form is on another plane is brought back to XY, which may undo that form."""
        body = self.body.canonical()
        found = _on_xy(body, self.place)
        return found if body.base == NamedPlane() else found.canonical()

    def rounded(self) -> "Tilted | None":
        """The body and the origin on the grid; the directions stay."""
        body = self.body.rounded()
        place = replace(self.place, origin=vector(map(grid, self.place.origin)))
        return None if body is None else replace(self, body=body, place=place)

    def simpler(self) -> tuple["Tilted", ...]:
        return tuple(replace(self, body=body) for body in self.body.simpler())

    def core(self) -> "Tilted":
        return replace(self, body=self.body.core())

    def joined(self, other) -> "Tilted | None":
        if other.kind != self.kind or other.place != self.place:
            return None
        body = self.body.joined(other.body)
        return None if body is None else replace(self, body=body)

    def with_arcs(self, change: Callable[[Point, Arc], Arc]) -> "Tilted":
        return replace(self, body=self.body.with_arcs(change))

    # --- text ---

    def order(self) -> tuple:
        volume, word, *numbers = self.body.order()
        return (volume, f"{self.kind} {word}", *self.place.origin, *self.place.x, *self.place.normal, *numbers)

    def crosses_itself(self) -> bool:
        return self.body.crosses_itself()

    def check(self) -> None:
        if self.body.base != NamedPlane():
            raise ValueError("the body of a tilted feature is on XY")
        if not self.body.on_any_plane:
            raise ValueError(f"no text has a {self.body.kind} on a plane that is not along the axes")
        self.body.check()

    @property
    def base(self) -> Placement:
        return self.place

    def built(self, write: Write) -> list[str]:
        return self.body.built(write)

    def role(self, context: RoleContext) -> str:
        return self.body.role(context)


def tilted(body: Feature, place: Placement) -> Feature:
    """The feature that is `body` in the coordinates of a plane: one of its own type, where this can say it."""
    symmetry = place.symmetry()
    if symmetry is not None:
        return body.moved(Similarity(*symmetry, shift=place.origin))
    return body.turned(place) or _on_xy(body, place)


def _on_xy(body: Feature, place: Placement) -> Tilted:
    """With the body's own plane made part of `place`, so that equal texts are equal features."""
    base = body.base
    if base == NamedPlane():
        return Tilted(body, place.rounded())
    here = Similarity(AXES[base.name], shift=base.origin)
    flat = body.moved(here.inverse())
    if flat.base.turn:
        flat = flat.turned(Placement.of(NOWHERE, rotation_of((0.0, -flat.base.turn, 0.0))))
    return Tilted(flat, place.at(base.placement).rounded())
