"""Planes that sketches lie in."""

from dataclasses import dataclass

from cadcode.program.text.plain import Write

PLANES = ("XY", "YZ", "ZX")
# World axes of a plane's local x, y and normal. CadQuery's named planes; each is a cyclic shift of (x, y, z).
AXES = {"XY": (0, 1, 2), "YZ": (1, 2, 0), "ZX": (2, 0, 1)}
PLANE_OF_NORMAL = {normal: plane for plane, (_, _, normal) in AXES.items()}
# The same and the sense of the normal, also of the planes seen from behind: there x and y change places.
FACING = {
    **{plane: (*axes, 1) for plane, axes in AXES.items()},
    **{"YX": (1, 0, 2, -1), "ZY": (2, 1, 0, -1), "XZ": (0, 2, 1, -1)},
}
PLANE_FACING = {(normal, sense): plane for plane, (_, _, normal, sense) in FACING.items()}


@dataclass(frozen=True, slots=True)
class NamedPlane:
    """A workplane: a plane by its name, with its origin at a point of space."""

    name: str = "XY"
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def call(self, write: Write) -> str:
        """Its CadQuery call after `cq.`."""
        if not any(self.origin):
            return f"Workplane('{self.name}')"
        return f"Workplane('{self.name}',origin=({','.join(map(write, self.origin))}))"
