"""From what was named on the command line to what workers have to know."""

from pathlib import Path

from cadcode.batch.work import Setup
from cadcode.edge import named
from cadcode.execution.sandbox import SandboxOptions
from cadcode.generate import options_for
from cadcode.machine import pick_device
from cadcode.model.checkpoints import resolve
from cadcode.model.spec import EMBEDDED, UNKNOWN_LICENCE, known
from cadcode.model.weights import revision_of


def setup_for(output: Path, model=None, device=None, dtype=None, threads=1, timeout=None, picture=False, debug=False,
              max_new_tokens=None, candidates=None, temperature=None, **options) -> Setup:  # fmt: skip
    """A setup whose options exist, and whose model is here: one that has to be fetched is fetched now, once.

    Raises UsageError, ModelError.
    """
    decoding = dict(candidates=candidates, temperature=temperature, max_new_tokens=max_new_tokens)
    chosen = options_for(**options, **decoding)
    sandbox = SandboxOptions(**named(timeout=timeout))
    name = model or EMBEDDED
    revision = revision_of(resolve(name))
    return Setup(
        Path(output), chosen, name, revision, pick_device(device or "auto"), dtype, threads, max_new_tokens, sandbox,
        picture, debug,
    )  # fmt: skip


def licence_line(setup: Setup) -> list[str]:
    """What to say of weights that are not ours; nothing of ours."""
    if setup.model == EMBEDDED:
        return []
    spec = known(setup.model)
    return [f"{setup.model}: the licence of these weights is {spec.licence if spec else UNKNOWN_LICENCE}\n"]
