"""One small part, a box of 2 x 3 x 4 at (10, -5, 7), written in every format: `WRITERS[name](folder) -> path`."""

import json
import struct
from pathlib import Path

import numpy as np

LOW, SIZE = np.array([10.0, -5.0, 7.0]), np.array([2.0, 3.0, 4.0])
BOUNDS = np.stack([LOW, LOW + SIZE])
CORNERS = LOW + SIZE * np.array([[i >> 2, i >> 1 & 1, i & 1] for i in range(8)])  # (8, 3)
QUADS = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])  # outwards
FACES = QUADS[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)  # (12, 3)


def box_points(count: int = 40):
    """Points (count, 3) in the box, its corners first; short decimals, which text holds exactly."""
    inside = np.random.default_rng(1).random((count - 8, 3)).round(3) * SIZE + LOW
    return np.concatenate([CORNERS, inside]).round(3)


def rows(array, separator: str = " ") -> str:
    return "".join(separator.join(f"{number:.10g}" for number in row) + "\n" for row in array)


def quoted(text: str) -> str:
    return "".join('"' + line.replace(",", '","') + '"\n' for line in text.splitlines())


def write(folder: Path, name: str, *parts) -> Path:
    path = folder / name
    path.write_bytes(b"".join(part.encode() if isinstance(part, str) else part for part in parts))
    return path


def stl_bytes(vertices, faces, header: bytes = b"made by a test") -> bytes:
    triangles = np.zeros(len(faces), dtype=[("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    triangles["corners"] = vertices[faces]
    return header.ljust(80) + struct.pack("<I", len(faces)) + triangles.tobytes()


def stl_text(vertices, faces, name: str = "box") -> str:
    facets = [
        "facet normal 0 0 0\n outer loop\n"
        + "".join(f"  vertex {x} {y} {z}\n" for x, y, z in triangle)
        + " endloop\nendfacet\n"
        for triangle in vertices[faces]
    ]
    return f"solid {name}\n" + "".join(facets) + f"endsolid {name}\n"


def obj_text(polygons, relative: bool = False) -> str:
    corners = [[f"{i - 8}//1" if relative else f"{i + 1}/1/1" for i in polygon] for polygon in polygons]
    return (
        "# box\no box\n"
        + "".join(f"v {row}" for row in rows(CORNERS).splitlines(True))
        + "".join(f"f {' '.join(words)}\n" for words in corners)
    )


def ply_header(encoding: str, polygons, extra: str = "") -> str:
    return (
        f"ply\nformat {encoding} 1.0\ncomment a test\nelement vertex {len(CORNERS)}\nproperty double x\n"
        f"property double y\nproperty double z\n{extra}element face {len(polygons)}\n"
        "property uchar red\nproperty list uchar int vertex_indices\nend_header\n"
    )


def ply_faces(polygons, order: str) -> bytes:
    return b"".join(struct.pack(f"{order}BB{len(p)}i", 200, len(p), *p) for p in polygons)


def ply_binary(folder: Path, name: str, polygons, order: str = "<") -> Path:
    encoding = "binary_little_endian" if order == "<" else "binary_big_endian"
    body = CORNERS.astype(f"{order}f8").tobytes() + ply_faces(polygons, order)
    return write(folder, name, ply_header(encoding, polygons), body)


def ply_ascii(folder: Path, name: str, polygons) -> Path:
    faces = "".join(f"200 {len(p)} {' '.join(map(str, p))}\n" for p in polygons)
    return write(folder, name, ply_header("ascii", polygons), rows(CORNERS), faces)


def mixed_polygons():
    return [*QUADS[:3].tolist(), *FACES[6:].tolist()]


def off(folder: Path, name: str, start: str = "OFF\n# a comment\n") -> Path:
    faces = "".join(f"4 {' '.join(map(str, quad))} 255 0 0\n" for quad in QUADS)
    return write(folder, name, f"{start}8 6 12\n\n", rows(CORNERS), faces)


def scene(folder: Path, name: str) -> Path:
    """The box as a scene of a unit cube under a transform: it is right only if the transform is applied.

    glTF is in metres, 3MF in millimetres.
    """
    import trimesh

    cube = trimesh.Trimesh((CORNERS - LOW) / SIZE, FACES, process=False)
    matrix = np.diag([*SIZE, 1.0])
    matrix[:3, 3] = LOW
    made = trimesh.Scene()
    path = folder / name
    metres = np.diag([1e-3, 1e-3, 1e-3, 1.0]) if path.suffix == ".glb" else np.eye(4)
    made.add_geometry(cube, transform=metres @ matrix, node_name="box")
    made.export(str(path))
    return path


def gltf(folder: Path, name: str) -> Path:
    """A GLTF with its buffer in the file, in millimetres that its node makes metres."""
    import base64

    blob = CORNERS.astype("<f4").tobytes() + FACES.astype("<u4").tobytes()
    tree = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "scale": [1e-3, 1e-3, 1e-3]}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "accessors": [
            {
                "bufferView": 0,
                "componentType": 5126,
                "count": 8,
                "type": "VEC3",
                "min": BOUNDS[0].tolist(),
                "max": BOUNDS[1].tolist(),
            },
            {"bufferView": 1, "componentType": 5125, "count": 36, "type": "SCALAR"},
        ],
        "bufferViews": [{"buffer": 0, "byteLength": 96}, {"buffer": 0, "byteOffset": 96, "byteLength": 144}],
        "buffers": [
            {"byteLength": 240, "uri": "data:application/octet-stream;base64," + base64.b64encode(blob).decode()}
        ],
    }
    return write(folder, name, json.dumps(tree))


def numpy_file(folder: Path, name: str, array=None, **arrays) -> Path:
    path = folder / name
    if array is None:
        np.savez(path, **arrays)
    else:
        np.save(path, array)
    return path


def lzf_literals(data: bytes) -> bytes:
    """Valid LZF without any copies: runs of at most 32 literal bytes."""
    return b"".join(bytes([len(data[i : i + 32]) - 1]) + data[i : i + 32] for i in range(0, len(data), 32))


def pcd(folder: Path, name: str, kind: str) -> Path:
    points = box_points()
    header = (
        "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z _ label\nSIZE 4 4 4 1 2\nTYPE F F F U U\nCOUNT 1 1 1 3 1\n"
        f"WIDTH {len(points)}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {len(points)}\nDATA {kind}\n"
    )
    if kind == "ascii":
        return write(folder, name, header, rows(np.hstack([points, np.ones((len(points), 4))])))
    row = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("_", "<u1", 3), ("label", "<u2")])
    table = np.zeros(len(points), dtype=row)
    table["x"], table["y"], table["z"] = points.T
    if kind == "binary":
        return write(folder, name, header, table.tobytes())
    data = b"".join(np.ascontiguousarray(table[field]).tobytes() for field in row.names)
    packed = lzf_literals(data)
    return write(folder, name, header, struct.pack("<II", len(packed), len(data)), packed)


def pcd_of_doubles(folder: Path, name: str) -> Path:
    """Upper-case fields in another order, with normals and doubles."""
    points = box_points()
    header = (
        "VERSION .7\nFIELDS Z Y X NORMAL_X NORMAL_Y NORMAL_Z\nSIZE 8 8 8 4 4 4\nTYPE F F F F F F\n"
        f"WIDTH {len(points)}\nHEIGHT 1\nPOINTS {len(points)}\nDATA binary\n"
    )
    row = np.dtype([("points", "<f8", 3), ("normals", "<f4", 3)])
    table = np.zeros(len(points), dtype=row)
    table["points"], table["normals"] = points[:, ::-1], [0, 0.6, 0.8]
    return write(folder, name, header, table.tobytes())


def ptx(folder: Path, name: str) -> Path:
    """Two scans, the second one moved by its pose."""
    pose = "0 0 0\n1 0 0\n0 1 0\n0 0 1\n1 0 0 0\n0 1 0 0\n0 0 1 0\n"
    points = np.hstack([box_points(), np.full((40, 1), 0.5)])
    moved = points - [100, 0, 0, 0]
    first, second = f"4\n5\n{pose}0 0 0 1\n", f"1\n20\n{pose}100 0 0 1\n"
    return write(folder, name, first, rows(points[:20]), second, rows(moved[20:]))


def structured_points():
    table = np.zeros(40, dtype=[("i", "<u2"), ("x", "<f4"), ("y", "<f8"), ("z", ">f4")])
    table["x"], table["y"], table["z"] = box_points().T
    return table


def npz_compressed(folder: Path, name: str) -> Path:
    np.savez_compressed(folder / name, points=box_points(), colors=np.zeros((40, 3)))
    return folder / name


def ply_cloud_binary(folder: Path, name: str, order: str) -> Path:
    encoding = "binary_little_endian" if order == "<" else "binary_big_endian"
    header = (
        f"ply\nformat {encoding} 1.0\nelement vertex 40\nproperty float x\nproperty float y\nproperty float z\n"
        "property uchar red\nend_header\n"
    )
    table = np.zeros(40, dtype=[("xyz", f"{order}f4", 3), ("red", "u1")])
    table["xyz"] = box_points()
    return write(folder, name, header, table.tobytes())


def las(folder: Path, name: str) -> Path:
    import laspy

    cloud = laspy.create()
    cloud.header.scales, cloud.header.offsets = [0.001] * 3, [5.0, 5.0, 5.0]
    cloud.x, cloud.y, cloud.z = box_points().T
    cloud.write(str(folder / name))
    return folder / name


def e57(folder: Path, name: str) -> Path:
    """In metres: the box as it is has to be written a thousand times smaller."""
    import pye57

    columns = {f"cartesian{axis}": column.copy() for axis, column in zip("XYZ", box_points().T / 1000, strict=True)}
    with pye57.E57(str(folder / name), mode="w") as file:
        file.write_scan_raw(columns)
    return folder / name


def ply_cloud(folder: Path, name: str) -> Path:
    header = (
        "ply\nformat ascii 1.0\nelement vertex 40\n"
        + "".join(f"property float {axis}\n" for axis in ("x", "y", "z", "nx", "ny", "nz"))
        + "end_header\n"
    )
    return write(folder, name, header, rows(np.hstack([box_points(), np.tile([0, 0.6, 0.8], (40, 1))])))


MESH_WRITERS = {
    "binary STL": lambda folder: write(folder, "a.stl", stl_bytes(CORNERS, FACES)),
    "binary STL that begins with solid": lambda f: write(f, "b.stl", stl_bytes(CORNERS, FACES, b"solid facet box")),
    "ASCII STL": lambda folder: write(folder, "c.stl", stl_text(CORNERS, FACES)),
    "shouting STL of DOS": lambda f: write(f, "d.STL", stl_text(CORNERS, FACES).upper().replace("\n", "\r\n")),
    "OBJ": lambda folder: write(folder, "a.obj", obj_text(FACES)),
    "OBJ of polygons": lambda folder: write(folder, "b.obj", obj_text(mixed_polygons())),
    "OBJ counted backwards": lambda folder: write(folder, "c.obj", obj_text(QUADS, relative=True)),
    "ASCII PLY": lambda folder: ply_ascii(folder, "a.ply", FACES),
    "ASCII PLY of polygons": lambda folder: ply_ascii(folder, "b.ply", mixed_polygons()),
    "binary PLY": lambda folder: ply_binary(folder, "c.ply", FACES),
    "big-endian PLY of quads": lambda folder: ply_binary(folder, "d.ply", QUADS, ">"),
    "binary PLY of polygons": lambda folder: ply_binary(folder, "e.ply", mixed_polygons()),
    "OFF": lambda folder: off(folder, "a.off"),
    "OFF with counts in the first line": lambda folder: off(folder, "b.off", "OFF "),
    "GLB": lambda folder: scene(folder, "a.glb"),
    "GLTF": lambda folder: gltf(folder, "a.gltf"),
    "3MF": lambda folder: scene(folder, "a.3mf"),
    "NPZ mesh": lambda folder: numpy_file(folder, "a.npz", vertices=CORNERS, faces=FACES),
    "NPY triangles": lambda folder: numpy_file(folder, "a.npy", CORNERS[FACES]),
}

CLOUD_WRITERS = {
    "XYZ": lambda folder: write(folder, "a.xyz", rows(box_points())),
    "XYZ with a comment": lambda folder: write(folder, "b.xyz", "# x y z\n", rows(box_points())),
    "TXT with tabs": lambda folder: write(folder, "a.txt", "scan of today\n\n", rows(box_points(), "\t")),
    "CSV": lambda folder: write(folder, "a.csv", "X [mm],Y [mm],Z [mm]\n", rows(box_points(), ",")),
    "CSV with names": lambda folder: write(
        folder, "b.csv", '"id","z","y","x"\n', rows(np.hstack([np.ones((40, 1)), box_points()[:, ::-1]]), ",")
    ),
    "CSV with decimal commas": lambda f: write(f, "c.csv", "x;y;z\n", rows(box_points(), ";").replace(".", ",")),
    "CSV with colours": lambda folder: write(folder, "d.csv", rows(np.hstack([box_points(), box_points() * 9]), ", ")),
    "PTS": lambda folder: write(folder, "a.pts", "40\n", rows(np.hstack([box_points(), np.ones((40, 4))]))),
    "TXT in UTF-16": lambda f: write(f, "u.txt", "\ufeff".encode("utf-16-le"), rows(box_points()).encode("utf-16-le")),
    "CSV in quotes": lambda f: write(f, "q.csv", '"x","y","z"\n', quoted(rows(box_points(), ","))),
    "XYZ with numbers": lambda f: write(f, "n.xyz", rows(np.hstack([np.arange(40)[:, None], box_points()]))),
    "PTS of blocks": lambda f: write(f, "b.pts", "15\n", rows(box_points()[:15]), "25\n", rows(box_points()[15:])),
    "PTX": lambda folder: ptx(folder, "a.ptx"),
    "NPY of fields": lambda folder: numpy_file(folder, "s.npy", structured_points()),
    "NPY in columns": lambda folder: numpy_file(folder, "t.npy", box_points().T),
    "NPZ compressed": lambda folder: npz_compressed(folder, "z.npz"),
    "PCD of doubles": lambda folder: pcd_of_doubles(folder, "d.pcd"),
    "PLY cloud, binary": lambda folder: ply_cloud_binary(folder, "b.ply", "<"),
    "PLY cloud, big-endian": lambda folder: ply_cloud_binary(folder, "c.ply", ">"),
    "NPY": lambda folder: numpy_file(folder, "a.npy", box_points()),
    "NPY of halves": lambda folder: numpy_file(folder, "b.npy", (box_points() * 1000).astype(np.int32)[:, :3] / 1000),
    "NPZ": lambda folder: numpy_file(folder, "a.npz", points=box_points()),
    "NPZ of one array": lambda folder: numpy_file(folder, "b.npz", whatever=box_points()),
    "PCD ascii": lambda folder: pcd(folder, "a.pcd", "ascii"),
    "PCD binary": lambda folder: pcd(folder, "b.pcd", "binary"),
    "PCD compressed": lambda folder: pcd(folder, "c.pcd", "binary_compressed"),
    "PLY cloud": lambda folder: ply_cloud(folder, "a.ply"),
    "OBJ without faces": lambda folder: write(
        folder, "a.obj", "".join(f"v {row}" for row in rows(box_points()).splitlines(True))
    ),
}

SCAN_WRITERS = {  # the packages that they and their readers need are optional
    "LAS": ("laspy", lambda folder: las(folder, "a.las")),
    "LAZ": ("laspy", lambda folder: las(folder, "a.laz")),
    "E57": ("pye57", lambda folder: e57(folder, "a.e57")),
}
