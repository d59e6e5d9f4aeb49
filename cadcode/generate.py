"""`cadcode generate` without its command line: options from what was named, and one part from file to files."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import typer
from rich.console import Console

from cadcode.edge import named
from cadcode.errors import UsageError
from cadcode.execution.outcome import EXPORTS
from cadcode.geometry.io import load_shape
from cadcode.geometry.views import PICTURES, is_picture, read_sheet
from cadcode.machine import pick_device, use_threads
from cadcode.model.attention import SDPA
from cadcode.model.checkpoints import EMBEDDED, LoadedModel, load_model
from cadcode.model.spec import IMAGES, POINTS, TEXT
from cadcode.pipeline import Options, Result, reconstruct
from cadcode.prompted import from_pictures, from_text
from cadcode.report.files import Job, json_text, program_text, write_result
from cadcode.report.table import result_table


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


def load(model: str | None, device: str | None, threads: int | None, dtype: str | None = None,
         reads: str = POINTS, attention: str | None = None) -> LoadedModel:  # fmt: skip
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


def generate(job: Job, model, sandbox, options: Options, console: Console, json=False, picture=False,
             prompt: str | None = None) -> Result:  # fmt: skip
    """One input, or a `prompt`, to its files, its table on `console` and with `json` a line on stdout.

    Raises InputError for a file that cannot be used, OutputError for files that cannot be written.
    """
    with _spinner(console, str(job.input)):
        result = _result(job, model, sandbox, options, prompt)
    written = _deliver(job, result, picture)
    as_dict = result.as_dict()
    if json:
        typer.echo(json_text(as_dict))
    console.print(result_table(as_dict))
    if written:
        console.print("wrote", ", ".join(map(str, written)), soft_wrap=True, markup=False)
    return result


def _result(job: Job, model, sandbox, options: Options, prompt: str | None) -> Result:
    if prompt is not None:
        return from_text(prompt, model, sandbox, options)
    if model.reads == IMAGES and is_picture(job.input):
        return from_pictures(read_sheet(job.input), job.input, model, sandbox, options)
    return reconstruct(load_shape(job.input, cad_reader=sandbox.read_cad), model, sandbox, options)


def _deliver(job: Job, result: Result, picture: bool) -> list:
    if job.folder is not None:
        return write_result(result, job.folder, job.stem, picture)
    if result.chosen is not None:
        typer.echo(program_text(result), nl=False)
    return []


def _spinner(console: Console, text: str):
    """Something that moves, where somebody watches."""
    return console.status(text) if console.is_terminal and not console.quiet else nullcontext()
