"""`cadcode generate` without its command line: one part from file to files."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import typer
from rich.console import Console

from cadcode.cli.options import warn
from cadcode.errors import UsageError
from cadcode.geometry.bodies import split
from cadcode.geometry.cleaning import AS_IT_SAYS, ReadOptions
from cadcode.geometry.io.load import load_shape
from cadcode.geometry.shape import Shape
from cadcode.geometry.views import PICTURES, is_picture, read_sheet
from cadcode.model.checkpoints.spec import IMAGES, POINTS, TEXT, LoadedModel
from cadcode.reconstruction.options import Options
from cadcode.reconstruction.prompted import from_pictures, from_text
from cadcode.reconstruction.result import Result
from cadcode.reconstruction.run import reconstruct
from cadcode.report.files import Job, json_text, program_text, suffixes_of, write_result
from cadcode.report.kept import check_replaceable
from cadcode.report.table import result_table


def reading(inputs: list[Path], prompt: str | None, images: bool) -> str:
    """Modality of the input of the model. UsageError if it is not clear."""
    if prompt is None and not inputs:
        raise UsageError("nothing to convert; name a file, or describe a part with --prompt")
    if prompt is not None and (inputs or images):
        raise UsageError("--prompt describes a part without any file; leave the files and --images out")
    if prompt is not None and not prompt.strip():
        raise UsageError("--prompt is empty; describe a part")
    if not images and (pictures := [path for path in inputs if path.suffix.lower() in PICTURES]):
        raise UsageError(f"{pictures[0]} is a picture; add --images")
    return IMAGES if images else POINTS if prompt is None else TEXT


def unmeasured(inputs: list[Path], reads: str) -> bool:
    """Whether some part has no shape to choose among candidates by: then one is written unless more are asked for."""
    return reads == TEXT or reads == IMAGES and any(is_picture(path) for path in inputs)


def announce(model: LoadedModel, console: Console) -> None:
    """The licence of weights that were published by others."""
    if model.spec.free_text:
        told = f"{model.spec.name}: licence of these weights: {model.spec.licence}"
        console.print(told, soft_wrap=True, markup=False)


@dataclass(frozen=True)
class Asked:
    """Everything that `cadcode generate` was told beside its inputs and its model."""

    options: Options
    json: bool = False
    picture: bool = False
    prompt: str | None = None
    split: bool = False
    force: bool = False
    reading: ReadOptions = AS_IT_SAYS


def generate(job: Job, model, sandbox, asked: Asked, console: Console) -> Iterator[Result]:
    """One input, or a prompt, to its files, its table on `console` and with `asked.json` a line on stdout.

    Several results where the bodies of a file are converted each by itself. Raises InputError for a file that cannot
    be used, KeptError for files that may not be replaced, OutputError for files that cannot be written.
    """
    if job.folder is not None and not asked.force:
        check_replaceable(job.folder, job.stem, suffixes_of(asked.options.export, asked.picture))
    for part, given in _parts(job, model, sandbox, asked):
        with _spinner(console, str(job.input)):
            result = given if isinstance(given, Result) else reconstruct(given, model, sandbox, asked.options)
        written = _deliver(part, result, asked)
        as_dict = result.as_dict()
        if asked.json:
            typer.echo(json_text(as_dict))
        console.print(result_table(as_dict))
        if written:
            console.print("wrote", ", ".join(map(str, written)), soft_wrap=True, markup=False)
        yield result


def _parts(job: Job, model, sandbox, asked: Asked) -> Iterator[tuple[Job, Shape | Result]]:
    """Shapes to convert, each with its output files, or the result of a prompt or of pictures."""
    if asked.prompt is not None:
        yield job, from_text(asked.prompt, model, sandbox, asked.options)
    elif model.reads == IMAGES and is_picture(job.input):
        yield job, from_pictures(read_sheet(job.input), job.input, model, sandbox, asked.options)
    else:
        shape = load_shape(job.input, sandbox.read_cad, asked.reading)
        for text in shape.warnings:
            warn(f"{job.input}: {text}")
        bodies = split(shape) if asked.split else [shape]
        stems = [job.stem] if len(bodies) == 1 else [f"{job.stem}-{i}" for i in range(1, len(bodies) + 1)]
        yield from ((replace(job, stem=stem), body) for stem, body in zip(stems, bodies, strict=True))


def _deliver(job: Job, result: Result, asked: Asked) -> list:
    if job.folder is not None:
        return write_result(result, job.folder, job.stem, asked.picture, asked.force)
    if result.chosen is not None:
        typer.echo(program_text(result), nl=False)
    return []


def _spinner(console: Console, text: str):
    """Something that moves, where somebody watches."""
    return console.status(text) if console.is_terminal and not console.quiet else nullcontext()
