"""Reader of glTF 2.0 (GLB and GLTF): triangles of the default scene, in metres, where its nodes place them.

Sections cited are those of the specification.
"""

from pathlib import Path

import numpy as np

from cadcode.geometry.cleaning import AS_IT_SAYS, Raw, ReadOptions, Refused, count_of
from cadcode.geometry.io.gltf_data import (
    MESHOPT,
    UNPACKED,
    Document,
    accessor,
    extensions,
    member,
    members,
    open_document,
)
from cadcode.geometry.io.gltf_meshes import (
    DRACO,
    FAN,
    POINTS,
    STRIP,
    TRIANGLES,
    mode_of,
    primitive_key,
    read_primitives,
)
from cadcode.geometry.io.scene import (
    MOST_COPIES,
    MOST_NODES,
    NO_FACES,
    Said,
    check_count,
    check_size,
    join,
    placed_points,
)

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
INSTANCES = "EXT_mesh_gpu_instancing"
READ = ("KHR_mesh_quantization", INSTANCES, DRACO)
REST = {"translation": (0, 0, 0), "rotation": (0, 0, 0, 1), "scale": (1, 1, 1)}


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
        raise Refused("its 'extensionsRequired' is not a list")
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
    if any(key[0] == DRACO for key in keys):
        raise Refused(f"its points are compressed by {DRACO}, which is read for meshes alone", UNPACKED)
    tables = [accessor(document, key[1], "VEC3") for key in keys]
    check_size(0, sum(table.work * len(where) for table, (_, where) in zip(tables, points, strict=True)), file_size)
    clouds = [placed_points(table.all(), where) for table, (_, where) in zip(tables, points, strict=True)]
    return Raw(np.concatenate(clouds), notes=said.notes + (NO_FACES,), unit="m", warnings=said.warnings)


def placed_meshes(document: Document):
    """({mesh number: its transforms (T, 4, 4)}, what was left out), in the order of the nodes."""
    tree, places = document.tree, {}
    nodes, roots, said = members(tree, "nodes"), *scene_roots(document.tree)
    order, parents = reached_nodes(nodes, roots)
    total = 0
    for node, matrix in zip(order, global_matrices(nodes, order, parents), strict=True):
        if "mesh" in nodes[node]:
            member(tree, "meshes", nodes[node]["mesh"])
            copies = instances(document, nodes[node])
            total += 1 if copies is None else len(copies)
            check_count(total, MOST_COPIES, "copies of meshes")
            with np.errstate(all="ignore"):
                placed = matrix[None] if copies is None else matrix @ copies
            places.setdefault(nodes[node]["mesh"], []).append(placed)
    if any("skin" in nodes[node] for node in order):
        said = said.note("its skin was ignored: meshes are as modelled, not posed")
    meshes = len(members(tree, "meshes"))
    if not nodes and meshes:
        said = said.note("it has no nodes, so all its meshes were read")
        places = {mesh: [np.eye(4)[None]] for mesh in range(meshes)}
    if unused := meshes - len(places):
        said = said.warn(f"left out {count_of(unused, 'mesh', 'meshes')} that the scene does not use")
    return {mesh: np.concatenate(where) for mesh, where in places.items()}, said


def scene_roots(tree: dict):
    """(numbers of the root nodes of the default scene, what was left out); without scenes all nodes of no parent."""
    scenes = members(tree, "scenes")
    if not scenes:
        children = {child for node in members(tree, "nodes") for child in node_list(node, "children")}
        return [node for node in range(len(members(tree, "nodes"))) if node not in children], Said()
    said = Said().note(f"ignored {count_of(len(scenes) - 1, 'other scene')}") if len(scenes) > 1 else Said()
    return node_list(member(tree, "scenes", tree.get("scene", 0)), "nodes"), said


def node_list(holder: dict, key: str) -> list[int]:
    numbers = holder.get(key, [])
    if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
        raise Refused(f"its '{key}' are not a list of node numbers")
    return numbers


def reached_nodes(nodes: list, roots: list[int]):
    """(node numbers, parents before children; parent of each, None for roots); Refused where nodes are not a tree."""
    order, parents, todo = [], {}, [(root, None) for root in reversed(roots)]
    while todo:
        node, parent = todo.pop()
        if not 0 <= node < len(nodes):
            raise Refused(f"it refers to nodes[{node}], which it does not hold")
        if node in parents:
            raise Refused(f"its nodes are not a tree: node {node} is reached twice")
        parents[node] = parent
        order.append(node)
        check_count(len(order), MOST_NODES, "nodes")
        todo += [(child, node) for child in reversed(node_list(nodes[node], "children"))]
    return order, parents


def global_matrices(nodes: list, order: list[int], parents: dict):
    """Transforms (N, 4, 4) into the scene of the nodes in `order`, by column vectors."""
    matrices, row = local_matrices([nodes[node] for node in order]), {node: i for i, node in enumerate(order)}
    with np.errstate(all="ignore"):
        for i, node in enumerate(order):
            if parents[node] is not None:
                matrices[i] = matrices[row[parents[node]]] @ matrices[i]
    return matrices


def local_matrices(nodes: list):
    """Transforms (N, 4, 4) of `nodes` into their parents: a matrix by columns, or translation, rotation and scale."""
    matrices = composed(*(numbers([node.get(key, rest) for node in nodes], key) for key, rest in REST.items()))
    given = [i for i, node in enumerate(nodes) if "matrix" in node]
    if given:
        columns = numbers([nodes[i]["matrix"] for i in given], "matrix", 16)
        matrices[given] = columns.reshape(-1, 4, 4).transpose(0, 2, 1)
    return matrices


def numbers(rows: list, key: str, width: int | None = None):
    """`rows` as an array (N, width); Refused where they are something else."""
    width = width or len(REST[key])
    try:
        return np.array(rows, dtype=np.float64).reshape(len(rows), width)
    except (TypeError, ValueError, OverflowError) as error:
        raise Refused(f"the {key} of a node is not {width} numbers") from error


def composed(translation, rotation, scale):
    """Transforms (N, 4, 4) that scale (N, 3), then turn by quaternions x, y, z, w (N, 4), then shift (N, 3)."""
    with np.errstate(all="ignore"):
        x, y, z, w = (rotation / np.linalg.norm(rotation, axis=1, keepdims=True)).T
        turn = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        ).transpose(2, 0, 1)
        matrices = np.tile(np.eye(4), (len(scale), 1, 1))
        matrices[:, :3, :3], matrices[:, :3, 3] = turn * scale[:, None, :], translation
    return matrices


def instances(document: Document, node: dict):
    """Transforms (T, 4, 4) of the copies of a node's mesh (EXT_mesh_gpu_instancing), None where it has none."""
    entry = extensions(node).get(INSTANCES)
    attributes = entry.get("attributes") if isinstance(entry, dict) else None
    known = [key for key in REST if isinstance(attributes, dict) and key.upper() in attributes]
    if not known:
        return None
    tables = {key: accessor(document, attributes[key.upper()], f"VEC{len(REST[key])}") for key in known}
    counts = {table.count for table in tables.values()}
    if len(counts) > 1:
        raise Refused(f"the instances of a node have {' and '.join(map(str, sorted(counts)))} rows")
    check_count(count := counts.pop(), MOST_COPIES, "copies of a mesh")
    rows = {key: table.all().astype(np.float64) for key, table in tables.items()}
    return composed(
        *(rows.get(key, np.tile(np.array(rest, dtype=np.float64), (count, 1))) for key, rest in REST.items())
    )
