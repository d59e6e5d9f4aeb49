"""What came of a program: a `Solid` or a `Failed`, judged from bytes that the program could have written itself.

Nothing in a report is believed that can be counted again: sizes, finiteness and index ranges are checked, the volume
is recomputed from the mesh, the STL is written here. What cannot be: `valid` and the number of solids are the kernel's
word from the program's own process, and STEP and BREP bytes are checked for their first line only (they are data).
"""

import math
import struct
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from cadcode.sandbox.wire import unpack

MAX_COORDINATE = 1e9
MAX_NOTES = 20  # of a CAD file
VOLUME_TOLERANCE = 0.02  # chords against curved faces; the mesh's own tolerance times its area comes on top
FIRST_BYTES = {"step": b"ISO-10303-21;", "brep": b"\nCASCADE Topology"}
EXPORTS = ("step", "brep", "stl")
KINDS = ("rejected", "error", "timeout", "memory", "crash", "empty", "forged")


@dataclass(frozen=True, eq=False)
class Solid:
    """A program's solid in the program's own units: `vertices` (V, 3) float64, `faces` (F, 3) int32, outward.

    `volume` is the kernel's, agreeing with the mesh; `valid` is the kernel's check; `solids` counts bodies.
    """

    vertices: np.ndarray
    faces: np.ndarray
    volume: float
    valid: bool
    exports: dict[str, bytes] = field(default_factory=dict)
    seconds: float = 0.0
    solids: int = 1


@dataclass(frozen=True)
class Failed:
    """A program without a solid: `kind` is one of KINDS, `reason` one line for the user."""

    kind: str
    reason: str
    seconds: float = 0.0


Outcome = Solid | Failed


class CadMesh(NamedTuple):
    """A CAD file as a mesh: `vertices` (V, 3) float64, `faces` (F, 3) int32.

    `notes` say how it was read; `bodies` are the numbers of vertices of its solids, in their order, and of the faces
    that belong to none. Solids share no vertices.
    """

    vertices: np.ndarray
    faces: np.ndarray
    notes: tuple[str, ...] = ()
    bodies: tuple[int, ...] = ()


def judge(report: bytes, export: tuple[str, ...], max_triangles: int, tolerance: float, seconds: float) -> Outcome:
    """The outcome of a run that ended well and wrote `report`; its mesh is within `tolerance` x size of the surface."""
    try:
        header, blobs = unpack(report)
        if "failed" in header:
            return _told_failure(header, seconds)
        vertices, faces = _mesh(blobs, max_triangles)
        volume, valid = _volume(header, vertices, faces, tolerance)
        exports = _exports(blobs, export, vertices, faces)
    except ValueError as error:
        return Failed("forged", f"the result does not add up: {error}", seconds)
    return Solid(vertices, faces, volume, valid, exports, seconds, _natural(header.get("solids")))


def judge_mesh(report: bytes, max_triangles: int) -> CadMesh | Failed:
    """As `judge` for a file that was read; its mesh may be an open sheet."""
    try:
        header, blobs = unpack(report)
        if "failed" in header:
            return _told_failure(header, 0.0)
        vertices, faces = _mesh(blobs, max_triangles)
        return CadMesh(vertices, faces, _notes(header), _bodies(header, len(vertices)))
    except ValueError as error:
        return Failed("forged", f"the result does not add up: {error}")


def mesh_volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """The signed volume of a closed mesh: the sum of its tetrahedra around the centre (divergence theorem).

    A copy of `geometry.mesh.signed_volume`: the sandbox imports numpy only and depends on no other room.
    """
    corners = (vertices - vertices.mean(axis=0))[faces]  # (F, 3, 3)
    return float(np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6)


def one_line(text: str, limit: int = 200) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def stl_bytes(vertices: np.ndarray, faces: np.ndarray) -> bytes:
    """A binary STL: 80 bytes, the count, then normal, three corners and two spare bytes a triangle."""
    corners = vertices[faces]  # (F, 3, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)
    records = np.zeros(len(faces), dtype=[("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("spare", "<u2")])
    records["normal"], records["corners"] = normals, corners
    return b"cadcode".ljust(80) + struct.pack("<I", len(faces)) + records.tobytes()


def _told_failure(header: dict, seconds: float) -> Failed:
    kind, reason = header["failed"], header.get("reason")
    if kind not in KINDS or not isinstance(reason, str):
        raise ValueError("a failure without a kind and a reason")
    return Failed(kind, one_line(reason), seconds)


def _mesh(blobs: dict[str, bytes], max_triangles: int) -> tuple[np.ndarray, np.ndarray]:
    raw_vertices, raw_faces = blobs.get("vertices", b""), blobs.get("faces", b"")
    if len(raw_vertices) % 24 or len(raw_faces) % 12 or not raw_faces:
        raise ValueError("no whole number of vertices and faces")
    if len(raw_faces) > 12 * max_triangles or len(raw_vertices) > 72 * max_triangles:
        raise ValueError(f"more than {max_triangles} triangles")
    vertices = np.frombuffer(raw_vertices, "<f8").reshape(-1, 3).astype(np.float64)
    faces = np.frombuffer(raw_faces, "<i4").reshape(-1, 3).astype(np.int32)
    if not np.isfinite(vertices).all() or np.abs(vertices).max(initial=0) > MAX_COORDINATE:
        raise ValueError("coordinates that are not finite or above 1e9")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise ValueError("a face with a vertex that does not exist")
    return vertices, faces


def _volume(header: dict, vertices: np.ndarray, faces: np.ndarray, tolerance: float) -> tuple[float, bool]:
    told, valid, counted = header.get("volume"), header.get("valid"), mesh_volume(vertices, faces)
    if type(told) is not float or not math.isfinite(told) or type(valid) is not bool:
        raise ValueError("no volume and validity")
    agrees = abs(told - counted) <= VOLUME_TOLERANCE * abs(counted) + _slack(vertices, faces, tolerance)
    if not agrees and valid:
        raise ValueError(f"volume {told:.6g}, but its mesh has {counted:.6g}")
    volume = told if agrees else counted  # a shape the kernel calls invalid: its mesh is what there is
    if volume <= 0:
        raise ValueError(f"volume {volume:.6g}")
    return volume, valid


def _slack(vertices: np.ndarray, faces: np.ndarray, tolerance: float) -> float:
    """The volume between a surface and a mesh that is `tolerance` x size away from it, everywhere."""
    corners = vertices[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    return float(area * tolerance * np.ptp(vertices, axis=0).max())


def _exports(blobs: dict[str, bytes], wanted: tuple[str, ...], vertices: np.ndarray, faces: np.ndarray) -> dict:
    exports = {name: blobs.get(name, b"") for name in wanted if name != "stl"}
    for name, data in exports.items():
        if not data.startswith(FIRST_BYTES[name]):
            raise ValueError(f"no {name.upper()} data")
    return {**exports, "stl": stl_bytes(vertices, faces)} if "stl" in wanted else exports


def _natural(value) -> int:
    return value if type(value) is int and value > 0 else 1


def _notes(header: dict) -> tuple[str, ...]:
    notes = header.get("notes", [])
    if not isinstance(notes, list) or len(notes) > MAX_NOTES or not all(isinstance(note, str) for note in notes):
        raise ValueError("notes that are no short list of texts")
    return tuple(map(one_line, notes))


def _bodies(header: dict, vertex_count: int) -> tuple[int, ...]:
    sizes = header.get("bodies", [])
    if not isinstance(sizes, list) or not all(type(size) is int and size > 0 for size in sizes):
        raise ValueError("bodies without numbers of vertices")
    if sizes and sum(sizes) != vertex_count:
        raise ValueError("bodies whose vertices are not those of the mesh")
    return tuple(sizes)
