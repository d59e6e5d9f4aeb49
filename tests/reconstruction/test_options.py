"""Options are checked when they are made; contradictions on the command line are refused."""

import pytest

from cadcode.errors import UsageError
from cadcode.reconstruction.options import ModelOptions, Options, options_for

UNNAMED = dict(candidates=None, temperature=None, max_new_tokens=None)


def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError, match="--export abc: choose from"):
        Options(export=("step", "abc"))
    with pytest.raises(UsageError, match="views"):
        Options(views=0)
    with pytest.raises(UsageError, match="threads"):
        ModelOptions(threads=0)


def test_nothing_named_gives_the_defaults():
    assert options_for(**UNNAMED) == Options()


def test_one_candidate_is_the_greedy_one():
    alone = options_for(**UNNAMED | dict(candidates=1)).decoding
    assert alone.mode == "greedy" and alone == options_for(decode="greedy", **UNNAMED).decoding
    with pytest.raises(UsageError, match="writes one candidate"):
        options_for(decode="beam", **UNNAMED | dict(candidates=3))
    with pytest.raises(UsageError, match="--beams goes with"):
        options_for(beams=3, **UNNAMED)


def test_rounds_differ_in_their_drafts_alone():
    first, second = (options for options, _ in zip(Options().seeded(3).rounds(), range(2), strict=False))
    assert first == Options().seeded(3) and second != first
    assert (second.search, second.metrics) == (first.search, first.metrics)
