"""The real sandbox, and the plate as a mesh in world units."""

import pytest
from plates import FAST, SCALE, SHIFT, plate

from cadcode.geometry.shape import Shape
from cadcode.program.text.readable import readable
from cadcode.program.transform import moved
from cadcode.reconstruction.input import Input
from cadcode.sandbox.sandbox import Sandbox


@pytest.fixture(scope="package")
def sandbox():
    with Sandbox() as shared:
        yield shared


@pytest.fixture(scope="package")
def shape(sandbox):
    solid = sandbox.run(readable(moved(plate(), SCALE, SHIFT)))
    return Shape.from_arrays(solid.vertices, solid.faces)


@pytest.fixture(scope="package")
def part(shape):
    return Input.of(shape, FAST)
