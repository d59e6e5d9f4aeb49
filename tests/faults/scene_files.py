"""Writers of glTF and 3MF files: plain ones, which faults change."""

import base64
import json
import struct
import zipfile
from pathlib import Path

CODES = {"<i1": 5120, "|i1": 5120, "|u1": 5121, "<i2": 5122, "<u2": 5123, "<u4": 5125, "<f4": 5126}
CORE = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
PRODUCTION = "http://schemas.microsoft.com/3dmanufacturing/production/2015/06"
ROOT = "3D/3dmodel.model"


def metres(mesh):
    """(points (V, 3) float32, indices (I,) uint32) of a mesh in millimetres."""
    return (mesh[0] / 1000).astype("<f4"), mesh[1].ravel().astype("<u4")


def gltf_tree(*meshes, **changes) -> tuple[dict, bytes]:
    """(tree, binary): a node for each mesh (points, indices or None, mode); `changes` replace keys of the tree."""
    tree = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": list(range(len(meshes)))}],
        "nodes": [{"mesh": i} for i in range(len(meshes))],
        "meshes": [],
        "accessors": [],
        "bufferViews": [],
        "buffers": [{"byteLength": 0}],
    }
    binary = b""
    for points, indices, *mode in meshes:
        primitive = {"attributes": {"POSITION": len(tree["accessors"])}, "mode": mode[0] if mode else 4}
        binary = with_array(tree, binary, points)
        if indices is not None:
            primitive["indices"] = len(tree["accessors"])
            binary = with_array(tree, binary, indices)
        tree["meshes"].append({"primitives": [primitive]})
    return tree | changes, binary


def with_array(tree: dict, binary: bytes, array, **more) -> bytes:
    """The binary with an array (N,) or (N, W) behind it, which the tree gets as its next accessor."""
    kind = "SCALAR" if array.ndim == 1 else f"VEC{array.shape[1]}"
    view = {"buffer": 0, "byteOffset": len(binary), "byteLength": array.nbytes}
    accessor = {"bufferView": len(tree["bufferViews"]), "componentType": CODES[array.dtype.str]}
    tree["bufferViews"].append(view)
    tree["accessors"].append({**accessor, "count": len(array), "type": kind, **more})
    binary += array.tobytes() + bytes(-array.nbytes % 4)
    tree["buffers"][0]["byteLength"] = len(binary)
    return binary


def glb(folder: Path, tree: dict, binary: bytes = b"") -> Path:
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I", len(text)) + b"JSON" + text
    if binary:
        chunks += struct.pack("<I", len(binary)) + b"BIN\0" + binary
    path = folder / "scene.glb"
    path.write_bytes(b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks)
    return path


def gltf(folder: Path, tree: dict, binary: bytes, uri: str | None = None, buffer: int = 0) -> Path:
    """GLTF whose `buffer` is at `uri`, else in the file."""
    data = "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
    tree["buffers"][buffer]["uri"] = data if uri is None else uri
    path = folder / "scene.gltf"
    path.write_text(json.dumps(tree))
    return path


def mesh_xml(mesh, scale: float = 1.0) -> str:
    points = "".join(f'<vertex x="{x:.9g}" y="{y:.9g}" z="{z:.9g}"/>' for x, y, z in mesh[0] * scale)
    faces = "".join(f'<triangle v1="{a}" v2="{b}" v3="{c}" pid="9"/>' for a, b, c in mesh[1])
    return f"<mesh><vertices>{points}</vertices><triangles>{faces}</triangles></mesh>"


def object_xml(id: int, content: str, more: str = "") -> str:
    return f'<object id="{id}" {more}>{content}</object>'


def components_xml(*references: str) -> str:
    return "<components>" + "".join(f"<component {reference}/>" for reference in references) + "</components>"


def model_xml(objects: str, items: str, more: str = "", start: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{start}<model xmlns="{CORE}" xmlns:p="{PRODUCTION}" {more}>'
        f"<resources>{objects}</resources><build>{items}</build></model>"
    )


def package(folder: Path, model: str, parts: dict[str, str] | None = None) -> Path:
    path = folder / "package.3mf"
    relation = (
        f'<Relationship Id="r" Target="/{ROOT}" Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"/>'
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("_rels/.rels", f"<Relationships>{relation}</Relationships>")
        for name, text in {ROOT: model, **(parts or {})}.items():
            file.writestr(name, text)
    return path
