from types import SimpleNamespace

import numpy as np
import pytest
import trimesh

from cadcode.errors import InputError
from cadcode.geometry.metrics import MetricOptions, compare, compare_paper, measure_target
from cadcode.geometry.solidity import measure_volume

OPTIONS = MetricOptions(points=2048, winding_points=20_000)


def shape(mesh):
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    return SimpleNamespace(vertices=vertices, faces=faces, points=None, is_cloud=False, bounds=mesh.bounds)


def cloud(points):
    bounds = np.array([points.min(axis=0), points.max(axis=0)])
    return SimpleNamespace(vertices=points, faces=None, points=points, is_cloud=True, bounds=bounds)


def errors(result, target, options=OPTIONS):
    return compare(result.vertices, result.faces, measure_target(shape(target), options), options)


def box(extents=(1, 1, 1), at=(0, 0, 0)):
    mesh = trimesh.creation.box(extents=extents)
    mesh.apply_translation(at)
    return mesh


def tube():
    return trimesh.creation.annulus(r_min=3, r_max=5, height=4, sections=48)


def join(*meshes):
    return trimesh.util.concatenate(meshes)


def soup(mesh):
    """The same triangles, no vertex shared, as STL files have them."""
    return trimesh.Trimesh(mesh.triangles.reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3), process=False)


def without(mesh, *faces):
    return trimesh.Trimesh(mesh.vertices, np.delete(mesh.faces, faces, axis=0), process=False)


def torn(mesh):
    """Every triangle apart from its neighbours: no manifold and too much to fill, yet clearly a solid."""
    middles = mesh.triangles.mean(axis=1, keepdims=True)
    triangles = middles + 0.98 * (mesh.triangles - middles)
    return trimesh.Trimesh(triangles.reshape(-1, 3), np.arange(3 * len(triangles)).reshape(-1, 3), process=False)


@pytest.mark.parametrize("mesh", [box(), tube(), trimesh.creation.icosphere(subdivisions=2)])
def test_a_shape_fits_itself(mesh):
    found = errors(mesh, mesh)
    assert found.iou == pytest.approx(1) and found.iou_method == "boolean"
    assert found.max_deviation < 1e-9 * mesh.scale and found.chamfer < 1e-9 * mesh.scale
    assert found.volume_difference == pytest.approx(0, abs=1e-9)
    assert 0 < found.cd_x1000 < 3  # the noise of two samplings, which does not vanish


def test_published_noise_floor_of_cd():
    mesh = trimesh.load_mesh(trimesh.util.wrap_as_stream(box((2, 2, 1)).export(file_type="stl")), file_type="stl")
    assert 0.1 < errors(mesh, mesh, MetricOptions()).cd_x1000 < 0.4


def test_shifted_cube_shares_a_third():
    found = errors(box(at=(0.5, 0, 0)), box())
    assert found.iou == pytest.approx(1 / 3)
    assert found.max_deviation == pytest.approx(0.5)
    assert abs(found.max_deviation_at[0]) in (pytest.approx(0.5), pytest.approx(1.0))
    assert found.volume_difference == pytest.approx(0, abs=1e-9)


def test_a_larger_cube_has_known_errors():
    found = errors(box((1.2, 1.2, 1.2)), box())
    assert found.volume_difference == pytest.approx(1.2**3 - 1)
    assert found.max_deviation == pytest.approx(0.1 * 3**0.5)  # from corner to corner
    assert np.abs(found.max_deviation_at) == pytest.approx([0.6] * 3)
    assert 0.1 <= found.chamfer < 0.11
    assert 0.1 <= found.p95_deviation < found.max_deviation


def test_errors_are_symmetric():
    a, b = tube(), box((9, 10, 3))
    there, back = errors(a, b), errors(b, a)
    assert there.iou == pytest.approx(back.iou)
    assert there.volume_difference == pytest.approx(-back.volume_difference)
    assert there.max_deviation == pytest.approx(back.max_deviation, rel=0.1)  # found at samples
    assert there.chamfer == pytest.approx(back.chamfer, rel=0.05)


def test_units_scale_lengths_and_leave_the_rest():
    a, b = tube(), box((9, 10, 3), at=(100, -20, 7))
    a.apply_translation((100, -20, 7))
    metric = errors(a, b)
    for mesh in (a, b):
        mesh.apply_scale(1 / 25.4)
    inch = errors(a, b)
    for name in ("chamfer", "max_deviation", "p95_deviation"):
        assert getattr(metric, name) == pytest.approx(25.4 * getattr(inch, name), rel=1e-6)
    assert metric.max_deviation_at == pytest.approx(25.4 * np.array(inch.max_deviation_at), rel=1e-6)
    assert metric.volume_difference == pytest.approx(25.4**3 * inch.volume_difference, rel=1e-6)
    assert (metric.iou, metric.cd_x1000) == pytest.approx((inch.iou, inch.cd_x1000), rel=1e-6)


def test_a_seed_fixes_every_number():
    assert errors(torn(tube()), tube()) == errors(torn(tube()), tube())
    other = errors(tube(), tube(), MetricOptions(points=2048, seed=1))
    assert other.cd_x1000 != errors(tube(), tube()).cd_x1000


@pytest.mark.parametrize("strange", [soup, lambda m: trimesh.Trimesh(m.vertices, m.faces[:, ::-1], process=False)])
def test_unshared_vertices_and_inverted_meshes_are_still_solids(strange):
    found = errors(strange(tube()), tube())
    assert found.iou == pytest.approx(1) and found.iou_method == "boolean"
    back = errors(tube(), strange(tube()))
    assert back.iou == pytest.approx(1) and back.volume_difference == pytest.approx(0, abs=1e-6)


def test_overlapping_bodies_count_once():
    pair = join(box(), box(at=(0.5, 0, 0)))
    assert errors(pair, box((1.5, 1, 1), at=(0.25, 0, 0))).iou == pytest.approx(1)
    assert errors(join(box(), box()), box()).iou == pytest.approx(1)


def test_cavities_do_not_count_and_bodies_in_them_do():
    cavity, kernel = box((0.5, 0.5, 0.5)), box((0.2, 0.2, 0.2))
    cavity.invert()
    assert errors(join(box(), cavity), box()).iou == pytest.approx(0.875)
    assert errors(join(box(), cavity, kernel), box()).iou == pytest.approx(0.883)


def test_one_of_two_bodies_inside_out():
    second = box(at=(3, 0, 0))
    second.invert()
    assert errors(join(box((2, 1, 1)), second), join(box((2, 1, 1)), box(at=(3, 0, 0)))).iou == pytest.approx(1)


def test_a_hole_in_a_plate_counts():
    plate = box((10, 10, 2))
    holed = trimesh.creation.annulus(r_min=2, r_max=4, height=2, sections=64)
    polygon = 64 / 2 * np.sin(2 * np.pi / 64)
    assert errors(holed, plate).iou == pytest.approx(polygon * (16 - 4) * 2 / 200, rel=1e-6)


def test_small_holes_are_filled_and_flipped_faces_turned():
    ball = trimesh.creation.icosphere(subdivisions=3)
    faces = np.array(ball.faces)
    faces[::5] = faces[::5, ::-1]
    flipped = trimesh.Trimesh(ball.vertices, faces, process=False)
    for mesh in (without(ball, 7, 300), flipped):
        found = errors(mesh, ball)
        assert found.iou_method == "repaired boolean"
        assert found.iou == pytest.approx(1, abs=0.005)


def test_winding_numbers_agree_with_booleans():
    thing, other = tube().subdivide(), box((9, 10, 3))
    exact, estimated = errors(thing, other), errors(torn(thing), other)
    assert (exact.iou_method, estimated.iou_method) == ("boolean", "winding number")
    assert estimated.iou == pytest.approx(exact.iou, abs=0.01)
    assert errors(other, torn(thing)).iou == pytest.approx(exact.iou, abs=0.01)
    assert errors(torn(thing), torn(thing)).iou == pytest.approx(1)


def test_open_surfaces_have_a_reason_in_place_of_an_iou():
    lidless = without(box(), *np.flatnonzero(box().face_normals[:, 2] > 0.5))
    sheet = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]], process=False)
    bent = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 1]], [[0, 1, 2], [0, 2, 3]], process=False)
    for mesh in (lidless, sheet, bent):
        found = errors(box(), mesh)
        assert found.iou is None and found.iou_method is None and found.volume_difference is None
        assert found.iou_reason.startswith("input: the mesh is")
        assert found.max_deviation > 0 and found.cd_x1000 > 0
        assert errors(mesh, box()).iou_reason.startswith("result: the mesh is")


def test_a_cloud_has_distances_and_no_iou():
    mesh = tube()
    points, _ = trimesh.sample.sample_surface(mesh, 5000, seed=1)
    found = compare(mesh.vertices, mesh.faces, measure_target(cloud(points), OPTIONS), OPTIONS)
    assert found.iou is None and "cloud" in found.iou_reason
    assert 0 < found.chamfer < found.p95_deviation < found.max_deviation < 1
    shifted = compare(mesh.vertices + [0, 0, 2], mesh.faces, measure_target(cloud(points), OPTIONS), OPTIONS)
    assert shifted.max_deviation == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize(
    "vertices, faces",
    [
        (np.empty((0, 3)), np.empty((0, 3), int)),
        (np.eye(3), np.empty((0, 3), int)),
        (np.eye(3), None),
        (np.full((3, 3), np.nan), [[0, 1, 2]]),
        (np.eye(3), [[0, 1, 7], [-1, 0, 1]]),
        (np.eye(3), [[0, 0, 1]]),
        (np.outer(np.arange(3), np.ones(3)), [[0, 1, 2]]),
    ],
    ids=["nothing", "no faces", "none", "nan", "bad indices", "two corners", "needle"],
)
def test_an_empty_result_is_a_reason(vertices, faces):
    target = measure_target(shape(box()), OPTIONS)
    for found in (compare(vertices, faces, target, OPTIONS), compare_paper(vertices, faces, target, OPTIONS)):
        assert found.reason == "the result is empty" and found.cd_x1000 is None and found.iou is None
    unusable = SimpleNamespace(vertices=vertices, faces=faces, is_cloud=False, bounds=np.array([[0, 0, 0], [1, 1, 1]]))
    with pytest.raises(InputError):
        measure_target(unusable, OPTIONS)


def test_random_triangles_never_raise():
    rng = np.random.default_rng(0)
    for count in (1, 2, 5, 40):
        vertices, faces = rng.normal(size=(count + 2, 3)), rng.integers(0, count + 2, (count * 3, 3))
        found = compare(vertices, faces, measure_target(shape(box()), OPTIONS), OPTIONS)
        assert found.max_deviation > 0 and (found.iou is None) == (found.iou_reason is not None)


def test_paper_protocol_forgives_scale_and_place_and_nothing_else():
    moved = tube()
    moved.apply_scale(3)
    moved.apply_translation((50, 0, 9))
    target = measure_target(shape(tube()), OPTIONS)
    strict = compare(moved.vertices, moved.faces, target, OPTIONS)
    paper = compare_paper(moved.vertices, moved.faces, target, OPTIONS)
    assert strict.iou < 0.1 and strict.cd_x1000 > 100
    assert paper.iou == pytest.approx(1) and paper.cd_x1000 == pytest.approx(errors(tube(), tube()).cd_x1000, rel=0.05)
    other = compare_paper(box().vertices, box().faces, target, OPTIONS)
    assert other.iou < 0.6


def test_volume_of_a_surface_that_runs_through_itself_is_not_believed():
    twice = measure_volume(*_wrapped_twice(), 20_000, 0)
    assert twice.method == "winding number" and twice.size == pytest.approx(1, abs=0.01)


def _wrapped_twice():
    """A unit prism whose outline goes round twice: manifold, its formula gives a volume of two."""
    ring = np.array([[0, 0], [1, 0], [1, 1], [0, 1]] * 2, dtype=float)
    ring[4:] += 1e-3 * (0.5 - ring[4:])
    count = len(ring)
    low, high = np.c_[ring, np.zeros(count)], np.c_[ring, np.ones(count)]
    vertices = np.concatenate((low, high, [[0.5, 0.5, 0], [0.5, 0.5, 1]]))
    i, j = np.arange(count), np.roll(np.arange(count), -1)
    faces = [
        np.c_[i, j, j + count],
        np.c_[i, j + count, i + count],
        np.c_[j, i, i * 0 + 2 * count],
        np.c_[i + count, j + count, i * 0 + 2 * count + 1],
    ]
    return vertices, np.concatenate(faces)
