"""The command line: options in, tables and exit codes out. Heavy libraries are imported inside the commands.

Exit codes: 0 success; 1 no valid program for some part; 2 usage error or unreadable input; 130 interrupted.
"""

from pathlib import Path
from typing import Annotated

import typer

from cadcode import __version__
from cadcode.cli import batch as cli_batch
from cadcode.cli import bench as cli_bench
from cadcode.cli import models as cli_models
from cadcode.cli import options as edge
from cadcode.cli import train as cli_train
from cadcode.cli.options import Debug, Edge, Json, Timeout, install_hook, named, read_program, report, words
from cadcode.errors import InputError, KeptError, UsageError

DONE, NO_PROGRAM, UNREADABLE = 0, 1, 2
PROMPTED = "part"  # file name stem of a part without an input file

app = typer.Typer(
    name="cadcode",
    cls=Edge,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Turn meshes and point clouds into editable CadQuery programs.",
)


def main() -> None:
    """The entry point of `cadcode` and `python -m cadcode`."""
    install_hook()
    typer.main.get_command(app)(prog_name="cadcode")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cadcode {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


# --- conversion of parts, one after the other ------------------------------------------------------------------------


@app.command()
@edge.converting
def generate(
    inputs: Annotated[
        list[Path] | None, typer.Argument(metavar="INPUT", help="Meshes, point clouds or CAD files; see --images.")
    ] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="Output folder, one FILE.py, or - for stdout.")] = ".",
    attention: Annotated[str | None, typer.Option(help="Attention: sdpa or flash_attention_2 (default sdpa).")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Number of torch threads (default: free cores).")] = None,
    picture: edge.Picture = False,
    split: Annotated[
        bool, typer.Option("--split", help="Convert each body of a file separately: part-1.py, part-2.py and so on.")
    ] = False,
    force: edge.Force = False,
    images: Annotated[
        bool,
        typer.Option(
            "--images",
            help="Image input (cadrille only): four rendered views of each mesh. INPUT may also be one "
            "image with a 2 x 2 grid of views, or a folder of four images.",
        ),
    ] = False,
    prompt: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Text input (cadrille only): a description of the part, without INPUT."),
    ] = None,
    json: edge.JsonLines = False,
    quiet: edge.Quiet = False,
    debug: Debug = False,
    *,
    chosen: dict,
) -> None:
    """Write a CadQuery program and its solid for each mesh, point cloud or CAD file.

    Writes part.py, part.step and part.json for part.stl, in the units and position of the input. Files of earlier runs
    are replaced unless they were edited. A part without a program gets only part.json. Results from a text or from
    images are not measured. Exit code 1 if a part has no valid solid.
    """
    if output == "-" and json:
        raise UsageError("-o - and --json both write to stdout; choose one")
    if output == "-" and split:
        raise UsageError("-o - holds one program; name a folder with --split")
    model = {name: chosen.pop(name) for name in ("model", "device", "dtype")}
    model = named(**model, attention=attention, threads=threads)
    reading = edge.reading(chosen.pop("units"), chosen.pop("columns"))
    with _sandbox(chosen.pop("timeout")) as sandbox:  # the worker imports CadQuery while the model loads
        from cadcode.cli import generate as parts
        from cadcode.geometry.cleaning import ReadOptions
        from cadcode.reconstruction.options import ModelOptions, load, options_for, suited
        from cadcode.report.files import plan, suffixes_of
        from cadcode.report.table import error_console

        inputs = inputs or []
        reads = parts.reading(inputs, prompt, images)
        if parts.unmeasured(inputs, reads) and chosen["candidates"] is None:
            chosen["decode"] = chosen["decode"] or "greedy"
        options = options_for(**chosen)
        jobs = plan(inputs or [Path(PROMPTED)], output, suffixes_of(options.export, picture))
        loaded = load(ModelOptions(reads=reads, **model))
        console = error_console(quiet)
        options = suited(options, loaded, chosen["max_new_tokens"])
        parts.announce(loaded, console)
        asked = parts.Asked(options, json, picture, prompt, split, force, ReadOptions(**reading))
        codes = [_generate(job, loaded, sandbox, asked, console, debug) for job in jobs]
    raise typer.Exit(max(codes))


def _generate(job, model, sandbox, asked, console, debug) -> int:
    """Convert one file and return its exit code; an input error does not stop the other files."""
    from cadcode.cli import generate as parts

    try:
        results = list(parts.generate(job, model, sandbox, asked, console))
    except (InputError, KeptError) as error:
        report(error, debug)
        return UNREADABLE
    failed = [result for result in results if not result.is_valid]
    for result in failed:
        report(f"{job.input}: {result.why_not_valid}")
    return NO_PROGRAM if failed else DONE


def _sandbox(timeout: float | None):
    from cadcode.sandbox.sandbox import Sandbox, SandboxOptions

    return Sandbox(SandboxOptions(**named(timeout=timeout)))


# --- programs without a model ----------------------------------------------------------------------------------------


@app.command()
def run(
    program: Annotated[Path, typer.Argument(metavar="PROGRAM.py", help="CadQuery program.")],
    export: Annotated[str | None, typer.Option(help="Solid formats, separated by commas: step, stl, brep.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Output folder of the solids.")] = Path("."),
    timeout: Timeout = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Run a program in the sandbox and measure its solid. Exit code 1 if it makes no solid."""
    from cadcode.report.files import json_text, write_files
    from cadcode.sandbox.outcome import Failed

    text = read_program(program)
    with _sandbox(timeout) as sandbox:
        outcome = sandbox.run(text, words(export) or ())
    facts = _facts(program, outcome)
    if json:
        typer.echo(json_text(facts))
    if isinstance(outcome, Failed):
        report(f"{program}: {outcome.kind}: {outcome.reason}")
        raise typer.Exit(NO_PROGRAM)
    if not json:
        for name, value in facts.items():
            typer.echo(f"{name:<10} {_shown(value)}")
    write_files(output, {f"{program.stem}.{kind}": data for kind, data in outcome.exports.items()})


def _facts(program: Path, outcome) -> dict:
    """Properties of a run as plain values; lengths in program units."""
    from cadcode.sandbox.outcome import Failed

    if isinstance(outcome, Failed):
        return dict(program=str(program), failure=outcome.kind, reason=outcome.reason, seconds=outcome.seconds)
    low, high = outcome.vertices.min(axis=0), outcome.vertices.max(axis=0)
    return dict(
        program=str(program),
        volume=outcome.volume,
        extents=(high - low).tolist(),
        lowest=low.tolist(),
        highest=high.tolist(),
        solids=outcome.solids,
        valid=outcome.valid,
        seconds=outcome.seconds,
    )


def _shown(value) -> str:
    if isinstance(value, list):
        return " x ".join(map(_shown, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


@app.command()
def evaluate(
    program: Annotated[Path, typer.Argument(metavar="PROGRAM.py|DIR", help="Program, or a folder of programs.")],
    reference: Annotated[Path, typer.Argument(metavar="REFERENCE|DIR", help="Reference shape or folder.")],
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write one row per part as CSV.")] = None,
    units: edge.Units = None,
    timeout: Timeout = None,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Measure programs against reference shapes, without a model.

    In folders, a/b.py is measured against a/b.stl (or another format). Exit code 1 if a program makes no solid.
    """
    with _sandbox(timeout) as sandbox:
        from cadcode.bench.evaluate import MEASURED, evaluate_folder, evaluate_program, summary
        from cadcode.bench.evaluate import UNREADABLE as NO_REFERENCE
        from cadcode.geometry.cleaning import ReadOptions
        from cadcode.geometry.io.load import load_shape

        reading = ReadOptions(**edge.reading(units, None))
        if program.is_dir() or reference.is_dir():
            rows = evaluate_folder(program, reference, sandbox, reading=reading)
        else:
            text, shape = read_program(program), load_shape(reference, sandbox.read_cad, reading)
            rows = [evaluate_program(text, shape, sandbox, name=program.stem)]
    _print_evaluation([row.as_dict() for row in rows], summary(rows), json, csv)
    codes = {MEASURED: DONE, NO_REFERENCE: UNREADABLE}
    raise typer.Exit(max(codes.get(row.status, NO_PROGRAM) for row in rows))


def _print_evaluation(rows: list[dict], figures: dict, json: bool, csv: Path | None) -> None:
    from rich.console import Console

    from cadcode.report.files import json_text, write_files
    from cadcode.report.spreadsheet import evaluation_csv
    from cadcode.report.table import evaluation_table, summary_table

    if csv is not None:
        write_files(csv.parent, {csv.name: evaluation_csv(rows)})
    if json:
        typer.echo(json_text(dict(parts=rows, summary=figures)))
    else:
        Console(highlight=False).print(evaluation_table(rows), summary_table(figures))


# --- diagnosis -------------------------------------------------------------------------------------------------------


@app.command()
def doctor(json: Json = False, debug: Debug = False) -> None:
    """Check the installation. Exit code 1 if an essential component is broken."""
    from cadcode.cli.doctor import examine
    from cadcode.report.files import json_text

    findings = examine()
    if json:
        typer.echo(json_text([finding.as_dict() for finding in findings]))
    else:
        for finding in findings:
            typer.echo(f"{finding.name:<14} {finding.value}{f': {finding.problem}' if finding.problem else ''}")
    raise typer.Exit(NO_PROGRAM if any(finding.problem for finding in findings) else DONE)


cli_batch.add_commands(app)
cli_train.add_commands(app)
app.add_typer(cli_bench.bench, name="bench")
app.add_typer(cli_models.models, name="models")
