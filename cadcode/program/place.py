"""Planes that sketches lie in."""

PLANES = ("XY", "YZ", "ZX")
# World axes of a plane's local x, y and normal. CadQuery's named planes; each is a cyclic shift of (x, y, z).
AXES = {"XY": (0, 1, 2), "YZ": (1, 2, 0), "ZX": (2, 0, 1)}
PLANE_OF_NORMAL = {normal: plane for plane, (_, _, normal) in AXES.items()}
