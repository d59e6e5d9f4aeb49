"""Planes that sketches lie in."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cadcode.program.text.plain import Write, number

PLANES = ("XY", "YZ", "ZX")
Vector = tuple[float, float, float]

# World axes of a plane's local x, y and normal. CadQuery's named planes; each is a cyclic shift of (x, y, z).
AXES = {"XY": (0, 1, 2), "YZ": (1, 2, 0), "ZX": (2, 0, 1)}
PLANE_OF_NORMAL = {normal: plane for plane, (_, _, normal) in AXES.items()}
# The same and the sense of the normal, also of the planes seen from behind: there x and y change places.
FACING = {
    **{plane: (*axes, 1) for plane, axes in AXES.items()},
    **{"YX": (1, 0, 2, -1), "ZY": (2, 1, 0, -1), "XZ": (0, 2, 1, -1)},
}
PLANE_FACING = {(normal, sense): plane for plane, (_, _, normal, sense) in FACING.items()}

# CadQuery's other names, by x and normal.
VIEWS = {
    "front": ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    "back": ((-1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "left": ((0.0, 0.0, 1.0), (-1.0, 0.0, 0.0)),
    "right": ((0.0, 0.0, -1.0), (1.0, 0.0, 0.0)),
    "top": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "bottom": ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0)),
}
UNIT = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
DOWN = ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))
NAMED = {name: (UNIT[x], UNIT[n] if sense > 0 else DOWN[n]) for name, (x, _, n, sense) in FACING.items()}
DIRECTIONS = NAMED | VIEWS

DIRECTION_DIGITS = 9  # decimals: within 1e-7 at the far end of a part
ANGLE_DIGITS = 3
ALIGNED = 1e-9  # directions this close to the world's axes are along them


@dataclass(frozen=True, slots=True)
class Placement:
    """A plane anywhere: its origin, and its x and normal, unit vectors at right angles to each other."""

    origin: Vector = (0.0, 0.0, 0.0)
    x: Vector = UNIT[0]
    normal: Vector = UNIT[2]

    @classmethod
    def of(cls, origin, rotation: np.ndarray) -> "Placement":
        """The plane with the columns of a rotation (3, 3) as x, y and normal."""
        return cls(vector(origin), vector(rotation[:, 0]), vector(rotation[:, 2]))

    @property
    def rotation(self) -> np.ndarray:
        """(3, 3), its columns x, y and normal; exactly orthogonal where the directions were rounded."""
        normal = _unit(np.array(self.normal))
        x = np.array(self.x)
        x = _unit(x - (x @ normal) * normal)
        return np.stack([x, np.cross(normal, x), normal], axis=1)

    def local(self, points: np.ndarray) -> np.ndarray:
        """Coordinates of points (N, 3) in this plane."""
        return (points - np.array(self.origin)) @ self.rotation

    def in_space(self, points: np.ndarray) -> np.ndarray:
        """Points of space from local coordinates (N, 3)."""
        return points @ self.rotation.T + np.array(self.origin)

    def at(self, inner: "Placement") -> "Placement":
        """The plane that is `inner` in this plane's coordinates."""
        return Placement.of(self.in_space(np.array(inner.origin)), self.rotation @ inner.rotation)

    def symmetry(self) -> tuple[tuple[int, int, int], tuple[int, int, int]] | None:
        """World axes and signs of its x, y and normal; None where they are along none."""
        columns = self.rotation.T
        axes, nearest = np.abs(columns).argmax(axis=1), np.rint(columns)
        if np.abs(columns - nearest).max() > ALIGNED:
            return None
        signs = nearest[range(3), axes]
        return tuple(int(axis) for axis in axes), tuple(int(sign) for sign in signs)

    def rounded(self) -> "Placement":
        """With the directions that a text can say; those of a rounded one stay as they are."""
        return Placement(self.origin, _written(self.x), _written(self.normal))

    def call(self, write: Write) -> str:
        """Its CadQuery call after `cq.`: a named plane turned about one axis where that says the same."""
        origin = _point(self.origin, write)
        turn = self._turn()
        if turn is None:
            x, normal = (_point(direction, _direction_text) for direction in (self.x, self.normal))
            return f"Workplane(cq.Plane(origin={origin},xDir={x},normal={normal}))"
        name, angles = turn
        place = f",origin={origin}" if any(self.origin) else ""
        return f"Workplane('{name}'{place}).transformed(rotate=({','.join(number(a, ANGLE_DIGITS) for a in angles)}))"

    def _turn(self) -> tuple[str, Vector] | None:
        """A named plane and degrees about its axes, all but one 0, that make these directions; the least, if any."""
        found = [turn for name in FACING for turn in self._turns_of(name)]
        return min(found, key=lambda turn: max(map(abs, turn[1])), default=None)

    def _turns_of(self, name: str) -> Iterator[tuple[str, Vector]]:
        named = Placement(self.origin, *DIRECTIONS[name]).rotation
        between = named.T @ self.rotation
        for axis in np.flatnonzero(np.diag(between) > 1 - ALIGNED).tolist():
            i, j = (axis + 1) % 3, (axis + 2) % 3
            angle = round(math.degrees(math.atan2(between[j, i], between[i, i])), ANGLE_DIGITS)
            angles = vector(angle if k == axis else 0.0 for k in range(3))
            if Placement.of(self.origin, named @ rotation_of(angles)).rounded() == self:
                yield name, angles


@dataclass(frozen=True, slots=True)
class NamedPlane:
    """A workplane: a plane by its name, with its origin at a point of space, turned by degrees about its y."""

    name: str = "XY"
    origin: Vector = (0.0, 0.0, 0.0)
    turn: float = 0.0

    @property
    def placement(self) -> Placement:
        named = Placement(self.origin, *DIRECTIONS[self.name])
        return named.at(Placement.of((0.0, 0.0, 0.0), rotation_of((0.0, self.turn, 0.0)))) if self.turn else named

    def call(self, write: Write) -> str:
        """Its CadQuery call after `cq.`."""
        place = f",origin={_point(self.origin, write)}" if any(self.origin) else ""
        turn = f".transformed(rotate=(0,{write(self.turn)},0))" if self.turn else ""
        return f"Workplane('{self.name}'{place}){turn}"


def rotation_of(degrees: Vector) -> np.ndarray:
    """The rotation (3, 3) of CadQuery's `transformed`: about z, then about the old y, then about the old x."""
    about_x, about_y, about_z = (_about(axis, math.radians(angle)) for axis, angle in enumerate(degrees))
    return about_x @ about_y @ about_z


def angles_of(rotation: np.ndarray) -> Vector:
    """The degrees that `rotation_of` makes a rotation (3, 3) of."""
    across = math.hypot(rotation[0, 0], rotation[0, 1])
    middle = math.atan2(rotation[0, 2], across)
    if across < ALIGNED:  # first and last turn about the same axis
        first, last = math.atan2(rotation[2, 1], rotation[1, 1]), 0.0
    else:
        first = math.atan2(-rotation[1, 2], rotation[2, 2])
        last = math.atan2(-rotation[0, 1], rotation[0, 0])
    return vector(map(math.degrees, (first, middle, last)))


def vector(values) -> Vector:
    """Three plain floats, without -0.0."""
    x, y, z = (float(value) + 0.0 for value in values)
    return x, y, z


def _about(axis: int, angle: float) -> np.ndarray:
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix = np.eye(3)
    matrix[[i, j], [i, j]] = math.cos(angle)
    matrix[i, j], matrix[j, i] = -math.sin(angle), math.sin(angle)
    return matrix


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _written(direction: Vector) -> Vector:
    """A unit vector to `DIRECTION_DIGITS` decimals."""
    return vector(round(value, DIRECTION_DIGITS) for value in direction)


def _point(at: Vector, write: Write) -> str:
    return f"({','.join(map(write, at))})"


def _direction_text(value: float) -> str:
    return number(value, DIRECTION_DIGITS)
