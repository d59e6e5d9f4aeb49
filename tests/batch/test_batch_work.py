"""The work on a part, in this process with a sandbox that always makes a box; then all of it from the command line."""

import json
import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import trimesh
from broken_files import make_broken_files
from tiny_models import saved
from told import Told
from typer.testing import CliRunner

from cadcode.batch import work
from cadcode.batch.plan import Part, plan
from cadcode.batch.work import convert, setup_for
from cadcode.cli.app import app
from cadcode.errors import InputError, ModelError, UsageError
from cadcode.model.checkpoints.spec import ModelSpec
from cadcode.sandbox.outcome import Failed, Solid
from cadcode.sandbox.sandbox import SandboxOptions

SHOWN = {".report/box.png", ".report/box.view"}


class Boxes:
    """A sandbox in which every program makes the same box."""

    options = SandboxOptions()

    def run(self, text, export=()):
        mesh = trimesh.creation.box((4, 2, 1))
        exports = {name: b"ISO-10303-21;" for name in export}
        return Solid(np.asarray(mesh.vertices), np.asarray(mesh.faces), 8.0, True, exports)

    def read_cad(self, path):
        raise InputError(path, "cannot be used", "open it in a CAD program")


class Failing(Boxes):
    def run(self, text, export=()):
        return Failed("timeout", "took longer than 10 s")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a model that has learnt nothing."""
    return saved(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def model():
    """A model whose texts reach the length limit before they end: the bounding box is all there is."""
    return Told("endless", spec=ModelSpec("told", "none", max_new_tokens=1))


@pytest.fixture
def setup(folder, tmp_path):
    return setup_for(tmp_path / "out", str(folder), "cpu", candidates=1, refine=False)


def box(path: Path) -> Part:
    path.parent.mkdir(parents=True, exist_ok=True)
    trimesh.creation.box((4, 2, 1)).export(path)
    return Part(path, path.name)


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_part_becomes_files_and_a_row(setup, model, tmp_path):
    part = Part(box(tmp_path / "in/box.stl").path, "deep/er/box.stl")
    row = convert(part, model, Boxes(), setup)
    assert set(row["files"]) == {f"deep/er/box.{suffix}" for suffix in ("py", "step", "json")}
    assert names(tmp_path / "out") == {*row["files"], row["thumbnail"], row["view"]} and row["status"] == "done"
    assert row["error"]["iou"] == pytest.approx(1, abs=1e-3) and row["chosen"] == "bounding box"
    whole = json.loads((tmp_path / "out/deep/er/box.json").read_text())
    assert whole["options"]["decoding"]["seed"] == row["seed"] == part.seed(0)
    assert whole["input"]["sha256"] == row["sha256"]
    json.dumps(row)


def test_a_part_without_a_program_says_why(setup, model, tmp_path):
    part = box(tmp_path / "in/box.stl")
    convert(part, model, Boxes(), setup)
    row = convert(part, model, Failing(), setup)
    assert row["status"] == "no program" and "took longer than 10 s" in row["reason"] and row["error"] is None
    assert names(tmp_path / "out") == {"box.json", *SHOWN}


def test_broken_files_are_rows_with_a_reason(setup, model, tmp_path):
    make_broken_files(tmp_path / "in")
    parts = plan(tmp_path / "in", tmp_path / "out").parts
    rows = [convert(part, model, Boxes(), setup) for part in parts]
    assert len(rows) > 50 and {row["status"] for row in rows} == {"unreadable"}
    assert all(row["reason"] and "\n" not in row["reason"] and len(row["sha256"]) == 64 for row in rows)


def test_files_of_an_earlier_content_go_when_it_breaks(setup, model, tmp_path):
    part = box(tmp_path / "in/box.stl")
    convert(part, model, Boxes(), setup)
    part.path.write_text("garbage")
    row = convert(part, model, Boxes(), setup)
    assert row["status"] == "unreadable" and names(tmp_path / "out") == SHOWN
    part.path.unlink()
    assert convert(part, model, Boxes(), setup)["sha256"] is None


def test_a_place_that_cannot_be_written_is_a_row(setup, model, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/deep").write_text("a file")
    row = convert(Part(box(tmp_path / "in/box.stl").path, "deep/box.stl"), model, Boxes(), setup)
    assert row["status"] == "not written" and "cannot be written" in row["reason"]


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
@pytest.mark.parametrize("name", [b"\xff\xfe.stl", "ünï cödé 部品.stl".encode(), b"new\nline.stl"], ids=list("bun"))
def test_odd_names(setup, model, tmp_path, name):
    os.makedirs(tmp_path / "in")
    box(tmp_path / "in/box.stl").path.rename(tmp_path / "in" / os.fsdecode(name))
    (part,) = plan(tmp_path / "in", tmp_path / "out").parts
    row = convert(part, model, Boxes(), setup)
    assert row["status"] == "done" and json.loads(json.dumps(row)) == row
    assert all((tmp_path / "out" / file).is_file() for file in row["files"])


def test_settings_are_all_that_a_result_depends_on(folder, tmp_path):
    def settings(output="out", **options):
        return setup_for(tmp_path / output, str(folder), **options).settings

    assert settings() == settings(output="elsewhere") == settings(debug=True)
    changes = (
        dict(seed=1),
        dict(candidates=3),
        dict(refine=False),
        dict(timeout=3.0),
        dict(export=("stl",)),
        dict(picture=True),
        dict(temperature=0.5),
        dict(max_new_tokens=9),
        dict(dtype="bfloat16"),
    )
    assert len({settings(**change) for change in changes} | {settings()}) == len(changes) + 1
    other = saved(tmp_path / "other", seed=1)
    assert setup_for(tmp_path / "out", str(other)).settings != settings()


def test_settings_that_cannot_be(folder, tmp_path):
    with pytest.raises(ModelError, match="no such model"):
        setup_for(tmp_path, "nowhere")
    with pytest.raises(UsageError, match="abacus"):
        setup_for(tmp_path, str(folder), "abacus")
    with pytest.raises(UsageError, match="timeouts"):
        setup_for(tmp_path, str(folder), timeout=0)


# --- from the command line -------------------------------------------------------------------------------------------


def call(*words):
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def parts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    box(tmp_path / "parts/sub/a box.stl")
    (tmp_path / "parts/bad.stl").write_text("garbage")
    return tmp_path / "parts"


def test_a_folder_end_to_end(parts, folder, tmp_path):
    """Batch, again, merge; and `generate` with a part's seed writes the same program."""
    options = ("--model", folder, "--candidates", 2, "--no-refine", "--export", "step")
    first = call("batch", "parts", "-o", "out", "--json", "--workers", 1, *options)
    assert first.exit_code == 2 and "bad.stl: is not an STL" in first.stderr and "Traceback" not in first.stderr
    rows = {row["name"]: row for row in map(json.loads, first.stdout.splitlines())}
    assert {name: row["status"] for name, row in rows.items()} == {"bad.stl": "unreadable", "sub/a box.stl": "done"}
    page = (tmp_path / "out/report.html").read_text()
    assert "bad.stl" in page and "sub/a box.stl" in page
    again = call("batch", "parts", "-o", "out", "--json", "--quiet", *options)
    assert again.exit_code == 2 and {row["name"]: row for row in map(json.loads, again.stdout.splitlines())} == rows
    assert [line for line in again.stderr.splitlines() if "bad.stl" not in line] == []
    alone = call(
        "generate",
        parts / "sub/a box.stl",
        "-o",
        "-",
        "--seed",
        rows["sub/a box.stl"]["seed"],
        "--quiet",
        "--threads",
        1,
        *options,
    )
    assert alone.stdout == (tmp_path / "out/sub/a box.py").read_text()
    merged = call("merge", "out")
    assert merged.exit_code == 0 and "1 of 2 parts" in merged.stderr


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["batch", "missing", "-o", "out"], "is not a folder"),
        (["batch", "empty", "-o", "out"], "contains no mesh"),
        (["batch", "parts", "-o", "parts"], "name another"),
        (["batch", "parts", "-o", "out", "--shard", "3/2"], "--shard"),
        (["batch", "parts", "-o", "out", "--decode", "best"], "best"),
        (["batch", "parts", "-o", "parts/bad.stl/out"], "cannot be written"),
        (["batch", "parts", "-o", "out", "--model", "nowhere"], "no such model"),
        (["merge", "parts"], "no results.jsonl"),
        (["check", "parts", "--min-iou", "2"], "--min-iou"),
    ],
)
def test_usage_errors_are_one_line(parts, folder, tmp_path, words, reason):
    (tmp_path / "empty").mkdir()
    model = [] if words[0] == "merge" or "--model" in words else ["--model", folder]
    result = call(*words, *model)
    assert result.exit_code == 2 and reason in result.stderr and not (tmp_path / "out").exists()


def test_an_interrupted_batch_says_how_to_go_on(parts, folder, monkeypatch):
    from cadcode.batch import run
    from cadcode.batch.run import Batch

    monkeypatch.setattr(run, "run", lambda *_: Batch({}, interrupted=True))
    result = call("batch", "parts", "-o", "out", "--model", folder)
    assert result.exit_code == 130 and "run the same command again to resume" in result.stderr


def test_a_check_fails_where_a_part_falls_short(parts, folder, tmp_path, monkeypatch):
    from cadcode.batch import run
    from cadcode.batch.run import Batch

    error = dict(iou=0.8, iou_reason=None, cd_x1000=0.3, max_deviation=0.1, chamfer=0.01)
    good = dict(name="sub/a box.stl", status="done", reason=None, error=error, seconds=1.0)
    monkeypatch.setattr(run, "run", lambda *_: Batch({good["name"]: good}))
    words = ("check", "parts", "--model", folder, "--junit", "deep/out.xml")
    assert call(*words, "--min-iou", 0.7).exit_code == 0
    result = call(*words, "--min-iou", 0.9, "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 1 and told["failed"] == 1 and "0.8000 is below 0.9" in told["parts"][0]["short"][0]
    assert "sub/a box.stl" in result.stderr and "falls short" in result.stderr and "report" not in result.stderr
    assert len(ElementTree.parse(tmp_path / "deep/out.xml").findall(".//failure")) == 1
    (parts / "check.toml").write_text("min_iou = 0.9")
    assert call(*words).exit_code == 1 and call(*words, "--min-iou", 0.7).exit_code == 0
    assert not list(tmp_path.glob("results*")) and work.SHOWN not in os.listdir(tmp_path)
