"""`cadcode bench`: quality and speed, measured on the code that users run."""

from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated

import typer

from cadcode.cli.options import Debug, Device, Dtype, Json, Seed, named
from cadcode.errors import UsageError

bench = typer.Typer(help="Measure the quality and the speed of a model.", rich_markup_mode=None)


@bench.callback()
def _root() -> None:
    pass


@bench.command("quality")
def quality(
    meshes: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", help="Folder of meshes (default: generated parts).")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Name or folder of a model (default cadcode-small).")] = None,
    parts: Annotated[int | None, typer.Option(min=1, help="Number of generated parts (default 200).")] = None,
    candidates: Annotated[int | None, typer.Option(min=2, help="Candidates of best of N (default 10).")] = None,
    refined: Annotated[bool, typer.Option("--refined", help="Measure the full search as well (meshes only).")] = False,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="Model to compare with, on the same parts (paired differences, --dtype auto)."
        ),
    ] = None,
    robustness: Annotated[
        bool, typer.Option("--robustness", help="Greedy decoding of noisy, sparse, uneven and incomplete points.")
    ] = False,
    seed: Seed = None,
    device: Device = None,
    dtype: Dtype = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Number of torch threads (default: free cores).")] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Measure the IoU of greedy decoding and of the best of N, with 95 % intervals; an invalid part counts as 0."""
    from rich.console import Console

    from cadcode.bench.quality import QualityOptions, difference
    from cadcode.report.files import json_text
    from cadcode.report.table import difference_table, quality_table

    if robustness and (meshes is not None or refined):
        raise UsageError("--robustness is measured on generated parts; leave out the folder and --refined")
    options = QualityOptions(**named(parts=parts, candidates=candidates, seed=seed))
    measured = _figures(meshes, model, device, dtype, threads, refined, robustness, options)
    others = [] if against is None else _figures(meshes, against, device, None, threads, refined, robustness, options)
    figures = [f.as_dict(options.resamples, options.seed) for f in measured]
    pairs = [difference(a, b, options.resamples, options.seed) for a, b in zip(measured, others, strict=False)]
    if json:
        settings = {f.name: getattr(options, f.name) for f in fields(options)}
        typer.echo(
            json_text(
                dict(
                    figures=figures,
                    against=against,
                    differences=pairs,
                    options=settings,
                    meshes=str(meshes) if meshes else None,
                )
            )
        )
        return
    Console(highlight=False).print(quality_table(figures))
    if against is not None:
        Console(highlight=False).print(difference_table(pairs, against))


def _figures(meshes, model, device, dtype, threads, refined, robustness, options):
    from cadcode.bench.quality import folder_quality, generated_quality, robust_quality
    from cadcode.reconstruction.options import ModelOptions, load
    from cadcode.sandbox.sandbox import Sandbox

    loading = ModelOptions(**named(model=model, device=device, dtype=dtype, threads=threads))
    if meshes is None:
        measure = robust_quality if robustness else generated_quality
        return measure(load(loading), options)
    with Sandbox() as sandbox:
        return folder_quality(meshes, load(loading), sandbox, options, refined)


@bench.command("speed")
def speed(
    model: Annotated[str | None, typer.Option(help="Name or folder of a model (default cadcode-small).")] = None,
    parts: Annotated[int | None, typer.Option(min=1, help="Number of generated parts (default 6).")] = None,
    candidates: Annotated[int | None, typer.Option(min=2, help="Candidates per part (default 32).")] = None,
    max_new_tokens: Annotated[int | None, typer.Option(min=2, help="Maximum number of tokens (default 128).")] = None,
    faces: Annotated[
        int | None, typer.Option(min=0, help="Faces of the large STL file (default 5000000); 0 skips it.")
    ] = None,
    repeats: Annotated[int | None, typer.Option(min=1, help="Repetitions of short measurements (default 3).")] = None,
    rivals: Annotated[bool, typer.Option("--rivals/--no-rivals", help="Measure reference implementations too.")] = True,
    clock: Annotated[
        str | None, typer.Option(help="Clock for decoding: wall, or cpu on a busy computer (default wall).")
    ] = None,
    device: Device = None,
    dtype: Dtype = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Number of torch threads (default: free cores).")] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Measure start-up time, tokens, programs and parts per second, and memory, with reference implementations.

    Compare only numbers of one run, and run nothing else on the computer during it.
    """
    from cadcode.bench.speed.suite import SpeedOptions, measure
    from cadcode.reconstruction.options import ModelOptions, load
    from cadcode.report.files import json_text
    from cadcode.sandbox.sandbox import Sandbox

    counts = dict(parts=parts, candidates=candidates, max_new_tokens=max_new_tokens, faces=faces, repeats=repeats)
    options = SpeedOptions(**named(**counts, clock=clock), rivals=rivals)
    with Sandbox() as sandbox:
        sandbox.level()  # waits for the worker
        loaded = load(ModelOptions(**named(model=model, device=device, dtype=dtype, threads=threads)))
        figures = measure(loaded, sandbox, options, _announce)
    if json:
        typer.echo(json_text(dict(figures, options=asdict(options))))
    else:
        for name, value in _flat(figures):
            typer.echo(f"{name:<46} {value if isinstance(value, str) else format(value, '.5g')}")


def _announce(name: str) -> None:
    typer.echo(f"measuring: {name.replace('_', ' ')}", err=True)


def _flat(figures: dict, before: str = ""):
    """(name, value) of all numbers; nested names are joined with spaces."""
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name} ")
        elif value is not None:
            yield f"{before}{name}".replace("_", " "), value
