"""`cadcode bench`: how good and how fast, measured by the same code that works for users."""

from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated

import typer

from cadcode.cli.options import Debug, Device, Dtype, Json, Seed, named
from cadcode.errors import UsageError

bench = typer.Typer(help="Measure the quality of a model, and its speed.", rich_markup_mode=None)


@bench.callback()
def _root() -> None:
    pass


@bench.command("quality")
def quality(
    meshes: Annotated[Path | None, typer.Argument(metavar="[FOLDER]", help="Meshes; without, generated parts.")] = None,
    model: Annotated[str | None, typer.Option(help="A name or a folder (default cadcode-small).")] = None,
    parts: Annotated[int | None, typer.Option(min=1, help="Generated parts (default 200).")] = None,
    candidates: Annotated[int | None, typer.Option(min=2, help="Of best of N (default 10).")] = None,
    refined: Annotated[bool, typer.Option("--refined", help="The whole search as well (meshes only).")] = False,
    against: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Another on the same parts, --dtype auto: differences in pairs.")
    ] = None,
    robustness: Annotated[
        bool, typer.Option("--robustness", help="Greedy from noisy, few, uneven and missing points (generated parts).")
    ] = False,
    seed: Seed = None,
    device: Device = None,
    dtype: Dtype = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of torch (default: free processors).")] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """IoU of greedy decoding and of the best of N, with 95 % intervals; a part without a valid program counts as 0."""
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
    model: Annotated[str | None, typer.Option(help="A name or a folder (default cadcode-small).")] = None,
    parts: Annotated[int | None, typer.Option(min=1, help="Generated parts (default 6).")] = None,
    candidates: Annotated[int | None, typer.Option(min=2, help="Programs of a part (default 32).")] = None,
    max_new_tokens: Annotated[int | None, typer.Option(min=2, help="Of a program, at most (default 128).")] = None,
    faces: Annotated[int | None, typer.Option(min=0, help="Of a large STL (default 5000000); 0: none.")] = None,
    repeats: Annotated[int | None, typer.Option(min=1, help="Of short measurements (default 3).")] = None,
    rivals: Annotated[bool, typer.Option("--rivals/--no-rivals", help="Measure other ways beside ours.")] = True,
    clock: Annotated[
        str | None, typer.Option(help="Of decoding: wall, or cpu where other programs run (default wall).")
    ] = None,
    device: Device = None,
    dtype: Dtype = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of torch (default: free processors).")] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Seconds from a cold start, tokens, programs and parts a second, memory; beside transformers and other ways.

    Everything is measured in one run, so compare numbers of one run only, and leave the computer alone meanwhile.
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
        figures = measure(loaded, sandbox, options, _told)
    if json:
        typer.echo(json_text(dict(figures, options=asdict(options))))
    else:
        for name, value in _flat(figures):
            typer.echo(f"{name:<46} {value if isinstance(value, str) else format(value, '.5g')}")


def _told(name: str) -> None:
    typer.echo(f"measuring: {name.replace('_', ' ')}", err=True)


def _flat(figures: dict, before: str = ""):
    """(name, value) of all numbers, nested names with spaces between."""
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name} ")
        elif value is not None:
            yield f"{before}{name}".replace("_", " "), value
