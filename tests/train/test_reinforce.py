"""Learning by reward on tiny models: the laws of its loss, and that rewards rise."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_models import OPTIONS, Terse, clouds, saved, tiny_model

from cadcode.model.checkpoints.load import from_training, load_model, save_model
from cadcode.program.tokens import END, IDS, PIECES
from cadcode.train import experience, groups, reinforce
from cadcode.train.experience import Lesson, SampleOptions, Weights, centred, largest_advantages, lessons, measured
from cadcode.train.groups import group_logits, log_probabilities, sample_groups
from cadcode.train.learner import TOKENS, Learner, ReinforceOptions, means, options_from, policy_loss
from cadcode.train.reinforce import learning_rate
from cadcode.train.reward import RewardOptions, held_out_targets, score

QUERIES = RewardOptions(queries=(200, 60, 40), surface_queries=32)
SAMPLING = SampleOptions(group=6, chosen=3, longest=30, surface_points=64, reward=QUERIES)
TINY = ReinforceOptions(parts=2, points=(16,), workers=0, held_out=2, held_out_group=3, sampling=SAMPLING, log_every=1)


def learner(options=TINY, **kwargs):
    model = tiny_model(**{"std": 0.5, **kwargs})
    one = Learner(model, options)
    one.start_weights = {name: w.detach().clone() for name, w in model.named_parameters()}
    return one


def lesson(model, advantages, seed=0, truth=()):
    cloud = clouds(1, 16)
    if not advantages:
        return Lesson(cloud[0], [], [], truth, np.zeros(1), 0)
    [programs] = sample_groups(model, cloud, len(advantages), 1.0, 30, torch.Generator().manual_seed(seed))
    return Lesson(cloud[0], programs, list(advantages), truth, np.array(advantages), 0)


# --- groups ----------------------------------------------------------------------------------------------------------


def test_the_advantages_of_a_group_sum_to_zero_and_keep_their_size():
    rewards = np.array([3.0, -10.0, 9.5, 7.0])
    assert centred(rewards).sum() == pytest.approx(0)
    assert np.ptp(centred(rewards)) == pytest.approx(19.5)
    assert not centred(np.full(5, 2.0)).any()


def test_the_largest_advantages_are_learnt_from_and_zeros_never():
    assert sorted(largest_advantages(np.array([0.5, -3.0, 2.0, 0.4]), 2)) == [1, 2]
    assert largest_advantages(np.zeros(4), 2).tolist() == []
    assert largest_advantages(np.array([0.0, 1.0, -1.0]), 3).tolist() == [1, 2]


def test_lessons_hold_what_was_sampled_and_what_it_was_worth():
    weights = Weights.of(tiny_model(std=0.5))
    found = lessons(weights, (0, 1), 3, 16, SAMPLING)
    assert len(found) == 3
    for one in found:
        assert one.points.shape == (16, 3) and one.rewards.shape == (6,) and one.truth[-1] == END
        assert len(one.programs) == len(one.advantages) <= 3
        advantages = centred(one.rewards)
        assert all(np.isclose(advantages, a).any() for a in one.advantages)
        assert one.invalid == (one.rewards == -10).sum()


def test_lessons_are_those_of_their_seed():
    weights = Weights.of(tiny_model(std=0.5))
    a, b, c = (lessons(weights, seed, 2, 16, SAMPLING) for seed in ((0, 1), (0, 1), (0, 2)))
    ids = [[program.ids for one in some for program in one.programs] for some in (a, b, c)]
    assert ids[0] == ids[1] != ids[2]
    assert [one.truth for one in a] == [one.truth for one in b] != [one.truth for one in c]


# --- the loss --------------------------------------------------------------------------------------------------------


def gradient(model, loss):
    return torch.autograd.grad(loss, [w for name, w in model.named_parameters() if "lm_head" in name])[0]


def test_at_a_ratio_of_one_the_gradient_is_the_plain_policy_gradient():
    model = tiny_model(std=0.5)
    one = lesson(model, [2.0, -1.0, 0.5])
    logits = group_logits(model, one.points, [program.ids for program in one.programs])
    loss, figures = policy_loss(logits, one, TINY)
    plain = 0.0
    for program, advantage in zip(one.programs, one.advantages, strict=True):
        alone = group_logits(model, one.points, [program.ids])
        plain = plain - advantage * log_probabilities(alone, torch.tensor(program.ids), program.allowed, 1.0).sum()
    expected = gradient(model, plain / (3 * TOKENS))
    torch.testing.assert_close(gradient(model, loss), expected, atol=1e-5, rtol=1e-3)
    assert figures["ratio"] == pytest.approx(1, abs=1e-3) and figures["clipped"] == 0
    assert expected.abs().max() > 1e-4


@pytest.mark.parametrize(
    "advantage, shift, moves", [(1.0, -0.5, False), (1.0, 0.5, True), (-1.0, 0.5, False), (-1.0, -0.5, True)]
)
def test_ratios_beyond_the_clip_teach_only_what_brings_them_back(advantage, shift, moves):
    """`shift` is what the old log-probabilities lie above the new ones."""
    model = tiny_model(std=0.5)
    one = lesson(model, [advantage])
    one.programs[0].log_p = [value + shift for value in one.programs[0].log_p]
    loss, figures = policy_loss(group_logits(model, one.points, [one.programs[0].ids]), one, TINY)
    assert bool(gradient(model, loss).any()) == moves
    assert figures["clipped"] == (0.0 if moves else 1.0)


def test_lessons_without_advantages_and_truth_teach_nothing():
    one = learner()
    figures = one.update([lesson(one.model, []), lesson(one.model, [])])
    assert all(torch.equal(weight, one.start_weights[name]) for name, weight in one.model.named_parameters())
    assert "cross_entropy" not in figures


def test_the_true_program_becomes_likelier():
    truth = (IDS[next(p for p in PIECES if p.startswith("import"))], IDS["|12"], END)
    one = learner(replace(TINY, lr=3e-3))
    values = [one.update([lesson(one.model, [], truth=truth)])["cross_entropy"] for _ in range(8)]
    assert values[-1] < 0.8 * values[0]


def test_a_step_makes_good_programs_likelier_and_bad_ones_less_likely():
    one = learner(replace(TINY, lr=1e-3, supervised=0.0))
    taught = lesson(one.model, [3.0, -3.0])

    def likelihood(program):
        logits = group_logits(one.model, taught.points, [program.ids])
        return log_probabilities(logits, torch.tensor(program.ids), program.allowed, 1.0).sum().item()

    before = [likelihood(program) for program in taught.programs]
    one.update([taught])
    after = [likelihood(program) for program in taught.programs]
    assert after[0] > before[0] and after[1] < before[1]


# --- runs ------------------------------------------------------------------------------------------------------------


def test_a_fixed_task_is_learnt(monkeypatch):
    """The same part each round: its mean reward rises from its start to the end."""
    [part] = held_out_targets(1, QUERIES)
    part = replace(part, surface=part.surface[:64])
    monkeypatch.setattr(experience, "fresh_targets", lambda seed, count, *_: [part] * count)
    monkeypatch.setattr(groups, "LANGUAGE", Terse())
    options = replace(TINY, lr=1e-2, supervised=0.0, sampling=replace(SAMPLING, group=12, chosen=6, noise=0.0))
    one, rewards = learner(options), []
    for number in range(25):
        rewards.append(one.update(lessons(Weights.of(one.model), (number,), 2, 16, options.sampling))["reward"])
    assert np.mean(rewards[-5:]) > np.mean(rewards[:5]) + 2


def test_the_same_seed_gives_the_same_run():
    def weights(seed):
        one = learner()
        for number in range(2):
            tasks = reinforce._round(replace(TINY, seed=seed), one, number, reinforce._SerialPool())
            one.update([found for task in tasks for found in task.result()])
        return one.model.lm_head.weight

    a, b, c = map(weights, (1, 1, 2))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_updates_take_the_numbers_of_points_in_turn():
    one, options = learner(), replace(TINY, points=(8, 12))
    seen = [
        reinforce._round(options, one, number, reinforce._SerialPool())[0].result()[0].points for number in range(3)
    ]
    assert [len(points) for points in seen] == [8, 12, 8]


def test_figures_are_means_over_those_that_have_them():
    assert means([dict(a=1.0), dict(a=3.0, b=5.0), {}]) == dict(a=2.0, b=5.0)


def test_a_worker_process_makes_the_same_lessons():
    one, options = learner(), replace(TINY, workers=1)
    with reinforce._pool(1) as pool:
        [there] = [task.result() for task in reinforce._round(options, one, 4, pool)]
    [here] = [task.result() for task in reinforce._round(options, one, 4, reinforce._SerialPool())]
    assert [p.ids for s in there for p in s.programs] == [p.ids for s in here for p in s.programs]
    assert [s.advantages for s in there] == [s.advantages for s in here]


def test_a_run_writes_checkpoints_that_can_be_exported(tmp_path):
    start = saved(tmp_path / "start", std=0.5)
    options = replace(TINY, minutes=0.02, measure_minutes=0.0)
    said = []
    final = reinforce.reinforce(options, tmp_path / "out", start, log=said.append)
    assert final == tmp_path / "out" / "final.pt"
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"final.pt", "latest.pt", "log.jsonl"}
    network, seen = from_training(final)
    assert seen["samples"] == 2 * seen["steps"] > 0 and network.options == OPTIONS
    save_model(network, tmp_path / "model", seen)
    assert load_model(str(tmp_path / "model")).network.options == OPTIONS
    again = Learner.start(options, tmp_path / "model")
    assert (again.steps, again.samples) == (seen["steps"], seen["samples"])
    lines = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert "held_out_greedy" in lines[0] and "held_out_greedy" in lines[-1] and any("reward" in line for line in lines)
    assert len(said) == len(lines)


def test_held_out_parts_are_measured_greedy_first():
    targets = held_out_targets(3, QUERIES)
    model = tiny_model(std=0.5)
    found = measured(Weights.of(model), targets, 4, SAMPLING, 0)
    again = measured(Weights.of(model), targets, 4, SAMPLING, 0)
    assert all(np.array_equal(a.ious, b.ious) for a, b in zip(found, again, strict=True))
    assert [(len(m.rewards), len(m.ious)) for m in found] == [(3, 4)] * 3
    perfect = experience.Measured.of([score(targets[0], targets[0].ids, QUERIES)] * 4, QUERIES)
    assert perfect.ious.tolist() == [1.0] * 4 and perfect.rewards == pytest.approx(10.0)


def test_the_rate_warms_up_stays_and_falls_to_zero():
    options = replace(TINY, warmup_steps=5, decay_share=0.5)
    assert [learning_rate(options, 0.0, n) for n in (0, 4, 9)] == pytest.approx([0.2, 1.0, 1.0])
    assert [learning_rate(options, p, 99) for p in (0.5, 0.75, 1.0)] == pytest.approx([1.0, 0.5, 0.0])
    assert learning_rate(replace(options, decay_share=0.0), 1.0, 99) == 1.0


def test_options_reach_sampling_and_reward():
    options = options_from(dict(minutes=3.0, group=8, distance_scale=0.5))
    assert (options.minutes, options.sampling.group, options.sampling.reward.distance_scale) == (3.0, 8, 0.5)
    with pytest.raises(TypeError):
        options_from(dict(temprature=1.0))
