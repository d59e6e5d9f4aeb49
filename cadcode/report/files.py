"""The files of a result: a program, its solid and a JSON file, each either whole or not there."""

import json
import math
import tempfile
from collections.abc import Iterable
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

UNITS = "as the model writes them; its longest side is mostly about 200"  # of a part without an input shape


@dataclass(frozen=True)
class Job:
    """One input and where its files go: `folder`/`stem`.py and so on. No folder: the program goes to stdout."""

    input: Path
    folder: Path | None
    stem: str


def plan(inputs: list[Path], output: str, suffixes: tuple[str, ...]) -> list[Job]:
    """Where each input's files go, with `output` a folder, one FILE.py or '-'; `suffixes` are those of the files.

    Raises UsageError where files would overwrite each other or an input. Nothing is written yet.
    """
    single = output == "-" or (output.endswith(".py") and not Path(output).is_dir())
    if single and len(inputs) > 1:
        raise UsageError(f"-o {output} holds one program, not {len(inputs)}; name a folder")
    if output == "-":
        return [Job(inputs[0], None, stem_of(inputs[0]))]
    if single:
        jobs = [Job(inputs[0], Path(output).parent, Path(output).stem)]
    else:
        jobs = [Job(path, Path(output), stem_of(path)) for path in inputs]
    _check_stems(jobs)
    check_inputs(inputs, (job.folder / f"{job.stem}.{suffix}" for job in jobs for suffix in suffixes))
    return jobs


def _check_stems(jobs: list[Job]) -> None:
    first: dict[str, Job] = {}
    for job in jobs:
        other = first.setdefault(job.stem.casefold(), job)  # as file systems without upper and lower case see it
        if other is not job:
            written = job.folder / f"{job.stem}.py"
            raise UsageError(f"{other.input} and {job.input} would both be written to {written}; convert them apart")


def check_inputs(inputs: Iterable[Path], written: Iterable[Path]) -> None:
    """UsageError where a file that will be `written` is one of the `inputs`, however its path is spelled."""
    kept = {identity(path) for path in inputs} - {None}
    for path in written:
        if identity(path) in kept:
            raise UsageError(f"{path} is an input and would be overwritten; name another folder with -o")


def identity(path: Path) -> tuple[int, int] | None:
    """Which file or folder a path leads to, however it is spelled; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def make_folder(folder: Path) -> None:
    """Make a folder that files can be written to, before the work whose result it is for. Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OutputError(folder, error) from error


def suffixes_of(export: tuple[str, ...], picture: bool) -> tuple[str, ...]:
    """The suffixes of the files that `write_result` writes."""
    return ("py", "json", *export, *(("png",) if picture else ()))


def write_result(result, folder: Path, stem: str, picture: bool = False, force: bool = False) -> list[Path]:
    """Write <stem>.py, <stem>.json, the exports and perhaps <stem>.png; returns what was written.

    Files of earlier runs are replaced whole. Without a chosen program only the JSON file is written, and the other
    files of an earlier run are removed: they would be mistaken for this one's. Raises OutputError, and KeptError for
    files that are not as an earlier run wrote them, unless `force` says that they may go.
    """
    contents = {}
    if result.chosen is not None:
        contents["py"] = program_text(result).encode("utf-8", "replace")  # a file's name may be no Unicode
        contents |= result.chosen.solid.exports
        contents |= {"png": _picture(result)} if picture else {}
    contents["json"] = json_text(dict(result.as_dict(), files=hashes(contents)), indent=1).encode()
    suffixes = suffixes_of(result.options.export, picture)
    if not force:
        check_replaceable(Path(folder), stem, suffixes)
    stale = set(suffixes) - set(contents)
    files = {f"{stem}.{suffix}": data for suffix, data in contents.items()}
    return write_files(folder, files, remove=[f"{stem}.{suffix}" for suffix in stale])


def write_files(folder: Path, files: dict[str, bytes], remove: list[str] = ()) -> list[Path]:
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
    """The chosen program with a comment on top that says what it was made from, how, and how well it fits."""
    header, text = comment(_header(result)), result.chosen.text
    return header + checksum_line(header + text) + text


def _header(result) -> str:
    shape, error = result.shape, result.chosen.error
    if shape is None:
        return "\n".join(
            (
                f"{_asked(result.asked)} as CadQuery, by cadcode {__version__}",
                f"Units: {UNITS}",
                _made_by(result),
                "Fit: not measured, there is no shape to compare with",
            )
        )
    name = Path(shape.path).name
    fits = f"IoU {error.iou:.4f}" if error.iou is not None else f"no IoU ({error.iou_reason})"
    box = " x ".join(f"{side:.6g}" for side in shape.extents)
    return "\n".join(
        (
            f"{name} as CadQuery, by cadcode {__version__}",
            f"Units: {shape.unit or f'those of {name}, which does not name them'}; the box of the input is {box}",
            _made_by(result),
            f"Fit: {fits}, mean distance {error.chamfer:.4g}, largest distance {error.max_deviation:.4g}",
            *(f"Note: {remark}" for remark in result.remarks),
        )
    )


def _asked(asked: dict) -> str:
    return Path(asked["path"]).name if "path" in asked else " ".join(asked["prompt"].split())


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
    """Strict JSON, on one line without `indent`: NaN and infinities become null."""
    return json.dumps(plain(value), indent=indent, allow_nan=False)


def plain(value):
    """Dictionaries, lists and Python's own numbers; NaN and infinities become None, other things their text."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
