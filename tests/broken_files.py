"""Files that must be refused: `make_broken_files(folder)` writes one of every kind of damage we know."""

import io
import json
import struct
import zipfile
from pathlib import Path

import numpy as np

TRIANGLES = np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 0, 0], [0, 1, 0], [0, 0, 1]]], dtype=np.float32)
OFF = "OFF\n4 2 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 1 2\n3 0 2 3\n"
PLY_HEADER = (
    "ply\nformat {} 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n"
    "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
)
PCD_HEADER = "FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nCOUNT 1 1 1\nWIDTH 5\nHEIGHT 1\nPOINTS 5\nDATA {}\n"
MODEL_3MF = (
    '<model unit="millimeter" xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02"><resources>'
    '<object id="1" type="model"><mesh><vertices><vertex x="0" y="0" z="0"/><vertex x="1" y="0" z="0"/>'
    '<vertex x="0" y="1" z="0"/></vertices><triangles><triangle v1="0" v2="1" v3="{}"/></triangles></mesh></object>'
    '</resources><build><item objectid="1"/></build></model>'
)


def binary_stl(triangles, declared: int | None = None, header: bytes = b"") -> bytes:
    """Triangles (F, 3, 3) as binary STL, with any declared count."""
    count = len(triangles) if declared is None else declared
    rows = b"".join(bytes(12) + np.asarray(t, dtype="<f4").tobytes() + bytes(2) for t in triangles)
    return header.ljust(80) + struct.pack("<I", count) + rows


def ascii_stl(facets: int, end: str = "endsolid part\n") -> str:
    facet = "facet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\n"
    return "solid part\n" + facet * facets + end


def packed(write, *args, **kwargs) -> bytes:
    """What `numpy.save` or `numpy.savez` writes."""
    buffer = io.BytesIO()
    write(buffer, *args, **kwargs)
    return buffer.getvalue()


def zipped(name: str, text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, text)
    return buffer.getvalue()


def glb(tree: dict | bytes, declared: int | None = None) -> bytes:
    """A GLB file of one JSON chunk."""
    chunk = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    chunk += b" " * (-len(chunk) % 4)
    size = 20 + len(chunk) if declared is None else declared
    return b"glTF" + struct.pack("<II", 2, size) + struct.pack("<I", len(chunk)) + b"JSON" + chunk


def _stl() -> dict:
    collinear = [[[0, 0, 0], [1, 0, 0], [2, 0, 0]]] * 2
    return {
        "empty.stl": b"",
        "garbage.stl": np.random.default_rng(0).bytes(1000),
        "few_bytes.stl": b"\x01\x02\x03",
        "truncated.stl": binary_stl(TRIANGLES, declared=12),
        "truncated_solid.stl": binary_stl(TRIANGLES, header=b"solid part")[:-7],
        "no_triangles.stl": binary_stl([]),
        "count_zero.stl": binary_stl(TRIANGLES, declared=0) + b"rest",
        "all_nan.stl": binary_stl(TRIANGLES * np.nan),
        "infinite.stl": binary_stl(TRIANGLES + np.inf),
        "zero_extent.stl": binary_stl(TRIANGLES * 0 + 5),
        "all_degenerate.stl": binary_stl(collinear),
        "huge.stl": binary_stl(TRIANGLES * np.float32(3e38)),
        "ascii_truncated.stl": ascii_stl(3)[:200],
        "ascii_blank.stl": "solid x\n" + "\n" * 200_000,
        "ascii_no_facets.stl": ascii_stl(0),
        "ascii_word.stl": ascii_stl(2).replace("vertex 1 0 0", "vertex one 0 0"),
        "ascii_lost_vertex.stl": ascii_stl(2).replace("vertex 1 0 0\n", ""),
    }


def _other_meshes() -> dict:
    ascii_ply, binary_ply = PLY_HEADER.format("ascii"), PLY_HEADER.format("binary_little_endian")
    corners = "0 0 0\n1 0 0\n0 1 0\n"
    return {
        "garbage.obj": b"\x80\x81 not a mesh\n" * 20,
        "no_vertices.obj": "# nothing\ng part\n",
        "word.obj": "v 0 0 zero\nv 1 0 0\nv 0 1 0\nf 1 2 3\n",
        "short_vertex.obj": "v 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n",
        "no_such_vertex.obj": "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n",
        "word_face.obj": "v 0 0 0\nv 1 0 0\nv 0 1 0\nf a b c\n",
        "zero_extent.obj": "v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n",
        "edges_only.obj": "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2\n",
        "truncated_ascii.ply": ascii_ply + corners,
        "truncated_vertices.ply": ascii_ply + "0 0 0\n1 0\n",
        "truncated_binary.ply": binary_ply.encode() + bytes(30),
        "no_header_end.ply": ascii_ply.replace("end_header\n", ""),
        "unknown_format.ply": PLY_HEADER.format("morse") + corners,
        "no_such_vertex.ply": ascii_ply + corners + "3 0 1 7\n",
        "no_coordinates.ply": ascii_ply.replace("float x", "float u") + corners + "3 0 1 2\n",
        "all_nan.ply": ascii_ply + "nan nan nan\n" * 3 + "3 0 1 2\n",
        "too_many.ply": binary_ply.replace("vertex 3", "vertex 999999999999").encode() + bytes(60),
        "garbage.ply": b"\x00\xff" * 200,
        "truncated_vertices.off": OFF[:30],
        "truncated_faces.off": OFF[:-8],
        "truncated_face.off": OFF[:-3],
        "no_such_vertex.off": OFF.replace("3 0 2 3", "3 0 2 8"),
        "wrong_start.off": OFF.replace("OFF", "FFO"),
        "negative.off": "OFF\n-4 2 0\n",
    }


def _scenes() -> dict:
    tree = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}],
        "buffers": [{"byteLength": 36, "uri": "not_there.bin"}],
    }
    whole = zipped("3D/3dmodel.model", MODEL_3MF.format(2))
    return {
        "garbage.glb": b"glTX" + bytes(50),
        "few_bytes.glb": b"glTF",
        "truncated.glb": glb(tree, declared=5000),
        "no_json.glb": glb(b"{not json"),
        "no_mesh.glb": glb({"asset": {"version": "2.0"}}),
        "garbage.gltf": "{not json",
        "lost_buffer.gltf": json.dumps(tree),
        "no_zip.3mf": b"PK but not really",
        "truncated.3mf": whole[: len(whole) // 2],
        "no_model.3mf": zipped("readme.txt", "nothing here"),
        "bad_xml.3mf": zipped("3D/3dmodel.model", MODEL_3MF.format(2)[:300]),
        "no_such_vertex.3mf": zipped("3D/3dmodel.model", MODEL_3MF.format(9)),
    }


def _tables() -> dict:
    return {
        "words.xyz": "these are\njust words\n" * 5,
        "two_columns.xyz": "1 2\n3 4\n5 6\n",
        "all_nan.xyz": "nan nan nan\n" * 6,
        "one_place.xyz": "1.5 2.5 3.5\n" * 50,
        "three_points.xyz": "0 0 0\n1 0 0\n0 1 0\n",
        "short_row.xyz": "0 0 0\n1 0 0\n0 1 0\n0 0\n1 1 1\n",
        "huge.xyz": "0 0 0\n1e300 0 0\n0 1 0\n0 0 1\n",
        "header_only.csv": "x,y,z\n",
        "word_row.csv": "x,y,z\n0,0,0\n1,0,0\n0,one,0\n0,0,1\n",
        "lost_value.csv": "x,y,z\n0,0,0\n1,,0\n0,1,0\n0,0,1\n",
        "bytes.txt": bytes(range(256)) * 4,
        "count_lies.pts": "9\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n",
    }


def _arrays() -> dict:
    points = np.random.default_rng(0).random((20, 3))
    whole = packed(np.save, points)
    return {
        "truncated.npy": whole[:-100],
        "garbage.npy": b"\x93NUMPY garbage",
        "objects.npy": packed(np.save, np.array([{"x": 1}], dtype=object), allow_pickle=True),
        "flat.npy": packed(np.save, np.arange(30.0)),
        "words.npy": packed(np.save, np.array([["a", "b", "c"]] * 9)),
        "nothing.npy": packed(np.save, np.empty((0, 3))),
        "all_nan.npy": packed(np.save, points * np.nan),
        "no_zip.npz": b"PK\x03\x04 not a zip",
        "truncated.npz": packed(np.savez, points=points)[:-60],
        "unknown_names.npz": packed(np.savez, colours=points, labels=points),
        "no_such_vertex.npz": packed(np.savez, vertices=points, faces=[[0, 1, 20]]),
        "real_faces.npz": packed(np.savez, vertices=points, faces=[[0.0, 1.0, 2.5]]),
        "few_normals.npz": packed(np.savez, points=points, normals=points[:3]),
    }


def _clouds() -> dict:
    return {
        "no_data_line.pcd": "VERSION 0.7\nFIELDS x y z\n",
        "no_sizes.pcd": "FIELDS x y z\nPOINTS 2\nDATA ascii\n0 0 0\n1 1 1\n",
        "truncated_ascii.pcd": PCD_HEADER.format("ascii") + "0 0 0\n1 0 0\n",
        "truncated_binary.pcd": PCD_HEADER.format("binary").encode() + bytes(40),
        "truncated_packed.pcd": PCD_HEADER.format("binary_compressed").encode() + struct.pack("<II", 90, 60) + bytes(9),
        "damaged_packed.pcd": PCD_HEADER.format("binary_compressed").encode() + struct.pack("<II", 3, 60) + b"\xff" * 3,
        "unknown_kind.pcd": PCD_HEADER.format("rot13") + "0 0 0\n" * 5,
        "no_coordinates.pcd": PCD_HEADER.format("ascii").replace("x y z", "u v w") + "0 0 0\n" * 5,
        "other_start.las": b"SALF" + bytes(300),
        "garbage.las": b"LASF" + b"\xee" * 400,
        "garbage.laz": b"LASF" + b"\xee" * 400,
        "garbage.e57": b"ASTM-E57" + b"\xee" * 400,
    }


def _cad_and_others() -> dict:
    return {
        "garbage.step": b"\x00\x01\x02 not a STEP file" * 9,
        "truncated.stp": "ISO-10303-21;\nHEADER;\nFILE_DESCRIPTION((''),'2;1');\nENDSEC;\nDATA;\n#1=CARTES",
        "part.docx": b"PK\x03\x04",
        "no_suffix": "0 0 0\n",
        "empty.xyz": b"",
        "empty.step": b"",
    }


def make_broken_files(folder: Path) -> list[Path]:
    """Write all of them under `folder`, with a folder named like a mesh and one path that does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for group in (_stl(), _other_meshes(), _scenes(), _tables(), _arrays(), _clouds(), _cad_and_others()):
        for name, content in group.items():
            path = folder / name
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            paths.append(path)
    (folder / "folder.stl").mkdir()
    return paths + [folder / "folder.stl", folder / "missing.stl"]
