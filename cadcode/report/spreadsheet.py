"""Evaluations as CSV for spreadsheets, one row per part."""

import csv
import io

PAPER = ("iou", "iou_method", "iou_reason", "cd_x1000")
STRICT = (*PAPER, "chamfer", "p95_deviation", "max_deviation", "volume_difference")


def evaluation_csv(rows: list[dict]) -> bytes:
    """CSV of evaluations (plain dicts), UTF-8, in the format of RFC 4180; missing values are empty cells."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    columns = [*(f"strict_{key}" for key in STRICT), *(f"paper_{key}" for key in PAPER)]
    writer.writerow(["name", "status", "reason", *columns])
    for row in rows:
        strict, paper = row.get("strict") or {}, row.get("paper") or {}
        figures = [*(strict.get(key) for key in STRICT), *(paper.get(key) for key in PAPER)]
        writer.writerow([row["name"], row["status"], row["reason"], *figures])
    return text.getvalue().encode("utf-8", "replace")
