"""Relations between the faces of small parts."""

import made_meshes as made
import pytest
from manifold3d import Manifold
from scipy.spatial.transform import Rotation

from cadcode.surfaces import relate, segment

BLOCK = Manifold.cube([40, 20, 10], True)
TURNED = Rotation.from_rotvec([0.3, 0.5, 0.7]).as_matrix()


def related(mesh):
    segmentation = segment(*mesh)
    return segmentation.faces, relate(segmentation)


@pytest.mark.parametrize("rotation", [None, TURNED], ids=["straight", "askew"])
def test_a_box_has_three_directions_square_to_each_other(rotation):
    faces, relations = related(made.stored(made.moved(made.box(10, 20, 5), rotation)))
    assert [len(direction.faces) for direction in relations.directions] == [2, 2, 2]
    assert relations.perpendicular == ((0, 1), (0, 2), (1, 2))
    assert relations.axes == relations.radii == relations.coplanar == relations.tangent == ()


def test_a_stepped_hole_is_coaxial_and_two_holes_are_equal():
    step = Manifold.cylinder(4, 5, 5, 32).translate([0, 0, 2])
    holes = [Manifold.cylinder(20, 3, 3, 32, True).translate([x, 0, 0]) for x in (-12, 0, 12)]
    faces, relations = related(made.arrays(BLOCK - Manifold.batch_boolean([step, *holes], made.Add)))
    axes = sorted(tuple(faces[row].kind for row in axis.faces) for axis in relations.axes)
    assert axes == [("cylinder",), ("cylinder",), ("cylinder", "cylinder")]
    sizes = {round(radius, 4): len(rows) for radius, rows in relations.radii}
    assert sizes == {3: 3, 5: 1}


def test_two_pads_are_coplanar_and_a_bore_that_goes_on_is_one_surface():
    slot = Manifold.cube([10, 30, 4], True).translate([0, 0, 4])
    bore = Manifold.cylinder(50, 1, 1, 32, True).rotate([0, 90, 0]).translate([0, 0, 3.5])
    faces, relations = related(made.arrays(BLOCK - slot - bore))
    (pads,) = (group for group in relations.coplanar if abs(faces[group[0]].surface.normal[2]) > 0.9)
    assert len(pads) == 2
    assert all(faces[row].surface.point[2] == pytest.approx(5) for row in pads)
    (pair,) = relations.same
    assert [faces[row].kind for row in pair] == ["cylinder", "cylinder"]


def test_fillets_are_tangent_to_their_neighbours():
    faces, relations = related(made.rounded_plate(40, 20, 5, 6, 6))
    assert len(relations.tangent) == 8
    assert all({faces[a].kind, faces[b].kind} == {"plane", "cylinder"} for a, b in relations.tangent)


def test_a_ball_on_its_rod_is_on_the_axis():
    faces, relations = related(made.turned([(0, 0), (5, 0), (5, 20), *made.arc((0, 20), 5, 0, 90, 8)], 32))
    (axis,) = relations.axes
    assert {faces[row].kind for row in axis.faces} == {"cylinder", "sphere"}
    assert [(round(radius, 5), len(rows)) for radius, rows in relations.radii] == [(5, 2)]
