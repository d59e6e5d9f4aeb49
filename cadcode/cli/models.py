"""`cadcode models`: the known models, and their export for serving engines."""

from pathlib import Path
from typing import Annotated

import typer

from cadcode.cli.options import Debug, Json

models = typer.Typer(rich_markup_mode=None)


@models.callback(invoke_without_command=True)
def listed(context: typer.Context, json: Json = False, debug: Debug = False) -> None:
    """List the known models, their licences, and whether they are on this computer."""
    if context.invoked_subcommand is not None:
        return
    from cadcode.model.checkpoints.load import KNOWN, size_on_disk
    from cadcode.report.files import json_text

    for spec in KNOWN:
        size = size_on_disk(spec.name)
        row = dict(name=spec.name, parameters=spec.size, licence=spec.licence, inputs=", ".join(spec.inputs))
        if json:
            typer.echo(json_text(row | dict(present=size is not None, bytes=size or 0)))
        else:
            state = "not on disk" if size is None else f"on disk, {size / 1e6:.1f} MB"
            typer.echo(f"{spec.name:<24} {spec.size:<6} {row['inputs']:<20} {spec.licence:<32} {state}")


@models.command("export")
def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name from `cadcode models`, or a folder.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Output folder.")],
    debug: Debug = False,
) -> None:
    """Export a model as a plain Qwen2 checkpoint and a separate point encoder.

    The export is for serving engines that accept prompt embeddings; DIR/point_encoder/prompt.json describes the prompt.
    """
    from cadcode.model.checkpoints.export import export_model
    from cadcode.model.checkpoints.load import load_model

    loaded = load_model(model)
    for path in export_model(loaded, folder):
        typer.echo(path)
    typer.echo(f"licence of these weights: {loaded.spec.licence}", err=True)
