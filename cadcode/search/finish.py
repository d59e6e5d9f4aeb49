"""Exact features added to a program: those that the input's faces propose, each kept only if it pays.

Their numbers come from the faces, so they are not refined.
"""

from collections.abc import Iterable

from cadcode.program.tree import Feature, Step
from cadcode.search.coaxial import coaxial_features
from cadcode.search.goal import Late, until
from cadcode.search.options import RestructureOptions
from cadcode.search.ranking import complexity_penalty
from cadcode.search.refine import Variant
from cadcode.search.restructure import simplest
from cadcode.search.section_features import Memory, section_steps

MOST_SECTIONS = 24
ENOUGH = 1e-3  # shortfall of the worth that no further feature is worth
LEAST_GAIN = 1e-4  # of the worth, beyond the penalty of the feature


def finish(variant: Variant, options: RestructureOptions, late: Late) -> Variant:
    """A variant with the features that the input's faces propose, as far as they pay."""
    mesh = variant.goal.sections
    if mesh is None or mesh.segmentation is None:
        return variant
    variant = with_features(variant, coaxial_features(mesh), late)
    return simplest(with_sections(variant, options, late), options, late)


def with_sections(variant: Variant, options: RestructureOptions, late: Late) -> Variant:
    """A variant with prisms where it disagrees with the input, the best one first."""
    known: Memory = {}
    work = 0  # edges measured
    for _ in until(late, range(MOST_SECTIONS)):
        if variant.shortfall < ENOUGH or work > options.work:
            break
        tried = [variant.extended(step) for step in until(late, section_steps(variant, options.residual, known))]
        work += sum(one.program().steps[-1].body.edge_count for one in tried)
        best = max(tried, key=_value, default=variant)
        if _value(best) < _value(variant) + LEAST_GAIN:
            break
        variant = best
    return variant


def with_features(variant: Variant, features: Iterable[Feature], late: Late) -> Variant:
    """A variant with each of the features added or cut where its worth rises by more than the feature's penalty."""
    for feature in until(late, features):
        tried = [variant.extended(Step(operation, feature)) for operation in ("cut", "union")]
        best = max(tried, key=lambda one: one.worth)
        if _value(best) > _value(variant) + LEAST_GAIN:
            variant = best
    return variant


def _value(variant: Variant) -> float:
    return variant.worth - complexity_penalty(variant.program())
