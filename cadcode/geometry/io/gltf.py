"""Reader of glTF 2.0 (GLB and GLTF): triangles of the default scene, in metres, where its nodes place them."""

from pathlib import Path

import numpy as np

from cadcode.geometry.cleaning import AS_IT_SAYS, Raw, ReadOptions, Refused, count_of
from cadcode.geometry.io import draco
from cadcode.geometry.io.gltf_data import MESHOPT, UNPACKED, Document, accessor, member, members, open_document
from cadcode.geometry.io.gltf_meshes import FAN, POINTS, STRIP, TRIANGLES, mode_of, primitive_key, read_primitives
from cadcode.geometry.io.gltf_nodes import INSTANCES, placed_meshes
from cadcode.geometry.io.scene import NO_FACES, Said, check_size, join, placed_points

READ = ("KHR_mesh_quantization", INSTANCES, draco.NAME)
LOOKS = (
    "KHR_materials_",
    "EXT_materials_",
    "KHR_texture_",
    "EXT_texture_",
    "MSFT_texture_",
    "KHR_lights_",
    "EXT_lights_",
    "KHR_xmp",
)  # extensions that say nothing about shape begin with these


def read_gltf(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """Every mesh of the default scene, joined; clouds alone become a cloud. Unit: m.

    Refused for damage, for a required extension that is not read, and for a mesh whose data cannot be read.
    """
    document = open_document(path)
    check_required(document.tree)
    places, said = placed_meshes(document)
    primitives = [(primitive, places[mesh]) for mesh in places for primitive in mesh_primitives(document, mesh)]
    solid = [(primitive, where) for primitive, where in primitives if mode_of(primitive) in (TRIANGLES, STRIP, FAN)]
    points = [(primitive, where) for primitive, where in primitives if mode_of(primitive) == POINTS]
    if not solid:
        return read_points(document, points, said, path.stat().st_size)
    parts = [part for part in read_primitives(document, solid, path.stat().st_size) if len(part.faces)]
    if not parts:
        raise Refused("it has no faces")
    return join(parts, said.note(*primitive_notes(primitives, solid, places)), "m")


def check_required(tree: dict) -> None:
    """Refused where the file cannot be read without an extension that is not read here."""
    required = tree.get("extensionsRequired", [])
    if not isinstance(required, list):
        raise Refused("its 'extensionsRequired' is no list")
    unread = [str(name) for name in required if name not in READ and not str(name).startswith(LOOKS)]
    if unread:
        advice = UNPACKED if unread[0] in MESHOPT else "export it without this extension"
        raise Refused(f"it requires the extension {', '.join(unread)}, which is not read", advice)


def mesh_primitives(document: Document, mesh: int) -> list[dict]:
    return members(member(document.tree, "meshes", mesh), "primitives")


def primitive_notes(primitives: list, solid: list, places: dict) -> tuple[str, ...]:
    copies = sum(len(where) for where in places.values())
    skipped = sum(len(where) for _, where in primitives) - sum(len(where) for _, where in solid)
    notes = (f"joined {copies} meshes of the scene",) if copies > 1 else ()
    notes += (f"ignored {count_of(skipped, 'object')} of the scene without faces",) if skipped else ()
    if any(primitive.get("targets") for primitive, _ in solid):
        notes += ("its morph targets were ignored: the base shape was read",)
    return notes


def read_points(document: Document, points: list, said: Said, file_size: int) -> Raw:
    if not points:
        raise Refused("holds no mesh")
    keys = [primitive_key(document, primitive) for primitive, _ in points]
    if any(key[0] == draco.NAME for key in keys):
        raise Refused(f"its points are compressed by {draco.NAME}, which is read for meshes alone", UNPACKED)
    tables = [accessor(document, key[1], "VEC3") for key in keys]
    check_size(0, sum(table.work * len(where) for table, (_, where) in zip(tables, points, strict=True)), file_size)
    clouds = [placed_points(table.all(), where) for table, (_, where) in zip(tables, points, strict=True)]
    return Raw(np.concatenate(clouds), notes=said.notes + (NO_FACES,), unit="m", warnings=said.warnings)
