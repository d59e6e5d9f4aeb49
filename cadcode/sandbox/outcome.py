"""Outcome of a program: a `Solid` or a `Failed`, validated from bytes that the program could have forged.

All values of a report that can be recomputed are recomputed: sizes, finiteness and index ranges are checked, the volume
comes from the mesh, the STL is written by this module. Not verifiable: `valid` and the number of solids come from the
program's own process, and STEP and BREP bytes are checked for their first line only (they are data).
"""

import math
import struct
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from cadcode.sandbox.wire import unpack

MAX_COORDINATE = 1e9
MAX_NOTES = 20  # per CAD file
VOLUME_TOLERANCE = 0.02  # relative, for chords of curved faces; mesh tolerance times area is added
FIRST_BYTES = {"step": b"ISO-10303-21;", "brep": b"\nCASCADE Topology"}
EXPORTS = ("step", "brep", "stl")
KINDS = ("rejected", "error", "timeout", "memory", "crash", "empty", "forged")


@dataclass(frozen=True, eq=False)
class Solid:
    """Solid of a program in program units: `vertices` (V, 3) float64, `faces` (F, 3) int32, outward.

    `volume` is the kernel's and agrees with the mesh; `valid` is the kernel's check; `solids` counts bodies.
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
    """Failure of a program: `kind` is one of KINDS, `reason` one line for the user."""

    kind: str
    reason: str
    seconds: float = 0.0


Outcome = Solid | Failed


class CadMesh(NamedTuple):
    """Mesh of a CAD file: `vertices` (V, 3) float64, `faces` (F, 3) int32.

    `notes` describe repairs; `bodies` are the vertex counts of its solids, in order, and of the faces that belong to no
    solid. Solids share no vertices.
    """

    vertices: np.ndarray
    faces: np.ndarray
    notes: tuple[str, ...] = ()
    bodies: tuple[int, ...] = ()


def validate_report(
    report: bytes, export: tuple[str, ...], max_triangles: int, tolerance: float, seconds: float
) -> Outcome:
    """Outcome of a run that ended normally with `report`; its mesh is within `tolerance` x size of the surface."""
    try:
        header, blobs = unpack(report)
        if "failed" in header:
            return _reported_failure(header, seconds)
        vertices, faces = _mesh(blobs, max_triangles)
        volume, valid = _volume(header, vertices, faces, tolerance)
        exports = _exports(blobs, export, vertices, faces)
    except ValueError as error:
        return Failed("forged", f"the result does not add up: {error}", seconds)
    return Solid(vertices, faces, volume, valid, exports, seconds, _natural(header.get("solids")))


def validate_mesh(report: bytes, max_triangles: int) -> CadMesh | Failed:
    """Mesh of a CAD file from the `report` of its reader; it may be an open sheet."""
    try:
        header, blobs = unpack(report)
        if "failed" in header:
            return _reported_failure(header, 0.0)
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


def _reported_failure(header: dict[str, Any], seconds: float) -> Failed:
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


def _volume(header: dict[str, Any], vertices: np.ndarray, faces: np.ndarray, tolerance: float) -> tuple[float, bool]:
    reported, valid, computed = header.get("volume"), header.get("valid"), mesh_volume(vertices, faces)
    if type(reported) is not float or not math.isfinite(reported) or type(valid) is not bool:
        raise ValueError("no volume and validity")
    agrees = abs(reported - computed) <= VOLUME_TOLERANCE * abs(computed) + _slack(vertices, faces, tolerance)
    if not agrees and valid:
        raise ValueError(f"volume {reported:.6g}, but its mesh has {computed:.6g}")
    volume = reported if agrees else computed  # for a shape that the kernel calls invalid, the mesh counts
    if volume <= 0:
        raise ValueError(f"volume {volume:.6g}")
    return volume, valid


def _slack(vertices: np.ndarray, faces: np.ndarray, tolerance: float) -> float:
    """Volume between a surface and a mesh at a distance of `tolerance` x size from it."""
    corners = vertices[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    return float(area * tolerance * np.ptp(vertices, axis=0).max())


def _exports(
    blobs: dict[str, bytes], wanted: tuple[str, ...], vertices: np.ndarray, faces: np.ndarray
) -> dict[str, bytes]:
    exports = {name: blobs.get(name, b"") for name in wanted if name != "stl"}
    for name, data in exports.items():
        if not data.startswith(FIRST_BYTES[name]):
            raise ValueError(f"no {name.upper()} data")
    return {**exports, "stl": stl_bytes(vertices, faces)} if "stl" in wanted else exports


def _natural(value: object) -> int:
    return value if type(value) is int and value > 0 else 1


def _notes(header: dict[str, Any]) -> tuple[str, ...]:
    notes = header.get("notes", [])
    if not isinstance(notes, list) or len(notes) > MAX_NOTES or not all(isinstance(note, str) for note in notes):
        raise ValueError("notes are not a short list of texts")
    return tuple(map(one_line, notes))


def _bodies(header: dict[str, Any], vertex_count: int) -> tuple[int, ...]:
    sizes = header.get("bodies", [])
    if not isinstance(sizes, list) or not all(type(size) is int and size > 0 for size in sizes):
        raise ValueError("bodies without vertex counts")
    if sizes and sum(sizes) != vertex_count:
        raise ValueError("vertex counts of bodies do not match the mesh")
    return tuple(sizes)
