"""Reader of glTF 2.0 (GLB and GLTF): triangles of the default scene, in metres, where its nodes place them."""

from pathlib import Path

import numpy as np

from cadcode.geometry import draco
from cadcode.geometry.cleaning import AS_IT_SAYS, Raw, ReadOptions, Refused, count_of
from cadcode.geometry.gltf_data import (
    MESHOPT,
    UNPACKED,
    Accessor,
    Document,
    accessor,
    extensions,
    member,
    members,
    open_document,
    view_bytes,
    whole,
)
from cadcode.geometry.scene import (
    MOST_COPIES,
    MOST_MESHES,
    MOST_NODES,
    NO_FACES,
    Part,
    Said,
    check_count,
    check_size,
    join,
    placed_points,
)

INSTANCES = "EXT_mesh_gpu_instancing"
READ = ("KHR_mesh_quantization", INSTANCES, draco.NAME)
LOOKS = ("KHR_materials_", "EXT_materials_", "KHR_texture_", "EXT_texture_", "MSFT_texture_", "KHR_lights_",
         "EXT_lights_", "KHR_xmp")  # extensions that say nothing about shape begin with these  # fmt: skip
POINTS, LINES, TRIANGLES, STRIP, FAN = 0, (1, 2, 3), 4, 5, 6  # modes of a primitive
REST = {"translation": (0, 0, 0), "rotation": (0, 0, 0, 1), "scale": (1, 1, 1)}
MOST_WORK = 30_000_000  # rows of accessors


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
        turn = np.array([
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]).transpose(2, 0, 1)  # fmt: skip
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
    return composed(*(rows.get(key, np.tile(np.array(rest, dtype=np.float64), (count, 1)))
                      for key, rest in REST.items()))  # fmt: skip


def mesh_primitives(document: Document, mesh: int) -> list[dict]:
    return members(member(document.tree, "meshes", mesh), "primitives")


def mode_of(primitive: dict) -> int:
    mode = whole(primitive, "mode", TRIANGLES)
    if mode > FAN:
        raise Refused(f"a mesh is of mode {mode}, which glTF does not have")
    return mode


def primitive_notes(primitives: list, solid: list, places: dict) -> tuple[str, ...]:
    copies = sum(len(where) for where in places.values())
    skipped = sum(len(where) for _, where in primitives) - sum(len(where) for _, where in solid)
    notes = (f"joined {copies} meshes of the scene",) if copies > 1 else ()
    notes += (f"ignored {count_of(skipped, 'object')} of the scene without faces",) if skipped else ()
    if any(primitive.get("targets") for primitive, _ in solid):
        notes += ("its morph targets were ignored: the base shape was read",)
    return notes


def read_primitives(document: Document, primitives: list, file_size: int) -> list[Part]:
    """Meshes of primitives with transforms (T, 4, 4); equal ones are one mesh at several places."""
    places = {}
    for primitive, where in primitives:
        places.setdefault(primitive_key(document, primitive), []).append(where)
    check_count(sum(map(len, places.values())), MOST_COPIES, "meshes")
    check_count(len(places), MOST_MESHES, "different meshes")
    meshes = read_meshes(document, {key: sum(map(len, where)) for key, where in places.items()}, file_size)
    return [Part(*meshes[key], np.concatenate(where)) for key, where in places.items()]


def read_meshes(document: Document, times: dict[tuple, int], file_size: int) -> dict:
    """{key of a primitive: (vertices (V, 3), faces (F, 3))}; `times` each of them is placed."""
    packed = sorted({key[1] for key in times if key[0] == draco.NAME})
    decoded = draco.decode_meshes([view_bytes(document, view).tobytes() for view in packed]) if packed else []
    known = {(draco.NAME, view): mesh for view, mesh in zip(packed, decoded, strict=True)}
    sources = {key: indexed(document, *key) for key in times if key not in known}
    amounts = {key: (len(faces), len(points)) for key, (points, faces) in known.items()}
    amounts |= {key: amount_of(key[0], *source) for key, source in sources.items()}
    work = sum(table.work for source in sources.values() for table in source if table)
    if work > MOST_WORK + file_size:
        raise Refused(f"its meshes have {work:,} rows of numbers, more than fit in the file")
    check_size(*(sum(amounts[key][i] * times[key] for key in times) for i in (0, 1)), file_size)
    return known | {key: triangle_mesh(key[0], *source) for key, source in sources.items()}


def primitive_key(document: Document, primitive: dict) -> tuple:
    """(mode, accessor of positions, accessor of indices or None), or (Draco, buffer view) where only that has data."""
    attributes = primitive.get("attributes")
    position = attributes.get("POSITION") if isinstance(attributes, dict) else None
    if position is None:
        raise Refused("a mesh has no positions")
    indices, packed = primitive.get("indices"), extensions(primitive)
    wanted = [position] if indices is None else [position, indices]
    bare = any(member(document.tree, "accessors", i).keys().isdisjoint({"bufferView", "sparse"}) for i in wanted)
    if not bare:
        return mode_of(primitive), position, indices
    if isinstance(packed.get(draco.NAME), dict):
        return draco.NAME, whole(packed[draco.NAME], "bufferView", None)
    by = f": it is stored by {', '.join(packed)}, which is not read" if packed else ""
    raise Refused(f"a mesh has no data{by}")


def indexed(document: Document, mode: int, position: int, indices: int | None) -> tuple[Accessor, Accessor | None]:
    corners = None if indices is None else accessor(document, indices, "SCALAR")
    if corners and corners.dtype.kind != "u":
        raise Refused(f"accessor {indices} holds no vertex numbers")
    return accessor(document, position, "VEC3"), corners


def amount_of(mode: int, positions: Accessor, indices: Accessor | None) -> tuple[int, int]:
    """(triangles, vertices) at most."""
    corners = (indices or positions).count
    return corners // 3 if mode == TRIANGLES else corners, min(corners, positions.count)


def triangle_mesh(mode: int, positions: Accessor, indices: Accessor | None):
    """(vertices (V, 3), faces (F, 3)): only the vertices that are used, in their order."""
    corners = np.arange(positions.count) if indices is None else indices.all()[:, 0].astype(np.int64)
    faces = triangles_of(corners, mode)
    if len(faces) and faces.max() >= positions.count:
        raise Refused(f"a mesh uses vertex {faces.max()}, but it has {positions.count}")
    used, faces = compacted(faces, positions.count)
    return positions.rows(used), faces


def compacted(faces, count: int):
    """(numbers (U,) of the vertices that `faces` (F, 3) use, of `count`, in their order; faces that count these)."""
    if count > faces.size:  # many meshes may share one long list
        used, faces = np.unique(faces, return_inverse=True)
        return used, faces.reshape(-1, 3)
    used = np.zeros(count, dtype=bool)
    used[faces] = True
    return np.flatnonzero(used), (np.cumsum(used) - 1)[faces]


def triangles_of(corners, mode: int):
    """Triangles (F, 3) of vertex numbers `corners` (N,), all turned as the first (specification, section 3.7.2.1)."""
    if mode == TRIANGLES:
        if len(corners) % 3:
            raise Refused(f"a mesh has {len(corners):,} corners, no multiple of 3")
        return corners.reshape(-1, 3)
    first = np.arange(max(len(corners) - 2, 0))
    if mode == FAN:
        faces = np.stack([first + 1, first + 2, np.zeros_like(first)], axis=1)
    else:
        odd = first % 2
        faces = np.stack([first, first + 1 + odd, first + 2 - odd], axis=1)
    faces = corners[faces]
    a, b, c = faces.T
    return faces[(a != b) & (b != c) & (c != a)]  # strips are stitched by triangles of no area


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
