"""Programs read off the input's analytic faces: a turned part is one revolution."""

from cadcode.program.features.revolve import Revolve
from cadcode.program.place import PLANE_OF_NORMAL
from cadcode.program.tree import Face, Program, Step
from cadcode.search.from_sections import SECTIONS, Sections, from_sections
from cadcode.search.from_turning import Turning, turning

TURNED = "turned profile"
READINGS = (*SECTIONS, TURNED)  # names of the programs that are read off the input


def readings(mesh: Sections) -> list[tuple[str, Program]]:
    """All programs read off the input, named by `READINGS`, program frame."""
    return [*from_sections(mesh), *from_surfaces(mesh)]


def from_surfaces(mesh: Sections) -> list[tuple[str, Program]]:
    """Named programs, program frame."""
    if mesh.segmentation is None:
        return []
    found = turning(mesh.vertices, mesh.faces, mesh.segmentation)
    return [] if found is None else [(TURNED, Program((Step("union", revolution(found)),)))]


def revolution(found: Turning) -> Revolve:
    """The feature that a turning is: its outlines in the order of their depth, added or taken away."""
    faces = tuple(Face(ring.outline, subtract=not ring.solid) for ring in found.rings)
    return Revolve(PLANE_OF_NORMAL[(found.axis + 1) % 3], (found.centre[1], found.centre[0]), faces)
