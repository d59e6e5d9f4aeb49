"""Nodes of a glTF file: which meshes its default scene places, and where (specification, sections 3.5.2 and 3.5.3)."""

import numpy as np

from cadcode.geometry.cleaning import Refused, count_of
from cadcode.geometry.io.gltf_data import Document, accessor, extensions, member, members
from cadcode.geometry.io.scene import MOST_COPIES, MOST_NODES, Said, check_count

INSTANCES = "EXT_mesh_gpu_instancing"
REST = {"translation": (0, 0, 0), "rotation": (0, 0, 0, 1), "scale": (1, 1, 1)}


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
        raise Refused(f"its '{key}' are no list of node numbers")
    return numbers


def reached_nodes(nodes: list, roots: list[int]):
    """(node numbers, parents before children; parent of each, None for roots); Refused where nodes are no tree."""
    order, parents, todo = [], {}, [(root, None) for root in reversed(roots)]
    while todo:
        node, parent = todo.pop()
        if not 0 <= node < len(nodes):
            raise Refused(f"it refers to nodes[{node}], which it does not hold")
        if node in parents:
            raise Refused(f"its nodes are no tree: node {node} is reached twice")
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
