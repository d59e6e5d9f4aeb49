"""Programs for a part that is asked for by a text or by pictures: there is no shape to measure them against."""

from dataclasses import replace

import numpy as np

from cadcode.geometry.frame import Frame
from cadcode.model.checkpoints.spec import LoadedModel
from cadcode.reconstruction.candidate import Candidate, Failure, Proposed, Verified
from cadcode.reconstruction.clock import Clock
from cadcode.reconstruction.options import Options
from cadcode.reconstruction.placement import Placement
from cadcode.reconstruction.propose import read, seen, write
from cadcode.reconstruction.result import Result
from cadcode.sandbox.outcome import Failed
from cadcode.sandbox.sandbox import Sandbox
from cadcode.units import PROGRAM_UNITS

# The true size is unknown, so program units are used as world units.
UNPLACED = Placement(Frame(np.zeros(3), PROGRAM_UNITS))


def from_text(text: str, model: LoadedModel, sandbox: Sandbox, options: Options) -> Result:
    """A part from its description, by a model that was loaded to read text."""
    asking = replace(model, language=model.language.asking(text))
    return _first_that_runs(np.empty((0, 3)), asking, sandbox, options, dict(prompt=text))


def from_pictures(sheet: np.ndarray, path, model: LoadedModel, sandbox: Sandbox, options: Options) -> Result:
    """A part from a sheet of its views (H, H, 3) uint8, by a model that was loaded to read images."""
    return _first_that_runs(seen(sheet), model, sandbox, options, dict(path=str(path)))


def _first_that_runs(given: np.ndarray, model: LoadedModel, sandbox, options: Options, asked: dict) -> Result:
    """The greedy program, or where it makes no solid the likeliest one that does."""
    clock = Clock(options.search)
    with clock("decode"):
        drafts = write(model, given[None], options.decoding)
    likeliest = sorted(drafts, key=lambda draft: (draft.mode != "greedy", -draft.log_probability))
    candidates: list[Candidate] = [read(draft, model.spec) for draft in likeliest]
    chosen = None
    with clock("run"):
        for number, candidate in enumerate(candidates):
            if chosen is None and isinstance(candidate, Proposed):
                candidates[number] = tried = _run(candidate, sandbox, options)
                chosen = tried if isinstance(tried, Verified) else None
    return Result(None, model, options, sandbox.options, chosen, candidates, clock.seconds, asked)


def _run(candidate: Proposed, sandbox: Sandbox, options: Options) -> Verified | Failure:
    text = UNPLACED.text(candidate.program)
    outcome = sandbox.run(text, options.export)
    if isinstance(outcome, Failed):
        return Failure(candidate, f"{outcome.kind}: {outcome.reason}")
    return Verified(candidate, text, outcome)
