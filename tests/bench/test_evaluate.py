import json
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh

from cadcode.bench.evaluate import evaluate_folder, evaluate_program, summary
from cadcode.errors import InputError, UsageError
from cadcode.geometry.metrics import MetricOptions
from cadcode.sandbox.outcome import Failed, Solid

OPTIONS = MetricOptions(points=1024, winding_points=5000)


class FakeSandbox:
    """Runs the text 'box X Y Z'; every other text fails."""

    def run(self, text):
        if not text.startswith("box"):
            return Failed("error", f"cannot run '{text}'")
        mesh = trimesh.creation.box(extents=[float(side) for side in text.split()[1:]])
        return Solid(np.asarray(mesh.vertices), np.asarray(mesh.faces), float(mesh.volume), True)

    def read_cad(self, path):
        raise InputError(path, "is no CAD file", "try another")


def box(*extents):
    return trimesh.creation.box(extents=extents)


def shape(mesh):
    return SimpleNamespace(vertices=mesh.vertices, faces=mesh.faces, is_cloud=False, bounds=mesh.bounds)


@pytest.fixture
def folders(tmp_path):
    programs, references = tmp_path / "programs", tmp_path / "references"
    (programs / "deep").mkdir(parents=True)
    (references / "deep").mkdir(parents=True)
    for name in ("exact", "deep/half", "broken", "lost"):
        box(2, 2, 2).export(references / f"{name}.stl")
    (references / "notes.md").write_text("no shape")
    (programs / "exact.py").write_text("box 2 2 2")
    (programs / "deep" / "half.py").write_text("box 2 2 1")
    (programs / "broken.py").write_text("boom")
    (programs / "unasked.py").write_text("box 1 1 1")
    return programs, references


def test_a_program_that_fits():
    row = evaluate_program("box 1 2 3", shape(box(1, 2, 3)), FakeSandbox(), OPTIONS, name="part")
    assert (row.name, row.status, row.reason) == ("part", "measured", None)
    assert row.strict.iou == pytest.approx(1) and row.strict.max_deviation < 1e-9


def test_strict_sees_scale_and_the_published_protocol_does_not():
    row = evaluate_program("box 2 4 6", shape(box(1, 2, 3)), FakeSandbox(), OPTIONS)
    assert row.strict.iou == pytest.approx(1 / 8) and row.paper.iou == pytest.approx(1)


def test_a_failed_program_is_a_value_with_a_reason():
    row = evaluate_program("boom", shape(box(1, 2, 3)), FakeSandbox(), OPTIONS)
    assert (row.status, row.reason) == ("error", "cannot run 'boom'")
    assert row.strict is None and row.paper is None and row.has_volume


def test_folders_are_matched_by_relative_stem(folders):
    rows = evaluate_folder(*folders, FakeSandbox(), OPTIONS)
    assert [(row.name, row.status) for row in rows] == [
        ("broken", "error"),
        ("deep/half", "measured"),
        ("exact", "measured"),
        ("lost", "missing"),
    ]
    assert "lost.py" in rows[3].reason
    assert rows[1].strict.iou == pytest.approx(0.5)
    assert json.loads(json.dumps([row.as_dict() for row in rows]))[1]["strict"]["iou"] == pytest.approx(0.5)


def test_parts_without_a_valid_program_count_as_nothing_shared(folders):
    found = summary(evaluate_folder(*folders, FakeSandbox(), OPTIONS))
    assert (found["n"], found["invalid"], found["invalid_ratio"]) == (4, 2, 0.5)
    assert found["strict"]["iou_mean"] == pytest.approx((1 + 0.5) / 4)
    assert found["strict"]["iou_median"] == pytest.approx(0.25)
    assert found["strict"]["iou_mean_valid"] == pytest.approx(0.75)
    assert found["paper"]["iou_mean"] == pytest.approx((1 + 0.5) / 4)
    assert 0 < found["strict"]["cd_median"] == pytest.approx(found["strict"]["cd_mean"])  # the median of two
    json.dumps(found)


def test_unreadable_references_say_nothing_about_programs(folders):
    programs, references = folders
    (references / "exact.stl").write_bytes(b"solid nothing")
    (references / "deep" / "half.step").write_text("no step file")
    rows = evaluate_folder(programs, references, FakeSandbox(), OPTIONS)
    unreadable = [row for row in rows if row.status == "unreadable reference"]
    assert [row.name for row in unreadable] == ["deep/half", "exact"]
    assert all(row.reason for row in unreadable)
    found = summary(rows)
    assert (found["n"], found["invalid"], found["unreadable_references"]) == (3, 2, 2)


def test_a_cloud_has_no_iou_to_lose(folders):
    programs, references = folders
    points, _ = trimesh.sample.sample_surface(box(2, 2, 2), 500, seed=0)
    for name in ("exact", "lost"):
        (references / f"{name}.stl").unlink()
        np.savetxt(references / f"{name}.xyz", points)
    rows = {row.name: row for row in evaluate_folder(programs, references, FakeSandbox(), OPTIONS)}
    assert rows["exact"].status == "measured" and "cloud" in rows["exact"].strict.iou_reason
    found = summary(list(rows.values()))
    assert found["n"] == 4 and found["strict"]["iou_parts"] == 2
    assert found["strict"]["iou_mean"] == pytest.approx(0.25)


def test_results_do_not_depend_on_the_other_parts(folders):
    programs, references = folders
    together = {row.name: row for row in evaluate_folder(programs, references, FakeSandbox(), OPTIONS)}
    (references / "broken.stl").unlink()
    alone = {row.name: row for row in evaluate_folder(programs, references, FakeSandbox(), OPTIONS)}
    assert alone["exact"] == together["exact"] and alone["deep/half"] == together["deep/half"]


def test_nothing_to_evaluate(tmp_path):
    found = summary([])
    assert found["n"] == 0 and found["invalid_ratio"] is None and found["strict"]["iou_mean"] is None
    with pytest.raises(UsageError, match="no folder|not a folder"):
        evaluate_folder(tmp_path, tmp_path / "none", FakeSandbox(), OPTIONS)
    with pytest.raises(UsageError, match="contains no mesh"):
        evaluate_folder(tmp_path, tmp_path, FakeSandbox(), OPTIONS)
