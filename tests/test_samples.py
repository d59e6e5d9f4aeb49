"""The samples: every shape file loads, and the program beside it makes exactly that part, in its units and place."""

from pathlib import Path

import numpy as np
import pytest

from cadcode.bench.evaluate import evaluate_program
from cadcode.geometry.io.load import SUFFIXES, load_shape
from cadcode.program.field import signed_distance
from cadcode.program.parse import parse
from cadcode.program.tree import Program
from cadcode.sandbox import Sandbox

SAMPLES = Path(__file__).parent.parent / "samples"
SHAPES = sorted(path for path in SAMPLES.iterdir() if path.suffix in SUFFIXES)
CLOUDS = {"cover", "gusset", "pulley", "block"}
NOISE = {"block": 0.15}  # mm, standard deviation; the other files are exact
SIZE_LIMIT = 1_500_000  # bytes, of all samples together

every_sample = pytest.mark.parametrize("path", SHAPES, ids=lambda path: path.name)


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox() as shared:
        yield shared


def program_text(path: Path) -> str:
    return path.with_suffix(".py").read_text(encoding="utf-8")


def test_there_are_a_dozen_in_as_many_formats_and_each_has_its_program():
    formats = {(path.suffix, path.stem in CLOUDS, path.read_bytes()[:5] == b"solid") for path in SHAPES}
    assert len(SHAPES) == len(formats) == 12
    assert {path.stem for path in SHAPES} == {path.stem for path in SAMPLES.glob("*.py")}
    assert sum(path.stat().st_size for path in SAMPLES.iterdir()) < SIZE_LIMIT


@every_sample
def test_a_sample_loads_as_what_it_is(path, sandbox):
    shape = load_shape(path, sandbox.read_cad)
    assert shape.is_cloud == (path.stem in CLOUDS)
    assert shape.watertight is (None if shape.is_cloud else True)


@every_sample
def test_its_points_lie_on_the_surface_of_its_program(path, sandbox):
    shape, program = load_shape(path, sandbox.read_cad), parse(program_text(path))
    assert isinstance(program, Program), program
    distances = np.abs(signed_distance(program, shape.vertices))
    noise = NOISE.get(path.stem, 0.0)
    chord = 2e-3 * shape.extents.max() if shape.is_cloud else 0.0  # clouds were sampled on the mesh's chords
    assert distances.max() < 5 * noise + chord + 1e-4 * shape.extents.max()
    assert distances.mean() >= noise / 2  # a scan without noise would not be one


@every_sample
def test_its_program_makes_the_same_part(path, sandbox):
    shape = load_shape(path, sandbox.read_cad)
    evaluation = evaluate_program(program_text(path), shape, sandbox)
    assert evaluation.status == "measured", evaluation.reason
    if shape.is_cloud:
        assert evaluation.strict.chamfer < 0.01 * shape.extents.max()  # the spacing of the points
    else:
        assert evaluation.strict.iou > 0.99
        assert evaluation.strict.max_deviation < 2e-3 * shape.extents.max()
