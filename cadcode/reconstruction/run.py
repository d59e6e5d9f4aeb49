"""One part from shape to program: the list of steps that `cadcode generate` goes through."""

import math
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import count, zip_longest

import numpy as np
import torch

from cadcode import __version__
from cadcode.geometry.frame import Frame
from cadcode.geometry.io.load import Shape
from cadcode.geometry.metrics import Errors, MetricOptions, Target, compare, measure_target
from cadcode.geometry.pose import Pose, pose_of
from cadcode.geometry.sampling import SamplingOptions, sample_surface, spacing
from cadcode.model.checkpoints.spec import IMAGES, LoadedModel, ModelSpec
from cadcode.model.generate import DecodeOptions, Draft
from cadcode.program.parse import parse
from cadcode.program.text.readable import readable
from cadcode.program.transform import moved
from cadcode.program.tree import Extrude, Face, Program, Rect, Rejected, Step
from cadcode.reconstruction.propose import model_inputs, upright, view_count, write
from cadcode.sandbox.allowlist import check
from cadcode.sandbox.outcome import Failed, Outcome, Solid
from cadcode.sandbox.sandbox import Sandbox
from cadcode.search.from_sections import SECTIONS
from cadcode.search.goal import Late, never
from cadcode.search.options import SearchOptions
from cadcode.search.ranking import SearchTarget, complexity_penalty, distance_to_input
from cadcode.search.round_numbers import round_in_world
from cadcode.search.search import measure_goal, search
from cadcode.units import PROGRAM_UNITS

FLOOR = 1e-4  # of the size: about what meshes and their faces know
DISTANCE_WEIGHT = 2.0  # of the mean distance beside the IoU: 1 % of the size off weighs as much as 2 % of the volume
TOLERANCE = 1e-6  # of the size: faces so close are one to the kernel, where it fails without
SPLIT = 0.01  # of the IoU: the price of a result that has more or fewer bodies than the input
SEARCHING, RUNNING = 0.6, 0.8  # of a part's seconds: no further trial of the search, no further candidate is run
BOX = "bounding box"
SHORT = 0.02  # of the IoU: what the kernel may make less of a program; the search knows it to about half of that
NEXT_ROUND = 1_000_003  # between the seeds of two rounds


@dataclass(frozen=True)
class Options:
    sampling: SamplingOptions = SamplingOptions()
    decoding: DecodeOptions = DecodeOptions(mode="sample", candidates=32)
    views: int = 8  # from which the model reads the part, where there are candidates enough
    search: SearchOptions = SearchOptions()
    metrics: MetricOptions = MetricOptions()
    export: tuple[str, ...] = ("step",)

    def seeded(self, seed: int) -> "Options":
        return replace(self, sampling=replace(self.sampling, seed=seed), decoding=replace(self.decoding, seed=seed))


@dataclass(frozen=True, eq=False)
class Candidate:
    """A program on its way: ranked by `distance` (program units), then perhaps run and measured.

    `text` is readable CadQuery in world units; None where the draft is no program of the dialect. `distance` is
    infinite for a program without a solid and NaN where the search made the program and did not rank it. `expected` is
    the IoU that the search saw: the kernel may fail at combining bodies, and then does better with the text `tolerant`.
    """

    source: str
    program: Program | None  # program frame
    text: str | None
    distance: float = float("inf")
    log_probability: float | None = None
    solid: Solid | None = None
    error: Errors | None = None
    failure: str | None = None
    expected: float | None = None
    tolerant: str | None = None

    @property
    def is_sound(self) -> bool:
        """Whether it was measured and its solid is valid, with an IoU where the input has a volume."""
        return self.error is not None and not self.error.iou_failed and (self.solid is None or self.solid.valid)

    def as_dict(self) -> dict:
        known = np.isfinite(self.distance)
        return dict(
            source=self.source,
            distance=self.distance if known else None,
            failure=self.failure,
            log_probability=self.log_probability,
            error=self.error and self.error.as_dict(),
            solid=self.solid and solid_facts(self.solid),
        )


@dataclass(frozen=True, eq=False)
class Result:
    """What became of one part; `chosen` is None when no program made a solid.

    `shape` is None for a part that was asked for by text or pictures: `asked` says by which, and nothing is measured.
    """

    shape: Shape | None
    model: LoadedModel
    options: Options
    chosen: Candidate | None
    candidates: list[Candidate]
    seconds: dict[str, float] = field(default_factory=dict)
    asked: dict | None = None
    out_of_time: bool = False
    pose: Pose | None = None  # in which the program was written, where the part stands askew

    @property
    def is_valid(self) -> bool:
        """Whether the result is a valid, measured solid, and no bounding box of something that is no box."""
        if self.chosen is None or self.shape is None:
            return self.chosen is not None and self.chosen.solid.valid
        return self.chosen.is_sound and (self.chosen.source != BOX or at_floor(self.chosen.error, self.shape))

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the user has to know of the result, in plain sentences."""
        return tuple(remarks(self))

    def as_dict(self) -> dict:
        """Plain values: what `<part>.json` holds. Lengths are in the units of the input's file."""
        spec = self.model.spec
        return dict(
            input=self.asked if self.shape is None else _input(self.shape),
            model=dict(name=spec.name, revision=self.model.revision, licence=spec.licence, reads=self.model.reads),
            options=asdict(self.options),
            chosen=self.chosen.source if self.chosen else None,
            valid=self.is_valid,
            solid=solid_facts(self.chosen.solid) if self.chosen else None,
            remarks=list(self.remarks),
            pose=None if self.pose is None else pose_facts(self.pose),
            error=self.chosen.error.as_dict() if self.chosen and self.chosen.error else None,
            stages={} if self.shape is None else stage_errors(self.candidates, float(self.shape.extents.max())),
            candidates=[c.as_dict() for c in self.candidates],
            seconds={k: round(v, 4) for k, v in self.seconds.items()},
            versions=dict(cadcode=__version__, torch=str(torch.__version__), numpy=np.__version__),
        )


def _input(s: Shape) -> dict:
    return dict(
        path=s.path,
        sha256=s.sha256,
        format=s.format,
        unit=s.unit,
        notes=list(s.notes),
        warnings=list(s.warnings),
        extents=s.extents.tolist(),
        watertight=s.watertight,
        bodies=s.bodies,
        is_cloud=s.is_cloud,
    )


def solid_facts(solid: Solid) -> dict:
    """Plain values: whether the kernel calls it valid, how many solids it has, its volume in cubed units."""
    return dict(valid=solid.valid, solids=solid.solids, volume=solid.volume)


def pose_facts(pose: Pose) -> dict:
    """Plain values, as of a plane of CadQuery."""
    x, _, normal = pose.rotation.tolist()
    return dict(origin=pose.origin.tolist(), x_direction=x, normal=normal)


def remarks(result: Result) -> Iterator[str]:
    """Plain sentences on a result that is not as the user expects it."""
    shape, chosen = result.shape, result.chosen
    if chosen is None:
        return
    if not result.is_valid and chosen.source == BOX:
        yield "no candidate makes a valid solid: this is the bounding box of the input"
    elif not result.is_valid:
        why = chosen.error.iou_reason if chosen.error and chosen.error.iou_failed else "the kernel finds faults in it"
        yield f"no candidate makes a valid solid: this one is invalid ({why})"
    if shape is not None and shape.bodies and chosen.solid.solids != shape.bodies:
        yield f"the input has {bodies(shape.bodies)}, the result {bodies(chosen.solid.solids)}"
    if result.out_of_time:
        yield f"the time limit of {result.options.search.seconds:g} s was reached: this is what was found until then"


def bodies(count: int) -> str:
    return "1 body" if count == 1 else f"{count} bodies"


def reconstruct(given: Shape, model: LoadedModel, sandbox: Sandbox, options: Options = Options()) -> Result:
    """Write CadQuery programs for one shape, run them, keep the one that fits best; `given` stays as it is.

    A part that stands askew is written in a frame of its own, and placed by the last line of the program.
    """
    clock = Clock()
    with clock("measure input"):
        target, pose = measure_target(given, options.metrics), pose_of(given)
    shape = given if pose is None else pose.to_own(given)
    frame = Frame.around(shape.bounds)  # world, or the part's own frame -> cube [-1, 1]^3
    ranked, judged = [], []
    for one in rounds(options):
        with clock("draw" if model.reads == IMAGES else "sample"):
            views = view_count(one.decoding, one.views)
            seen = model_inputs(shape, frame, model, one.sampling, views)  # points: (views, 256, 3) float32
        with clock("decode"):
            drafts = write(model, seen, one.decoding)
        with clock("rank"):
            fresh = rank(drafts, search_target(shape, frame, one), frame, one, model.spec, pose)
        with clock("run"):
            judged += judge_best(fresh, judged, target, sandbox, one)
            greedy = left_out_greedy(fresh, judged)
            judged += [run_and_judge(c, target, sandbox, one) for c in greedy]
        if one.search.refine:
            with clock("refine"):
                better = improved(fresh, shape, frame, one, target.has_volume, late(clock, one, SEARCHING), pose)
            with clock("run"):
                judged += judge_best(better, judged, target, sandbox, one, late(clock, one, RUNNING))
        ranked += fresh
        if finished(judged, shape, options, clock):
            break
    if not any(c.is_sound for c in judged):
        judged += judge_best([bounding_box(shape, frame, pose)], judged, target, sandbox, options)
    out_of_time = options.search.refine and late(clock, options, SEARCHING)()
    return Result(
        given,
        model,
        options,
        choose(judged, shape),
        merged(ranked, judged),
        clock.seconds,
        out_of_time=out_of_time,
        pose=pose,
    )


def late(clock: "Clock", options: Options, share: float) -> Late:
    """Whether a share of a part's seconds is over; a budget stands in their place where it is given."""
    seconds = options.search.seconds if options.search.budget is None else options.search.budget
    return lambda: clock.passed() >= share * seconds


def rounds(options: Options) -> Iterator[Options]:
    """The options of one round after the other: the first as they are, the next with other seeds."""
    yield options
    for number in count(1):
        yield options.seeded(options.decoding.seed + NEXT_ROUND * number)


def finished(judged: list[Candidate], shape: Shape, options: Options, clock: "Clock") -> bool:
    """Whether another round is not wanted: no budget was given, it is spent, or nothing is left to find."""
    budget, best = options.search.budget, choose(judged, shape)
    return budget is None or late(clock, options, 1.0)() or (best is not None and at_floor(best.error, shape))


def at_floor(error: Errors, shape: Shape) -> bool:
    """Whether an error is no larger than the accuracy of meshes, or than the spacing of a cloud's points."""
    if shape.is_cloud:
        return error.chamfer <= spacing(shape.vertices)
    fits = not error.iou_failed and (error.iou is None or error.iou > 1 - 5 * FLOOR)
    return fits and error.chamfer <= FLOOR * float(shape.extents.max())


def choose(judged: list[Candidate], shape: Shape) -> Candidate | None:
    """The best measured candidate, a sound one if there is any, and of those none with a lower IoU than the greedy
    draft's; None where none was measured.
    """
    measured = [c for c in judged if c.error]
    preferred = [c for c in measured if c.is_sound] or measured
    least = max((c.error.iou or 0.0 for c in preferred if c.source == "greedy"), default=0.0)
    good = [c for c in preferred if (c.error.iou or 0.0) >= least]
    return min(good, key=partial(badness, size=float(shape.extents.max()), bodies=shape.bodies), default=None)


def left_out_greedy(ranked: list[Candidate], judged: list[Candidate]) -> list[Candidate]:
    """The greedy draft where it was not measured: a result is always held against it."""
    known = {c.text for c in judged}
    return [c for c in ranked if c.source == "greedy" and c.failure is None and c.text not in known]


def improved(
    ranked: list[Candidate],
    shape: Shape,
    frame: Frame,
    options: Options,
    has_volume=True,
    late: Late = never,
    pose: Pose | None = None,
) -> list[Candidate]:
    """What the search makes of the drafts and of the bounding box, best score first, in round numbers, none twice."""
    drafts = [(c.source, c.program) for c in ranked if c.program is not None and c.failure is None]
    drafts.append((BOX, box_program(shape, frame)))
    goal = measure_goal(shape, frame, has_volume, options.search)
    found = search(drafts, goal, options.search, late=late)
    candidates: dict[str, Candidate] = {}
    for one in found:
        candidate = candidate_of(one.source, round_in_world(one.program, frame, goal), frame, math.nan, pose=pose)
        expected = goal.expected_iou(candidate.program)
        if expected is not None:
            tolerant = text_of(candidate.program, frame, TOLERANCE * float(shape.extents.max()), pose)
            candidate = replace(candidate, expected=expected, tolerant=tolerant)
        candidates.setdefault(candidate.text, candidate)
    return list(candidates.values())


def search_target(shape: Shape, frame: Frame, options: Options) -> SearchTarget:
    rng = np.random.default_rng([options.sampling.seed, 1])
    points, _ = sample_surface(shape, options.search.points, rng)
    return SearchTarget.of(frame.to_program(points))


def rank(
    drafts: list[Draft], target: SearchTarget, frame: Frame, options: Options, spec: ModelSpec, pose: Pose | None = None
) -> list[Candidate]:
    """Candidates by their distance to the input, nearest first; of equal programs the first draft stays.

    Of a model that writes free text, what is not in the dialect but may run comes last.
    """
    seen, candidates, to_program = set(), [], PROGRAM_UNITS / spec.program_units
    for draft in drafts:
        program = parse(draft.text)
        if isinstance(program, Rejected):
            candidate = unread(draft, program, frame, spec, pose)
            candidates += [candidate] * (candidate.text is None or candidate.text not in seen)
            seen.add(candidate.text)
            continue
        program = moved(program, to_program, (0, 0, 0)) if to_program != 1 else program
        program = upright(program, draft.view)
        if program not in seen:
            seen.add(program)
            distance = distance_to_input(program, target, options.sampling.seed)
            candidates.append(candidate_of(draft.source, program, frame, distance, draft.log_probability, pose))
    return sorted(candidates, key=lambda c: c.distance)


def unread(draft: Draft, rejected: Rejected, frame: Frame, spec: ModelSpec, pose: Pose | None = None) -> Candidate:
    """A draft that is no program of the dialect: with a text that can be run, or with the reason."""
    if not spec.free_text or check(draft.text) is not None:
        return Candidate(draft.source, None, None, failure=f"not in the dialect: {rejected.reason}")
    scale, translation = frame.program_to_world_transform()
    text = in_pose(placed(draft.text, scale * PROGRAM_UNITS / spec.program_units, translation), pose)
    return Candidate(draft.source, None, text, log_probability=draft.log_probability)


def placed(text: str, scale: float, translation) -> str:
    """A program as it is, and a line that scales and shifts its result."""
    name = "result" if re.search(r"^result\s*=", text, re.M) else "r"
    shift = ", ".join(repr(float(value)) for value in translation)
    place = f"result = {name}.val().scale({scale!r}).translate(({shift}))"
    return f"{text.rstrip()}\n\n# to the size and the place of the input\n{place}\n"


def candidate_of(source, program, frame, distance, log_probability=None, pose: Pose | None = None) -> Candidate:
    failure = "the program leaves no solid" if distance == math.inf else None
    return Candidate(source, program, text_of(program, frame, pose=pose), distance, log_probability, failure=failure)


def text_of(program: Program, frame: Frame, tolerance: float | None = None, pose: Pose | None = None) -> str:
    """A program (program frame) as readable CadQuery in world units, where the input lies."""
    scale, translation = frame.program_to_world_transform()
    return in_pose(readable(moved(program, scale, translation), tolerance=tolerance), pose)


def in_pose(text: str, pose: Pose | None) -> str:
    """A program whose `result` lies in a frame of its own, and a plane that places it where the input lies."""
    if pose is None:
        return text
    facts = {name: f"({', '.join(f'{value:.12g}' for value in values)})" for name, values in pose_facts(pose).items()}
    plane = f"cq.Plane(origin={facts['origin']}, xDir={facts['x_direction']}, normal={facts['normal']})"
    place = f"place = {plane}\nresult = cq.Workplane(result.val().moved(cq.Location(place)))\n"
    return f"{text.rstrip()}\n\n# the input stands askew: placed as it lies\n{place}"


def box_program(shape: Shape, frame: Frame) -> Program:
    """The box of the input as a program, program frame."""
    (x0, y0, z0), (x1, y1, z1) = frame.to_program(shape.bounds)
    thin = 1e-3  # of a program unit: a flat input still gets a solid
    rect = Rect(((x0 + x1) / 2, (y0 + y1) / 2), max(x1 - x0, thin), max(y1 - y0, thin))
    return Program((Step("union", Extrude("XY", z0, max(z1 - z0, thin), (Face(rect),))),))


def bounding_box(shape: Shape, frame: Frame, pose: Pose | None = None) -> Candidate:
    """The last resort, so that there always is a file to start from."""
    return candidate_of(BOX, box_program(shape, frame), frame, math.nan, pose=pose)


def judge_best(
    candidates: list[Candidate],
    known: list[Candidate],
    target: Target,
    sandbox: Sandbox,
    options: Options,
    late: Late = never,
) -> list[Candidate]:
    """Run and measure candidates in their order, none of the `known` again, until `execute` sound ones are measured.

    While one is measured the next runs, if it will be needed whatever comes of the first. When it is `late`, no further
    candidate is run.
    """
    texts = {c.text for c in known}
    left = [c for c in candidates if c.failure is None and c.text not in texts]
    judged, measured, following = [], 0, None
    with ThreadPoolExecutor(1) as ahead:
        begun = lambda candidate: ahead.submit(sandbox.run, candidate.text, options.export)  # noqa: E731
        for candidate, after in zip_longest(left, left[1:]):
            if measured == options.search.execute or late():
                break
            outcome = (following or begun(candidate)).result()
            needed = after is not None and measured + 1 < options.search.execute
            following = begun(after) if needed else None
            judged.append(judge(candidate, outcome, target, options))
            if falls_short(judged[-1]):
                second = run_and_judge(replace(candidate, text=candidate.tolerant), target, sandbox, options)
                judged[-1] = max(judged[-1], second, key=lambda c: (c.is_sound, (c.error and c.error.iou) or 0.0))
            measured += judged[-1].is_sound
    return judged


def run_and_judge(candidate: Candidate, target: Target, sandbox: Sandbox, options: Options) -> Candidate:
    """What becomes of one candidate by itself."""
    return judge(candidate, sandbox.run(candidate.text, options.export), target, options)


def judge(candidate: Candidate, outcome: Outcome, target: Target, options: Options) -> Candidate:
    """The candidate with its solid and error, or with the reason why it has none."""
    if isinstance(outcome, Failed):
        return replace(candidate, failure=f"{outcome.kind}: {outcome.reason}")
    error = compare(outcome.vertices, outcome.faces, target, options.metrics)
    if error.reason:
        return replace(candidate, failure=error.reason)
    return replace(candidate, solid=outcome, error=error)


def falls_short(candidate: Candidate) -> bool:
    """Whether the kernel made much less of a program than the search saw in it, or nothing sound."""
    if candidate.expected is None or candidate.error is None:
        return False
    return not candidate.is_sound or (candidate.error.iou or 0.0) < candidate.expected - SHORT


def badness(candidate: Candidate, size: float, bodies: int = 0) -> float:
    """Smaller is better: what is missing of the IoU, where the input has a volume, the mean distance as a share of its
    `size`, which sees the thin things that a volume does not, and a little for every feature and for a number of solids
    that is not the input's number of `bodies` (0: not known).
    """
    error, solid = candidate.error, candidate.solid
    missing = 1 - error.iou if error.iou is not None else float(error.iou_failed)
    length = 0.0 if candidate.program is None else complexity_penalty(candidate.program)
    split = SPLIT if bodies and solid is not None and solid.solids != bodies else 0.0
    return missing + DISTANCE_WEIGHT * error.chamfer / size + length + split


# Drafts: all that the model wrote, the greedy one among them. Sections: read off the input, as they are.
STAGES = ("greedy", "drafts", "sections", "refined", "edited")


def stage_errors(candidates: list[Candidate], size: float) -> dict[str, dict]:
    """Per stage the best candidate that was measured: its source, IoU and mean distance.

    Left out are stages without one, such as an edit that changed nothing.
    """
    measured = [c for c in candidates if c.error and c.source != BOX]
    order = lambda c: (not c.is_sound, badness(c, size))  # noqa: E731
    best = {
        stage: min((c for c in measured if stage in _stages_of(c.source)), key=order, default=None) for stage in STAGES
    }
    return {stage: dict(source=c.source, iou=c.error.iou, chamfer=c.error.chamfer) for stage, c in best.items() if c}


def _stages_of(source: str) -> tuple[str, ...]:
    """'sample 7, refined, edited' belongs to the last thing that was done to it."""
    last = source.split(", ")[-1]
    if last in ("refined", "edited"):
        return (last,)
    if last in SECTIONS:
        return ("sections",)
    return ("greedy", "drafts") if source == "greedy" else ("drafts",)


def merged(ranked: list[Candidate], judged: list[Candidate]) -> list[Candidate]:
    """The ranked candidates, those that were judged with what came of them."""
    by_text = {c.text: c for c in judged}
    known = [by_text.pop(c.text, c) for c in ranked]
    return known + list(by_text.values())


class Clock:
    """Seconds per stage, and since the start."""

    def __init__(self):
        self.seconds: dict[str, float] = {}
        self._started = time.perf_counter()

    def passed(self) -> float:
        return time.perf_counter() - self._started

    @contextmanager
    def __call__(self, stage: str):
        started = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started
