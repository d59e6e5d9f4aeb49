"""Measure programs against reference shapes, without a model."""

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
    """Evaluation of one program against one reference.

    `status` is 'measured', 'missing' (no program), 'unreadable reference' (independent of the program) or the failure
    kind of the sandbox; every status except 'measured' has a `reason` and no errors.
    """

    name: str
    status: str
    reason: str | None = None
    strict: Errors | None = None  # position and size count
    paper: PaperErrors | None = None  # published protocol, invariant to position and size
    has_volume: bool | None = None  # whether the reference has a volume, and so an IoU

    def as_dict(self) -> dict:
        """Plain values for JSON."""
        return dataclasses.asdict(self)


def evaluate_program(text: str, shape, sandbox, options: MetricOptions = DEFAULTS, name: str = "") -> Evaluation:
    """Run `text` in the sandbox and measure its solid against `shape`, both in the units of the reference file.

    A failed program gives an `Evaluation` with the reason. Raises InputError for a shape that cannot be measured, and
    SandboxError if the sandbox does not work.
    """
    return _evaluate(text, measure_target(shape, options), sandbox, options, name)


def evaluate_folder(
    programs, references, sandbox, options: MetricOptions = DEFAULTS, reading: ReadOptions = AS_IT_SAYS
) -> list[Evaluation]:
    """Evaluate every reference under a folder against the program of the same relative stem, in the order of names.

    The program of `a/b.stl` is `a/b.stl.py`, a name that `batch` uses to resolve conflicts, if it exists, else
    `a/b.py`. Programs without a reference are skipped. Raises UsageError if either path is no folder, or without
    references.
    """
    programs, references = Path(programs), Path(references)
    for folder in (programs, references):
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a folder")
    paths = sorted(path for path in references.rglob("*") if is_shape_file(path) and path.is_file())
    if not paths:
        raise UsageError(f"{references} contains no mesh, point cloud or CAD file")
    return [_evaluate_file(path, path.relative_to(references), programs, sandbox, options, reading) for path in paths]


def summary(rows: list[Evaluation]) -> dict:
    """Averages of a list of evaluations, with the strict and the published protocol.

    IoU averages over the parts whose reference has a volume; a program without IoU counts as 0, except in
    `iou_mean_valid`. CD averages over the measured programs. An average over no parts is None.
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
    with_suffix = programs / f"{relative.as_posix()}.py"
    program = with_suffix if with_suffix.is_file() else programs / f"{name}.py"
    try:
        text = program.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return Evaluation(name, MISSING, f"no program: {program}: {error.strerror}", has_volume=target.has_volume)
    return _evaluate(text, target, sandbox, options, name)


def _evaluate(text: str, target: Target, sandbox, options: MetricOptions, name: str) -> Evaluation:
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
        "iou_mean": _average(np.mean, counted),
        "iou_median": _average(np.median, counted),
        "iou_mean_valid": _average(np.mean, valid),
        "cd_mean": _average(np.mean, cds),
        "cd_median": _average(np.median, cds),
    }


def _average(average, values: list[float]) -> float | None:
    return float(average(values)) if values else None
