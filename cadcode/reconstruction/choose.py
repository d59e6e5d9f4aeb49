"""The choice among measured candidates, and the judgement of a result against the accuracy of its input."""

from functools import partial

from cadcode.geometry.metrics import Errors
from cadcode.geometry.sampling import spacing
from cadcode.geometry.shape import Shape
from cadcode.program.tree import Program
from cadcode.reconstruction.candidate import EDITED, REFINED, SECTION, Candidate, Provenance, Verified
from cadcode.reconstruction.clock import Clock
from cadcode.reconstruction.verify import Tried
from cadcode.search.options import SearchOptions
from cadcode.search.ranking import complexity_penalty
from cadcode.search.search import COMPLETED

FLOOR = 1e-4  # of the size: the accuracy of meshes and their faces
DISTANCE_WEIGHT = 2.0  # of the mean distance beside the IoU: 1 % of the size off weighs as much as 2 % of the volume
FACES = 0.05  # of the IoU: the price of reproducing none of the input's analytic faces
FITTING = 0.95  # IoU of a result that no unrefined draft is compared with
SPLIT = 0.01  # of the IoU: the price of a result that has more or fewer bodies than the input

# Drafts: all of the model's, the greedy one among them. Sections: those of the input, unchanged.
STAGES = ("greedy", "drafts", "sections", REFINED, COMPLETED, EDITED)


def choose(tried: list[Tried], shape: Shape) -> Verified | None:
    """The best measured candidate, a sound one if there is any, and of those none with a lower IoU than the greedy
    draft's; None where none was measured.
    """
    verified = measured(tried)
    preferred = [c for c in verified if c.is_sound] or verified
    least = max((c.iou for c in preferred if c.provenance.is_greedy), default=0.0)
    good = [c for c in preferred if c.iou >= least]
    return min(good, key=partial(badness, size=float(shape.extents.max()), bodies=shape.bodies), default=None)


def measured(candidates: list[Candidate]) -> list[Verified]:
    """The candidates that were measured against the input."""
    return [c for c in candidates if isinstance(c, Verified) and c.error is not None]


def badness(candidate: Verified, size: float, bodies: int = 0) -> float:
    """Smaller is better: what is missing of the IoU, where the input has a volume, the mean distance as a share of its
    `size`, which sees the thin things that a volume does not, the share of faces that differ, and a little for every
    feature and for a number of solids that is not the input's number of `bodies` (0: not known).
    """
    error, program = candidate.error, candidate.program
    missing = 1 - error.iou if error.iou is not None else float(error.iou_failed)
    length = complexity_penalty(program) if isinstance(program, Program) else 0.0
    split = SPLIT if bodies and candidate.solid.solids != bodies else 0.0
    faces = FACES * (1 - candidate.faces.f1) if candidate.faces else 0.0
    return missing + DISTANCE_WEIGHT * error.chamfer / size + length + split + faces


def at_floor(error: Errors, shape: Shape) -> bool:
    """Whether an error is no larger than the accuracy of meshes, or than the spacing of a cloud's points."""
    if shape.is_cloud:
        return error.chamfer <= spacing(shape.vertices)
    fits = not error.iou_failed and (error.iou is None or error.iou > 1 - 5 * FLOOR)
    return fits and error.chamfer <= FLOOR * float(shape.extents.max())


def fits(tried: list[Tried], shape: Shape) -> bool:
    """Whether the best result so far is so good that drafts as they were written need not be run."""
    best = choose(tried, shape)
    return best is not None and best.is_sound and best.iou > FITTING


def finished(tried: list[Tried], shape: Shape, options: SearchOptions, clock: Clock) -> bool:
    """Whether another round is not wanted: no budget was given, it is spent, or nothing is left to find."""
    best = choose(tried, shape)
    return options.budget is None or clock.late()() or (best is not None and at_floor(best.error, shape))


def stage_errors(candidates: list[Candidate], size: float) -> dict[str, dict]:
    """Per stage the best candidate that was measured: its source, IoU and mean distance.

    Left out are stages without one, such as an edit that changed nothing.
    """
    order = lambda c: (not c.is_sound, badness(c, size))  # noqa: E731
    best: dict[str, Verified] = {}
    for stage in STAGES:
        of_stage = [c for c in measured(candidates) if stage in _stages_of(c.provenance)]
        best |= {stage: min(of_stage, key=order)} if of_stage else {}
    return {stage: dict(source=c.source, iou=c.error.iou, chamfer=c.error.chamfer) for stage, c in best.items()}


def _stages_of(provenance: Provenance) -> tuple[str, ...]:
    """A program belongs to the last stage that changed it."""
    if provenance.is_box:
        return ()
    if provenance.stages:
        return provenance.stages[-1:]
    if provenance.origin == SECTION:
        return ("sections",)
    return ("greedy", "drafts") if provenance.is_greedy else ("drafts",)


def merged(ranked: list[Candidate], tried: list[Tried]) -> list[Candidate]:
    """The ranked candidates, those that were tried with their outcome, then the others that were tried."""
    outcomes = {c.program: c for c in tried}
    known = [outcomes.pop(c.program, c) for c in ranked]
    return known + list(outcomes.values())
