"""The edge of the command line: where errors end as one line and an exit code, and the options commands share.

Options that are not named are None: their defaults live in the options' dataclasses (a test compares the help texts).
"""

import functools
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from cadcode.errors import CadcodeError, InputError, UsageError
from cadcode.units import NAMED

INTERRUPTED = 130
DEBUG = "debug"  # what the root context holds after --debug


class Edge(TyperGroup):
    """Commands whose errors of ours end here."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except CadcodeError as error:
            report(error, debug=ctx.obj == DEBUG)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            typer.echo("cadcode: interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None


def report(error: Exception | str, debug: bool = False) -> None:
    """An error as one line on stderr, with `debug` after its traceback."""
    if debug and isinstance(error, Exception):
        traceback.print_exception(error)
    typer.echo(f"cadcode: error: {printable(error)}", err=True)


def warn(text: str) -> None:
    """A warning as one line on stderr."""
    typer.echo(f"cadcode: warning: {printable(text)}", err=True)


def unexpected(kind: type, error: BaseException, _) -> None:
    """An excepthook: what is not an error of ours is a bug, in one line too."""
    typer.echo(f"cadcode: internal error: {kind.__name__}: {printable(error)}; --debug shows where", err=True)


def printable(text) -> str:
    """One line without control characters, which file names may hold."""
    return "".join(character if character.isprintable() else "?" for character in str(text))


def read_program(path: Path) -> str:
    """The text of a program. InputError where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "name a CadQuery program") from error


def numbers(text: str, option: str) -> tuple[int, ...]:
    """Whole numbers with commas between. UsageError for other things."""
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise UsageError(f"{option} {text}: whole numbers with commas between, please") from None


def words(text: str | None) -> tuple[str, ...] | None:
    """'step, stl' as ('step', 'stl'), each once; nothing named stays None."""
    if text is None:
        return None
    return tuple(dict.fromkeys(word.strip().lower() for word in text.split(",") if word.strip()))


def reading(units: str | None, columns: str | None) -> dict[str, object]:
    """Unit and columns named by the user, as the fields of `ReadOptions`. UsageError for other units and columns."""
    if units is not None and units not in NAMED:
        raise UsageError(f"--units {units}: choose from {', '.join(NAMED)}")
    chosen = None if columns is None else numbers(columns, "--columns")
    if chosen is not None and (len(chosen) not in (3, 6) or len(set(chosen)) < len(chosen) or min(chosen) < 1):
        raise UsageError(f"--columns {columns}: name 3 or 6 different columns, counted from 1")
    return dict(unit=units, columns=chosen)


def named(**options) -> dict:
    """Those that were named on the command line."""
    return {name: value for name, value in options.items() if value is not None}


def _remember_debug(ctx: typer.Context, debug: bool) -> bool:
    ctx.find_root().obj = DEBUG if debug else None
    return debug


Debug = Annotated[bool, typer.Option("--debug", callback=_remember_debug, help="Show tracebacks of errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]
Device = Annotated[str | None, typer.Option(help="Device: auto, cpu, cuda or mps (default auto).")]
Seed = Annotated[int | None, typer.Option(min=0, help="Random seed (default 0).")]
Timeout = Annotated[float | None, typer.Option(help="Time limit of a program, in seconds (default 10.0).")]
Model = Annotated[str | None, typer.Option(help="Name from `cadcode models`, or a folder (default cadcode-small).")]
Decode = Annotated[str | None, typer.Option(help="Decoding: greedy, beam or sample (default sample).")]
Beams = Annotated[int | None, typer.Option(help="Beam width of --decode beam (default 4).")]
Candidates = Annotated[int | None, typer.Option(help="Number of candidate programs (default 32); 1 is greedy.")]
Temperature = Annotated[float | None, typer.Option(help="Sampling temperature (default 1.0).")]
Refine = Annotated[
    bool | None,
    typer.Option("--refine/--no-refine", help="Refine the best candidates by search (default yes)."),
]
Budget = Annotated[
    float | None,
    typer.Option(min=0, metavar="SECONDS", help="Time budget: sample more candidates until the part fits."),
]
MaxNewTokens = Annotated[
    int | None, typer.Option(help="Maximum number of tokens of a program (default 128); 768 for published models.")
]
Dtype = Annotated[
    str | None, typer.Option(help="Number format of the weights: auto, float32, bfloat16 or int8 (default auto).")
]
Export = Annotated[
    str | None,
    typer.Option(callback=words, help="Solid formats, separated by commas: step, stl, brep (default step)."),
]
Units = Annotated[
    str | None,
    typer.Option(
        help="Unit of the input coordinates: mm, cm, m or inch; converted to mm (default: the unit in the file, "
        "or no conversion)."
    ),
]
Columns = Annotated[
    str | None,
    typer.Option(metavar="X,Y,Z", help="Columns of a point table, counted from 1; six include normals."),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite edited programs and files that cadcode did not write.")]
Picture = Annotated[bool, typer.Option("--picture", help="Write a PNG image of input and result.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print one line of JSON per part to stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only, no tables.")]


# Options shared by all commands that convert parts, by option name.
CONVERSION = dict(
    model=Model,
    decode=Decode,
    beams=Beams,
    candidates=Candidates,
    temperature=Temperature,
    refine=Refine,
    budget=Budget,
    max_new_tokens=MaxNewTokens,
    seed=Seed,
    device=Device,
    dtype=Dtype,
    export=Export,
    timeout=Timeout,
    units=Units,
    columns=Columns,
)


def converting(command: Callable) -> Callable:
    """A command with the options of `CONVERSION` after its own; it gets them as a dictionary named `chosen`."""
    own = [one for one in inspect.signature(command).parameters.values() if one.name != "chosen"]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in CONVERSION.items()
    ]

    @functools.wraps(command)
    def called(**given):
        return command(chosen={name: given.pop(name) for name in CONVERSION}, **given)

    called.__signature__ = inspect.Signature([*own, *shared])
    return called


def install_hook() -> None:
    """Unless --debug asks for tracebacks, bugs end as one line."""
    if "--debug" not in sys.argv[1:]:
        sys.excepthook = unexpected
