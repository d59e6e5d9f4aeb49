"""Output files of a result: a program, its solid and a JSON file, each written atomically."""

import json
import math
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cadcode import __version__
from cadcode.errors import OutputError, UsageError
from cadcode.files import replacing
from cadcode.geometry.io.load import stem_of
from cadcode.program.text.compact import comment
from cadcode.report.kept import check_replaceable, checksum_line, hashes
from cadcode.report.picture import RESULT_COLOUR, png_bytes, render, side_by_side

UNITS = "program units of the model; the longest side is usually about 200"  # for a part without an input shape


@dataclass(frozen=True)
class Job:
    """One input and its output files: `folder`/`stem`.py and so on. Without folder, the program goes to stdout."""

    input: Path
    folder: Path | None
    stem: str


def plan(inputs: list[Path], output: str, suffixes: tuple[str, ...]) -> list[Job]:
    """One job per input. `output` is a folder, one FILE.py or '-'; `suffixes` are those of the output files.

    Raises UsageError if files would overwrite each other or an input. Nothing is written.
    """
    single = output == "-" or (output.endswith(".py") and not Path(output).is_dir())
    if single and len(inputs) > 1:
        raise UsageError(f"-o {output} takes one program, not {len(inputs)}; name a folder")
    if output == "-":
        return [Job(inputs[0], None, stem_of(inputs[0]))]
    if single:
        jobs = [Job(inputs[0], Path(output).parent, Path(output).stem)]
    else:
        jobs = [Job(path, Path(output), stem_of(path)) for path in inputs]
    _check_stems(jobs)
    check_inputs(inputs, ((job.folder or Path()) / f"{job.stem}.{suffix}" for job in jobs for suffix in suffixes))
    return jobs


def _check_stems(jobs: list[Job]) -> None:
    first: dict[str, Job] = {}
    for job in jobs:
        other = first.setdefault(job.stem.casefold(), job)  # some file systems are case-insensitive
        if other is not job:
            written = (job.folder or Path()) / f"{job.stem}.py"
            raise UsageError(
                f"{other.input} and {job.input} would both be written to {written}; convert them separately"
            )


def check_inputs(inputs: Iterable[Path], written: Iterable[Path]) -> None:
    """Raise UsageError if one of the files `written` is one of the `inputs`, under any path."""
    identities = {identity(path) for path in inputs} - {None}
    for path in written:
        if identity(path) in identities:
            raise UsageError(f"{path} is an input and would be overwritten; name another folder with -o")


def identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of a file or folder, equal for all its paths; None if it does not exist."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def make_folder(folder: Path) -> None:
    """Create a folder and check that it is writable, before any long computation. Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OutputError(folder, error) from error


def suffixes_of(export: tuple[str, ...], picture: bool) -> tuple[str, ...]:
    """Suffixes of the files that `write_result` writes."""
    return ("py", "json", *export, *(("png",) if picture else ()))


def write_result(result, folder: Path, stem: str, picture: bool = False, force: bool = False) -> list[Path]:
    """Write <stem>.py, <stem>.json, the exports and, if `picture`, <stem>.png; returns the paths.

    Files of earlier runs are replaced. Without a chosen program, only the JSON file is written, and the other files of
    an earlier run are removed, since they do not belong to this result. Raises OutputError, and KeptError for files
    that differ from those of an earlier run, unless `force` is set.
    """
    contents = {}
    if result.chosen is not None:
        contents["py"] = program_text(result).encode("utf-8", "replace")  # a file name may be invalid Unicode
        contents |= result.chosen.solid.exports
        contents |= {"png": _picture(result)} if picture else {}
    contents["json"] = json_text(dict(result.as_dict(), files=hashes(contents)), indent=1).encode()
    suffixes = suffixes_of(result.options.export, picture)
    if not force:
        check_replaceable(Path(folder), stem, suffixes)
    stale = set(suffixes) - set(contents)
    files = {f"{stem}.{suffix}": data for suffix, data in contents.items()}
    return write_files(folder, files, remove=[f"{stem}.{suffix}" for suffix in stale])


def write_files(folder: Path, files: dict[str, bytes], remove: Sequence[str] = ()) -> list[Path]:
    """Write files by name: all under other names first, then renamed in their order; then remove others. OutputError"""
    path = folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as renames:  # which happen last to first
            for name in reversed(files):
                path = folder / name
                renames.enter_context(replacing(path)).write_bytes(files[name])
        for name in remove:
            path = folder / name
            path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(Path(error.filename2 or path), error) from error
    return [folder / name for name in files]


def program_text(result) -> str:
    """The chosen program with a header comment: input, units, model, fit and checksum."""
    header, text = comment(_header(result)), result.chosen.text
    return header + checksum_line(header + text) + text


def _header(result) -> str:
    shape, error = result.shape, result.chosen.error
    if shape is None:
        return "\n".join(
            (
                f"{_prompt_title(result.asked)} as CadQuery, by cadcode {__version__}",
                f"Units: {UNITS}",
                _made_by(result),
                "Fit: not measured, no input shape",
            )
        )
    name = Path(shape.path).name
    fit = f"IoU {error.iou:.4f}" if error.iou is not None else f"no IoU ({error.iou_reason})"
    box = " x ".join(f"{side:.6g}" for side in shape.extents)
    return "\n".join(
        (
            f"{name} as CadQuery, by cadcode {__version__}",
            f"Units: {shape.unit or f'those of {name}, which does not name them'}; the box of the input is {box}",
            _made_by(result),
            f"Fit: {fit}, mean distance {error.chamfer:.4g}, largest distance {error.max_deviation:.4g}",
            *(f"Note: {remark}" for remark in result.remarks),
        )
    )


def _prompt_title(prompt: dict) -> str:
    return Path(prompt["path"]).name if "path" in prompt else " ".join(prompt["prompt"].split())


def _made_by(result) -> str:
    model = result.model
    return (
        f"Model: {model.spec.name} {model.revision} ({model.spec.licence}), {result.chosen.source}, "
        f"seed {result.options.decoding.seed}"
    )


def _picture(result) -> bytes:
    shape, solid = result.shape, result.chosen.solid
    if shape is None:
        return png_bytes(render([(solid.vertices, solid.faces, RESULT_COLOUR)]))
    return png_bytes(side_by_side((shape.vertices, shape.faces), (solid.vertices, solid.faces)))


def json_text(value, indent: int | None = None) -> str:
    """Strict JSON, on one line if `indent` is None; NaN and infinities become null."""
    return json.dumps(plain(value), indent=indent, allow_nan=False)


def plain(value):
    """JSON types: dictionaries, lists and Python numbers; NaN and infinities become None, other objects their text."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
