"""Commands around training. They need numpy and torch, and neither CadQuery nor trimesh."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cadcode.cli.options import Debug, Device, Json, Seed, named, numbers
from cadcode.errors import UsageError

data = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The programs that training makes up.")


def add_commands(app: typer.Typer) -> None:
    app.command()(train)
    app.command()(train_rl)
    app.command()(export_weights)
    app.add_typer(data, name="data")


def train(
    out: Annotated[Path, typer.Option(help="The folder for checkpoints and the log.")],
    minutes: Annotated[float | None, typer.Option(min=0, help="How long (default 60.0).")] = None,
    start: Annotated[
        Path | None, typer.Option("--from", exists=True, help="Go on from a stable.pt or a model's folder.")
    ] = None,
    points: Annotated[
        str | None, typer.Option(help="Points of a part, each number for an equal share (default 64,128,256).")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Parts a step (default 64).")] = None,
    decay_share: Annotated[
        float | None, typer.Option(min=0, max=1, help="Of the minutes, with a falling learning rate (default 0.25).")
    ] = None,
    muon_lr: Annotated[float | None, typer.Option(help="Learning rate of hidden matrices (default 0.01).")] = None,
    adam_lr: Annotated[float | None, typer.Option(help="Learning rate of all else (default 0.002).")] = None,
    noise: Annotated[float | None, typer.Option(min=0, help="On half of the samples (default 0.01).")] = None,
    uneven: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of samples with points denser on one side (default 0.1).")
    ] = None,
    missing: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of samples with a side missing (default 0.1).")
    ] = None,
    fewer: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of steps with half of the points (default 0.1).")
    ] = None,
    hardness: Annotated[
        str | None, typer.Option(help="Of the programs, 0 to 1, from the start to the end (default 0.5,0.5).")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes that make data (default 1).")] = None,
    hidden_size: Annotated[int | None, typer.Option(min=1, help="Width of a new model (default 256).")] = None,
    layers: Annotated[int | None, typer.Option(min=1, help="Layers of a new model (default 6).")] = None,
    intermediate_size: Annotated[int | None, typer.Option(min=1, help="Inner width of a layer (default 768).")] = None,
    heads: Annotated[int | None, typer.Option(min=1, help="Attention heads of a new model (default 4).")] = None,
    save_minutes: Annotated[float | None, typer.Option(min=0, help="Between checkpoints (default 3.0).")] = None,
    log_every: Annotated[int | None, typer.Option(min=1, help="Steps between lines of the log (default 50).")] = None,
    fuse: Annotated[
        bool | None, typer.Option("--fuse/--no-fuse", help="Compile; a CPU needs a C++ compiler (default True).")
    ] = None,
    device: Device = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of torch (default: all processors).")] = None,
    seed: Seed = None,
    debug: Debug = False,
) -> None:
    """Train a model from scratch, or further, on programs made on the fly."""
    from cadcode.report.files import make_folder
    from cadcode.train import supervised as training

    overrides = named(
        minutes=minutes,
        batch_size=batch_size,
        decay_share=decay_share,
        muon_lr=muon_lr,
        adam_lr=adam_lr,
        noise=noise,
        workers=workers,
        hidden_size=hidden_size,
        layers=layers,
        intermediate_size=intermediate_size,
        heads=heads,
        save_minutes=save_minutes,
        log_every=log_every,
        fuse=fuse,
        device=_device(device),
        threads=threads,
        seed=seed,
        uneven=uneven,
        missing=missing,
        fewer=fewer,
    )
    options = training.options_from(overrides | _schedule(points) | _hardness(hardness))
    make_folder(out)
    typer.echo(training.train(options, out, start, log=partial(typer.echo, err=True)))


def train_rl(
    out: Annotated[Path, typer.Option(help="The folder for checkpoints and the log.")],
    start: Annotated[Path, typer.Option("--from", exists=True, help="A checkpoint or a model's folder.")],
    minutes: Annotated[float | None, typer.Option(min=0, help="How long (default 40.0).")] = None,
    lr: Annotated[float | None, typer.Option(min=0, help="Learning rate (default 0.0001).")] = None,
    decay_share: Annotated[
        float | None, typer.Option(min=0, max=1, help="Of the minutes, with a falling learning rate (default 0.5).")
    ] = None,
    clip: Annotated[float | None, typer.Option(min=0, help="How far ratios count (default 0.1).")] = None,
    supervised: Annotated[float | None, typer.Option(min=0, help="Weight of the true program (default 0.2).")] = None,
    parts: Annotated[int | None, typer.Option(min=1, help="Parts an update (default 16).")] = None,
    points: Annotated[
        str | None, typer.Option(help="Points of a part, numbers taken in turn by the updates (default 128,256).")
    ] = None,
    group: Annotated[int | None, typer.Option(min=2, help="Programs sampled for a part (default 16).")] = None,
    chosen: Annotated[int | None, typer.Option(min=1, help="Of them, learnt from (default 4).")] = None,
    temperature: Annotated[float | None, typer.Option(min=0.01, help="Of sampling (default 1.0).")] = None,
    distance_scale: Annotated[
        float | None, typer.Option(min=0, help="What a unit of mean distance costs; IoU 1 is worth 10 (default 0.0).")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes that sample and score (default 2).")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of the process that learns (default 1).")] = None,
    measure_minutes: Annotated[float | None, typer.Option(min=0, help="Between checkpoints (default 5.0).")] = None,
    held_out: Annotated[int | None, typer.Option(min=1, help="Parts measured then (default 128).")] = None,
    log_every: Annotated[int | None, typer.Option(min=1, help="Updates between lines of the log (default 10).")] = None,
    seed: Seed = None,
    debug: Debug = False,
) -> None:
    """Let a model learn from the geometry of what it writes: reinforcement by IoU, without a CAD kernel."""
    from cadcode.report.files import make_folder
    from cadcode.train.learner import options_from
    from cadcode.train.reinforce import reinforce

    overrides = named(
        minutes=minutes,
        lr=lr,
        decay_share=decay_share,
        clip=clip,
        supervised=supervised,
        parts=parts,
        seed=seed,
        points=_points(points),
        group=group,
        chosen=chosen,
        temperature=temperature,
        distance_scale=distance_scale,
        workers=workers,
        threads=threads,
        measure_minutes=measure_minutes,
        held_out=held_out,
        log_every=log_every,
    )
    options = options_from(overrides)
    make_folder(out)
    typer.echo(reinforce(options, out, start, log=partial(typer.echo, err=True)))


def _device(name: str | None) -> str | None:
    from cadcode.model.machine import pick_device

    return None if name is None else pick_device(name)


def _schedule(points: str | None) -> dict:
    """`--points` as training options: equal shares of the run."""
    counts = _points(points)
    return {} if counts is None else dict(points=counts, points_shares=(1.0,) * len(counts))


def _points(points: str | None) -> tuple[int, ...] | None:
    """`--points` as numbers. UsageError beyond what a model takes."""
    if points is None:
        return None
    from cadcode.model.nets.small import PREFIX_LENGTH

    counts = numbers(points, "--points")
    if not all(1 <= count <= PREFIX_LENGTH for count in counts):
        raise UsageError(f"--points {points}: a model takes 1 to {PREFIX_LENGTH}")
    return counts


def _hardness(text: str | None) -> dict:
    """`--hardness` as training options: one number for all of the run, or two. UsageError for anything else."""
    if text is None:
        return {}
    try:
        values = [float(value) for value in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in (1, 2) or not all(0 <= value <= 1 for value in values):
        raise UsageError(f"--hardness {text}: give one or two numbers from 0 to 1, like 0.3,0.7")
    return dict(hardness=(values[0], values[-1]))


def export_weights(
    checkpoint: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", exists=True, dir_okay=False, help="A .pt file of `cadcode train`.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write; --model takes it.")],
    shard_mb: Annotated[
        int | None, typer.Option(min=1, help="Largest size of a file of weights, in MiB (default: one file).")
    ] = None,
    debug: Debug = False,
) -> None:
    """Turn a training checkpoint into the folder of a model."""
    from cadcode.model.checkpoints.load import from_training, save_model
    from cadcode.report.files import make_folder

    network, seen = from_training(checkpoint)
    make_folder(folder)
    save_model(network, folder, seen, None if shard_mb is None else shard_mb * 2**20)
    typer.echo(folder)


@data.callback()
def _root() -> None:
    pass


@data.command("sheet")
def data_sheet(
    out: Annotated[Path, typer.Argument(metavar="OUT.png", help="The picture to write.")],
    count: Annotated[int, typer.Option(min=1, help="How many programs.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Of the programs.")] = 0,
    debug: Debug = False,
) -> None:
    """Draw programs as training makes them up, side by side."""
    from itertools import islice

    import numpy as np

    from cadcode.data.dataset import DataOptions, samples
    from cadcode.report.files import write_files
    from cadcode.report.picture import png_bytes
    from cadcode.report.sheet import program_sheet

    rng = np.random.default_rng(seed)
    programs = [sample.program for sample in islice(samples(DataOptions(), rng), count)]
    write_files(out.parent, {out.name: png_bytes(program_sheet(programs, rng))})


@data.command("stats")
def data_stats(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[FOLDER]", exists=True, file_okay=False, help="Meshes to compare with.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="How many programs.")] = 400,
    seed: Annotated[int, typer.Option(min=0, help="Of the programs.")] = 0,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """What generated parts are like (sides, faces, symmetry, holes ...), beside the meshes of a folder."""
    from rich.console import Console

    from cadcode.data.statistics import summary
    from cadcode.report.files import json_text
    from cadcode.report.table import statistics_table

    figures = {f"{count} generated": summary(_generated_measures(count, seed))}
    if folder is not None:
        found = _mesh_measures(folder)
        figures |= {f"{len(found)} meshes": summary(found)}
    if json:
        typer.echo(json_text(figures))
    else:
        Console(highlight=False).print(statistics_table(figures))


def _generated_measures(count: int, seed: int) -> list[dict]:
    from itertools import islice

    import numpy as np

    from cadcode.data.dataset import DataOptions, samples
    from cadcode.data.statistics import measures, skin_of

    rng = np.random.default_rng(seed)
    found = []
    for sample in islice(samples(DataOptions(), rng), count):
        lengths = dict(bodies=float(len(sample.program.steps)), tokens=float(len(sample.ids)))
        found.append(measures(skin_of(sample.program, rng)) | lengths)
    return found


def _mesh_measures(folder: Path) -> list[dict]:
    import numpy as np

    from cadcode.data.statistics import POINTS, Skin, measures
    from cadcode.geometry.io.load import CAD_SUFFIXES, PLAIN, load_shape
    from cadcode.geometry.mesh import signed_volume
    from cadcode.geometry.skin import curved_faces, sample_faces, through_holes

    rng, found = np.random.default_rng(0), []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in PLAIN.difference(CAD_SUFFIXES)):
        shape = load_shape(path)
        if not shape.is_cloud:
            points, normals, faces = sample_faces(shape, POINTS, rng)
            volume = abs(signed_volume(shape.vertices, shape.faces))
            found.append(measures(Skin(points, normals, curved_faces(shape)[faces], volume, through_holes(shape))))
    if not found:
        raise UsageError(f"{folder}: no meshes in it; name a folder with .stl, .ply or .obj files")
    return found
