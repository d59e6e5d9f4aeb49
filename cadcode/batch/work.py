"""The work on one part, the same as that of `cadcode generate`: from a file to files and a row of results."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from functools import partial
from hashlib import sha256
from pathlib import Path, PurePosixPath

from cadcode import __version__
from cadcode.batch.ledger import DONE, NO_PROGRAM, NOT_WRITTEN, UNREADABLE, sha256_of
from cadcode.batch.plan import Part
from cadcode.errors import InputError, OutputError
from cadcode.execution.sandbox import Sandbox, SandboxOptions
from cadcode.generate import load, suited
from cadcode.geometry.io import load_shape
from cadcode.model.checkpoints import LoadedModel
from cadcode.pipeline import Options, Result, reconstruct
from cadcode.report.files import json_text, suffixes_of, write_files, write_result
from cadcode.report.picture import INPUT_COLOUR, png_bytes, render, side_by_side

THUMBNAILS = ".thumbnails"  # a folder beside the results, for the report
THUMBNAIL = 112  # pixels

Convert = Callable[[Part], dict]


@dataclass(frozen=True)
class Setup:
    """All that a worker has to know, in values that can be sent to another process."""

    output: Path
    options: Options
    model: str
    revision: str  # of the model's weights
    device: str = "cpu"
    dtype: str | None = None
    threads: int = 1  # of torch, in each worker
    max_new_tokens: int | None = None  # None: the model's own
    sandbox: SandboxOptions = SandboxOptions()
    picture: bool = False
    debug: bool = False

    @property
    def settings(self) -> str:
        """A digest of everything that a result depends on beside its file."""
        facts = dict(options=asdict(self.options), revision=self.revision, dtype=self.dtype, picture=self.picture,
                     length=self.max_new_tokens, sandbox=asdict(self.sandbox), version=__version__)  # fmt: skip
        return sha256(json_text(facts).encode()).hexdigest()[:12]


@contextmanager
def converter(setup: Setup) -> Iterator[Convert]:
    """A model and a sandbox, and with them a function from a part to its row."""
    with Sandbox(setup.sandbox) as sandbox:  # CadQuery loads over there while torch and the model load here
        model = load(setup.model, setup.device, setup.threads, setup.dtype)
        yield partial(convert, model=model, sandbox=sandbox, setup=setup)


def convert(part: Part, model: LoadedModel, sandbox: Sandbox, setup: Setup) -> dict:
    """One part to its files and its row; what goes wrong with it stands in the row."""
    try:
        shape = load_shape(part.path, cad_reader=sandbox.read_cad)
        options = suited(setup.options, model, setup.max_new_tokens).seeded(part.seed(setup.options.decoding.seed))
        result = reconstruct(shape, model, sandbox, options)
    except InputError as error:
        return _unreadable(part, setup, f"{error.reason}; {error.advice}")
    try:
        return _finished(part, setup, result)
    except OutputError as error:
        return row(part, setup, NOT_WRITTEN, str(error), sha256=shape.sha256)


def row(part: Part, setup: Setup, status: str, reason: str | None = None, **facts) -> dict:
    """A line of `results.jsonl`."""
    seed = part.seed(setup.options.decoding.seed)
    finished = datetime.now(timezone.utc).isoformat()
    return dict(name=part.name, status=status, reason=reason, settings=setup.settings, seed=seed, finished=finished,
                **facts)  # fmt: skip


def _finished(part: Part, setup: Setup, result: Result) -> dict:
    where = PurePosixPath(part.stem)
    thumbnail = setup.output / THUMBNAILS / f"{part.name}.png"
    write_files(thumbnail.parent, {thumbnail.name: png_bytes(_thumbnail(result))})
    written = write_result(result, setup.output / where.parent, where.name, setup.picture)
    told = result.as_dict()
    status, reason = (DONE, None) if result.chosen else (NO_PROGRAM, _first_failure(result))
    return row(
        part, setup, status, reason, sha256=result.shape.sha256,
        files=[path.relative_to(setup.output).as_posix() for path in written],
        chosen=told["chosen"], error=told["error"], extents=told["input"]["extents"], notes=told["input"]["notes"],
        candidates=len(result.candidates), ran=sum(c.error is not None for c in result.candidates),
        seconds=sum(told["seconds"].values()),
    )  # fmt: skip


def _unreadable(part: Part, setup: Setup, reason: str) -> dict:
    """Without the files of an earlier content, which would be mistaken for this one's."""
    where = PurePosixPath(part.stem)
    stale = [f"{where.name}.{suffix}" for suffix in suffixes_of(setup.options.export, setup.picture)]
    if any((setup.output / where.parent / name).exists() for name in stale):
        write_files(setup.output / where.parent, {}, remove=stale)
    return row(part, setup, UNREADABLE, reason, sha256=sha256_of(part.path))


def _first_failure(result: Result) -> str:
    reasons = [candidate.failure for candidate in result.candidates if candidate.failure]
    return f"no valid program ({reasons[0] if reasons else 'none was written'}); try more --candidates"


def _thumbnail(result: Result):
    """Input beside result, or the input alone. (THUMBNAIL, one or two times THUMBNAIL, 3)"""
    shape, chosen = result.shape, result.chosen
    if chosen is None:
        return render([(shape.vertices, shape.faces, INPUT_COLOUR)], THUMBNAIL)
    return side_by_side((shape.vertices, shape.faces), (chosen.solid.vertices, chosen.solid.faces), THUMBNAIL)
