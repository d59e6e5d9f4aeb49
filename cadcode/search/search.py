"""The search as a whole: choose the drafts that deserve work, then refine and restructure them."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace

from cadcode.geometry.frame import Frame
from cadcode.geometry.shape import Shape
from cadcode.program.tree import Program
from cadcode.search.finish import finish
from cadcode.search.from_surfaces import READINGS, readings
from cadcode.search.goal import Goal, Late, never
from cadcode.search.numbers import is_sound
from cadcode.search.options import EffortOptions, SearchOptions
from cadcode.search.ranking import complexity_penalty
from cadcode.search.refine import Variant, refine
from cadcode.search.restructure import restructure, simplest
from cadcode.search.surface_goal import measure_surface_goal
from cadcode.search.volume_goal import measure_volume_goal
from cadcode.surfaces import Segmentation

EXACT = 0.97  # score from which on the numbers of a program that was read off the faces stay as they are
COMPLETED = "completed"  # stage of a program that got the features proposed by the input's faces
LEAST_GAIN = 5e-3  # of the worth, for which work on another variant pays
SIMPLER = 1e-3  # the same for exact programs: about the penalty of three features
EXACT_GAIN = 0.02  # the same beyond a program with exact numbers: a search seldom finds better ones


@dataclass(frozen=True, slots=True)
class Source:
    """Origin of a program: a named draft of the caller or of `READINGS`, and the stages that changed it since."""

    start: Hashable
    stages: tuple[str, ...] = ()

    @property
    def is_reading(self) -> bool:
        """Whether the program was read off the input and is unchanged."""
        return self.start in READINGS and not self.stages

    def then(self, stage: str) -> "Source":
        """The same origin after one more stage."""
        return replace(self, stages=(*self.stages, stage))

    def __str__(self) -> str:
        return ", ".join((str(self.start), *self.stages))


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A program of the search, with the draft and the stages that it comes from."""

    origin: Source
    variant: Variant

    @property
    def source(self) -> str:
        return str(self.origin)

    @property
    def program(self) -> Program:
        return self.variant.program()

    @property
    def score(self) -> float:
        return self.variant.score

    @property
    def worth(self) -> float:
        return self.variant.whole_worth - complexity_penalty(self.program)

    @property
    def upper_bound(self) -> float:
        """The worth if the program fitted without any error."""
        return (
            self.variant.worth
            + self.variant.shortfall
            + self.variant.goal.surface_weight
            - complexity_penalty(self.program)
        )


Drafts = list[tuple[Source, Program]]


def measure_goal(
    shape: Shape, frame: Frame, has_volume: bool, options: SearchOptions, known: Segmentation | None = None
) -> Goal:
    """The goal for a shape: its volume if it has one, else its surface alone.

    `known`: analytic faces of the shape in the program frame, if they were read before.
    """
    if has_volume:
        return measure_volume_goal(shape, frame, options.volume, known=known)
    return measure_surface_goal(shape, frame, options.surface)


def search(
    drafts: list[tuple[Hashable, Program]], goal: Goal, options: SearchOptions, late: Late = never
) -> list[Found]:
    """Refined and restructured programs of named drafts and of the input's sections, the best first.

    The drafts themselves are not among them, but the best program from sections is. If the best program leaves much of
    a cloud unexplained, the volume that the cloud encloses gives more drafts. When it is `late`, nothing more is tried.
    """
    named = [(Source(name), program) for name, program in drafts]
    found = search_once(named, goal, options, late)
    if found and goal.unexplained(found[0].program) > options.unexplained:
        found += search_once(enclosed_drafts(named, goal, options, late), goal, options, late)
    return _ranked(found)


def search_once(drafts: Drafts, goal: Goal, options: SearchOptions, late: Late = never) -> list[Found]:
    """One round: score all drafts, refine the best, restructure the best of those; the best first."""
    effort = goal.effort
    scored = _ranked(Found(source, Variant(program, goal)) for source, program in _starts(drafts, goal, options))
    complete = _completed([draft for draft in scored if _is_exact(draft)][: effort.completed], effort, late)
    exact = any(_is_exact(found) for found in complete)
    others = [draft for draft in scored if not _is_exact(draft)][: effort.rivals if exact else effort.refined]
    refined = _ranked([*complete, *_refined(others, complete, effort, late)])
    changing = [] if exact else refined[: effort.restructured]
    restructured = _restructured(changing, effort, late)
    unrefined = [draft for draft in scored if draft.origin.is_reading][:1]  # the CAD kernel may fail with new numbers
    return _ranked([*refined, *restructured, *unrefined])


def enclosed_drafts(drafts: Drafts, goal: Goal, options: SearchOptions, late: Late = never) -> Drafts:
    """More drafts for a cloud: the best programs for the volume that its points enclose, if they enclose any."""
    volume = None if options.enclosed is None or late() else goal.enclosed_goal(options.enclosed)
    if volume is None:
        return []
    best = search_once(drafts, volume, options, late)[: options.enclosed_drafts]
    restructuring = volume.effort.restructuring
    return [(b.origin, simplest(Variant(b.program, volume), restructuring, late).program()) for b in best]


def _starts(drafts: Drafts, goal: Goal, options: SearchOptions) -> Drafts:
    """The sound ones of the drafts and of the programs read off the input."""
    more = readings(goal.sections) if options.sections and goal.sections is not None else []
    starts = [*drafts, *((Source(name), program) for name, program in more)]
    return [(source, program) for source, program in starts if is_sound(program)]


def _ranked(candidates: Iterable[Found]) -> list[Found]:
    """The candidates by their worth, the best first."""
    return sorted(candidates, key=lambda candidate: candidate.worth, reverse=True)


def _completed(drafts: list[Found], effort: EffortOptions, late: Late) -> list[Found]:
    """Programs that were read off the input, with the features that its faces propose."""
    complete: list[Found] = []
    for draft in drafts:
        if not complete or (not late() and _may_win(draft, complete, SIMPLER)):
            variant = finish(draft.variant, effort.restructuring, late)
            complete.append(Found(draft.origin.then(COMPLETED), variant))
    return complete


def _refined(drafts: list[Found], known: list[Found], effort: EffortOptions, late: Late) -> list[Found]:
    """Refined drafts: the first always where nothing is known, each other one while there is time and it may win."""
    refined: list[Found] = []
    for draft in drafts:
        best, gain = [*known, *refined], EXACT_GAIN if known else LEAST_GAIN
        if not best or (not late() and _may_win(draft, best, gain)):
            variant = refine(draft.program, draft.variant.goal, effort.refining, late=late)
            variant = simplest(variant, effort.restructuring, late) if effort.simplified else variant
            refined.append(Found(draft.origin.then("refined"), variant))
    return refined


def _restructured(drafts: list[Found], effort: EffortOptions, late: Late) -> list[Found]:
    """Restructured drafts, each while there is time and it may win."""
    changed: list[Found] = []
    for draft in drafts:
        if not late() and (not changed or _may_win(draft, changed, LEAST_GAIN)):
            variant = restructure(draft.program, draft.variant.goal, effort.restructuring, effort.refining, late)
            changed.append(Found(draft.origin.then("edited"), variant))
    return changed


def _is_exact(draft: Found) -> bool:
    """Whether a program has its numbers from the faces of the input: a search would fit them to facets instead."""
    mesh, stages = draft.variant.goal.sections, set(draft.origin.stages)
    read = draft.origin.start in READINGS and stages <= {COMPLETED} and mesh is not None
    return read and mesh.segmentation is not None and (draft.score > EXACT or not stages)


def _may_win(draft: Found, known: list[Found], gain: float) -> bool:
    """Whether a draft without any error would be worth more than all the known ones by a gain."""
    return draft.upper_bound > max(other.worth for other in known) + gain
