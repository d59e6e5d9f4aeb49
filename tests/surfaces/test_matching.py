"""Faces of an input against those of a result: which are there, which are not, and their words."""

import json

import manifold3d
import numpy as np
import pytest

from cadcode.surfaces import segment
from cadcode.surfaces.matching import compare_faces, read_faces

Solid = manifold3d.Manifold


def reading(solid):
    mesh = solid.to_mesh64()
    vertices, faces = np.array(mesh.vert_properties)[:, :3].copy(), np.array(mesh.tri_verts).astype(np.int64)
    return read_faces(vertices, faces, segment(vertices, faces))


def plate(holes=((-20, 0), (20, 0)), radius=4.0, segments=48):
    solid = Solid.cube((80, 40, 6), center=True)
    for x, y in holes:
        solid -= Solid.cylinder(20, radius, circular_segments=segments, center=True).translate((x, y, 0))
    return solid


def countersunk():
    cone = Solid.cylinder(4, 4.0, 8.0, circular_segments=48).translate((-20, 0, -1))
    return plate() - cone


def test_a_part_has_all_its_own_faces():
    for solid in (plate(), countersunk()):
        check = compare_faces(reading(solid), reading(solid))
        assert check.recall == check.precision == check.f1 == 1.0 and not check.missing() and check.extra == 0
        assert all(row.off < 1e-9 for row in check.rows)


def test_other_facets_of_the_same_surfaces_are_the_same_faces():
    check = compare_faces(reading(plate(segments=32)), reading(plate(segments=96)))
    assert check.f1 == 1.0 and check.counts() == {"plane": (6, 6), "hole": (2, 2)}


def test_a_missing_hole_is_named_with_its_place():
    check = compare_faces(reading(plate()), reading(plate(holes=((-20, 0),))))
    (missing,) = check.missing()
    assert missing.feature == "hole" and missing.size == (("radius", pytest.approx(4.0)),)
    assert missing.at == pytest.approx((20, 0, 0), abs=1e-9) and missing.text() == "hole, radius 4, at (20, 0, 0)"
    assert check.counts()["hole"] == (1, 2) and check.precision == 1.0
    json.dumps(check.as_dict(), allow_nan=False)


def test_a_hole_elsewhere_or_of_another_size_is_another_hole():
    for other in (plate(holes=((-20, 0), (21, 0))), plate(radius=4.5)):
        check = compare_faces(reading(plate()), reading(other))
        assert check.counts()["hole"][0] < 2 and check.extra == 2 - check.counts()["hole"][0]


def test_a_peg_is_no_hole():
    peg = Solid.cube((80, 40, 6), center=True) + Solid.cylinder(6, 4.0, circular_segments=48, center=True).translate(
        (20, 0, 3)
    )
    check = compare_faces(reading(plate(holes=((20, 0),))), reading(peg))
    assert check.counts()["hole"] == (0, 1)


def test_a_lost_countersink_is_seen():
    check = compare_faces(reading(countersunk()), reading(plate()))
    assert check.counts()["countersink"] == (0, 1)
    (missing,) = check.missing()
    assert missing.kind == "cone" and dict(missing.size)["angle"] == pytest.approx(90)


@pytest.mark.parametrize("seed", range(3))
def test_the_answer_does_not_depend_on_place_and_size(seed):
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    transform = np.hstack([0.01 * q * np.sign(np.linalg.det(q)), rng.normal(size=(3, 1))])
    pair = [reading(solid.transform(transform)) for solid in (countersunk(), plate(holes=((-20, 0),)))]
    assert compare_faces(*pair).counts() == {"plane": (6, 6), "hole": (1, 2), "countersink": (0, 1)}
