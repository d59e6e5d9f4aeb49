"""Turned parts are read off a mesh with their exact profile, whatever its facets."""

import numpy as np
import pytest

from cadcode.program.tree import Arc, Circle
from cadcode.search.from_turning import turning
from cadcode.surfaces import segment

NECK = np.sqrt(30.0**2 - 25.0**2)
SHAFT = [(0, 0), (20, 0), (22, 2), (22, 40), (12, 40), (12, 70), (0, 70)]  # radius, height: a chamfer and a step


def turned(profile, sides=36):
    """A mesh of the profile (P, 2), radius and height, counter-clockwise, about z."""
    profile = np.asarray(profile, dtype=float)
    angle = 2 * np.pi * np.arange(sides) / sides + 0.1
    rings = profile[:, None, :1] * np.stack([np.cos(angle), np.sin(angle)], 1)
    corners = np.concatenate([rings, np.broadcast_to(profile[:, None, 1:], (len(profile), sides, 1))], 2)
    p, s = np.meshgrid(np.arange(len(profile)), np.arange(sides), indexing="ij")
    a, b = p * sides + s, p * sides + (s + 1) % sides
    c, d = (a + sides) % (len(profile) * sides), (b + sides) % (len(profile) * sides)
    faces = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, b, c), (b, d, c))])
    _, first, number = np.unique(corners.reshape(-1, 3).round(9), axis=0, return_index=True, return_inverse=True)
    faces = number.ravel()[faces]
    return corners.reshape(-1, 3)[first], faces[(faces != np.roll(faces, 1, 1)).all(1)]


def read(vertices, faces):
    return turning(vertices, faces, segment(vertices, faces))


def ball(radius, steps):
    angle = np.radians(np.linspace(-90, 90, steps))
    return radius * np.stack([np.cos(angle), np.sin(angle)], 1)


@pytest.mark.parametrize("sides", [16, 36, 90])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_shaft_is_its_profile_to_the_last_digit(sides, axis):
    vertices, faces = turned(SHAFT, sides)
    order = [(2 - axis + i) % 3 for i in range(3)]  # z becomes the axis, cyclically
    found = read(vertices[:, order] + [5.0, -3.0, 11.0], faces)
    shift = np.array([5.0, -3.0, 11.0])
    assert found.axis == axis
    assert found.centre == pytest.approx((shift[(axis + 1) % 3], shift[(axis + 2) % 3]), abs=1e-6)
    (ring,) = found.rings
    points = np.array([edge.end for edge in ring.outline.edges])
    wanted = np.array(SHAFT, dtype=float) + [0, shift[axis]]
    assert ring.solid and len(points) == len(wanted)
    assert all(np.abs(points - corner).sum(1).min() < 1e-6 for corner in wanted)


@pytest.mark.parametrize("steps", [10, 25])
def test_a_ball_on_a_shaft_is_an_arc_of_its_radius(steps):
    profile = ball(30.0, steps)
    neck = profile[:, 1] > -25
    vertices, faces = turned(np.concatenate([[(0, -60), (NECK, -60), (NECK, -25)], profile[neck]]), 48)
    (ring,) = read(vertices, faces).rings
    arcs = [edge for edge in ring.outline.edges if isinstance(edge, Arc)]
    assert len(arcs) == 1 and len(ring.outline.edges) == 4
    assert np.hypot(*arcs[0].middle) == pytest.approx(30.0, abs=1e-6)


def test_a_ring_is_a_circle():
    angle = np.radians(np.arange(0, 360, 15))
    vertices, faces = turned(np.stack([50 + 8 * np.cos(angle), 8 * np.sin(angle)], 1), 60)
    (ring,) = read(vertices, faces).rings
    assert isinstance(ring.outline, Circle) and ring.outline.radius == pytest.approx(8, abs=1e-6)
    assert ring.outline.centre == pytest.approx((50, 0), abs=1e-6)


def test_a_bore_is_part_of_the_profile():
    vertices, faces = turned([(5, 0), (20, 0), (20, 30), (5, 30)])
    (ring,) = read(vertices, faces).rings
    assert abs(ring.outline.area()) == pytest.approx(15 * 30, rel=1e-9)


def test_a_box_and_a_shaft_askew_are_not_turned():
    vertices, faces = turned(SHAFT)
    tilt = np.array([[1, 0, 0], [0, np.cos(0.3), -np.sin(0.3)], [0, np.sin(0.3), np.cos(0.3)]])
    assert read(vertices @ tilt.T, faces) is None
    from faults.parts import BRACKET, box

    assert read(*box()) is None and read(*BRACKET) is None
