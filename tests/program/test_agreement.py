"""The readings of a program agree: its field, its surface points and the solid that CadQuery makes of its text."""

import cadquery as cq
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from strategies import programs

from cadcode.program.field import bounds, occupancy, signed_distance
from cadcode.program.surface import sample_surface
from cadcode.program.text.compact import compact

CELLS = 56
COUNT = 2048


def solid(program):
    names = {}
    exec(compact(program), names)  # text of our own making
    return names["r"].val()


def volume_by_field(program, rng):
    """One random point in each cell of a grid over the box."""
    low, high = bounds(program)
    cells = np.indices((CELLS, CELLS, CELLS)).reshape(3, -1).T  # (CELLS^3, 3)
    points = low + (high - low) * (cells + rng.random(cells.shape)) / CELLS
    return occupancy(program, points).mean() * np.prod(high - low)


def gap(shape, point):
    faces = cq.Compound.makeCompound(shape.Faces())
    return faces.distance(cq.Vertex.makeVertex(*point.tolist()))


def check(program):
    rng = np.random.default_rng(0)
    shape = solid(program)
    assert shape.isValid()
    volume, area = shape.Volume(), sum(face.Area() for face in shape.Faces())
    points, normals = sample_surface(program, COUNT, rng)

    assert volume_by_field(program, rng) == pytest.approx(volume, rel=0.01)
    assert max(gap(shape, point) for point in points[:8]) < 1e-4
    corners = np.array([vertex.toTuple() for vertex in shape.tessellate(1.0, 0.5)[0]])
    assert np.abs(signed_distance(program, corners)).max() < 1e-4

    # the divergence theorem holds only for points uniform in area with outward normals
    flux = np.einsum("ij,ij->i", points - points.mean(axis=0), normals) * area / 3
    assert flux.mean() == pytest.approx(volume, abs=5 * flux.std() / COUNT**0.5 + 1e-6 * volume)
    assert np.all(np.abs(normals.mean(axis=0)) < 5 / COUNT**0.5)


def agreement(strategy, examples):
    quiet = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    return lambda test: settings(max_examples=examples, derandomize=True, deadline=None, suppress_health_check=quiet)(
        given(strategy)(test)
    )


@agreement(programs(most=1), 80)
def test_one_body(program):
    check(program)


@agreement(programs(operations=("union",), most_faces=1), 80)
def test_unions(program):
    check(program)


@agreement(programs(most_faces=2), 80)
def test_cuts_and_intersections(program):
    check(program)


@agreement(programs(most=2, whole=False), 60)
def test_real_numbers(program):
    check(program)
