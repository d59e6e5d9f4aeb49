import io

import pytest
from rich.console import Console

from cadcode.report.table import error_console, evaluation_table, result_table, summary_table

ERROR = {
    "chamfer": 0.0123,
    "p95_deviation": 0.4,
    "max_deviation": 1.5,
    "volume_difference": -20.0,
    "cd_x1000": 0.163,
    "max_deviation_at": (10.0, 2.25, -3),
    "iou": 0.98765,
    "iou_method": "repaired boolean",
    "iou_reason": None,
}
RESULT = {
    "input": {"path": "in/[bold]part.stl", "extents": [10, 20.5, 3]},
    "model": {"name": "cadcode-small"},
    "chosen": 3,
    "error": ERROR,
    "candidates": [{"error": ERROR}, {"error": None, "reason": "timeout"}],
    "seconds": {"decode": 1.25, "run": 0.5},
}
NO_IOU = ERROR | {"iou": None, "iou_method": None, "iou_reason": "input: a point cloud has no volume"}


def text(table) -> str:
    console = Console(file=io.StringIO(), width=160, color_system=None)
    console.print(table)
    return console.file.getvalue()


def test_a_result_shows_its_numbers_and_how_they_were_found():
    shown = text(result_table(RESULT))
    for part in (
        "in/[bold]part.stl",
        "10 x 20.5 x 3",
        "cadcode-small",
        "0.988 (repaired boolean)",
        "1.5 units at (10, 2.25, -3)",
        "-20 units³",
        "2, 1 ran",
        "1.8  (decode 1.2  run 0.5)",
    ):
        assert part in shown


def test_what_each_stage_reached_stands_in_one_row():
    stages = {"greedy": {"iou": 0.75, "chamfer": 0.4}, "refined": {"iou": 0.9321, "chamfer": 0.1}}
    shown = text(result_table(RESULT | {"stages": stages}))
    assert "best by stage" in shown and "greedy 0.750  refined 0.932" in shown
    without_volume = {stage: error | {"iou": None} for stage, error in stages.items()}
    assert "greedy 0.4  refined 0.1" in text(result_table(RESULT | {"stages": without_volume}))
    assert "best by stage" not in text(result_table(RESULT | {"stages": {}}))


def test_no_iou_shows_the_reason():
    shown = text(result_table(RESULT | {"error": NO_IOU}))
    assert "none: input: a point cloud has no volume" in shown and "0.988" not in shown


@pytest.mark.parametrize("result", [{}, {"error": None, "candidates": []}, {"input": None, "seconds": None}])
def test_missing_facts_are_left_out(result):
    assert "no valid program" in text(result_table(result))


def test_evaluations_one_a_row():
    rows = [
        {"name": "a/b", "status": "measured", "strict": ERROR, "paper": {"iou": 0.4321, "cd_x1000": 0.789}},
        {"name": "c", "status": "timeout", "reason": "took [red]10 s", "strict": None},
        {"name": "d", "status": "measured", "strict": NO_IOU},
    ]
    lines = text(evaluation_table(rows)).splitlines()
    line = {name: next(line for line in lines if f" {name} " in line) for name in ("a/b", "c", "d")}
    assert "0.988" in line["a/b"] and "0.432" in line["a/b"] and "0.789" in line["a/b"]
    assert "IoU by repaired boolean" in line["a/b"]
    assert "timeout: took [red]10 s" in line["c"]
    assert "no IoU: input: a point cloud" in line["d"]


def test_summary_stands_side_by_side():
    figures = {"iou_mean": 0.5, "iou_median": 0.25, "iou_mean_valid": 0.75, "cd_mean": 2.0, "cd_median": None}
    shown = text(summary_table({"n": 4, "invalid": 2, "strict": figures, "paper": figures | {"iou_mean": 0.625}}))
    assert "4 parts, 2 without a valid program (50.0%)" in shown
    assert any("0.5" in line and "0.625" in line for line in shown.splitlines())


def test_tables_go_to_stderr_without_colours_when_asked(capsys, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    error_console().print(result_table(RESULT))
    out, err = capsys.readouterr()
    assert out == "" and "cadcode-small" in err and "\x1b[3" not in err
    error_console(quiet=True).print(result_table(RESULT))
    assert capsys.readouterr().err == ""
