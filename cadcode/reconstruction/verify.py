"""Candidates run in the sandbox and measured against the input."""

from collections.abc import Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import zip_longest

from cadcode.geometry.metrics import compare
from cadcode.reconstruction.candidate import Candidate, Failure, Proposed, Verified
from cadcode.reconstruction.faces import check_faces
from cadcode.reconstruction.input import Input
from cadcode.reconstruction.options import Options
from cadcode.sandbox.outcome import Failed, Outcome
from cadcode.sandbox.sandbox import Sandbox
from cadcode.search.goal import Late, never

TOLERANCE = 1e-6  # of the size: fused boolean tolerance of a retry
ALL = 0.99  # IoU, and F1 of the faces, of a result that has everything
SHORT = 0.02  # retry if the measured IoU is this much below the search's estimate (accurate to about 0.01)

Tried = Verified | Failure


def verify_best(
    candidates: list[Candidate],
    known: list[Tried],
    part: Input,
    sandbox: Sandbox,
    options: Options,
    late: Late = never,
) -> list[Tried]:
    """Run and measure candidates in their order, none of the `known` again, until `execute` sound ones are measured.

    While one is measured the next runs, if it will be needed whatever comes of the first. When one has everything, or
    it is `late`, no further candidate is run; one is in any case.
    """
    left = untried(candidates, known)
    tried, measured, following = [], 0, None
    with ThreadPoolExecutor(1) as ahead:
        for candidate, after in zip_longest(left, left[1:]):
            if measured == options.search.execute or (measured and late()):
                break
            text, running = following or _begin(candidate, part, sandbox, options, ahead)
            outcome = running.result()
            needed = after is not None and measured + 1 < options.search.execute and not promises_all(candidate)
            following = _begin(after, part, sandbox, options, ahead) if needed else None
            first = judge(candidate, text, outcome, part, options)
            tried.append(retried(first, candidate, part, sandbox, options) if falls_short(first, candidate) else first)
            measured += is_sound(tried[-1])
            if has_all(tried[-1]):
                break
    return tried


def promises_all(candidate: Proposed) -> bool:
    """Whether the search measured next to no difference between a program and the input."""
    return candidate.expected is not None and candidate.expected > ALL


def has_all(tried: Tried) -> bool:
    """Whether a result has next to no difference from the input: the less good ones need not be run."""
    return is_sound(tried) and tried.iou > ALL and tried.faces is not None and tried.faces.f1 > ALL


def _begin(candidate: Proposed, part: Input, sandbox: Sandbox, options: Options, pool: Executor) -> tuple[str, Future]:
    """The text of a candidate, and its run."""
    text = part.placement.text(candidate.program)
    return text, pool.submit(sandbox.run, text, options.export)


def verify_greedy(
    candidates: list[Candidate], known: list[Tried], part: Input, sandbox: Sandbox, options: Options
) -> list[Tried]:
    """The greedy draft where it was not run yet: a result is always compared with it."""
    greedy = [candidate for candidate in untried(candidates, known) if candidate.provenance.is_greedy]
    return [run_and_judge(c, part.placement.text(c.program), part, sandbox, options) for c in greedy]


def untried(candidates: Iterable[Candidate], known: Iterable[Candidate]) -> list[Proposed]:
    """The candidates that can be run, without those whose programs are known."""
    programs = {candidate.program for candidate in known}
    return [c for c in candidates if isinstance(c, Proposed) and c.program not in programs]


def run_and_judge(candidate: Proposed, text: str, part: Input, sandbox: Sandbox, options: Options) -> Tried:
    """Run one text of a candidate, measure its solid."""
    return judge(candidate, text, sandbox.run(text, options.export), part, options)


def judge(candidate: Proposed, text: str, outcome: Outcome, part: Input, options: Options) -> Tried:
    """The candidate with its solid and error, or with the reason why it has none."""
    if isinstance(outcome, Failed):
        return Failure(candidate, f"{outcome.kind}: {outcome.reason}")
    error = compare(outcome.vertices, outcome.faces, part.target, options.metrics)
    if error.reason:
        return Failure(candidate, error.reason)
    faces = check_faces(part.reading, outcome.vertices, outcome.faces)
    return Verified(candidate, text, outcome, error, faces)


def falls_short(tried: Tried, candidate: Proposed) -> bool:
    """Whether the kernel made much less of a program than the search measured, or nothing sound."""
    if candidate.expected is None:
        return False
    return not is_sound(tried) or tried.iou < candidate.expected - SHORT


def retried(first: Tried, candidate: Proposed, part: Input, sandbox: Sandbox, options: Options) -> Tried:
    """The better of a result and of the same program with a fuzzy boolean."""
    text = part.placement.text(candidate.program, TOLERANCE * part.size)
    second = run_and_judge(candidate, text, part, sandbox, options)
    if isinstance(first, Failure) or isinstance(second, Failure):
        return second if isinstance(first, Failure) else first
    return max(first, second, key=lambda c: (c.is_sound, c.iou))


def is_sound(candidate: Candidate) -> bool:
    """Whether a candidate made a valid solid that was measured."""
    return isinstance(candidate, Verified) and candidate.is_sound
