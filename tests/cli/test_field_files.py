"""`cadcode generate` on files as people have them: units, several bodies, strays, edited programs."""

import json
import subprocess
import sys

import numpy as np
import pytest
import trimesh
from tiny_models import saved
from typer.testing import CliRunner

from cadcode.cli.app import app
from cadcode.reconstruction import propose
from cadcode.reconstruction import run as pipeline
from cadcode.sandbox.sandbox import Sandbox


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(saved(tmp_path_factory.mktemp("models") / "cadcode-small"))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder to work in; the model writes nothing, so that the bounding box of each part is its program."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pipeline, "write", lambda *_: [])
    monkeypatch.setattr(propose, "search", lambda *_, **__: [])
    return tmp_path


def call(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def box(extents=(2.0, 1.0, 0.5), at=(0.0, 0.0, 0.0)):
    mesh = trimesh.creation.box(extents)
    mesh.apply_translation(at)
    return mesh


def told(path):
    return json.loads(path.read_text())


def test_units_that_are_named_become_millimetres_everywhere(here, model):
    box().export(here / "part.stl")
    result = call("generate", "part.stl", "--model", model, "--units", "inch")
    assert result.exit_code == 0 and "50.8 x 25.4 x 12.7 mm" in result.stderr and "mm³" in result.stderr
    given = told(here / "part.json")["input"]
    assert given["unit"] == "mm" and given["extents"] == pytest.approx([50.8, 25.4, 12.7])
    assert any("inch" in note for note in given["notes"])
    assert "# Units: mm" in (here / "part.py").read_text()
    with Sandbox() as sandbox:
        assert np.ptp(sandbox.read_cad(here / "part.step").vertices, axis=0) == pytest.approx([50.8, 25.4, 12.7])


def test_a_unit_that_nobody_names_is_not_invented(here, model):
    box().export(here / "part.stl")
    result = call("generate", "part.stl", "--model", model)
    assert told(here / "part.json")["input"]["unit"] is None and "--units" in result.stderr
    assert "does not name" in (here / "part.py").read_text()
    assert call("generate", "part.stl", "--model", model, "--units", "furlong").exit_code == 2


def test_a_warning_is_printed_even_without_tables(here, model):
    box((0.04, 0.02, 0.01)).export(here / "part.stl")
    result = call("generate", "part.stl", "--model", model, "--quiet")
    (line,) = result.stderr.splitlines()
    assert line.startswith("cadcode: warning: part.stl: the longest side is 0.04") and "--units" in line


def test_each_body_of_a_file_can_be_converted_by_itself(here, model):
    trimesh.util.concatenate([box(), box((1.0, 1.0, 3.0), (5, 0, 0))]).export(here / "plate.stl")
    whole = call("generate", "plate.stl", "--model", model, "-o", "whole")
    assert "2 separate bodies" in whole.stderr and "--split" in whole.stderr
    assert any("2 bodies, the result 1 body" in remark for remark in told(here / "whole/plate.json")["remarks"])
    result = call("generate", "plate.stl", "--model", model, "--split", "-o", "out")
    assert result.exit_code == 0
    assert {path.stem for path in (here / "out").glob("*.py")} == {"plate-1", "plate-2"}
    sizes = [told(here / f"out/plate-{i}.json")["input"]["extents"] for i in (1, 2)]
    assert sizes == [pytest.approx([2, 1, 0.5]), pytest.approx([1, 1, 3])]
    assert call("generate", "plate.stl", "--model", model, "--split", "-o", "-").exit_code == 2


def test_columns_are_those_that_are_named(here, model):
    points = np.random.default_rng(0).random((200, 3)) * [2, 1, 0.5]
    rows = np.column_stack([np.full(200, 7.0), points])
    np.savetxt(here / "cloud.csv", rows, delimiter=",", fmt="%.4f")
    call("generate", "cloud.csv", "--model", model, "--columns", "2,3,4", "--no-refine")
    assert told(here / "cloud.json")["input"]["extents"] == pytest.approx([2, 1, 0.5], abs=0.05)
    for words in ("1,2", "0,1,2", "2,2,3", "a,b,c"):
        assert call("generate", "cloud.csv", "--model", model, "--columns", words).exit_code == 2


def test_an_edited_program_stops_only_its_own_part(here, model):
    for name in ("a", "b"):
        box().export(here / f"{name}.stl")
    assert call("generate", "a.stl", "b.stl", "--model", model).exit_code == 0
    edited = (here / "a.py").read_text() + "# mine\n"
    (here / "a.py").write_text(edited)
    result = call("generate", "a.stl", "b.stl", "--model", model, "--quiet")
    assert result.exit_code == 2 and "a.py: was edited" in result.stderr and len(result.stderr.splitlines()) == 1
    assert (here / "a.py").read_text() == edited
    assert call("generate", "a.stl", "--model", model, "--force").exit_code == 0
    assert (here / "a.py").read_text() != edited


def test_the_program_runs_without_cadcode(here, model):
    box().export(here / "part.stl")
    call("generate", "part.stl", "--model", model)
    code = "import runpy; print(runpy.run_path('part.py')['result'].val().Volume())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=here)
    assert float(done.stdout) == pytest.approx(1.0, rel=1e-6)
