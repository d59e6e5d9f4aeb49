"""Tables for users, on stderr. Rich omits colours if NO_COLOR is set or stderr is no terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

# Rows of a result: label, key in the error, and power of the length unit (None: no unit).
ERROR_ROWS = (
    ("mean distance", "chamfer", 1),
    ("95 % within", "p95_deviation", 1),
    ("largest distance", "max_deviation", 1),
    ("volume difference", "volume_difference", 3),
    ("CD x1000", "cd_x1000", None),
)
EVALUATION_COLUMNS = (("max", "max_deviation"), ("95 %", "p95_deviation"), ("CD x1000", "cd_x1000"))
PUBLISHED_COLUMNS = ("published IoU", "published CD x1000")
SUMMARY_ROWS = (
    ("IoU mean (invalid = 0)", "iou_mean"),
    ("IoU median (invalid = 0)", "iou_median"),
    ("IoU mean over valid", "iou_mean_valid"),
    ("CD x1000 mean", "cd_mean"),
    ("CD x1000 median", "cd_median"),
)
MOST_NAMED = 4  # missing faces in a table
REMARK = "remark"  # label of notices about the result
NO_UNIT = "units"  # unit of a file without a named unit


def error_console(quiet: bool = False) -> Console:
    """Console for tables, on stderr."""
    return Console(stderr=True, quiet=quiet, highlight=False)


def result_table(result: dict) -> Table:
    """Table of one part; `result` is the content of its JSON file, whose keys may all be missing."""
    source = result.get("input") or {}
    title = Text(str(source.get("path") or source.get("prompt") or "part"))
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column()
    unit = source.get("unit") or NO_UNIT
    for label, value in _facts(result, source) + _error_facts(result.get("error"), result.get("chosen"), unit):
        table.add_row(label, Text(value, style="red" if label == REMARK else ""))
    return table


def evaluation_table(rows: list[dict]) -> Table:
    """Table of evaluations (plain dicts), one row per program, with the strict and the published protocol."""
    table = Table("part", "IoU")
    for label in (*(label for label, _ in EVALUATION_COLUMNS), *PUBLISHED_COLUMNS):
        table.add_column(label, justify="right")
    table.add_column("remark")
    for row in rows:
        error, paper = row.get("strict") or {}, row.get("paper") or {}
        numbers = [_number(error.get(key)) for _, key in EVALUATION_COLUMNS]
        numbers += [_iou(paper), _number(paper.get("cd_x1000"))]
        table.add_row(Text(str(row.get("name", ""))), _iou(error), *numbers, Text(_remark(row, error)))
    return table


def statistics_table(figures: dict[str, dict]) -> Table:
    """Table of statistics, one column per set of parts: mean, and the 10, 50 and 90 % quantiles in brackets."""
    table = Table("mean (10, 50, 90 %)")
    for name in figures:
        table.add_column(name, justify="right")
    for measure in next(iter(figures.values())):
        rows = [column.get(measure) for column in figures.values()]
        texts = ["-" if row is None else f"{row[0]:.3g} ({', '.join(f'{v:.3g}' for v in row[1:])})" for row in rows]
        table.add_row(measure, *texts)
    return table


def summary_table(summary: dict) -> Table:
    """Averages of an evaluation, with the strict and the published protocol."""
    invalid, count = summary["invalid"], summary["n"]
    share = f" ({invalid / count:.1%})" if count else ""
    table = Table("", "strict", "as published", title=f"{count} parts, {invalid} without a valid program{share}")
    for label, key in SUMMARY_ROWS:
        table.add_row(label, *(_number(summary[protocol][key]) for protocol in ("strict", "paper")))
    return table


def _facts(result: dict, source: dict) -> list[tuple[str, str]]:
    facts = []
    if source.get("extents"):
        size = " x ".join(_number(side) for side in source["extents"])
        unit = source.get("unit") or f"{NO_UNIT} (not named in the file; see --units)"
        facts.append(("size", f"{size} {unit}"))
    facts += [("note", str(note)) for note in source.get("notes") or ()]
    model = result.get("model") or {}
    if model.get("name"):
        facts.append(("model", str(model["name"])))
    candidates = result.get("candidates") or []
    if candidates:
        ran = sum(candidate.get("error") is not None for candidate in candidates)
        facts.append(("candidates", f"{len(candidates)}, {ran} ran" if ran else f"{len(candidates)}"))
    if result.get("chosen") is not None:
        facts.append(("chosen", str(result["chosen"])))
    if result.get("solid"):
        facts.append(("solid", _solid(result["solid"])))
    facts += _faces(result.get("faces"))
    facts += [(REMARK, str(remark)) for remark in result.get("remarks") or ()]
    if result.get("stages"):
        facts.append(("best by stage", "  ".join(_stage(stage, best) for stage, best in result["stages"].items())))
    if result.get("seconds"):
        seconds = result["seconds"]
        stages = "  ".join(f"{stage} {spent:.1f}" for stage, spent in seconds.items() if stage != "total")
        facts.append(("seconds", f"{seconds.get('total', sum(seconds.values())):.1f}  ({stages})"))
    return facts


def _faces(faces: dict | None) -> list[tuple[str, str]]:
    """Faces of the input that the result reproduces, by feature, and the largest of those that it does not."""
    if faces is None or not faces["counts"]:
        return []
    counts = ", ".join(f"{feature} {found} of {count}" for feature, (found, count) in faces["counts"].items())
    missing = [face["text"] for face in faces["missing"]]
    more = [f"and {len(missing) - MOST_NAMED} more"] if len(missing) > MOST_NAMED else []
    return [("faces", counts), *(("missing", text) for text in [*missing[:MOST_NAMED], *more])]


def _solid(solid: dict) -> str:
    count = solid["solids"]
    return f"{'valid' if solid['valid'] else 'invalid'}, {'1 body' if count == 1 else f'{count} bodies'}"


def _stage(stage: str, best: dict) -> str:
    """Stage with its IoU, or with its mean distance if it has no IoU."""
    return f"{stage} {_iou(best) if best.get('iou') is not None else _number(best.get('chamfer'))}"


def _error_facts(error: dict | None, chosen: str | None, unit: str) -> list[tuple[str, str]]:
    if error is None:
        return [("error", "no valid program" if chosen is None else "not measured: no input shape")]
    facts = [("IoU", _iou(error) if error.get("iou") is not None else f"none: {error.get('iou_reason')}")]
    if error.get("iou_method") not in (None, "boolean"):
        facts[0] = ("IoU", f"{facts[0][1]} ({error['iou_method']})")
    for label, key, power in ERROR_ROWS:
        if error.get(key) is not None:
            value = f"{_number(error[key])} {_power(unit, power)}".strip()
            facts.append((label, value + _place(error.get(f"{key}_at"))))
    return facts


def _power(unit: str, power: int | None) -> str:
    return {None: "", 1: unit, 3: f"{unit}³"}[power]


def _place(point) -> str:
    """Position in the file, in its units."""
    return "" if point is None else f" at ({', '.join(map(_number, point))})"


def _remark(row: dict, error: dict) -> str:
    if row.get("reason"):
        return f"{row.get('status', 'failed')}: {row['reason']}"
    if error.get("iou_reason"):
        return f"no IoU: {error['iou_reason']}"
    return "" if error.get("iou_method") in (None, "boolean") else f"IoU by {error['iou_method']}"


def _iou(error: dict) -> str:
    return "-" if error.get("iou") is None else f"{error['iou']:.3f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def quality_table(figures: list[dict]) -> Table:
    """Table of model configurations, one per row, with the 95 % interval of the mean."""
    table = Table("", "parts", "IoU mean", "95 % interval", "IoU median", "invalid")
    for f in figures:
        low, high = f["interval"]
        numbers = [f"{f['iou_mean']:.3f}", f"{low:.3f} to {high:.3f}", f"{f['iou_median']:.3f}", f"{f['invalid']:.1%}"]
        table.add_row(f["name"], str(f["parts"]), *numbers)
    return table


def difference_table(pairs: list[dict], against: str) -> Table:
    """Table of paired differences of two models, one configuration per row, with the 95 % interval of the mean."""
    columns = ("", "parts", "difference", "95 % interval", "better", "worse", "same program")
    table = Table(*columns, title=f"IoU against {against}")
    for pair in pairs:
        low, high = pair["interval"]
        numbers = [f"{pair['difference']:+.3f}", f"{low:+.3f} to {high:+.3f}"]
        shares = [f"{pair[name]:.0%}" for name in ("better", "worse", "same")]
        table.add_row(pair["name"], str(pair["parts"]), *numbers, *shares)
    return table


def check_table(short: list[dict]) -> Table:
    """Table of the parts that miss limits, with the reasons."""
    table = Table("part", "falls short")
    for part in short:
        table.add_row(Text(part["name"]), Text("\n".join(part["short"])))
    return table
