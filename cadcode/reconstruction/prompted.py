"""Programs for a part that is asked for by a text or by pictures: there is no shape to hold them against."""

from dataclasses import replace

import numpy as np

from cadcode.geometry.frame import Frame
from cadcode.model.checkpoints.spec import LoadedModel
from cadcode.model.generate import Draft
from cadcode.program.parse import parse
from cadcode.program.tree import Rejected
from cadcode.reconstruction.propose import seen, write
from cadcode.reconstruction.run import Candidate, Clock, Options, Result, candidate_of, unread
from cadcode.sandbox.outcome import Failed
from cadcode.sandbox.sandbox import Sandbox
from cadcode.units import PROGRAM_UNITS

FRAME = Frame(np.zeros(3), PROGRAM_UNITS)  # nobody said how large the part is: lengths are as the model writes them


def from_text(text: str, model: LoadedModel, sandbox: Sandbox, options: Options) -> Result:
    """A part from its description, by a model that was loaded to read text."""
    asking = replace(model, language=model.language.asking(text))
    return _first_that_runs(np.empty((0, 3)), asking, sandbox, options, dict(prompt=text))


def from_pictures(sheet: np.ndarray, path, model: LoadedModel, sandbox: Sandbox, options: Options) -> Result:
    """A part from a sheet of its views (H, H, 3) uint8, by a model that was loaded to read images."""
    return _first_that_runs(seen(sheet), model, sandbox, options, dict(path=str(path)))


def _first_that_runs(given: np.ndarray, model: LoadedModel, sandbox, options: Options, asked: dict) -> Result:
    """The greedy program, or where it makes no solid the likeliest one that does."""
    clock, judged, chosen = Clock(), [], None
    with clock("decode"):
        drafts = write(model, given[None], options.decoding)
    with clock("run"):
        for draft in sorted(drafts, key=lambda draft: (draft.source != "greedy", -draft.log_probability)):
            candidate = _candidate(draft, model)
            if chosen is None and candidate.failure is None:
                candidate = _run(candidate, sandbox, options)
                chosen = candidate if candidate.solid else None
            judged.append(candidate)
    return Result(None, model, options, chosen, judged, clock.seconds, asked)


def _candidate(draft: Draft, model: LoadedModel) -> Candidate:
    program = parse(draft.text)
    if isinstance(program, Rejected):
        return unread(draft, program, FRAME, model.spec)
    return candidate_of(draft.source, program, FRAME, np.nan, draft.log_probability)


def _run(candidate: Candidate, sandbox: Sandbox, options: Options) -> Candidate:
    outcome = sandbox.run(candidate.text, options.export)
    if isinstance(outcome, Failed):
        return replace(candidate, failure=f"{outcome.kind}: {outcome.reason}")
    return replace(candidate, solid=outcome)
