"""`cadcode batch`, `merge` and `check`: many parts at once."""

import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from cadcode.cli import options as edge
from cadcode.cli.options import Debug, Device, Seed, Timeout, printable
from cadcode.errors import UsageError

ENGINES = ("local", "ray")

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Meshes, point clouds and CAD files, also deeper in.")]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Processes with a model and a sandbox each (default: free processors).")
]
Threads = Annotated[int, typer.Option(min=1, help="Of torch, in each worker (default 1).")]


def add_commands(app: typer.Typer) -> None:
    """Register the commands of this file."""
    for command in (batch, merge, check):
        app.command()(command)


@edge.converting
def batch(
    folder: Folder,
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write to.")],
    workers: Workers = None,
    resume: Annotated[
        bool, typer.Option("--resume/--no-resume", help="Leave parts that are done as they are (default yes).")
    ] = True,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="Only the I-th of N shares, for array jobs; then cadcode merge.")
    ] = None,
    engine: Annotated[str, typer.Option(help="local, or ray for a cluster (default local).")] = ENGINES[0],
    address: Annotated[
        str | None, typer.Option(help="Of the Ray cluster; auto for the one that runs here (default: this machine).")
    ] = None,
    threads: Threads = 1,
    picture: edge.Picture = False,
    force: edge.Force = False,
    json: edge.JsonLines = False,
    quiet: edge.Quiet = False,
    debug: Debug = False,
    *,
    chosen: dict,
) -> None:
    """Write a program and its solid for each mesh, point cloud and CAD file of a folder.

    FOLDER/a/b.stl becomes a/b.py, a/b.step and a/b.json in the output folder. results.jsonl there has a line a part,
    report.html shows them all. The same command again goes on where it was stopped. Every part has a seed of its own,
    made from --seed and its name. Hidden files are left out.
    """
    from cadcode.batch.plan import Shard
    from cadcode.batch.work import setup_for
    from cadcode.geometry.cleaning import ReadOptions

    chosen["reading"] = ReadOptions(**edge.reading(chosen.pop("units"), chosen.pop("columns")))
    setup = setup_for(output, threads=threads, picture=picture, debug=debug, force=force, **chosen)
    pool = _pool(setup, workers, engine, address)
    done = _converted(folder, setup, pool, quiet, Shard.parse(shard or "1/1"), resume, json)
    if done.interrupted:
        typer.echo("cadcode: interrupted; the same command goes on where this one stopped", err=True)
        raise typer.Exit(edge.INTERRUPTED)
    raise typer.Exit(done.exit_code)


def _converted(folder: Path, setup, pool, quiet, shard=None, resume=True, json=False, reported=True):
    """Convert a folder and perhaps write its report; what became of it as a `Batch`."""
    from cadcode.batch.ledger import open_ledger
    from cadcode.batch.plan import Shard, plan
    from cadcode.batch.run import clear, run
    from cadcode.batch.work import licence_line
    from cadcode.report.files import suffixes_of
    from cadcode.report.html import summary_line
    from cadcode.report.table import error_console

    shard, console = shard or Shard(), error_console(quiet)
    parts = plan(folder, setup.output, suffixes_of(setup.options.export, setup.picture), shard)
    for line in licence_line(setup):
        console.print(line, soft_wrap=True, markup=False)
    with open_ledger(setup.output, shard) as ledger:
        clear(setup.output, shard)
        with _listener(console, json) as listener:
            done = run(parts, setup, ledger, pool, resume, listener)
        shown = [summary_line(list(done.rows.values()))]
        if reported and shard.count == 1:
            shown.append(f"see {write_report(setup.output, list(ledger.rows().values()))}")
    console.print("; ".join(shown), soft_wrap=True, markup=False)
    return done


def _pool(setup, workers: int | None, engine: str = ENGINES[0], address: str | None = None):
    """Where parts are converted. UsageError for an engine that is not there."""
    from cadcode.batch.pool import Pool
    from cadcode.batch.ray_pool import RayPool
    from cadcode.batch.run import default_workers
    from cadcode.batch.work import converter

    if engine not in ENGINES:
        raise UsageError(f"--engine {engine}: choose from {', '.join(ENGINES)}")
    if address is not None and engine != "ray":
        raise UsageError("--address goes with --engine ray")
    if engine == "ray":
        return RayPool(converter, setup, workers or default_workers(setup.device), address)
    return Pool(converter, setup, workers or default_workers(setup.device))


def _listener(console, json: bool):
    from cadcode.report.files import json_text
    from cadcode.report.progress import BatchProgress

    return BatchProgress(console, printable, lambda row: typer.echo(json_text(row)) if json else None)


def write_report(folder: Path, rows: list[dict]) -> Path:
    """`report.html` of the results in a folder; where it is. OutputError."""
    from cadcode.report.files import write_files
    from cadcode.report.html import report_page

    page = report_page(rows, folder, title=f"cadcode: {folder.resolve().name}")
    return write_files(folder, {"report.html": page.encode()})[0]


def merge(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR", help="What shards have written to.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to gather; the DIR itself if there is but one.")
    ] = None,
    quiet: edge.Quiet = False,
    debug: Debug = False,
) -> None:
    """Gather the results of shards: one results.jsonl, one report.html. Exit code 1 where a shard is missing."""
    from cadcode.batch.merge import gather
    from cadcode.report.html import summary_line
    from cadcode.report.table import error_console

    gathered = gather(folders, output)
    page = write_report(gathered.folder, gathered.rows)
    error_console(quiet).print(f"{summary_line(gathered.rows)}; see {page}", soft_wrap=True, markup=False)
    for name in gathered.missing:
        edge.report(f"{name} is missing; run that shard, then merge again")
    raise typer.Exit(1 if gathered.missing else 0)


def check(
    folder: Folder,
    min_iou: Annotated[float | None, typer.Option(min=0, max=1, help="The least IoU of a part that has one.")] = None,
    max_cd: Annotated[float | None, typer.Option(min=0, help="The largest CD x1000.")] = None,
    max_deviation: Annotated[
        float | None, typer.Option(min=0, help="The largest distance, in the units of the file.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the outcome as JUnit XML.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Keep the files, as batch does (default: nothing is kept).")
    ] = None,
    workers: Workers = None,
    model: edge.Model = None,
    candidates: edge.Candidates = None,
    refine: edge.Refine = None,
    seed: Seed = None,
    units: edge.Units = None,
    device: Device = None,
    threads: Threads = 1,
    timeout: Timeout = None,
    json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON to stdout.")] = False,
    quiet: edge.Quiet = False,
    debug: Debug = False,
) -> None:
    """Convert a folder and fail where a part falls short: a smoke test for CI.

    A part falls short without a valid program, or beyond a limit. Limits for all parts come from the options or from
    FOLDER/check.toml; those for single parts from its tables such as [parts."sub/flange.step"]. Exit code 1 where a
    part falls short, 2 where a file cannot be read.
    """
    from cadcode.batch.work import setup_for
    from cadcode.bench.thresholds import Limits, judged, read_limits
    from cadcode.geometry.cleaning import ReadOptions

    limits = read_limits(folder, Limits(min_iou, max_cd, max_deviation))
    with _kept_or_not(output) as kept:
        setup = setup_for(
            kept,
            model,
            device,
            None,
            threads,
            timeout,
            debug=debug,
            candidates=candidates,
            refine=refine,
            seed=seed,
            reading=ReadOptions(**edge.reading(units, None)),
            export=("step",) if output else (),
        )
        done = _converted(folder, setup, _pool(setup, workers), quiet, reported=output is not None)
    if done.interrupted:
        raise KeyboardInterrupt
    verdicts = judged(done.rows, limits)
    _tell(verdicts, folder, junit, json, quiet)
    raise typer.Exit(max(done.exit_code, *(1 if verdict.short else 0 for verdict in verdicts)))


def _kept_or_not(output: Path | None):
    if output is not None:
        return nullcontext(output)
    return tempfile.TemporaryDirectory(prefix="cadcode-check-", ignore_cleanup_errors=True)


def _tell(verdicts, folder: Path, junit: Path | None, json: bool, quiet: bool) -> None:
    from cadcode.bench.thresholds import as_dict, junit_xml
    from cadcode.report.files import json_text, write_files
    from cadcode.report.table import check_table, error_console

    if junit is not None:
        write_files(junit.parent, {junit.name: junit_xml(verdicts, folder.resolve().name, printable)})
    if json:
        typer.echo(json_text(as_dict(verdicts)))
    short = [verdict.as_dict() for verdict in verdicts if verdict.short]
    console = error_console(quiet)
    if short:
        console.print(check_table(short))
    console.print(f"{len(short)} of {len(verdicts)} parts fall short" if short else f"all {len(verdicts)} parts pass")
