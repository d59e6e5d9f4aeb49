"""Work of a batch process: options to a model and a sandbox, and a part to its files and its row of results."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from cadcode.batch.plan import Part
from cadcode.batch.results_log import DONE, NO_PROGRAM, NOT_WRITTEN, UNREADABLE, sha256_of
from cadcode.batch.setup import Convert, Setup, row
from cadcode.errors import InputError, KeptError, OutputError
from cadcode.geometry.cleaning import AS_IT_SAYS, ReadOptions
from cadcode.geometry.io.load import load_shape
from cadcode.model.checkpoints.load import LoadedModel, resolve
from cadcode.model.checkpoints.spec import EMBEDDED, UNKNOWN_LICENCE, known
from cadcode.model.checkpoints.weights import revision_of
from cadcode.model.machine import pick_device
from cadcode.reconstruction.options import ModelOptions, load, named, options_for, suited
from cadcode.reconstruction.result import Result
from cadcode.reconstruction.run import reconstruct
from cadcode.report.files import suffixes_of, write_files, write_result
from cadcode.report.kept import check_replaceable
from cadcode.report.picture import INPUT_COLOUR, png_bytes, render, side_by_side
from cadcode.report.view import largest_colour, view_bytes
from cadcode.sandbox.sandbox import Sandbox, SandboxOptions

SHOWN = ".report"  # a folder beside the results, with what the report shows of each part
THUMBNAIL = 112  # pixels


def setup_for(
    output: Path,
    model=None,
    device=None,
    dtype=None,
    threads=1,
    timeout=None,
    picture=False,
    debug=False,
    max_new_tokens=None,
    candidates=None,
    temperature=None,
    reading: ReadOptions = AS_IT_SAYS,
    force=False,
    **options,
) -> Setup:
    """A setup whose options exist, and whose model is here: one that has to be fetched is fetched now, once.

    Raises UsageError, ModelError.
    """
    decoding = dict(candidates=candidates, temperature=temperature, max_new_tokens=max_new_tokens)
    chosen = options_for(**options, **decoding)
    sandbox = SandboxOptions(**named(timeout=timeout))
    name = model or EMBEDDED
    revision = revision_of(resolve(name))
    return Setup(
        Path(output),
        chosen,
        name,
        revision,
        pick_device(device or "auto"),
        dtype,
        threads,
        max_new_tokens,
        sandbox,
        picture,
        debug,
        reading,
        force,
    )


def licence_line(setup: Setup) -> list[str]:
    """Licence of weights of other authors; nothing for our own."""
    if setup.model == EMBEDDED:
        return []
    spec = known(setup.model)
    return [f"{setup.model}: the licence of these weights is {spec.licence if spec else UNKNOWN_LICENCE}"]


@contextmanager
def converter(setup: Setup) -> Iterator[Convert]:
    """A model and a sandbox, and with them a function from a part to its row."""
    with Sandbox(setup.sandbox) as sandbox:  # CadQuery loads over there while torch and the model load here
        model = load(ModelOptions(setup.model, setup.device, threads=setup.threads, **named(dtype=setup.dtype)))
        yield partial(convert, model=model, sandbox=sandbox, setup=setup)


def convert(part: Part, model: LoadedModel, sandbox: Sandbox, setup: Setup) -> dict:
    """One part to its files and its row; what goes wrong with it stands in the row."""
    try:
        return _converted(part, model, sandbox, setup)
    except (OutputError, KeptError) as error:
        return row(part, setup, NOT_WRITTEN, str(error))


def _converted(part: Part, model: LoadedModel, sandbox: Sandbox, setup: Setup) -> dict:
    if not setup.force:
        where = PurePosixPath(part.stem)
        suffixes = suffixes_of(setup.options.export, setup.picture)
        check_replaceable(setup.output / where.parent, where.name, suffixes)
    try:
        shape = load_shape(part.path, sandbox.read_cad, setup.reading)
        options = suited(setup.options, model, setup.max_new_tokens).seeded(part.seed(setup.options.decoding.seed))
        result = reconstruct(shape, model, sandbox, options)
    except InputError as error:
        return _unreadable(part, setup, f"{error.reason}; {error.advice}")
    return _finished(part, setup, result)


def _finished(part: Part, setup: Setup, result: Result) -> dict:
    where = PurePosixPath(part.stem)
    shown = {f"{where.name}.png": png_bytes(_thumbnail(result)), f"{where.name}.view": _view(result)}
    thumbnail, view = write_files(setup.output / SHOWN / where.parent, shown)
    written = write_result(result, setup.output / where.parent, where.name, setup.picture, setup.force)
    told = result.as_dict()
    status, reason = (DONE, None) if result.is_valid else (NO_PROGRAM, result.why_not_valid)
    return row(
        part,
        setup,
        status,
        reason,
        sha256=result.shape.sha256,
        files=[path.relative_to(setup.output).as_posix() for path in written],
        thumbnail=thumbnail.relative_to(setup.output).as_posix(),
        view=view.relative_to(setup.output).as_posix(),
        chosen=told["chosen"],
        error=told["error"],
        solid=told["solid"],
        faces=_face_figures(told["faces"]),
        remarks=told["remarks"],
        **{name: told["input"][name] for name in ("extents", "unit", "bodies", "notes", "warnings")},
        candidates=len(result.candidates),
        ran=len(result.measured),
        seconds=sum(told["seconds"].values()),
    )


def _unreadable(part: Part, setup: Setup, reason: str) -> dict:
    """Without the files of an earlier content, which would be mistaken for this one's."""
    where = PurePosixPath(part.stem)
    stale = [f"{where.name}.{suffix}" for suffix in suffixes_of(setup.options.export, setup.picture)]
    if any((setup.output / where.parent / name).exists() for name in stale):
        write_files(setup.output / where.parent, {}, remove=stale)
    return row(part, setup, UNREADABLE, reason, sha256=sha256_of(part.path))


def _thumbnail(result: Result):
    """Input beside result, or the input alone. (THUMBNAIL, one or two times THUMBNAIL, 3)"""
    shape, chosen = result.shape, result.chosen
    if chosen is None:
        return render([(shape.vertices, shape.faces, INPUT_COLOUR)], THUMBNAIL)
    return side_by_side((shape.vertices, shape.faces), (chosen.solid.vertices, chosen.solid.faces), THUMBNAIL)


def _view(result: Result) -> bytes:
    shape, chosen = (result.shape.vertices, result.shape.faces), result.chosen
    if chosen is None:
        return view_bytes(shape)
    largest = largest_colour(chosen.error.max_deviation, result.shape.extents)
    return view_bytes(shape, (chosen.solid.vertices, chosen.solid.faces), largest)


def _face_figures(faces: dict | None) -> dict | None:
    """The figures of a face check without its list of missing faces, which part.json has."""
    return faces and {name: value for name, value in faces.items() if name != "missing"}
