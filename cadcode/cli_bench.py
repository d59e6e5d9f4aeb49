"""`cadcode bench`: how good, measured by the same code that works for users."""

from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from cadcode.edge import Debug, Device, Json, Seed, named
from cadcode.errors import UsageError

bench = typer.Typer(help="Measure the quality of a model.", rich_markup_mode=None)


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
        str | None, typer.Option(metavar="MODEL", help="Another model on the same parts: the difference, in pairs.")
    ] = None,
    robustness: Annotated[
        bool, typer.Option("--robustness", help="Greedy from noisy, few, uneven and missing points (generated parts).")
    ] = False,
    seed: Seed = None,
    device: Device = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of torch (default: free processors).")] = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """IoU of greedy decoding and of the best of N, with 95 % intervals; a part without a valid program counts as 0."""
    from rich.console import Console

    from cadcode.bench import QualityOptions, difference
    from cadcode.report.files import json_text
    from cadcode.report.table import difference_table, quality_table

    if robustness and (meshes is not None or refined):
        raise UsageError("--robustness is measured on generated parts; leave out the folder and --refined")
    options = QualityOptions(**named(parts=parts, candidates=candidates, seed=seed))
    measured = _figures(meshes, model, device, threads, refined, robustness, options)
    others = [] if against is None else _figures(meshes, against, device, threads, refined, robustness, options)
    figures = [f.as_dict(options.resamples, options.seed) for f in measured]
    pairs = [difference(a, b, options.resamples, options.seed) for a, b in zip(measured, others, strict=False)]
    if json:
        settings = {f.name: getattr(options, f.name) for f in fields(options)}
        typer.echo(json_text(dict(figures=figures, against=against, differences=pairs, options=settings,
                                  meshes=str(meshes) if meshes else None)))  # fmt: skip
        return
    Console(highlight=False).print(quality_table(figures))
    if against is not None:
        Console(highlight=False).print(difference_table(pairs, against))


def _figures(meshes, model, device, threads, refined, robustness, options):
    from cadcode.bench import folder_quality, generated_quality, robust_quality
    from cadcode.execution.sandbox import Sandbox
    from cadcode.generate import load

    if meshes is None:
        measure = robust_quality if robustness else generated_quality
        return measure(load(model, device, threads), options)
    with Sandbox() as sandbox:
        return folder_quality(meshes, load(model, device, threads), sandbox, options, refined)
