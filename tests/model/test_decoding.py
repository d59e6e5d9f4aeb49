"""Greedy, beam and sampled decoding of tiny random models: laws that hold whatever the model says."""

from dataclasses import replace

import pytest
import torch
from tiny_models import OPTIONS, FreeLanguage, Terse, clouds, tiny_model

from cadcode.errors import UsageError
from cadcode.model.engines.cpu import CpuEngine
from cadcode.model.engines.eager import EagerEngine
from cadcode.model.generate import DecodeOptions, decode
from cadcode.model.nets.small import SmallModel
from cadcode.model.tokenizers.language import CompactLanguage
from cadcode.program.parse import parse
from cadcode.program.tokens import END, PIECES, START, State, advance
from cadcode.program.tree import Program

LANGUAGE = Terse()
SHORT = 40  # tokens: some drafts end, some are closed


@pytest.fixture(scope="module")
def model():
    return tiny_model(std=0.5)


def drafts(model, count=1, points=None, language=LANGUAGE, **options):
    """Drafts of `count` clouds, or of `points`, by an engine or by a network's eager one."""
    points = clouds(count) if points is None else points
    engine = EagerEngine(model) if isinstance(model, SmallModel) else model
    return decode(engine, language, points, DecodeOptions(**{"max_new_tokens": SHORT, **options}))


def texts(found):
    return [[d.text for d in part] for part in found]


# --- greedy ----------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def greedy_by_hand(model, cloud, most):
    """The argmax among the allowed tokens, each from the whole sequence anew; and the sum of log-probabilities."""
    ids, state, total = [START], State(), 0.0
    while state.name != "end" and len(ids) <= most:
        logits = model(cloud, torch.tensor([ids]))[0, -1]
        allowed = list(LANGUAGE.allowed(state))
        log_p = logits[allowed].log_softmax(-1)
        total += log_p.max().item()
        ids.append(allowed[log_p.argmax().item()])
        state = advance(state, ids[-1])
    return ids[1:], total


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_greedy_takes_the_likeliest_allowed_token(seed):
    model, cloud = tiny_model(seed, std=0.5), clouds(1, seed=seed)
    ids, total = greedy_by_hand(model, cloud, SHORT)
    [[draft]] = drafts(model, points=cloud)
    assert ids == list(draft.ids) or draft.closed and list(draft.ids[:-1]) == ids[: len(draft.ids) - 1]
    assert draft.log_probability == pytest.approx(total, abs=1e-3)
    assert draft.source == "greedy"


@torch.inference_mode()
def test_without_a_grammar_greedy_is_the_argmax(model):
    [[draft]] = drafts(model, language=FreeLanguage(END), max_new_tokens=12)
    ids = [START]
    for _ in draft.ids:
        ids.append(model(clouds(1), torch.tensor([ids]))[0, -1].argmax().item())
    assert list(draft.ids) == ids[1:]


# --- batches ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        dict(mode="greedy"),
        dict(mode="beam", beams=3),
        dict(mode="sample", candidates=5),
        dict(mode="sample", candidates=4, seed=9, temperature=1.7, top_p=0.6),
    ],
)
def test_a_row_of_a_batch_is_a_batch_of_one(model, options):
    points = clouds(4)
    together = texts(drafts(model, points=points, **options))
    assert together == [texts(drafts(model, points=cloud[None], **options))[0] for cloud in points]
    assert together[::-1] == texts(drafts(model, points=points.flip(0), **options))
    assert len({t for part in together for t in part}) > 2


@pytest.mark.parametrize("seed", [0, 3])
def test_a_candidate_does_not_depend_on_how_many_there_are(model, seed):
    many = by_source(drafts(model, mode="sample", candidates=9, seed=seed))
    few = by_source(drafts(model, mode="sample", candidates=4, seed=seed))
    assert few == {source: many[source] for source in few}
    assert set(many) - set(few) <= {f"sample {n}" for n in range(4, 9)}


def by_source(found):
    return {d.source: d.ids for d in found[0]}


def test_the_first_sample_is_greedy(model):
    [[greedy]], [[first, *others]] = drafts(model), drafts(model, mode="sample", candidates=6)
    assert (first.ids, first.source) == (greedy.ids, "greedy")
    assert any(other.ids != greedy.ids for other in others)


def test_rows_that_leave_the_batch_do_not_change_the_others(model):
    """A network that counts the rows it is asked for sees fewer of them, and the drafts stay the same."""
    counting = Counting(model)
    together = drafts(counting, mode="sample", candidates=12, max_new_tokens=60)[0]
    assert counting.rows[-1] < max(counting.rows) <= 12
    lengths = {len(d.ids) for d in together}
    assert len(lengths) > 2
    for number in range(1, 12):
        pair = drafts(model, mode="sample", candidates=number + 1, max_new_tokens=60)[0]
        alone = {d.source: d.ids for d in pair}
        assert alone.get(f"sample {number}") == {d.source: d.ids for d in together}.get(f"sample {number}")


class Counting:
    def __init__(self, model):
        self.engine, self.rows, self.fed, self.starts = EagerEngine(model), [], [], []

    def begin(self, *args):
        return self.engine.begin(*args)

    def step(self, ids, written, cache):
        self.rows.append(len(ids))
        self.fed.append(ids.tolist())
        self.starts.append(written)
        return self.engine.step(ids, written, cache)


# --- the packed network, and tokens that the grammar forces ----------------------------------------------------------


@pytest.fixture(scope="module")
def packed():
    return CpuEngine(tiny_model(std=0.5))


@pytest.mark.parametrize("options", [dict(), dict(mode="beam", beams=3), dict(mode="sample", candidates=7)])
@pytest.mark.parametrize("language", [LANGUAGE, CompactLanguage(), FreeLanguage(END)])
def test_the_packed_network_writes_the_same(model, packed, options, language):
    points = clouds(3)
    plain = drafts(model, points=points, language=language, **options)
    for part, same in zip(plain, drafts(packed, points=points, language=language, **options), strict=True):
        assert [(d.ids, d.source, d.closed) for d in part] == [(d.ids, d.source, d.closed) for d in same]
        for a, b in zip(part, same, strict=True):
            assert a.log_probability == pytest.approx(b.log_probability, abs=2e-3)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_forced_tokens_cost_no_step_of_their_own(seed):
    """Each step reads one token that was chosen and then all those that had to follow it."""
    counting = Counting(tiny_model(seed, std=0.5))
    [[draft]] = drafts(counting, points=clouds(1, seed=seed))
    steps, state, choices = [step[0] for step in counting.fed], State(), []
    for token in [token for step in steps for token in step]:
        choices.append(len(LANGUAGE.allowed(state)) > 1)
        state = advance(state, token)
    assert choices == [at == 0 for step in steps for at in range(len(step))]
    assert max(map(len, steps)) > 1
    assert counting.starts == [1 + sum(map(len, steps[:i])) for i in range(len(steps))]
    read = [token for step in steps for token in step]
    assert read[: len(draft.ids) - 1] == list(draft.ids[:-1])[: len(read)]


def test_what_several_candidates_have_written_is_read_once(model):
    """Of a low temperature, so that they part late: as many rows a step as there are different texts."""
    counting = Counting(model)
    options = dict(mode="sample", candidates=10, temperature=0.4, max_new_tokens=60)
    found = drafts(counting, points=clouds(1), language=FreeLanguage(END), **options)[0]
    texts = [draft.ids for draft in found]
    assert len(texts) == 10 and 2 < len(set(texts))
    for step, rows in enumerate(counting.rows, 1):
        going = [ids for ids in texts if len(ids) > step]
        assert len({ids[:step] for ids in going}) <= rows <= len(going) + sum(len(ids) <= step for ids in texts)
    assert counting.rows[0] < 10 and sum(counting.rows) < sum(len(ids) - 1 for ids in texts)


# --- samples ---------------------------------------------------------------------------------------------------------


def test_the_seed_changes_samples_and_nothing_else_does(model):
    sample = lambda seed: texts(drafts(model, mode="sample", candidates=6, seed=seed))  # noqa: E731
    assert sample(0) == sample(0)
    assert sample(0) != sample(1)
    assert sample(0)[0][0] == sample(1)[0][0]  # greedy


def test_a_tiny_nucleus_or_a_low_temperature_is_greedy(model):
    [[greedy]] = drafts(model)
    for narrow in (dict(top_p=1e-6), dict(temperature=1e-4)):
        found = drafts(model, mode="sample", candidates=4, **narrow)[0]
        assert {d.ids for d in found} == {greedy.ids}


def test_samples_are_as_frequent_as_the_nucleus_says(model):
    """The first token of many samples against its probabilities, those outside the nucleus never."""
    free = FreeLanguage(END)
    [found] = drafts(model, mode="sample", candidates=3000, temperature=1.3, top_p=0.8, language=free, max_new_tokens=1)
    with torch.inference_mode():
        p = (model(clouds(1), torch.tensor([[START]]))[0, -1].double() / 1.3).softmax(-1)
    p, order = p.sort(descending=True)
    kept = order[: int((p.cumsum(0) < 0.8).sum()) + 1]
    counts = torch.bincount(torch.tensor([d.ids[0] for d in found[1:]]), minlength=len(PIECES))
    assert counts[kept].sum() == 2999
    share, expected = counts[kept] / 2999, p[: len(kept)] / p[: len(kept)].sum()
    assert len(kept) > 3
    assert (share - expected).abs().max() < 4.5 * (0.25 / 2999) ** 0.5


# --- beams -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_one_beam_is_greedy(seed):
    model, points = tiny_model(seed, std=0.5), clouds(2, seed=seed)
    greedy, beam = drafts(model, points=points), drafts(model, points=points, mode="beam", beams=1)
    assert texts(greedy) == texts(beam)
    for [a], [b] in zip(greedy, beam, strict=True):
        assert a.ids == b.ids and a.log_probability == pytest.approx(b.log_probability, abs=1e-3)


@torch.inference_mode()
def test_a_wide_beam_finds_the_best_of_all_texts():
    """Texts of at most two tokens over a vocabulary of six: all can be listed."""
    model, free = tiny_model(3, replace(OPTIONS, vocab_size=6), std=0.5), FreeLanguage(2)
    [[draft]] = drafts(model, language=free, mode="beam", beams=6, max_new_tokens=2)
    first = model(clouds(1), torch.tensor([[1]]))[0, -1].log_softmax(-1)
    ended = {(2,): first[2].item()}
    for token in (0, 1, 3, 4, 5):
        second = model(clouds(1), torch.tensor([[1, token]]))[0, -1].log_softmax(-1)
        ended[(token, 2)] = (first[token] + second[2]).item()
    best = max(ended, key=lambda ids: ended[ids] / len(ids))
    assert draft.ids == best
    assert draft.log_probability == pytest.approx(ended[best], abs=1e-4)


def test_more_beams_give_no_lesser_probability_here(model):
    per_token = [[d.log_probability / len(d.ids) for [d] in drafts(model, 3, mode="beam", beams=b)] for b in (1, 8)]
    assert sum(per_token[1]) > sum(per_token[0])


# --- the length limit, and texts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["greedy", "sample", "beam"])
@pytest.mark.parametrize("most", [1, 20, 40, 90])
@pytest.mark.parametrize("language", [LANGUAGE, CompactLanguage()])
def test_every_draft_parses_at_any_length_limit(model, mode, most, language):
    found = drafts(model, 3, mode=mode, candidates=12, max_new_tokens=most, language=language)
    assert len(found) == 3
    for draft in (d for part in found for d in part):
        assert isinstance(parse(draft.text), Program)
        assert draft.ids[-1] == END and len(draft.ids) <= most + (1 if draft.closed else 0)
    if most == 1:
        assert found == [[], [], []]  # no whole body


def test_the_limit_closes_drafts_that_would_go_on(model):
    found = drafts(model, 4, mode="sample", candidates=16, max_new_tokens=30)
    closed = [d for part in found for d in part if d.closed]
    longer = drafts(model, 4, mode="sample", candidates=16, max_new_tokens=200)
    whole = {(p, d.source): d for p, part in enumerate(longer) for d in part}
    assert closed
    for place, draft in ((p, d) for p, part in enumerate(found) for d in part if d.closed):
        assert whole[place, draft.source].ids[: len(draft.ids) - 1] == draft.ids[:-1]


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        dict(mode="best"),
        dict(candidates=0),
        dict(beams=0),
        dict(max_new_tokens=0),
        dict(temperature=0.0),
        dict(temperature=-1.0),
        dict(temperature=float("nan")),
        dict(top_p=0.0),
        dict(top_p=1.5),
    ],
)
def test_options_that_make_no_sense_are_refused(wrong):
    with pytest.raises(UsageError):
        DecodeOptions(**wrong)
