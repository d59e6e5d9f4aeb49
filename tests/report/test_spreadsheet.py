import csv
import io

from cadcode.report.spreadsheet import evaluation_csv

STRICT = dict(
    iou=0.5,
    iou_method="boolean",
    iou_reason=None,
    chamfer=0.25,
    max_deviation=2.0,
    p95_deviation=1.0,
    volume_difference=-3.5,
    cd_x1000=0.1,
    max_deviation_at=(0, 0, 0),
    reason=None,
)
PAPER = dict(iou=0.75, iou_method="boolean", iou_reason=None, cd_x1000=0.2, reason=None)


def read(rows: list[dict]) -> list[dict]:
    return list(csv.DictReader(io.StringIO(evaluation_csv(rows).decode(), newline="")))


def test_a_row_a_part_with_both_protocols():
    (part,) = read([dict(name="a/b", status="measured", reason=None, strict=STRICT, paper=PAPER)])
    assert (part["name"], part["status"], part["reason"]) == ("a/b", "measured", "")
    assert [float(part[key]) for key in ("strict_iou", "paper_iou", "strict_max_deviation")] == [0.5, 0.75, 2.0]
    assert float(part["strict_volume_difference"]) == -3.5 and float(part["paper_cd_x1000"]) == 0.2


def test_parts_without_figures_and_odd_texts():
    reason = 'line one\nline "two", with a comma'
    rows = [
        dict(name="ü, b", status="error", reason=reason, strict=None, paper=None),
        dict(name="\udcff", status="missing", reason="no program", strict=None, paper=None),
    ]
    first, second = read(rows)
    assert (first["name"], first["reason"], first["strict_iou"]) == ("ü, b", reason, "") and second["name"] == "?"
    assert read([]) == []
