"""Parts that stand askew: their own axes are found, and nobody else's."""

import numpy as np
import pytest
from faults.parts import BRACKET, box

from cadcode.geometry.pose import pose_of
from cadcode.geometry.shape import Shape


def turned(mesh, seed: int):
    """The mesh under a random rotation (3, 3), which is returned too."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    q *= np.sign(np.linalg.det(q))
    return Shape.from_arrays(mesh[0] @ q.T + [5, -70, 300], mesh[1]), q


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", ["bracket", "box"])
def test_a_turned_part_stands_upright_in_its_own_frame(name, seed):
    mesh = BRACKET if name == "bracket" else box((30.0, 20.0, 7.0))
    shape, _ = turned(mesh, seed)
    pose = pose_of(shape)
    own = pose.to_own(shape)
    assert np.allclose(pose.rotation @ pose.rotation.T, np.eye(3)) and np.linalg.det(pose.rotation) > 0
    assert np.allclose(np.sort(own.extents), np.sort(np.ptp(mesh[0], axis=0)), atol=1e-4)
    back = own.vertices @ pose.rotation + pose.origin
    assert np.allclose(back, shape.vertices) and own.watertight


def test_a_part_in_its_axes_has_no_pose():
    for mesh in (BRACKET, box()):
        assert pose_of(Shape.from_arrays(*mesh)) is None
    quarter = BRACKET[0] @ np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]).T
    assert pose_of(Shape.from_arrays(quarter, BRACKET[1])) is None


def test_a_slanted_side_is_no_reason():
    """A wedge: one side is slanted, the others stand in the axes."""
    vertices, faces = box((30.0, 20.0, 10.0))
    vertices = vertices + np.where(vertices[:, :1] > 15, [0.0, 0, 8], 0) * (vertices[:, 2:] > 5)
    assert pose_of(Shape.from_arrays(vertices, faces)) is None


def test_clouds_and_round_things_have_none():
    angles = np.random.default_rng(0).normal(size=(500, 3))
    ball = angles / np.linalg.norm(angles, axis=1)[:, None]
    assert pose_of(Shape.from_arrays(ball)) is None
    from scipy.spatial import ConvexHull

    assert pose_of(Shape.from_arrays(ball, ConvexHull(ball).simplices)) is None
