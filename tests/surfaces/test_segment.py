"""Faces of meshes that the tests make: their kinds and numbers, and laws of every segmentation."""

from collections import Counter
from math import atan, degrees, pi

import made_meshes as made
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from manifold3d import CrossSection, Manifold
from scipy.spatial.transform import Rotation

from cadcode.surfaces import SegmentOptions, segment

TURNED = Rotation.from_rotvec([0.3, 0.5, 0.7]).as_matrix()
BLOCK = Manifold.cube([40, 20, 10], True)
BORE = Manifold.cylinder(60, 3, 3, 24, True)


def kinds(mesh) -> Counter:
    return Counter(face.kind for face in segment(*mesh).faces)


def curved(mesh):
    """The only curved face of a mesh."""
    (face,) = (face for face in segment(*mesh).faces if face.kind != "plane")
    return face


def rod(profile, sides=24):
    """A profile of (radius, height) from the axis back to the axis, turned."""
    return made.turned(profile, sides)


RIM = [(0, 0), (10, 0), *made.arc((8, 10), 2, 0, 90, 6), (0, 12)]
GROOVE = [(0, 0), (10, 0), (10, 8), *made.arc((10, 10), 2, 270, 90, 6), (10, 20), (0, 20)]
BALL_END = [(0, 0), (5, 0), (5, 20), *made.arc((0, 20), 5, 0, 90, 6)]
CHAMFERED_ROD = [(0, 0), (9, 0), (10, 1), (10, 19), (9, 20), (0, 20)]
CHAMFERED_PLATE = [(2, 0), (18, 0), (20, 2), (20, 18), (18, 20), (2, 20), (0, 18), (0, 2)]
ROOF = [(0, 0), (40, 0), (35, 3), (5, 3)]  # its corners are on a circle

PARTS = {
    "box": (made.box(10, 20, 5), {"plane": 6}),
    "hexagonal prism": (made.prism(6), {"plane": 8}),
    "octagonal prism": (made.prism(8), {"plane": 10}),
    "octagonal pyramid": (made.frustum(10, 5, 8, 8), {"plane": 10}),
    "plate with chamfers": (made.extruded(CHAMFERED_PLATE, 10), {"plane": 10}),
    "roof": (made.extruded(ROOF, 10), {"plane": 6}),
    "cylinder of 10": (made.prism(10), {"plane": 2, "cylinder": 1}),
    "cylinder of 12": (made.prism(12), {"plane": 2, "cylinder": 1}),
    "cylinder of 64": (made.prism(64), {"plane": 2, "cylinder": 1}),
    "frustum of 12": (made.frustum(10, 5, 8, 12), {"plane": 2, "cone": 1}),
    "frustum of 64": (made.frustum(10, 5, 8, 64), {"plane": 2, "cone": 1}),
    "cone of 12": (made.frustum(10, 0, 8, 12), {"plane": 1, "cone": 1}),
    "sphere of 12": (made.sphere(10, 6), {"sphere": 1}),
    "sphere of 64": (made.sphere(10, 32), {"sphere": 1}),
    "torus of 16": (made.torus(10, 3, 16, 12), {"torus": 1}),
    "torus of 36": (made.torus(10, 3, 36, 16), {"torus": 1}),
    "ring": (made.turned([(0.75, 0), (1, 0), (1, 0.5), (0.75, 0.5)], 24), {"plane": 2, "cylinder": 2}),
    "plate, fillets of 3": (made.rounded_plate(40, 20, 5, 6, 3), {"plane": 6, "cylinder": 4}),
    "plate, fillets of 16": (made.rounded_plate(40, 20, 5, 6, 16), {"plane": 6, "cylinder": 4}),
    "rod, rim of 6": (rod(RIM), {"plane": 2, "cylinder": 1, "torus": 1}),
    "rod, rim of 3": (rod([(0, 0), (10, 0), *made.arc((8, 10), 2, 0, 90, 3), (0, 12)]),
                      {"plane": 2, "cylinder": 1, "torus": 1}),
    "rod with a groove": (rod(GROOVE), {"plane": 2, "cylinder": 2, "torus": 1}),
    "rod with a ball end": (rod(BALL_END), {"plane": 1, "cylinder": 1, "sphere": 1}),
    "rod with chamfers": (rod(CHAMFERED_ROD), {"plane": 2, "cylinder": 1, "cone": 2}),
    "block with a countersink": (
        made.arrays(BLOCK - BORE - Manifold.cylinder(4, 1, 7, 24).translate([0, 0, 1.5])),
        {"plane": 6, "cylinder": 1, "cone": 1}),
    "block with crossing holes": (
        made.arrays(BLOCK - BORE.rotate([0, 90, 0]) - Manifold.cylinder(60, 2, 2, 24, True)),
        {"plane": 6, "cylinder": 3}),
    "rounded box": (
        made.arrays(Manifold.batch_hull([Manifold.sphere(2, 24).translate([x, y, z])
                                         for x in (0, 10) for y in (0, 16) for z in (0, 20)])),
        {"plane": 6, "cylinder": 12, "sphere": 8}),
    "drafted boss": (
        made.arrays(Manifold.extrude(CrossSection([[(-9, -9), (9, -9), (9, 9), (-9, 9)]]), 10, 0, 0, (0.9, 0.9))),
        {"plane": 6}),
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("change", ["as it is", "stored", "askew"])
def test_kinds_of_faces(name, change):
    mesh, expected = PARTS[name]
    if change == "stored":
        mesh = made.stored(mesh)
    if change == "askew":
        mesh = made.stored(made.moved(mesh, TURNED, (30, -20, 5), 1.7))
    segmentation = segment(*mesh)
    assert Counter(face.kind for face in segmentation.faces) == expected
    assert len(segmentation.unclaimed) == 0


@pytest.mark.parametrize("name", PARTS)
def test_each_triangle_is_in_one_face_at_most_and_areas_sum_up(name):
    vertices, faces = PARTS[name][0]
    segmentation = segment(vertices, faces)
    rows = np.concatenate([face.triangles for face in segmentation.faces] + [segmentation.unclaimed])
    assert sorted(rows) == list(range(len(faces)))
    for row, face in enumerate(segmentation.faces):
        assert (segmentation.labels[face.triangles] == row).all()
    corners = vertices[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    assert sum(face.area for face in segmentation.faces) == pytest.approx(area)
    areas = [face.area for face in segmentation.faces]
    assert areas == sorted(areas, reverse=True)


@settings(max_examples=15, deadline=None)
@given(st.tuples(*[st.floats(-3, 3)] * 3), st.tuples(*[st.floats(-50, 50)] * 3), st.floats(0.01, 100),
       st.sampled_from(["plate, fillets of 3", "rod, rim of 6", "block with a countersink"]))  # fmt: skip
def test_a_moved_and_scaled_part_has_the_same_faces(turn, shift, scale, name):
    rotation = Rotation.from_rotvec(turn).as_matrix()
    here = segment(*PARTS[name][0])
    there = segment(*made.moved(PARTS[name][0], rotation, np.array(shift) * scale, scale))
    assert matched(here.labels) == matched(there.labels)
    for face in here.faces:
        other = there.faces[there.labels[face.triangles[0]]]
        assert other.kind == face.kind and other.concave == face.concave and other.closed == face.closed
        if face.kind == "cylinder":
            assert other.surface.radius == pytest.approx(scale * face.surface.radius, rel=1e-4)
            assert abs(other.surface.direction @ rotation @ face.surface.direction) == pytest.approx(1)


def matched(labels) -> list[int]:
    """Labels by their first triangle: two labellings are one grouping where these agree."""
    first = {}
    return [first.setdefault(label, row) for row, label in enumerate(labels.tolist())]


@pytest.mark.parametrize("sides", [10, 12, 24, 64])
def test_a_radius_is_that_of_the_corners(sides):
    face = curved(made.prism(sides, radius=10, height=20))
    assert face.surface.radius == pytest.approx(10, abs=1e-5)
    assert np.abs(face.surface.point[:2]).max() < 1e-5 and face.heights == pytest.approx((-10, 10))
    assert face.closed and face.span == pytest.approx(2 * pi) and not face.concave


def test_a_ring_in_24_facets_has_its_true_radius_and_centre():
    segmentation = segment(*made.stored(PARTS["ring"][0]))
    bore = next(face for face in segmentation.faces if face.concave)
    assert bore.surface.radius == pytest.approx(0.75, abs=1e-6)
    assert np.abs(bore.surface.point[:2]).max() < 1e-6


def test_a_cone_has_its_apex_and_angle():
    face = curved(made.frustum(10, 5, 8, 36))
    assert face.surface.half_angle == pytest.approx(atan(5 / 8), abs=1e-6)
    assert face.surface.apex == pytest.approx([0, 0, 16], abs=1e-4)
    assert face.surface.direction == pytest.approx([0, 0, -1], abs=1e-6)  # it opens downwards
    assert face.heights == pytest.approx((8, 16), abs=1e-4)


def test_a_torus_and_a_sphere_have_their_radii():
    face = curved(made.torus(10, 3))
    assert (face.surface.major, face.surface.minor) == pytest.approx((10, 3))
    assert face.surface.centre == pytest.approx([0, 0, 0], abs=1e-9) and not face.concave
    assert curved(made.sphere(10)).surface.radius == pytest.approx(10)


def test_a_groove_is_concave_and_a_rim_is_not():
    assert next(face for face in segment(*rod(GROOVE)).faces if face.kind == "torus").concave
    assert not next(face for face in segment(*rod(RIM)).faces if face.kind == "torus").concave


@pytest.mark.parametrize("steps", [3, 4, 8])
def test_a_fillet_spans_a_quarter_turn_and_is_tangent_to_both_planes(steps):
    segmentation = segment(*made.rounded_plate(40, 20, 5, 6, steps))
    for row, face in enumerate(segmentation.faces):
        if face.kind == "cylinder":
            assert face.surface.radius == pytest.approx(5, abs=1e-5)
            assert degrees(face.span) == pytest.approx(90, abs=1e-3) and not face.closed
            around = [contact for contact in segmentation.contacts if row in (contact.first, contact.second)]
            smooth = [contact for contact in around if contact.smooth]
            assert len(smooth) == 2 and all(contact.length == pytest.approx(6) for contact in smooth)


def test_contacts_of_a_box_are_its_edges():
    contacts = segment(*made.box(10, 20, 5)).contacts
    assert len(contacts) == 12 and sum(contact.length for contact in contacts) == pytest.approx(140)
    assert all(contact.convex and not contact.smooth for contact in contacts)
    assert all(contact.angle == pytest.approx(pi / 2) for contact in contacts)


def test_a_hole_meets_its_plate_at_concave_cylinders_with_convex_edges():
    segmentation = segment(*made.arrays(BLOCK - Manifold.cylinder(20, 4, 4, 32, True)))
    (row,) = (row for row, face in enumerate(segmentation.faces) if face.kind == "cylinder")
    assert segmentation.faces[row].concave
    rims = [contact for contact in segmentation.contacts if row in (contact.first, contact.second)]
    assert len(rims) == 2 and all(contact.convex for contact in rims)


def test_a_prism_beside_a_finer_and_smaller_hole_was_drawn_as_a_prism():
    knob = Manifold.cylinder(10, 12, 12, 12)
    assert kinds(made.arrays(knob - Manifold.cylinder(30, 3, 3, 64, True))) == {"plane": 14, "cylinder": 1}
    assert kinds(made.arrays(knob - Manifold.cylinder(30, 3, 3, 12, True))) == {"plane": 2, "cylinder": 2}
    coarse = Manifold.cylinder(30, 1, 1, 12, True)  # a small hole may well be coarser
    assert kinds(made.arrays(Manifold.cylinder(10, 12, 12, 64) - coarse)) == {"plane": 2, "cylinder": 2}


def test_free_form_stays_unclaimed():
    angle = np.linspace(0, 2 * pi, 80)[:-1]
    wave = np.column_stack([(10 + np.sin(3 * angle)) * np.cos(angle), (10 + np.sin(3 * angle)) * np.sin(angle)])
    ellipse = np.column_stack([10 * np.cos(angle), 6 * np.sin(angle)])
    for outline in (wave, ellipse):
        segmentation = segment(*made.extruded(outline, 10))
        assert [face.kind for face in segmentation.faces] == ["plane", "plane"]
        assert len(segmentation.unclaimed) == 2 * len(outline)


def test_a_noisy_scan_stays_unclaimed():
    vertices, faces = made.torus(10, 3, 80, 40)
    noisy = vertices + np.random.default_rng(0).normal(scale=0.02, size=vertices.shape)
    assert len(segment(noisy, faces).unclaimed) > 0.95 * len(faces)


def test_corners_on_facets_of_a_cut_mesh_stay_with_their_cylinder():
    rod = Manifold.cylinder(40, 8, 8, 48, True) - Manifold.cylinder(40, 3, 3, 32, True).rotate([90, 0, 0])
    faces = {face.surface.radius: face for face in segment(*made.arrays(rod)).faces if face.kind == "cylinder"}
    assert sorted(faces) == pytest.approx([3, 8], abs=1e-4)
    assert all(face.closed for face in faces.values())


@pytest.mark.parametrize("name", ["plate, fillets of 16", "rod, rim of 6", "block with a countersink", "torus of 36"])
@pytest.mark.parametrize("decimals", [3, 4])
def test_coordinates_with_few_decimals_are_read(name, decimals):
    mesh, expected = PARTS[name]
    vertices, faces = made.moved(mesh, TURNED, (3.3, -2.1, 5.7))
    assert kinds((vertices.round(decimals), faces)) == expected


def test_a_cone_of_many_cut_facets_is_a_cone():
    cone = Manifold.cylinder(10, 12, 4, 40) - Manifold.cube([60, 60, 3], True).rotate([15, 0, 0]).translate([0, 0, 5])
    segmentation = segment(*made.arrays(cone))
    assert Counter(face.kind for face in segmentation.faces) == {"plane": 4, "cone": 2}
    assert len({round(face.surface.half_angle, 5) for face in segmentation.faces if face.kind == "cone"}) == 1


def test_an_open_mesh_and_a_few_triangles_are_read():
    vertices, faces = made.prism(24)
    assert kinds((vertices, faces[: len(faces) // 2])).total() >= 1
    assert kinds((np.eye(3), np.array([[0, 1, 2]]))) == {"plane": 1}


def test_triangles_without_area_do_no_harm():
    vertices, faces = made.box(10, 20, 5)
    flat = np.array([[0, 1, 0], [2, 2, 2]])
    assert kinds((vertices, np.concatenate([faces, flat])))["plane"] == 6


def test_options_are_checked():
    with pytest.raises(ValueError, match="tolerance"):
        SegmentOptions(tolerance=0)
    with pytest.raises(ValueError, match="sharp"):
        SegmentOptions(sharp=120)
