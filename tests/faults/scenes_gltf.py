"""glTF 2.0: transforms, storage of numbers, modes, extensions, damage. All is in metres."""

import base64
import os
from functools import partial
from pathlib import Path

import numpy as np
from faults.fault import Fault
from faults.parts import BRACKET, EXTENTS, VOLUME, box
from faults.scene_files import glb, gltf, gltf_tree, metres, with_array

BOX = box()  # 20 mm
LID = BOX[0][:, 2] == 20  # corners of its top
HALF_TURN = [0, 0, 1, 0]
# A box of 20 mm at (50, 0, 0), written by DracoPy with 14 bits
DRACO = base64.b64decode(
    "RFJBQ08CAgEAAAAMCAEBAAQCBAABAwADAQUDAgADBwIFBAYFAQQGBAIHBgIHAwUHBQYBAQAJAwAAAgABAQADAwEoARgDAEixIMmUJAEAAAAA/z8AAM3M"
    "TD0AAAAAAAAAAArXozwO"
)


def bracket(folder: Path, **changes) -> Path:
    return glb(folder, *gltf_tree(metres(BRACKET), **changes))


def quantized(folder: Path) -> Path:
    """Corners as normalized uint16, 8 bytes apart, that a node scales to 60 mm."""
    tree, binary = gltf_tree(metres(BRACKET), extensionsRequired=["KHR_mesh_quantization"])
    points = np.zeros((len(BRACKET[0]), 4), "<u2")
    points[:, :3] = np.rint((BRACKET[0] - BRACKET[0].min(axis=0)) / 60 * 65535)
    binary = with_array(tree, binary, points, normalized=True)
    tree["accessors"][0] = {**tree["accessors"].pop(), "type": "VEC3"}
    tree["bufferViews"][-1]["byteStride"] = 8
    tree["nodes"] = [{"mesh": 0, "scale": [0.06] * 3, "translation": [-0.03, -0.02, 0]}]
    return glb(folder, tree, binary)


def nested(folder: Path) -> Path:
    """A node turned about z holds one that mirrors and doubles the bracket."""
    nodes = [
        {"children": [1], "rotation": [0, 0, 0.5**0.5, 0.5**0.5], "translation": [1, 0, 0]},
        {"mesh": 0, "scale": [-2, 2, 2]},
    ]
    return bracket(folder, nodes=nodes)


def matrix(folder: Path) -> Path:
    columns = [2, 0, 0, 0, 0, 0, 1, 0, 0, -1, 0, 0, 1, 2, 3, 1]  # twice as long, a quarter turn about x
    return bracket(folder, nodes=[{"mesh": 0, "matrix": columns}])


def instanced(folder: Path) -> Path:
    """Three boxes, the second mirrored, of one node."""
    tree, binary = gltf_tree(metres(BOX))
    where = np.array([[0, 0, 0], [0.1, 0, 0], [0.2, 0, 0]], "<f4")
    binary = with_array(tree, binary, where)
    binary = with_array(tree, binary, np.array([[1, 1, 1], [-1, 1, 1], [1, 1, 2]], "<f4"))
    attributes = {"TRANSLATION": 2, "SCALE": 3}
    tree["nodes"][0]["extensions"] = {"EXT_mesh_gpu_instancing": {"attributes": attributes}}
    return glb(folder, tree | {"extensionsRequired": ["EXT_mesh_gpu_instancing"]}, binary)


def sparse(folder: Path, based: bool) -> Path:
    """The top of the box is 10 mm higher by sparse rows; or all its corners are sparse, and the rest is zeros."""
    points, indices = metres(BOX)
    tree, binary = gltf_tree((points, indices))
    rows = np.flatnonzero(LID if based else np.ones(8, bool)).astype("<u2")
    binary = with_array(tree, binary, rows)
    binary = with_array(tree, binary, points[rows] + np.array([0, 0, 0.01 if based else 0], "<f4"))
    values, numbers = tree["accessors"].pop(), tree["accessors"].pop()
    tree["accessors"][0]["sparse"] = {
        "count": len(rows),
        "indices": {"bufferView": numbers["bufferView"], "componentType": 5123},
        "values": {"bufferView": values["bufferView"]},
    }
    if not based:
        del tree["accessors"][0]["bufferView"]
    return glb(folder, tree, binary)


def with_lid(folder: Path, mode: int) -> Path:
    """A box whose top is a strip or a fan of two triangles, so that it is closed only if both are turned rightly."""
    open_box = BOX[0], BOX[1][~LID[BOX[1]].all(axis=1)]
    corners = np.array([[0, 0, 20], [20, 0, 20], [0, 20, 20], [20, 20, 20]]) / 1000
    order = [0, 1, 2, 3] if mode == 5 else [0, 1, 3, 2]
    lid = corners.astype("<f4"), np.array(order, "<u2"), mode
    return glb(folder, *gltf_tree(metres(open_box), lid))


def left_out(folder: Path) -> Path:
    """Two scenes; a mesh is in the other one, another in none."""
    boxes = [metres(box(at=(x, 0, 0))) for x in (100.0, 200.0)]
    return glb(folder, *gltf_tree(metres(BRACKET), *boxes, scenes=[{"nodes": [1]}, {"nodes": [0]}], scene=1))


def points_alone(folder: Path) -> Path:
    return glb(folder, *gltf_tree((metres(BRACKET)[0], None, 0)))


def points_too(folder: Path) -> Path:
    return glb(folder, *gltf_tree(metres(BRACKET), (metres(BOX)[0], None, 0), (metres(BOX)[0], None, 1)))


def posed(folder: Path) -> Path:
    tree, binary = gltf_tree(metres(BRACKET), skins=[{"joints": [0]}])
    tree["meshes"][0]["primitives"][0]["targets"] = [{"POSITION": 0}]
    tree["nodes"][0]["skin"] = 0
    return glb(folder, tree, binary)


def two_buffers(folder: Path) -> Path:
    """Corners in a file with a space in its name, triangles in the tree."""
    points, indices = metres(BRACKET)
    tree, _ = gltf_tree((points, indices))
    tree["buffers"] = [{"byteLength": points.nbytes, "uri": "the%20points.bin"}, {"byteLength": indices.nbytes}]
    tree["bufferViews"][1] |= {"buffer": 1, "byteOffset": 0}
    (folder / "the points.bin").write_bytes(points.tobytes())
    return gltf(folder, tree, indices.tobytes(), buffer=1)


def buffer_at(folder: Path, uri: str) -> Path:
    (folder / "inner").mkdir()
    (folder / "outside.bin").write_bytes(gltf_tree(metres(BRACKET))[1])
    return gltf(folder / "inner", *gltf_tree(metres(BRACKET)), uri=uri)


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.bin")
    return gltf(folder, *gltf_tree(metres(BRACKET)), uri="pipe.bin")


def draco(folder: Path, blob: bytes, fallback: bool = False) -> Path:
    """The bracket, and a box that Draco compressed; where there is a fallback, plain too."""
    name = "KHR_draco_mesh_compression"
    tree, binary = gltf_tree(metres(BRACKET), metres(box(at=(50.0, 0, 0))), extensionsUsed=[name])
    binary = with_array(tree, binary, np.frombuffer(blob, np.uint8))
    del tree["accessors"][-1]
    packed = {"bufferView": len(tree["bufferViews"]) - 1, "attributes": {"POSITION": 0}}
    tree["meshes"][1]["primitives"][0]["extensions"] = {name: packed}
    if not fallback:
        tree["extensionsRequired"] = [name]
        for accessor in tree["accessors"][2:]:
            del accessor["bufferView"]
    return glb(folder, tree, binary)


def no_data(folder: Path) -> Path:
    """A second mesh that an unknown extension holds, though none is required."""
    tree, binary = gltf_tree(metres(BRACKET), metres(BOX))
    tree["meshes"][1]["primitives"][0]["extensions"] = {"ACME_pack": {}}
    for accessor in tree["accessors"][2:]:
        del accessor["bufferView"]
    return glb(folder, tree, binary)


def meshopt(folder: Path, required: bool) -> Path:
    name = "EXT_meshopt_compression"
    tree, binary = gltf_tree(metres(BOX), **({"extensionsRequired": [name]} if required else {}))
    tree["buffers"].append({"byteLength": len(binary), "extensions": {name: {"fallback": True}}})
    for view in tree["bufferViews"]:
        view["extensions"] = {name: {"buffer": 0, "byteLength": view["byteLength"]}}
        view["buffer"] = 1
    return glb(folder, tree, binary)


def chain(folder: Path) -> Path:
    """100,000 nodes in each other, the last with the bracket."""
    nodes = [{"children": [i + 1]} for i in range(99_999)] + [{"mesh": 0}]
    return bracket(folder, nodes=nodes)


def changed(folder: Path, kind: str, index: int, **values) -> Path:
    tree, binary = gltf_tree(metres(BRACKET))
    tree[kind][index] |= values
    return glb(folder, tree, binary)


def copies(folder: Path) -> Path:
    return bracket(folder, scenes=[{"nodes": list(range(100_000))}], nodes=[{"mesh": 0}] * 100_000)


def lost_key(folder: Path) -> Path:
    tree, binary = gltf_tree(metres(BRACKET))
    tree["bufferV`ews"] = tree.pop("bufferViews")
    return glb(folder, tree, binary)


WHOLE = dict(extents=EXTENTS, volume=VOLUME, closed=True, unit="mm", warned=False)
CUBE = dict(extents=(20.0, 20.0, 20.0), volume=8000.0, closed=True)

FAULTS = (
    Fault("GLB is in metres", bracket, **WHOLE, notes=("converted from m to mm",)),
    Fault("GLB of quantized corners", quantized, **WHOLE),
    Fault("GLB of nested, mirrored nodes", nested, (80.0, 120.0, 80.0), 8 * VOLUME, True),
    Fault("GLB of a matrix by columns", matrix, (120.0, 40.0, 40.0), 2 * VOLUME, True),
    Fault("GLB of instances", instanced, (220.0, 20.0, 40.0), 4 * 8000.0, True, notes=("joined 3 meshes",)),
    Fault("GLB of sparse changes", partial(sparse, based=True), (20.0, 20.0, 30.0), 12000.0, True),
    Fault("GLB of sparse rows alone", partial(sparse, based=False), **CUBE),
    Fault("GLB of a triangle strip", partial(with_lid, mode=5), **CUBE),
    Fault("GLB of a triangle fan", partial(with_lid, mode=6), **CUBE),
    Fault("GLB without indices", lambda f: glb(f, *gltf_tree((metres(BRACKET)[0][BRACKET[1].ravel()], None))), **WHOLE),
    Fault(
        "GLB with other scenes",
        left_out,
        **WHOLE | dict(warned=True),
        notes=("ignored 1 other scene", "left out 2 meshes that the scene does not use"),
    ),
    Fault("GLB of points alone", points_alone, EXTENTS, points=len(BRACKET[0]), unit="mm", notes=("point cloud",)),
    Fault("GLB with points and lines", points_too, **WHOLE, notes=("ignored 2 objects",)),
    Fault("GLB with skin and morph targets", posed, **WHOLE, notes=("skin", "morph targets")),
    Fault("GLTF of two buffers", two_buffers, **WHOLE),
    Fault("GLTF with a buffer in it", lambda folder: gltf(folder, *gltf_tree(metres(BRACKET))), **WHOLE),
    Fault("GLTF with a buffer above it", partial(buffer_at, uri="../outside.bin"), refused="outside its folder"),
    Fault("GLTF with a buffer of a device", partial(buffer_at, uri="/dev/zero"), refused="outside its folder"),
    Fault("GLTF with a buffer on the web", partial(buffer_at, uri="https://a.b/c.bin"), refused="another computer"),
    Fault("GLTF with a lost buffer", partial(buffer_at, uri="lost.bin"), refused="'lost.bin' does not exist"),
    Fault("GLB that requires an extension", partial(bracket, extensionsRequired=["ACME_shape"]), refused="ACME_shape"),
    Fault("GLB that requires looks", partial(bracket, extensionsRequired=["KHR_materials_unlit"]), **WHOLE),
    Fault(
        "GLB with a mesh of Draco",
        partial(draco, blob=DRACO),
        (100.0, 40.0, 40.0),
        VOLUME + 8000,
        True,
        notes=("joined 2 meshes",),
    ),
    Fault(
        "GLB with a plain copy of Draco",
        partial(draco, blob=b"lost", fallback=True),
        (100.0, 40.0, 40.0),
        VOLUME + 8000,
        True,
    ),
    Fault("GLB with damaged Draco", partial(draco, blob=b"lost"), refused="KHR_draco_mesh_compression"),
    Fault("GLB with a mesh of an unknown extension", no_data, refused="ACME_pack"),
    Fault("GLB that requires meshopt", partial(meshopt, required=True), refused="EXT_meshopt_compression"),
    Fault("GLB of meshopt without a plain copy", partial(meshopt, required=False), refused="EXT_meshopt_compression"),
    Fault("GLB of 100,000 nodes in each other", chain, **WHOLE),
    Fault("GLB of 100,000 copies", copies, refused="more than 50,000 copies"),
    Fault(
        "GLB of nodes in a circle",
        partial(bracket, nodes=[{"children": [1], "mesh": 0}, {"children": [0]}]),
        refused="not a tree",
    ),
    Fault(
        "GLB of a node with two parents",
        partial(bracket, nodes=[{"children": [1, 1]}, {"mesh": 0}]),
        refused="not a tree",
    ),
    Fault("GLB of 2^31 corners", partial(changed, kind="accessors", index=1, count=2**31), refused="buffer view has"),
    Fault("GLB of corners outside", partial(changed, kind="bufferViews", index=1, byteOffset=2**40), refused="reaches"),
    Fault("GLB of backward rows", partial(changed, kind="bufferViews", index=0, byteStride=-12), refused="byteStride"),
    Fault("GLB with a damaged key", lost_key, refused="it refers to bufferViews"),
    Fault("GLTF of version 1", partial(bracket, asset={"version": "1.0"}), refused="glTF 1.0"),
)
if hasattr(os, "mkfifo"):
    FAULTS += (Fault("GLTF with a pipe for a buffer", pipe, refused="no regular file"),)
