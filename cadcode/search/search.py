"""The search as a whole: which drafts deserve work, and what becomes of them."""

from collections.abc import Hashable
from dataclasses import dataclass, replace

from cadcode.geometry.frame import Frame
from cadcode.geometry.io.load import Shape
from cadcode.program.tree import Program
from cadcode.search.deadline import Late, never
from cadcode.search.enclosed import enclosed_fit
from cadcode.search.from_sections import SECTIONS, stacks
from cadcode.search.numbers import is_sound
from cadcode.search.ranking import price
from cadcode.search.refine import RefineOptions, Variant, refine
from cadcode.search.restructure import EditOptions, edit, simplest
from cadcode.search.surface_goal import CloudFit, CloudOptions, measure_cloud
from cadcode.search.volume_goal import Fit, FitOptions, Goal, measure_fit

LEAST_GAIN = 5e-3  # of the score, for which work on another variant pays


@dataclass(frozen=True)
class SearchOptions:
    points: int = 2048  # on either surface, for ranking by distance
    execute: int = 4  # of the ranked drafts are run and measured
    refine: bool = True
    sections: bool = True  # programs read off the input's sections are drafts too
    refined: int = 4  # drafts whose numbers are refined
    edited: int = 2  # of those, the best, whose structure is changed too
    budget: float | None = None  # seconds for one part: more drafts until then; None: one round
    seconds: float = 60.0  # that one round may take, by the clock; what was found until then is the result
    fit: FitOptions = FitOptions()
    refining: RefineOptions = RefineOptions()
    editing: EditOptions = EditOptions()
    # Inputs without a volume: a trial costs more, and noise hides small steps.
    cloud: CloudOptions = CloudOptions()
    enclosed: bool = True  # what a cloud's points enclose is searched too, as a mesh would be, where the best program
    left_over: float = 0.01  # leaves more than this share of them off its surface
    enclosed_drafts: int = 2  # that come of it
    enclosed_editing: EditOptions = EditOptions(work=10_000)
    cloud_refined: int = 2
    cloud_edited: int = 1
    cloud_editing: EditOptions = EditOptions(additions=4, feature_cost=0.004, work=10_000)
    cloud_refining: RefineOptions = RefineOptions(steps=(8.0, 4.0, 2.0, 1.0, 0.5, 0.25))


@dataclass(frozen=True, slots=True)
class Source:
    """Origin of a program: a named draft of the caller or of `SECTIONS`, and the stages that changed it since."""

    start: Hashable
    stages: tuple[str, ...] = ()

    @property
    def is_section(self) -> bool:
        """Whether the program is one of the input's sections, unchanged."""
        return self.start in SECTIONS and not self.stages

    def then(self, stage: str) -> "Source":
        """The same origin after one more stage."""
        return replace(self, stages=(*self.stages, stage))

    def __str__(self) -> str:
        return ", ".join((str(self.start), *self.stages))


@dataclass(frozen=True, slots=True)
class Improved:
    """A program found by the search: from which draft, by what, and its score in [0, 1]."""

    origin: Source
    program: Program
    score: float

    @property
    def source(self) -> str:
        return str(self.origin)


def measure_goal(shape: Shape, frame: Frame, has_volume: bool, options: SearchOptions) -> Goal:
    """What to reach for a shape: its volume where it has one, else its surface alone."""
    return measure_fit(shape, frame, options.fit) if has_volume else measure_cloud(shape, frame, options.cloud)


def improve(
    drafts: list[tuple[Hashable, Program]], goal: Goal, options: SearchOptions, late: Late = never
) -> list[Improved]:
    """Refined and edited programs of named drafts and of the input's sections, the best first.

    The drafts themselves are not among them, but the best sections are. When it is `late`, nothing more is tried.
    """
    return _improve([(Source(name), program) for name, program in drafts], goal, options, late)


def _improve(drafts: list[tuple[Source, Program]], goal: Goal, options: SearchOptions, late: Late) -> list[Improved]:
    solid = isinstance(goal, Fit)
    sections = stacks(goal) if solid and options.sections else []
    starts = drafts + [(Source(name), program) for name, program in sections]
    scored = [(Variant(program, goal), name) for name, program in starts if is_sound(program)]
    scored.sort(key=_worth, reverse=True)
    count, refining = (options.refined, options.refining) if solid else (options.cloud_refined, options.cloud_refining)
    editing = options.editing if solid else options.cloud_editing
    refined: list[tuple[Variant, Source]] = []
    for variant, name in scored[:count]:
        if not refined or (not late() and _may_win(variant, refined)):
            better = refine(variant.program(), goal, refining, late=late)
            refined.append((better if solid else simplest(better, editing, late), name.then("refined")))
    refined.sort(key=_worth, reverse=True)
    edited: list[tuple[Variant, Source]] = []
    for variant, name in refined[: options.edited if solid else options.cloud_edited]:
        if not late() and (not edited or _may_win(variant, edited)):
            changed = edit(variant.program(), goal, editing, refining, late)
            edited.append((changed, name.then("edited")))
    read = [pair for pair in scored if pair[1].is_section][:1]  # moved numbers may be too much for the kernel
    found = sorted(refined + edited + read, key=_worth, reverse=True)
    return [Improved(name, variant.program(), variant.score) for variant, name in found]


def improve_cloud(
    shape: Shape,
    frame: Frame,
    drafts: list[tuple[Hashable, Program]],
    cloud: CloudFit,
    options: SearchOptions,
    late: Late = never,
) -> list[Improved]:
    """As `improve`, for a cloud; where its best leaves points over, what they enclose gives more drafts."""
    found = improve(drafts, cloud, options, late)
    if cloud.left_over(found[0].program) > options.left_over:
        found += _improve(within(shape, frame, drafts, cloud, options, late), cloud, options, late)
    return sorted(found, key=lambda one: price(one.program) - one.score)


def within(
    shape: Shape,
    frame: Frame,
    drafts: list[tuple[Hashable, Program]],
    cloud: CloudFit,
    options: SearchOptions,
    late: Late,
) -> list[tuple[Source, Program]]:
    """More drafts for a cloud: the best programs for the volume that its points enclose, if they enclose any."""
    goal = enclosed_fit(shape, frame, cloud, options.fit) if options.enclosed and not late() else None
    if goal is None:
        return []
    rough = replace(options, refined=2, edited=1, refining=options.cloud_refining, editing=options.enclosed_editing)
    best = improve(drafts, goal, rough, late)[: options.enclosed_drafts]
    return [(one.origin, simplest(Variant(one.program, goal), rough.editing, late).program()) for one in best]


def _may_win(variant: Variant, known: list[tuple[Variant, Source]]) -> bool:
    """Whether a variant would be worth more than the known ones if its program fitted without any error."""
    return 1 - price(variant.program()) > max(map(_worth, known)) + LEAST_GAIN


def _worth(named: tuple[Variant, Source]) -> float:
    return named[0].score - price(named[0].program())
