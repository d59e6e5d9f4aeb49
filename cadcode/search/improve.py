"""The search as a whole: which drafts deserve work, and what becomes of them."""

from dataclasses import dataclass

from cadcode.geometry.frame import Frame
from cadcode.geometry.io import Shape
from cadcode.program.syntax import Program
from cadcode.search.cloud import CloudOptions, measure_cloud
from cadcode.search.edit import EditOptions, edit
from cadcode.search.fit import Fit, FitOptions, Goal, measure_fit
from cadcode.search.parameters import is_sound
from cadcode.search.refine import RefineOptions, Variant, refine


@dataclass(frozen=True)
class SearchOptions:
    points: int = 2048  # on either surface, for ranking by distance
    execute: int = 4  # of the ranked drafts are run and measured
    refine: bool = True
    refined: int = 4  # drafts whose numbers are refined
    edited: int = 2  # of those, the best, whose structure is changed too
    fit: FitOptions = FitOptions()
    refining: RefineOptions = RefineOptions()
    editing: EditOptions = EditOptions()
    # Inputs without a volume: a trial costs more, and noise hides small steps. Their structure is left as it is.
    cloud: CloudOptions = CloudOptions()
    cloud_refined: int = 2
    cloud_refining: RefineOptions = RefineOptions(steps=(8.0, 4.0, 2.0, 1.0, 0.5, 0.25))


@dataclass(frozen=True, slots=True)
class Improved:
    """A program found by the search: from which draft, by what, and its score in [0, 1]."""

    source: str
    program: Program
    score: float


def measure_goal(shape: Shape, frame: Frame, has_volume: bool, options: SearchOptions) -> Goal:
    """What to reach for a shape: its volume where it has one, else its surface alone."""
    return measure_fit(shape, frame, options.fit) if has_volume else measure_cloud(shape, frame, options.cloud)


def improve(drafts: list[tuple[str, Program]], goal: Goal, options: SearchOptions) -> list[Improved]:
    """Refined and edited programs of named drafts, best score first; the drafts themselves are not among them."""
    scored = [(Variant(program, goal), name) for name, program in drafts if is_sound(program)]
    scored.sort(key=lambda pair: -pair[0].score)
    solid = isinstance(goal, Fit)
    count, refining = (options.refined, options.refining) if solid else (options.cloud_refined, options.cloud_refining)
    refined = [(refine(variant.program(), goal, refining), name) for variant, name in scored[:count]]
    refined.sort(key=lambda pair: -pair[0].score)
    found = [Improved(f"{name}, refined", v.program(), v.score) for v, name in refined]
    for variant, name in refined[: options.edited] if solid else []:
        edited = edit(variant.program(), goal, options.editing, options.refining)
        found.append(Improved(f"{name}, refined, edited", edited.program(), edited.score))
    return sorted(found, key=lambda i: -i.score)
