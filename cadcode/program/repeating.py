"""Coordinates of a pattern's plane, and the call that repeats a body on it."""

import numpy as np

from cadcode.program.feature import Feature, Similarity, Solid
from cadcode.program.place import AXES, PLANE_OF_NORMAL
from cadcode.program.text.plain import Write
from cadcode.program.workplane import Outside, Plane


def from_plane(plane: str, shift: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Similarity:
    """From the coordinates of a plane to space; `shift` is in the coordinates of the plane."""
    return Similarity(AXES[plane], shift=in_space(plane, shift))


def in_space(plane: str, local: tuple[float, float, float]) -> tuple[float, float, float]:
    """World coordinates of a vector that is given along the x, y and normal of a plane."""
    found = dict(zip(AXES[plane], local, strict=True))
    return found[0], found[1], found[2]


def moved_plane(plane: str, by: Similarity) -> tuple[str, bool]:
    """The image of a plane, and whether its x and y are exchanged."""
    x, _, normal = AXES[plane]
    image = PLANE_OF_NORMAL[by.axes[normal]]
    return image, AXES[image][0] != by.axes[x]


def outside_box(points: np.ndarray, box: np.ndarray) -> np.ndarray:
    """How far points (N, 3) are outside a box (2, 3) along each axis, (N, 3)."""
    return np.maximum(np.maximum(box[0] - points, points - box[1]), 0.0)


def each_call(body: Feature, write: Write) -> str:
    """The call that unites copies of a body, which is in the workplane's coordinates, at all its places."""
    return f"eachpoint(cq.{'.'.join(body.calls(write))},True,'a')"


def check_copies(body, combine, local, plane: Plane) -> None:
    """Raise Outside where `eachpoint` does not make one solid of copies about the origin of the plane."""
    if not isinstance(body, Solid):
        raise Outside("eachpoint takes a solid")
    if combine not in (True, "a"):
        raise Outside("eachpoint leaves its copies apart: combine='a' unites them")
    if local is not True and (plane.name != "XY" or any(plane.origin) or plane.place):
        raise Outside("eachpoint on a plane of its own needs useLocalCoordinates=True")


def spelled(pattern):
    """The pattern, if its own text can say it."""
    try:
        pattern.check()
    except ValueError as problem:
        raise Outside(str(problem)) from None
    return pattern
