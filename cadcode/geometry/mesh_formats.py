"""Readers of scenes (GLB, GLTF, 3MF) through trimesh.

Declared counts are checked against what is there: trimesh returns empty or partial meshes for truncated files.
"""

from pathlib import Path

import numpy as np

from cadcode.geometry.cleaning import AS_IT_SAYS, Raw, ReadOptions, Refused, count_of


def read_scene(path: Path, options: ReadOptions = AS_IT_SAYS) -> Raw:
    """GLB, GLTF or 3MF: every mesh of the scene, where its transform puts it, joined into one."""
    import trimesh

    if path.suffix.lower() == ".glb":
        _check_glb(path)
    scene = trimesh.load(str(path), force="scene", process=False)
    placed = [(scene.geometry[name], matrix) for matrix, name in map(scene.graph.get, scene.graph.nodes_geometry)]
    meshes = [(mesh, matrix) for mesh, matrix in placed if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces)]
    if not meshes:
        return _scene_cloud([(g, matrix) for g, matrix in placed if isinstance(g, trimesh.PointCloud)])
    skipped = len(placed) - len(meshes)
    notes = (f"joined {len(meshes)} meshes of the scene",) if len(meshes) > 1 else ()
    notes += (f"ignored {count_of(skipped, 'object')} of the scene without faces",) if skipped else ()
    return _join([_placed_mesh(mesh, matrix) for mesh, matrix in meshes], notes)


def _check_glb(path: Path) -> None:
    """Binary glTF 2.0 begins with `glTF`, the version and the length of the whole file, each 4 bytes."""
    with open(path, "rb") as file:
        head = file.read(12)
    if head[:4] != b"glTF" or len(head) < 12:
        raise Refused("is no GLB file (it does not start with glTF)")
    declared, size = int.from_bytes(head[8:12], "little"), path.stat().st_size
    if size < declared:
        raise Refused(f"is truncated: it declares {declared:,} bytes and holds {size:,}")


def _placed_mesh(mesh, matrix):
    """(vertices (V, 3), faces (F, 3)) under a transform (4, 4); a mirror turns the faces round again."""
    faces = np.asarray(mesh.faces)
    return _placed_points(mesh, matrix), faces[:, ::-1] if np.linalg.det(matrix[:3, :3]) < 0 else faces


def _placed_points(geometry, matrix):
    return np.asarray(geometry.vertices, dtype=np.float64) @ matrix[:3, :3].T + matrix[:3, 3]


def _join(meshes, notes: tuple[str, ...]) -> Raw:
    for vertices, faces in meshes:
        if faces.min() < 0 or faces.max() >= len(vertices):
            raise Refused(f"a mesh uses vertex {faces.max()}, but it has {len(vertices)}")
    starts = np.cumsum([0] + [len(vertices) for vertices, _ in meshes])
    faces = np.concatenate([faces + start for (_, faces), start in zip(meshes, starts[:-1], strict=True)])
    return Raw(np.concatenate([vertices for vertices, _ in meshes]), faces, notes=notes)


def _scene_cloud(clouds) -> Raw:
    if not clouds:
        raise Refused("holds no mesh")
    points = np.concatenate([_placed_points(cloud, matrix) for cloud, matrix in clouds])
    return Raw(points, notes=("it has no faces, so it was read as a point cloud",))
