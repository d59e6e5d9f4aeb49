"""Programs of one part behind one prefix: all numbers are those of each program alone."""

import numpy as np
import pytest
import torch
from tiny_models import Terse, clouds, tiny_model

from cadcode.model.engines.eager import EagerEngine
from cadcode.model.generate import DecodeOptions, decode
from cadcode.model.tokenizers.language import CompactLanguage
from cadcode.program.tokens import END, PIECES, START, State, advance, allowed_ids
from cadcode.train import groups
from cadcode.train.groups import allowed_mask, group_logits, log_probabilities, sample_groups

LONGEST = 40


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def texts(count, seed=0, lengths=(9, 3, 14, 1)):
    random, sizes = generator(seed), [lengths[i % len(lengths)] for i in range(count)]
    return [torch.randint(3, len(PIECES), (size,), generator=random).tolist() for size in sizes]


@pytest.fixture(scope="module")
def model():
    return tiny_model(std=0.5)


def sampled(model, count=3, group=5, seed=0, **options):
    return sample_groups(
        model, clouds(count, 64), group, options.pop("temperature", 1.0), LONGEST, generator(seed), **options
    )


# --- learning --------------------------------------------------------------------------------------------------------


def test_logits_behind_one_prefix_are_those_of_each_text_alone(model):
    cloud, some = clouds(1, 64), texts(4)
    together = group_logits(model, cloud[0], some).split([len(ids) for ids in some])
    for ids, logits in zip(some, together, strict=True):
        alone = model(cloud, torch.tensor([[START, *ids[:-1]]]))[0]
        torch.testing.assert_close(logits, alone, atol=2e-4, rtol=1e-4)
    assert together[0].std() > 0.5  # or nothing was compared


def test_gradients_behind_one_prefix_are_those_of_each_text_alone():
    cloud, some = clouds(1, 32), texts(3, lengths=(6, 4))
    models = [tiny_model(std=0.5) for _ in range(2)]
    group_logits(models[0], cloud[0], some).log_softmax(-1)[:, 7].sum().backward()
    for ids in some:
        models[1](cloud, torch.tensor([[START, *ids[:-1]]])).log_softmax(-1)[..., 7].sum().backward()
    for a, b in zip(models[0].parameters(), models[1].parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-3 * b.grad.abs().max().item(), rtol=1e-3)


# --- sampling --------------------------------------------------------------------------------------------------------


def test_sampled_programs_stay_inside_the_grammar(model):
    found = [program for part in sampled(model) for program in part]
    for program in found:
        state = State()
        for token, allowed in zip(program.ids, program.allowed, strict=True):
            assert allowed == allowed_ids(state)
            state = advance(state, token)
        assert program.ended == (state.name == "end") and len(program.ids) <= LONGEST
    assert {program.ended for program in found} == {True, False}
    assert END not in [token for program in found for token in program.ids[:-1]]


@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_what_sampling_says_of_its_probabilities_is_what_learning_computes(model, temperature):
    cloud = clouds(3, 64)
    for points, part in zip(cloud, sampled(model, temperature=temperature), strict=True):
        logits = group_logits(model, points, [program.ids for program in part])
        ids = torch.tensor([token for program in part for token in program.ids])
        allowed = [tokens for program in part for tokens in program.allowed]
        said = torch.tensor([value for program in part for value in program.log_p])
        torch.testing.assert_close(log_probabilities(logits, ids, allowed, temperature), said, atol=1e-3, rtol=1e-4)
        assert said.min() < -1


def test_the_first_of_a_group_is_what_greedy_decoding_writes(model):
    cloud = clouds(4, 64)
    options = DecodeOptions(max_new_tokens=LONGEST)
    expected = decode(EagerEngine(model), CompactLanguage(), cloud, options)
    found = sample_groups(model, cloud, 3, 1.0, LONGEST, generator(), greedy_first=True)
    for drafts, (first, *_) in zip(expected, found, strict=True):
        if drafts and not drafts[0].closed:
            assert tuple(first.ids) == drafts[0].ids
        elif drafts:
            assert tuple(first.ids[: len(drafts[0].ids) - 1]) == drafts[0].ids[:-1]


def test_the_same_seed_samples_the_same(model):
    a, b, c = ([p.ids for part in sampled(model, seed=seed) for p in part] for seed in (1, 1, 2))
    assert a == b != c


def test_samples_follow_the_models_probabilities(model):
    [part] = sample_groups(model, clouds(1, 32), 3000, 1.0, 1, generator())
    counts = np.bincount([program.ids[0] for program in part], minlength=len(PIECES)) / 3000
    logits, _ = EagerEngine(model).begin(clouds(1, 32), START, 0)
    expected = (logits[0] + allowed_mask([allowed_ids(State())])[0]).softmax(-1).detach().numpy()
    np.testing.assert_allclose(counts, expected, atol=0.03)
    assert (expected > 0.05).sum() > 1


class OneBody(Terse):
    """Programs end after their first body."""

    def allowed(self, state):
        ids = super().allowed(state)
        return (END,) if END in ids else ids


def test_finished_rows_change_nothing_for_the_others(model, monkeypatch):
    """The batch shrinks as rows end; what each row writes depends on its own tokens alone."""
    monkeypatch.setattr(groups, "LANGUAGE", OneBody())
    shrinks, lengths = [], set()
    keep = groups._GroupCache.select
    monkeypatch.setattr(groups._GroupCache, "select", lambda *a: shrinks.append(1) or keep(*a))
    for points, part in zip(clouds(4, 64), sampled(model, 4, 6), strict=True):
        for program in part:
            alone = log_probabilities(
                group_logits(model, points, [program.ids]), torch.tensor(program.ids), program.allowed, 1.0
            )
            torch.testing.assert_close(alone, torch.tensor(program.log_p), atol=1e-3, rtol=1e-4)
            lengths.add(len(program.ids))
    assert shrinks and len(lengths) > 2
