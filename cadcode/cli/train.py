"""Training commands. They need numpy and torch, but neither CadQuery nor trimesh."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from cadcode.cli.options import Debug, Device, Json, Seed, named, numbers
from cadcode.errors import UsageError

data = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Procedural training data.")


def add_commands(app: typer.Typer) -> None:
    app.command()(train)
    app.command()(train_rl)
    app.command()(export_weights)
    app.add_typer(data, name="data")


def train(
    out: Annotated[Path, typer.Option(help="Output folder of checkpoints and the log.")],
    minutes: Annotated[float | None, typer.Option(min=0, help="Training time, in minutes (default 60.0).")] = None,
    start: Annotated[
        Path | None, typer.Option("--from", exists=True, help="Resume from a stable.pt or a model folder.")
    ] = None,
    points: Annotated[
        str | None, typer.Option(help="Points per part, a schedule with equal shares (default 64,128,256).")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Batch size, in parts (default 64).")] = None,
    decay_share: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of the time with learning rate decay (default 0.25).")
    ] = None,
    muon_lr: Annotated[
        float | None, typer.Option(help="Muon learning rate, for hidden matrices (default 0.01).")
    ] = None,
    adam_lr: Annotated[
        float | None, typer.Option(help="AdamW learning rate, for other weights (default 0.002).")
    ] = None,
    noise: Annotated[
        float | None, typer.Option(min=0, help="Noise scale, on half of the samples (default 0.01).")
    ] = None,
    uneven: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of samples with uneven point density (default 0.1).")
    ] = None,
    missing: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of samples with a side missing (default 0.1).")
    ] = None,
    fewer: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of steps with half of the points (default 0.1).")
    ] = None,
    hardness: Annotated[
        str | None, typer.Option(help="Difficulty of programs, 0 to 1, at the start and the end (default 0.5,0.5).")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Number of data worker processes (default 1).")] = None,
    hidden_size: Annotated[int | None, typer.Option(min=1, help="Hidden size of a new model (default 256).")] = None,
    layers: Annotated[int | None, typer.Option(min=1, help="Number of layers of a new model (default 6).")] = None,
    intermediate_size: Annotated[
        int | None, typer.Option(min=1, help="Feed-forward size of a new model (default 768).")
    ] = None,
    heads: Annotated[
        int | None, typer.Option(min=1, help="Number of attention heads of a new model (default 4).")
    ] = None,
    save_minutes: Annotated[
        float | None, typer.Option(min=0, help="Minutes between checkpoints (default 3.0).")
    ] = None,
    log_every: Annotated[int | None, typer.Option(min=1, help="Steps between log lines (default 50).")] = None,
    fuse: Annotated[
        bool | None,
        typer.Option(
            "--fuse/--no-fuse", help="Compile element-wise operations; a CPU needs a C++ compiler (default True)."
        ),
    ] = None,
    device: Device = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Number of torch threads (default: all cores).")] = None,
    seed: Seed = None,
    debug: Debug = False,
) -> None:
    """Train a model, from scratch or from a checkpoint, on programs generated on the fly."""
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
    out: Annotated[Path, typer.Option(help="Output folder of checkpoints and the log.")],
    start: Annotated[Path, typer.Option("--from", exists=True, help="Checkpoint or model folder to start from.")],
    minutes: Annotated[float | None, typer.Option(min=0, help="Training time, in minutes (default 40.0).")] = None,
    lr: Annotated[float | None, typer.Option(min=0, help="Learning rate (default 0.0001).")] = None,
    decay_share: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of the time with learning rate decay (default 0.5).")
    ] = None,
    clip: Annotated[
        float | None, typer.Option(min=0, help="Clipping range of probability ratios (default 0.1).")
    ] = None,
    supervised: Annotated[
        float | None, typer.Option(min=0, help="Weight of the supervised loss (default 0.2).")
    ] = None,
    parts: Annotated[int | None, typer.Option(min=1, help="Parts per update (default 16).")] = None,
    points: Annotated[
        str | None, typer.Option(help="Points per part, cycled over the updates (default 128,256).")
    ] = None,
    group: Annotated[
        int | None, typer.Option(min=2, help="Group size: programs sampled per part (default 16).")
    ] = None,
    chosen: Annotated[
        int | None, typer.Option(min=1, help="Programs of a group that enter the loss (default 4).")
    ] = None,
    temperature: Annotated[float | None, typer.Option(min=0.01, help="Sampling temperature (default 1.0).")] = None,
    distance_scale: Annotated[
        float | None,
        typer.Option(min=0, help="Penalty per program unit of mean distance; an IoU of 1 gives 10 (default 0.0)."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Number of worker processes that sample and score (default 2).")
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Torch threads of the learner (default 1).")] = None,
    measure_minutes: Annotated[
        float | None, typer.Option(min=0, help="Minutes between checkpoints (default 5.0).")
    ] = None,
    held_out: Annotated[int | None, typer.Option(min=1, help="Number of held-out parts (default 128).")] = None,
    log_every: Annotated[int | None, typer.Option(min=1, help="Updates between log lines (default 10).")] = None,
    seed: Seed = None,
    debug: Debug = False,
) -> None:
    """Train a model by reinforcement learning, with IoU as reward and without a CAD kernel."""
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
    """Training options of `--points`: a schedule with equal shares."""
    counts = _points(points)
    return {} if counts is None else dict(points=counts, points_shares=(1.0,) * len(counts))


def _points(points: str | None) -> tuple[int, ...] | None:
    """Numbers of `--points`. UsageError outside the range of the model."""
    if points is None:
        return None
    from cadcode.model.nets.small import PREFIX_LENGTH

    counts = numbers(points, "--points")
    if not all(1 <= count <= PREFIX_LENGTH for count in counts):
        raise UsageError(f"--points {points}: a model takes 1 to {PREFIX_LENGTH}")
    return counts


def _hardness(text: str | None) -> dict:
    """Training options of `--hardness`: one number, or start and end. UsageError otherwise."""
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
        Path, typer.Argument(metavar="CHECKPOINT", exists=True, dir_okay=False, help="Training checkpoint (.pt).")
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Output folder, a value for --model.")],
    shard_mb: Annotated[
        int | None, typer.Option(min=1, help="Maximum size of a weight file, in MiB (default: one file).")
    ] = None,
    debug: Debug = False,
) -> None:
    """Convert a training checkpoint to a model folder."""
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
    out: Annotated[Path, typer.Argument(metavar="OUT.png", help="Output image.")],
    count: Annotated[int, typer.Option(min=1, help="Number of programs.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    debug: Debug = False,
) -> None:
    """Draw a sheet of random training programs."""
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
        Path | None,
        typer.Argument(metavar="[FOLDER]", exists=True, file_okay=False, help="Folder of meshes to compare with."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Number of programs.")] = 400,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Print statistics of generated parts (proportions, faces, symmetry, holes), and of the meshes of a folder."""
    from rich.console import Console

    from cadcode.data.statistics import summary
    from cadcode.report.files import json_text
    from cadcode.report.table import statistics_table

    figures = {f"{count} generated": summary(_generated_measures(count, seed))}
    if folder is not None:
        meshes = _mesh_measures(folder)
        figures |= {f"{len(meshes)} meshes": summary(meshes)}
    if json:
        typer.echo(json_text(figures))
    else:
        Console(highlight=False).print(statistics_table(figures))


def _generated_measures(count: int, seed: int) -> list[dict]:
    from itertools import islice

    import numpy as np

    from cadcode.data.dataset import DataOptions, samples
    from cadcode.data.statistics import measures, sample_program

    rng = np.random.default_rng(seed)
    rows = []
    for sample in islice(samples(DataOptions(), rng), count):
        lengths = dict(bodies=float(len(sample.program.steps)), tokens=float(len(sample.ids)))
        rows.append(measures(sample_program(sample.program, rng)) | lengths)
    return rows


def _mesh_measures(folder: Path) -> list[dict]:
    import numpy as np

    from cadcode.data.statistics import POINTS, SurfaceSamples, measures
    from cadcode.geometry.io.load import CAD_SUFFIXES, PLAIN, load_shape
    from cadcode.geometry.mesh import signed_volume
    from cadcode.geometry.skin import curved_faces, sample_faces, through_holes

    rng, rows = np.random.default_rng(0), []
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in PLAIN.difference(CAD_SUFFIXES)):
        shape = load_shape(path)
        if not shape.is_cloud:
            points, normals, faces = sample_faces(shape, POINTS, rng)
            volume = abs(signed_volume(shape.vertices, shape.faces))
            surface = SurfaceSamples(points, normals, curved_faces(shape)[faces], volume, through_holes(shape))
            rows.append(measures(surface))
    if not rows:
        raise UsageError(f"{folder}: no meshes in it; name a folder with .stl, .ply or .obj files")
    return rows
