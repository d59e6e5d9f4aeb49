"""Exact features added to a program: those that the input's faces propose, each kept only if it pays.

Their numbers come from the faces, so they are not refined.
"""

from collections.abc import Iterable

from cadcode.program.features.hole import Hole
from cadcode.program.tree import Feature, Step
from cadcode.search.coaxial import coaxial_features
from cadcode.search.goal import Late, until
from cadcode.search.options import RestructureOptions
from cadcode.search.ranking import complexity_penalty
from cadcode.search.refine import Variant
from cadcode.search.restructure import simplest
from cadcode.search.rim_features import rimmed_programs
from cadcode.search.section_features import Memory, section_steps
from cadcode.search.taper_features import tapered_programs
from cadcode.search.views import View, views_of

MOST_SECTIONS = 24
COMPARED = 6  # variants whose own surface is looked at
CHANGES = 2  # of a prism: a rim at either end
ENOUGH = 1e-3  # shortfall of the worth that no further feature is worth
LEAST_GAIN = 1e-4  # of the worth, beyond the penalty of the feature


def finish(variant: Variant, options: RestructureOptions, late: Late) -> Variant:
    """A variant with the features that the input's faces propose, as far as they pay."""
    mesh = variant.goal.sections
    if mesh is None or mesh.segmentation is None:
        return variant
    views = views_of(mesh, variant.goal.planes)
    turned = [turned_steps(view, *found) for view in views for found in coaxial_features(view.mesh, view.axes)]
    variant = with_steps(with_changed_prisms(variant, late), turned, late)
    return simplest(with_sections(variant, views, options, late), options, late)


def with_sections(variant: Variant, views: list[View], options: RestructureOptions, late: Late) -> Variant:
    """A variant with prisms where it disagrees with the input, the best one first."""
    known: list[Memory] = [{} for _ in views]
    work = 0  # edges measured
    for _ in until(late, range(MOST_SECTIONS)):
        if variant.shortfall < ENOUGH or work > options.work:
            break
        tried = [variant.extended(step) for step in until(late, section_steps(variant, views, options.residual, known))]
        work += sum(one.program().steps[-1].body.edge_count for one in tried)
        best = _best(tried, variant)
        if best is None:
            break
        variant = best
    return variant


def with_changed_prisms(variant: Variant, late: Late) -> Variant:
    """A variant with its prisms tapered, and their rims filleted or chamfered, where that pays."""
    for index in until(late, range(len(variant.program().steps))):
        for _ in range(CHANGES):
            programs = [*rimmed_programs(variant, index), *tapered_programs(variant, index)]
            tried = [variant.changed(program) for program in programs]
            best = max(tried, key=_value, default=variant)
            if _value(best) <= _value(variant) + LEAST_GAIN:
                break
            variant = best
    return variant


def turned_steps(view: View, feature: Feature, hole: Hole | None) -> list[Step]:
    """A turned feature of a view as steps: taken away, as a drilled hole where it is one, or added."""
    drilled = hole is not None and view.place is None
    return [Step("cut", hole if drilled else view.placed(feature)), Step("union", view.placed(feature))]


def with_steps(variant: Variant, choices: Iterable[list[Step]], late: Late) -> Variant:
    """A variant with one of each list of steps where its worth rises by more than the penalty of the feature."""
    for steps in until(late, choices):
        tried = [variant.extended(step) for step in steps]
        best = max(tried, key=_value)
        variant = best if _value(best) > _value(variant) + LEAST_GAIN else variant
    return variant


def _best(tried: list[Variant], variant: Variant) -> Variant | None:
    """The best of some variants if it is worth more than another; the slow measure decides among a few."""
    better = [one for one in tried if _value(one) > _value(variant) + LEAST_GAIN]
    few = sorted(better, key=_value, reverse=True)[:COMPARED]
    best = max(few, key=_whole_value, default=variant)
    return best if _whole_value(best) > _whole_value(variant) + LEAST_GAIN else None


def _value(variant: Variant) -> float:
    return variant.worth - complexity_penalty(variant.program())


def _whole_value(variant: Variant) -> float:
    return variant.whole_worth - complexity_penalty(variant.program())
