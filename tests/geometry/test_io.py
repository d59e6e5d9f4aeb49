"""Files of every format give the same part, where it lies and as large as it is, and say what was repaired."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from shape_files import (
    BOUNDS,
    CLOUD_WRITERS,
    CORNERS,
    FACES,
    MESH_WRITERS,
    SCAN_WRITERS,
    SIZE,
    box_points,
    lzf_literals,
    rows,
    stl_bytes,
    stl_text,
    write,
)

from cadcode.errors import InputError
from cadcode.geometry.cleaning import ReadOptions
from cadcode.geometry.io.load import load_shape
from cadcode.geometry.io.pcd import unpack_lzf
from cadcode.geometry.mesh import face_areas, signed_volume
from cadcode.geometry.shape import Shape
from cadcode.sandbox.outcome import CadMesh


def notes_of(vertices, faces) -> str:
    return "; ".join(Shape.from_arrays(vertices, faces).notes)


@pytest.mark.parametrize("name", MESH_WRITERS)
def test_every_mesh_format_gives_the_box(tmp_path, name):
    path = MESH_WRITERS[name](tmp_path)
    shape = load_shape(path)
    assert not shape.is_cloud and shape.points is None and shape.watertight
    assert shape.vertices.shape == (8, 3) and shape.vertices.dtype == np.float64
    assert shape.faces.shape == (12, 3)
    assert np.allclose(shape.bounds, BOUNDS) and np.allclose(shape.extents, SIZE)
    assert np.isclose(signed_volume(shape.vertices, shape.faces), SIZE.prod())
    assert np.isclose(face_areas(shape.vertices, shape.faces).sum(), 2 * (2 * 3 + 3 * 4 + 2 * 4))
    assert shape.path == str(path) and shape.format == path.suffix[1:].lower()
    assert shape.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not any("dropped" in note or "flipped" in note for note in shape.notes)


@pytest.mark.parametrize("name", CLOUD_WRITERS)
def test_every_cloud_format_gives_the_points(tmp_path, name):
    shape = load_shape(CLOUD_WRITERS[name](tmp_path))
    assert shape.is_cloud and shape.faces is None and shape.watertight is None
    assert np.allclose(shape.points, box_points(), atol=1e-5)
    assert np.allclose(shape.bounds, BOUNDS, atol=1e-5)


def test_las_points_keep_their_scale(tmp_path):
    laspy = pytest.importorskip("laspy")
    cloud = laspy.create()
    cloud.header.scales, cloud.header.offsets = [0.001] * 3, [5.0, 5.0, 5.0]
    cloud.x, cloud.y, cloud.z = box_points().T
    cloud.write(str(tmp_path / "a.las"))
    assert np.allclose(load_shape(tmp_path / "a.las").points, box_points(), atol=1e-3)
    whole = (tmp_path / "a.las").read_bytes()
    (tmp_path / "b.las").write_bytes(whole[:-100])
    with pytest.raises(InputError):
        load_shape(tmp_path / "b.las")


@pytest.mark.parametrize("size", [0.001, 1.0])
def test_e57_scans_are_joined_in_their_poses_and_read_as_metres_where_that_is_plausible(tmp_path, size):
    pye57 = pytest.importorskip("pye57")
    fields = ("cartesianX", "cartesianY", "cartesianZ")
    with pye57.E57(str(tmp_path / "a.e57"), mode="w") as file:
        for shift in ([0.0, 0.0, 0.0], [100.0, 0.0, 0.0]):
            columns = dict(zip(fields, box_points().T.copy() * size, strict=True))
            file.write_scan_raw(columns, rotation=np.array([1.0, 0, 0, 0]), translation=size * np.array(shift))
    shape = load_shape(tmp_path / "a.e57")
    assert np.allclose(shape.points, np.concatenate([box_points(), box_points() + [100, 0, 0]]), atol=1e-4)
    said = "converted from m to mm" if size < 1 else "read as mm"
    assert shape.unit == "mm" and shape.notes[0] == "joined 2 scans" and said in shape.notes[1]
    assert np.allclose(load_shape(tmp_path / "a.e57", options=ReadOptions("m")).points, shape.points * size * 1000)


def test_only_unit_columns_are_normals(tmp_path):
    assert np.allclose(load_shape(CLOUD_WRITERS["PLY cloud"](tmp_path)).normals, [0, 0.6, 0.8])
    coloured = load_shape(CLOUD_WRITERS["CSV with colours"](tmp_path))
    assert coloured.normals is None and "not unit normals" in coloured.notes[0]
    table = rows(np.hstack([box_points(), np.tile([0.6, 0, -0.8], (40, 1))]))
    assert np.allclose(load_shape(write(tmp_path, "n.xyz", table)).normals, [0.6, 0, -0.8])


def test_named_normals_are_found_in_any_column(tmp_path):
    table = rows(np.hstack([np.tile([0.6, 0, 0.8], (40, 1)), box_points()]), ",")
    shape = load_shape(write(tmp_path, "n.csv", "nx,ny,nz,x,y,z\n", table))
    assert np.allclose(shape.points, box_points()) and np.allclose(shape.normals, [0.6, 0, 0.8])


def test_points_that_are_not_numbers_are_dropped_with_their_normals(tmp_path):
    table = np.hstack([box_points(), np.tile([1.0, 0, 0], (40, 1))])
    table[:, 3:][20] = [0, 1, 0]
    table[[10, 11], 0] = np.nan
    shape = load_shape(write(tmp_path, "n.xyz", rows(table)))
    assert len(shape.points) == 38 and shape.normals[18].tolist() == [0, 1, 0]
    assert any("dropped 2 points" in note for note in shape.notes)


def test_a_clean_mesh_stays_as_it_is():
    shape = Shape.from_arrays(CORNERS, FACES)
    assert shape.notes == () and np.array_equal(shape.vertices, CORNERS) and np.array_equal(shape.faces, FACES)


def test_what_is_dropped_is_counted():
    with_nan = np.vstack([CORNERS, [[np.nan, 0, 0]]])
    assert "dropped 2 faces with coordinates that are not numbers" in notes_of(
        with_nan, np.vstack([FACES, [[0, 1, 8], [2, 3, 8]]])
    )
    assert "dropped 1 vertex that no face uses" in notes_of(np.vstack([CORNERS, [[90, 0, 0]]]), FACES)
    assert "dropped 3 degenerate faces" in notes_of(CORNERS, np.vstack([FACES, [[0, 0, 1], [2, 2, 2], [4, 5, 4]]]))
    split = FACES + 8 * (np.arange(12) % 2)[:, None]  # every other face has corners of its own
    assert "merged 8 duplicate vertices" in notes_of(np.vstack([CORNERS, CORNERS]), split)


def test_a_mesh_with_lost_faces_keeps_the_others():
    shape = Shape.from_arrays(np.vstack([CORNERS, [[np.inf, 0, 0]]]), np.vstack([FACES, [[0, 1, 8]]]))
    assert len(shape.faces) == 12 and shape.watertight and np.allclose(shape.bounds, BOUNDS)


def test_a_mesh_inside_out_is_flipped():
    shape = Shape.from_arrays(CORNERS, FACES[:, ::-1])
    assert np.isclose(signed_volume(shape.vertices, shape.faces), SIZE.prod())
    assert any("flipped" in note for note in shape.notes)


def test_watertight_means_every_edge_has_its_partner():
    assert Shape.from_arrays(CORNERS, FACES).watertight
    opened = Shape.from_arrays(CORNERS, FACES[:6])
    assert opened.watertight is False and opened.notes == ()
    sheet_twice = Shape.from_arrays(CORNERS, np.vstack([FACES[:2], FACES[:2]]))
    assert sheet_twice.watertight is False


def test_boxes_that_touch_along_an_edge_are_watertight():
    second = CORNERS + [SIZE[0], SIZE[1], 0]
    shape = Shape.from_arrays(np.vstack([CORNERS, second]), np.vstack([FACES, FACES + 8]))
    assert shape.watertight and len(shape.vertices) == 14


def test_noise_far_below_the_size_does_not_open_a_seam(tmp_path):
    corners = CORNERS[FACES] + np.random.default_rng(0).normal(0, 1e-12, (12, 3, 3))
    shape = load_shape(write(tmp_path, "a.stl", stl_text(corners.reshape(-1, 3), np.arange(36).reshape(-1, 3))))
    assert shape.watertight and len(shape.vertices) == 8


def test_size_and_place_change_nothing_but_size_and_place():
    for scale, shift in ((1e-6, 0), (1e6, 0), (1, 1e5), (1e-3, -20)):
        shape = Shape.from_arrays(CORNERS * scale + shift, FACES)
        assert shape.watertight and shape.notes == () and np.allclose(shape.bounds, BOUNDS * scale + shift, rtol=1e-12)


def test_a_flat_mesh_is_read_and_noted():
    shape = Shape.from_arrays(CORNERS * [1, 1, 0], FACES[FACES.max(axis=1) < 99])
    assert "it is flat: no extent along z" in shape.notes


def test_bytes_after_the_last_triangle_are_ignored_aloud(tmp_path):
    shape = load_shape(write(tmp_path, "a.stl", stl_bytes(CORNERS, FACES), b"colours"))
    assert shape.watertight and shape.notes == ("ignored 7 bytes after the last triangle",)


def test_all_solids_of_an_ascii_stl_are_joined(tmp_path):
    two = stl_text(CORNERS, FACES, "one") + stl_text(CORNERS + 50, FACES, "two")
    shape = load_shape(write(tmp_path, "a.stl", two))
    assert len(shape.faces) == 24 and shape.watertight and shape.notes[0] == "joined 2 solids"


@pytest.mark.parametrize("name", ["two.glb", "two.3mf"])
def test_all_meshes_of_a_scene_are_joined_where_they_lie(tmp_path, name):
    trimesh = pytest.importorskip("trimesh")
    scene, mesh = trimesh.Scene(), trimesh.Trimesh(CORNERS, FACES, process=False)
    scale = 1e-3 if name == "two.glb" else 1.0  # glTF is in metres
    unit, mirror = np.diag([scale, scale, scale, 1]), np.diag([-scale, scale, scale, 1])
    scene.add_geometry(mesh, transform=unit, node_name="one", geom_name="box")
    scene.add_geometry(mesh, transform=mirror, node_name="two", geom_name="other")
    scene.export(str(tmp_path / name))
    shape = load_shape(tmp_path / name)
    assert np.allclose(shape.bounds, [[-12, -5, 7], [12, -2, 11]])
    assert "joined 2 meshes of the scene" in shape.notes and shape.watertight
    assert np.isclose(signed_volume(shape.vertices, shape.faces), 2 * SIZE.prod())  # the mirrored one counts too


def test_cad_files_go_through_the_reader_that_is_passed_in(tmp_path):
    path = write(tmp_path, "a.step", "ISO-10303-21;\nHEADER;\nEND-ISO-10303-21;\n")
    seen = []

    def read(path):
        seen.append(path)
        return CadMesh(CORNERS[FACES].reshape(-1, 3), np.arange(36).reshape(-1, 3))

    shape = load_shape(path, cad_reader=read)
    assert seen == [path] and shape.watertight and shape.format == "step" and shape.notes == ()


def test_lzf_copies_may_overlap_what_they_write():
    assert unpack_lzf(lzf_literals(b"any bytes " * 20), 200) == b"any bytes " * 20
    assert unpack_lzf(b"\x01ab" + bytes([4 << 5, 1]), 8) == b"abababab"  # 6 bytes from 2 back
    assert unpack_lzf(b"\x00a" + bytes([7 << 5, 11, 0]), 21) == b"a" * 21  # the long form: 9 + 11 bytes from 1 back


def test_from_arrays_names_its_content():
    one, same = Shape.from_arrays(CORNERS, FACES), Shape.from_arrays(CORNERS.copy(), FACES.copy())
    assert one.sha256 == same.sha256 != Shape.from_arrays(CORNERS + 1, FACES).sha256
    assert Shape.from_arrays(box_points()).is_cloud


def test_importing_the_readers_imports_no_heavy_package():
    script = (
        "import sys, cadcode.geometry.io.load; print([m for m in ('trimesh', 'torch', 'cadquery') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", SCAN_WRITERS)
def test_every_scan_format_gives_the_points(tmp_path, name):
    package, writer = SCAN_WRITERS[name]
    pytest.importorskip(package)
    assert np.allclose(load_shape(writer(tmp_path)).points, box_points(), atol=2e-3)
