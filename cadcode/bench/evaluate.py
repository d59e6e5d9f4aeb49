"""Measure programs against the shapes they should make, without any model."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cadcode.errors import InputError, UsageError
from cadcode.geometry.cleaning import AS_IT_SAYS, ReadOptions
from cadcode.geometry.io.load import is_shape_file, load_shape, stem_of
from cadcode.geometry.metrics import Errors, MetricOptions, PaperErrors, Target, compare, compare_paper, measure_target
from cadcode.sandbox.outcome import Failed

DEFAULTS = MetricOptions()
MEASURED, MISSING, UNREADABLE = "measured", "missing", "unreadable reference"


@dataclass(frozen=True)
class Evaluation:
    """One program against one reference.

    `status` is 'measured', 'missing' (no program), 'unreadable reference' (nothing to measure against; says nothing
    about the program) or the sandbox's kind of failure; every status but 'measured' has a `reason` and no errors.
    """

    name: str
    status: str
    reason: str | None = None
    strict: Errors | None = None  # place and size count
    paper: PaperErrors | None = None  # the published protocol, blind to them
    has_volume: bool | None = None  # of the reference: whether an IoU was to be had

    def as_dict(self) -> dict:
        """Plain values for JSON."""
        return dataclasses.asdict(self)


def evaluate_program(text: str, shape, sandbox, options: MetricOptions = DEFAULTS, name: str = "") -> Evaluation:
    """Run `text` in the sandbox and measure its solid against `shape`, both in the units of the reference's file.

    A program that fails is an `Evaluation` with the reason; raises InputError for a shape that cannot be measured and
    SandboxError where the sandbox does not work.
    """
    return _judged(text, measure_target(shape, options), sandbox, options, name)


def evaluate_folder(
    programs, references, sandbox, options: MetricOptions = DEFAULTS, reading: ReadOptions = AS_IT_SAYS
) -> list[Evaluation]:
    """Every reference under a folder against the program of the same relative stem: `a/b.stl` and `a/b.py`; where there
    is `a/b.stl.py`, as `batch` names it beside other results, against that.

    In the order of the names. Programs without a reference are left out. Raises UsageError where either is no folder
    or there are no references.
    """
    programs, references = Path(programs), Path(references)
    for folder in (programs, references):
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a folder")
    paths = sorted(path for path in references.rglob("*") if is_shape_file(path) and path.is_file())
    if not paths:
        raise UsageError(f"{references} holds no mesh, point cloud or CAD file")
    return [_evaluate_file(path, path.relative_to(references), programs, sandbox, options, reading) for path in paths]


def summary(rows: list[Evaluation]) -> dict:
    """Plain figures for a list of evaluations, strict and as published side by side.

    IoU is over the parts whose reference has a volume; there a program without one counts as 0, except in
    `iou_mean_valid`. CD is over the measured programs. None where there is nothing to average.
    """
    parts = [row for row in rows if row.status != UNREADABLE]
    invalid = sum(row.status != MEASURED for row in parts)
    return {
        "n": len(parts),
        "invalid": invalid,
        "invalid_ratio": invalid / len(parts) if parts else None,
        "unreadable_references": len(rows) - len(parts),
        "strict": _figures(parts, [row.strict for row in parts]),
        "paper": _figures(parts, [row.paper for row in parts]),
    }


def _evaluate_file(
    path: Path, relative: Path, programs: Path, sandbox, options: MetricOptions, reading: ReadOptions
) -> Evaluation:
    name = relative.with_name(stem_of(relative)).as_posix()
    try:
        target = measure_target(load_shape(path, sandbox.read_cad, reading), options)
    except InputError as error:
        return Evaluation(name, UNREADABLE, str(error))
    whole = programs / f"{relative.as_posix()}.py"
    program = whole if whole.is_file() else programs / f"{name}.py"
    try:
        text = program.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return Evaluation(name, MISSING, f"no program: {program}: {error.strerror}", has_volume=target.has_volume)
    return _judged(text, target, sandbox, options, name)


def _judged(text: str, target: Target, sandbox, options: MetricOptions, name: str) -> Evaluation:
    outcome = sandbox.run(text)
    if isinstance(outcome, Failed):
        return Evaluation(name, outcome.kind, outcome.reason, has_volume=target.has_volume)
    strict = compare(outcome.vertices, outcome.faces, target, options)
    if strict.reason is not None:
        return Evaluation(name, "empty", strict.reason, has_volume=target.has_volume)
    paper = compare_paper(outcome.vertices, outcome.faces, target, options)
    return Evaluation(name, MEASURED, None, strict, paper, target.has_volume)


def _figures(parts: list[Evaluation], errors: list[Errors | PaperErrors | None]) -> dict:
    ious = [error and error.iou for part, error in zip(parts, errors, strict=True) if part.has_volume]
    counted, valid = [iou or 0.0 for iou in ious], [iou for iou in ious if iou is not None]
    cds = [error.cd_x1000 for error in errors if error is not None]
    return {
        "iou_parts": len(ious),
        "iou_mean": _over(np.mean, counted),
        "iou_median": _over(np.median, counted),
        "iou_mean_valid": _over(np.mean, valid),
        "cd_mean": _over(np.mean, cds),
        "cd_median": _over(np.median, cds),
    }


def _over(average, values: list[float]) -> float | None:
    return float(average(values)) if values else None
