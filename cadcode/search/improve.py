"""The search as a whole: which drafts deserve work, and what becomes of them."""

from dataclasses import dataclass

from cadcode.program.syntax import Program
from cadcode.search.edit import EditOptions, edit
from cadcode.search.fit import Fit, FitOptions
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


@dataclass(frozen=True, slots=True)
class Improved:
    """A program found by the search: from which draft, by what, and its score in [0, 1]."""

    source: str
    program: Program
    score: float


def improve(drafts: list[tuple[str, Program]], fit: Fit, options: SearchOptions) -> list[Improved]:
    """Refined and edited programs of named drafts, best score first; the drafts themselves are not among them."""
    scored = [(Variant(program, fit), name) for name, program in drafts if is_sound(program)]
    scored.sort(key=lambda pair: -pair[0].score)
    refined = [(refine(variant.program(), fit, options.refining), name) for variant, name in scored[: options.refined]]
    refined.sort(key=lambda pair: -pair[0].score)
    found = [Improved(f"{name}, refined", v.program(), v.score) for v, name in refined]
    for variant, name in refined[: options.edited]:
        edited = edit(variant.program(), fit, options.editing, options.refining)
        found.append(Improved(f"{name}, refined, edited", edited.program(), edited.score))
    return sorted(found, key=lambda i: -i.score)
