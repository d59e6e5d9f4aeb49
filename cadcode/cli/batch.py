"""`cadcode batch`, `merge` and `check`: conversion of folders."""

import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from cadcode.cli import options as edge
from cadcode.cli.options import Debug, Device, Seed, Timeout, printable
from cadcode.errors import UsageError

ENGINES = ("local", "ray")

Folder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Folder of meshes, point clouds and CAD files; subfolders included.")
]
Workers = Annotated[int | None, typer.Option(min=1, help="Number of worker processes (default: free cores).")]
Threads = Annotated[int, typer.Option(min=1, help="Torch threads per worker (default 1).")]


def add_commands(app: typer.Typer) -> None:
    """Register the commands of this file."""
    for command in (batch, merge, check):
        app.command()(command)


@edge.converting
def batch(
    folder: Folder,
    output: Annotated[Path, typer.Option("--output", "-o", help="Output folder.")],
    workers: Workers = None,
    resume: Annotated[
        bool, typer.Option("--resume/--no-resume", help="Skip parts that are done (default yes).")
    ] = True,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Convert only shard I of N, for array jobs; then run cadcode merge."),
    ] = None,
    engine: Annotated[str, typer.Option(help="Execution engine: local or ray (default local).")] = ENGINES[0],
    address: Annotated[
        str | None, typer.Option(help="Address of the Ray cluster, or auto (default: Ray on this machine).")
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

    FOLDER/a/b.stl becomes a/b.py, a/b.step and a/b.json in the output folder. results.jsonl has one line per part and
    report.html shows all parts. The same command resumes an interrupted run. Each part has its own seed, derived from
    --seed and its name. Hidden files are skipped.
    """
    from cadcode.batch.plan import Shard
    from cadcode.batch.work import setup_for
    from cadcode.geometry.cleaning import ReadOptions

    chosen["reading"] = ReadOptions(**edge.reading(chosen.pop("units"), chosen.pop("columns")))
    setup = setup_for(output, threads=threads, picture=picture, debug=debug, force=force, **chosen)
    pool = _pool(setup, workers, engine, address)
    done = _converted(folder, setup, pool, quiet, Shard.parse(shard or "1/1"), resume, json)
    if done.interrupted:
        typer.echo("cadcode: interrupted; run the same command again to resume", err=True)
        raise typer.Exit(edge.INTERRUPTED)
    raise typer.Exit(done.exit_code)


def _converted(folder: Path, setup, pool, quiet, shard=None, resume=True, json=False, reported=True):
    """Convert a folder, write its report if `reported`, and return the `Batch`."""
    from cadcode.batch.plan import Shard, plan
    from cadcode.batch.results_log import open_results_log
    from cadcode.batch.run import clear, run
    from cadcode.batch.work import licence_line
    from cadcode.report.files import suffixes_of
    from cadcode.report.html import summary_line
    from cadcode.report.table import error_console

    shard, console = shard or Shard(), error_console(quiet)
    parts = plan(folder, setup.output, suffixes_of(setup.options.export, setup.picture), shard)
    for line in licence_line(setup):
        console.print(line, soft_wrap=True, markup=False)
    with open_results_log(setup.output, shard) as log:
        clear(setup.output, shard)
        with _listener(console, json) as listener:
            done = run(parts, setup, log, pool, resume, listener)
        shown = [summary_line(list(done.rows.values()))]
        if reported and shard.count == 1:
            shown.append(f"see {write_report(setup.output, list(log.rows().values()))}")
    console.print("; ".join(shown), soft_wrap=True, markup=False)
    return done


def _pool(setup, workers: int | None, engine: str = ENGINES[0], address: str | None = None):
    """Worker pool of the chosen engine. UsageError for an unknown or missing engine."""
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
    """Write `report.html` for the results in a folder and return its path. OutputError."""
    from cadcode.report.files import write_files
    from cadcode.report.html import report_page

    page = report_page(rows, folder, title=f"cadcode: {folder.resolve().name}")
    return write_files(folder, {"report.html": page.encode()})[0]


def merge(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR", help="Output folders of the shards.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Target folder (default: DIR, if only one is named).")
    ] = None,
    quiet: edge.Quiet = False,
    debug: Debug = False,
) -> None:
    """Merge the results of shards: one results.jsonl, one report.html. Exit code 1 if a shard is missing."""
    from cadcode.batch.merge import merge_shards
    from cadcode.report.html import summary_line
    from cadcode.report.table import error_console

    merged = merge_shards(folders, output)
    page = write_report(merged.folder, merged.rows)
    error_console(quiet).print(f"{summary_line(merged.rows)}; see {page}", soft_wrap=True, markup=False)
    for name in merged.missing:
        edge.report(f"{name} is missing; run that shard, then merge again")
    raise typer.Exit(1 if merged.missing else 0)


def check(
    folder: Folder,
    min_iou: Annotated[float | None, typer.Option(min=0, max=1, help="Minimum IoU of parts that have one.")] = None,
    max_cd: Annotated[float | None, typer.Option(min=0, help="Maximum CD x1000.")] = None,
    max_deviation: Annotated[float | None, typer.Option(min=0, help="Maximum distance, in file units.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the verdicts as JUnit XML.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Output folder, as in batch (default: no files are kept).")
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
    json: Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON to stdout.")] = False,
    quiet: edge.Quiet = False,
    debug: Debug = False,
) -> None:
    """Convert a folder and fail if a part misses a limit: a smoke test for CI.

    A part fails without a valid program, or if it exceeds a limit. Limits for all parts come from the options or from
    FOLDER/check.toml; limits for single parts come from tables such as [parts."sub/flange.step"] in that file. Exit
    code 1 if a part fails, 2 if a file cannot be read.
    """
    from cadcode.batch.work import setup_for
    from cadcode.bench.thresholds import Limits, judged, read_limits
    from cadcode.geometry.cleaning import ReadOptions

    limits = read_limits(folder, Limits(min_iou, max_cd, max_deviation))
    with _output_folder(output) as kept:
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
    _report(verdicts, folder, junit, json, quiet)
    raise typer.Exit(max(done.exit_code, *(1 if verdict.short else 0 for verdict in verdicts)))


def _output_folder(output: Path | None):
    if output is not None:
        return nullcontext(output)
    return tempfile.TemporaryDirectory(prefix="cadcode-check-", ignore_cleanup_errors=True)


def _report(verdicts, folder: Path, junit: Path | None, json: bool, quiet: bool) -> None:
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
