"""Write the shape files of `samples/`, each from the program of the same name: `python tools/make_samples.py [FOLDER]`.

Programs run in the sandbox. Their meshes are written in many formats, four of them as point clouds. The same version of
the CAD kernel always writes the same bytes. cadcode must be installed (`pip install .`).
"""

import io
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import trimesh

from cadcode.geometry.mesh import usable_mesh
from cadcode.geometry.sampling import sample_surface
from cadcode.geometry.shape import Shape
from cadcode.program.text.compact import number
from cadcode.sandbox import Failed, Sandbox, SandboxOptions, Solid, stl_bytes

SAMPLES = Path(__file__).parent.parent / "samples"
MESH = SandboxOptions(angle=0.15)  # coarser than the default, for small files
POINTS = 4000  # points per cloud
SCAN_NOISE = 0.15  # mm, standard deviation
SEED = 0
STEP_TIME = b"2025-01-01T00:00:00"  # fixed time stamp of STEP files


def main(folder: Path = SAMPLES) -> list[Path]:
    """Run every program of `samples/` and write its shape file to `folder`; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    with Sandbox(MESH) as sandbox:
        return [
            write(solid_of(SAMPLES / f"{name}.py", sandbox), folder / f"{name}{suffix}", writer)
            for (name, suffix), writer in FILES.items()
        ]


def solid_of(program: Path, sandbox: Sandbox) -> Solid:
    outcome = sandbox.run(program.read_text(encoding="utf-8"), export=("step",))
    if isinstance(outcome, Failed):
        raise SystemExit(f"{program}: {outcome.kind}: {outcome.reason}")
    return outcome


def write(solid: Solid, path: Path, writer: Callable[[Solid], bytes]) -> Path:
    path.write_bytes(writer(solid))
    return path


def ascii_stl(solid: Solid) -> bytes:
    lines = ["solid part"]
    for corners in solid.vertices[solid.faces]:
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        lines += [f"facet normal {_row(normal / np.linalg.norm(normal))}", "outer loop"]
        lines += [f"vertex {_row(corner)}" for corner in corners] + ["endloop", "endfacet"]
    return _text([*lines, "endsolid part"])


def obj(solid: Solid) -> bytes:
    vertices, faces = usable_mesh(solid.vertices, solid.faces)
    return _text([f"v {_row(v)}" for v in vertices] + [f"f {a} {b} {c}" for a, b, c in faces + 1])


def off(solid: Solid) -> bytes:
    vertices, faces = usable_mesh(solid.vertices, solid.faces)
    body = [_row(v) for v in vertices] + [f"3 {a} {b} {c}" for a, b, c in faces]
    return _text(["OFF", f"{len(vertices)} {len(faces)} 0", *body])


def ply_mesh(solid: Solid) -> bytes:
    vertices, faces = usable_mesh(solid.vertices, solid.faces)
    rows = np.zeros(len(faces), dtype=[("count", "u1"), ("corners", "<i4", 3)])
    rows["count"], rows["corners"] = 3, faces
    counts = {"vertex": len(vertices), "face": len(faces)}
    return _ply_header(counts, "xyz") + vertices.astype("<f4").tobytes() + rows.tobytes()


def ply_cloud(solid: Solid) -> bytes:
    columns = np.concatenate(cloud(solid), axis=1).astype("<f4")  # (N, 6)
    return _ply_header({"vertex": len(columns)}, ("x", "y", "z", "nx", "ny", "nz")) + columns.tobytes()


def glb(solid: Solid) -> bytes:
    """GLB in metres, as required by glTF 2.0: a node scales the coordinates, which are in millimetres."""
    scene = trimesh.Scene()
    mesh = trimesh.Trimesh(*usable_mesh(solid.vertices, solid.faces), process=False)
    scene.add_geometry(mesh, node_name="part", geom_name="part", transform=np.diag([1e-3, 1e-3, 1e-3, 1.0]))
    return scene.export(file_type="glb")


def step(solid: Solid) -> bytes:
    return re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", STEP_TIME, solid.exports["step"], count=1)


def xyz(solid: Solid) -> bytes:
    return _text([_row(point) for point in cloud(solid)[0]])


def npy(solid: Solid) -> bytes:
    file = io.BytesIO()
    np.save(file, cloud(solid)[0].astype("<f4"))
    return file.getvalue()


def noisy_csv(solid: Solid) -> bytes:
    """CSV of a simulated scan: points with isotropic noise, a header, three decimals."""
    points = cloud(solid)[0]
    points = points + np.random.default_rng([SEED, 1]).normal(0, SCAN_NOISE, points.shape)
    return _text(["x,y,z", *(",".join(f"{value:.3f}" for value in point) for point in points)])


def cloud(solid: Solid) -> tuple[np.ndarray, np.ndarray]:
    """Points and normals, (N, 3) each, uniform on the surface."""
    return sample_surface(Shape.from_arrays(solid.vertices, solid.faces), POINTS, np.random.default_rng(SEED))


def package_3mf(solid: Solid) -> bytes:
    """The least a 3MF file holds: types, a relationship, one mesh in millimetres (3MF core specification 1.3)."""
    vertices, faces = usable_mesh(solid.vertices, solid.faces)
    points = "".join('<vertex x="{}" y="{}" z="{}"/>\n'.format(*_row(v).split()) for v in vertices)
    triangles = "".join(f'<triangle v1="{a}" v2="{b}" v3="{c}"/>\n' for a, b, c in faces)
    parts = {**PACKAGE_3MF, "3D/3dmodel.model": MODEL_3MF.format(points=points, triangles=triangles)}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in parts.items():
            package.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)  # fixed date
    return file.getvalue()


def _row(numbers) -> str:
    return " ".join(number(float(value), 4) for value in numbers)


def _text(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def _ply_header(counts: dict[str, int], properties) -> bytes:
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {counts['vertex']}"]
    lines += [f"property float {name}" for name in properties]
    if "face" in counts:
        lines += [f"element face {counts['face']}", "property list uchar int vertex_indices"]
    return _text([*lines, "end_header"])


XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
PACKAGE_3MF = {
    "[Content_Types].xml": XML
    + '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    + '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    + '<Default Extension="model" ContentType="application/vnd.ms-package.3dmanufacturing-3dmodel+xml"/></Types>',
    "_rels/.rels": XML
    + '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    + '<Relationship Id="rel0" Target="/3D/3dmodel.model" '
    + 'Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"/></Relationships>',
}
MODEL_3MF = (
    XML
    + '<model unit="millimeter" xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02"><resources>'
    + '<object id="1" type="model"><mesh>\n<vertices>\n{points}</vertices>\n<triangles>\n{triangles}</triangles>\n'
    + '</mesh></object></resources><build><item objectid="1"/></build></model>'
)

FILES: dict[tuple[str, str], Callable[[Solid], bytes]] = {
    ("bracket", ".stl"): lambda solid: stl_bytes(solid.vertices, solid.faces),
    ("angle", ".stl"): ascii_stl,
    ("hub", ".obj"): obj,
    ("shaft", ".ply"): ply_mesh,
    ("cover", ".ply"): ply_cloud,
    ("tray", ".off"): off,
    ("housing", ".glb"): glb,
    ("clamp", ".3mf"): package_3mf,
    ("flange", ".step"): step,
    ("gusset", ".xyz"): xyz,
    ("pulley", ".npy"): npy,
    ("block", ".csv"): noisy_csv,
}

if __name__ == "__main__":
    for path in main(*map(Path, sys.argv[1:2])):
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
