"""`cadcode generate` without its command line: options from what was named, and one part from file to files."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import typer
from rich.console import Console

from cadcode.cli.options import named, warn
from cadcode.errors import UsageError
from cadcode.geometry.bodies import split
from cadcode.geometry.cleaning import ReadOptions
from cadcode.geometry.io.load import Shape, load_shape
from cadcode.geometry.views import PICTURES, is_picture, read_sheet
from cadcode.model.checkpoints.load import EMBEDDED, LoadedModel, load_model
from cadcode.model.checkpoints.spec import IMAGES, POINTS, TEXT
from cadcode.model.machine import pick_device, use_threads
from cadcode.model.nets.attention import SDPA
from cadcode.reconstruction.prompted import from_pictures, from_text
from cadcode.reconstruction.run import Options, Result, reconstruct
from cadcode.report.files import Job, json_text, program_text, suffixes_of, write_result
from cadcode.report.kept import check_replaceable
from cadcode.report.table import result_table
from cadcode.sandbox.outcome import EXPORTS


def options_for(export=None, seed=None, decode=None, beams=None, refine=None, budget=None, **decoding) -> Options:
    """The pipeline's default options with those named replaced. UsageError where they contradict each other."""
    options = Options() if seed is None else Options().seeded(seed)
    if decode in ("greedy", "beam"):
        if (decoding["candidates"] or 1) != 1:
            raise UsageError(f"--decode {decode} writes one candidate; leave --candidates out or use --decode sample")
        decoding["candidates"] = 1
    elif decoding["candidates"] == 1:
        decode = "greedy"
    if beams is not None and decode != "beam":
        raise UsageError("--beams goes with --decode beam")
    if unknown := set(export or ()) - set(EXPORTS):
        raise UsageError(f"--export {', '.join(sorted(unknown))}: choose from {', '.join(EXPORTS)}")
    changes = named(mode=decode, beams=beams, **decoding)
    search = replace(options.search, **named(refine=refine, budget=budget))
    return replace(options, decoding=replace(options.decoding, **changes), search=search, **named(export=export))


def load(
    model: str | None,
    device: str | None,
    threads: int | None,
    dtype: str | None = None,
    reads: str = POINTS,
    attention: str | None = None,
) -> LoadedModel:
    """The model named, or the embedded one, on the device named. ModelError, UsageError."""
    use_threads(threads)
    return load_model(model or EMBEDDED, pick_device(device or "auto"), dtype or "auto", reads, attention or SDPA)


def reading(inputs: list[Path], prompt: str | None, images: bool) -> str:
    """What the model will be given. UsageError where that is not clear."""
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


def suited(options: Options, model: LoadedModel, max_new_tokens: int | None) -> Options:
    """The options with the model's own longest text, unless one was named."""
    length = max_new_tokens or model.spec.max_new_tokens
    return replace(options, decoding=replace(options.decoding, max_new_tokens=length))


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
    unit: str | None = None
    columns: tuple[int, ...] | None = None


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


def why_not_valid(result: Result) -> str:
    """One line on a result that `is_valid` says no of."""
    reasons = [candidate.failure for candidate in result.candidates if candidate.failure]
    said = result.remarks[0] if result.chosen else f"no valid program ({(reasons or ['none was written'])[0]})"
    return f"{said}; try more --candidates"


def _parts(job: Job, model, sandbox, asked: Asked) -> Iterator[tuple[Job, Shape | Result]]:
    """What is to be converted, each with its place, or what is already there for want of a shape."""
    if asked.prompt is not None:
        yield job, from_text(asked.prompt, model, sandbox, asked.options)
    elif model.reads == IMAGES and is_picture(job.input):
        yield job, from_pictures(read_sheet(job.input), job.input, model, sandbox, asked.options)
    else:
        shape = load_shape(job.input, sandbox.read_cad, ReadOptions(asked.unit, asked.columns))
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
