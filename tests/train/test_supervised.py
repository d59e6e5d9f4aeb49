"""Training on a tiny model: its parts keep their promises, and it learns a batch by heart."""

from dataclasses import asdict, replace
from itertools import islice

import numpy as np
import pytest
import torch
from tiny_models import clouds

from cadcode.data.dataset import DataOptions, batches
from cadcode.geometry import sampling
from cadcode.model.checkpoints.load import from_training
from cadcode.model.nets.qwen2 import Qwen2Options
from cadcode.program.tokens import END, IDS, PAD, PIECES, VALUES
from cadcode.train.supervised import (
    LONGEST_STEP,
    BusyClock,
    Run,
    TrainOptions,
    farthest_points,
    initialised,
    learning_rate,
    model_points,
    options_from,
    points_now,
    smoothed_targets,
    token_loss,
    train,
)

TINY = TrainOptions(
    hidden_size=32,
    layers=2,
    intermediate_size=64,
    heads=2,
    batch_size=4,
    workers=0,
    device="cpu",
    fuse=False,
    points=(16, 32),
    points_shares=(1.0, 1.0),
    warmup_steps=2,
    log_every=1,
    uneven=0.0,
    missing=0.0,
    fewer=0.0,
)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def batch():
    points, ids = next(batches(DataOptions(surface_points=64, batch_size=4), pool=2))
    return torch.from_numpy(points), torch.from_numpy(ids)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


# --- a run -----------------------------------------------------------------------------------------------------------


def test_steps_change_all_weights_and_are_counted(batch):
    run = Run.start(TINY, CPU, None)
    before = {name: weight.detach().clone() for name, weight in run.model.named_parameters()}
    losses = [run.step(*batch, 16, 1.0, 0.7).item() for _ in range(2)]
    assert (run.steps, run.samples) == (2, 8)
    assert np.isfinite(losses).all() and losses[0] == pytest.approx(np.log(len(PIECES)), rel=0.2)
    unchanged = [name for name, weight in run.model.named_parameters() if torch.equal(weight, before[name])]
    assert unchanged == []


def test_the_same_seed_gives_the_same_weights(batch):
    runs = [Run.start(replace(TINY, seed=seed), CPU, None) for seed in (1, 1, 2)]
    for run in runs:
        run.step(*batch, 16, 1.0, 0.0)
    a, b, c = (run.model.lm_head.weight for run in runs)
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_a_batch_is_learnt_by_heart(batch):
    run = Run.start(replace(TINY, noise=0.0), CPU, None)
    losses = [run.step(*batch, 16, 1.0, 0.0).item() for _ in range(30)]
    assert losses[-1] < 0.6 * losses[0]
    assert np.mean(losses[-5:]) < np.mean(losses[10:15]) < np.mean(losses[:5])


def test_a_rate_of_zero_changes_nothing(batch):
    run = Run.start(TINY, CPU, None)
    before = run.model.state_dict()["lm_head.weight"].clone()
    run.step(*batch, 16, 0.0, 0.0)
    assert torch.equal(run.model.lm_head.weight, before)


def test_a_resumed_run_goes_on_as_if_it_had_never_stopped(batch, tmp_path):
    run = Run.start(TINY, CPU, None)
    run.step(*batch, 16, 1.0, 0.0)
    run.save(tmp_path / "a.pt")
    other = Run.start(TINY, CPU, tmp_path / "a.pt")
    assert (other.steps, other.samples) == (1, 4)
    for one in (run, other):
        one.generator.manual_seed(7)
        one.step(*batch, 16, 1.0, 0.0)
    assert (other.steps, other.samples) == (run.steps, run.samples) == (2, 8)
    for name, weight in run.model.state_dict().items():
        torch.testing.assert_close(other.model.state_dict()[name], weight, atol=1e-6, rtol=1e-5)


def test_a_resumed_run_has_the_checkpoints_model_and_the_options_rates(batch, tmp_path):
    run = Run.start(TINY, CPU, None)
    run.step(*batch, 16, 0.5, 0.0)
    run.save(tmp_path / "a.pt")
    other = Run.start(replace(TINY, hidden_size=64, muon_lr=0.003, weight_decay=0.2), CPU, tmp_path / "a.pt")
    assert other.model.options == run.model.options
    muon, adam = (optimizer.param_groups[0] for optimizer in other.optimizers)
    assert (muon["base_lr"], muon["weight_decay"]) == (0.003, 0.2)
    assert adam["base_lr"] == TINY.adam_lr


def test_training_writes_checkpoints_and_a_log_and_can_be_resumed(tmp_path):
    short = replace(TINY, minutes=1e-4, decay_share=1.0)  # one step at least, all of it in the decay
    said = []
    final = train(short, tmp_path, log=said.append)
    assert final == tmp_path / "final.pt"
    assert {p.name for p in tmp_path.iterdir()} == {"final.pt", "stable.pt", "log.jsonl"}
    first = torch.load(final, weights_only=True)
    assert first["steps"] >= 1 and first["samples"] == 4 * first["steps"]
    again = torch.load(train(short, tmp_path / "b", resume=final, log=said.append), weights_only=True)
    assert again["steps"] > first["steps"] and again["samples"] == 4 * again["steps"]
    assert again["minutes"] > first["minutes"]
    assert any("samples seen" in line for line in said)
    assert from_training(final)[0].options == from_training(tmp_path / "b" / "final.pt")[0].options


# --- schedules -------------------------------------------------------------------------------------------------------


def test_points_follow_their_shares():
    options = replace(TINY, points=(64, 128, 256), points_shares=(2.0, 1.0, 1.0))
    steps = [points_now(options, p) for p in (0.0, 0.49, 0.51, 0.74, 0.76, 1.0, 1.2)]
    assert steps == [64, 64, 128, 128, 256, 256, 256]
    assert points_now(replace(TINY, points=(32,), points_shares=(1.0,)), 0.7) == 32


def test_the_rate_warms_up_stays_and_falls_to_zero():
    options = replace(TINY, warmup_steps=10, decay_share=0.25)
    assert learning_rate(options, 0.0, 0) == pytest.approx(0.1)
    assert learning_rate(options, 0.0, 4) == pytest.approx(0.5)
    assert [learning_rate(options, p, 500) for p in (0.1, 0.5, 0.75)] == [1.0, 1.0, 1.0]
    assert learning_rate(options, 0.875, 500) == pytest.approx(0.5)
    assert learning_rate(options, 1.0, 500) == 0.0 and learning_rate(options, 1.1, 500) == 0.0
    assert learning_rate(replace(options, decay_share=0.0), 1.0, 500) == 1.0


def test_unknown_options_are_refused():
    assert options_from({"minutes": 5.0}) == replace(TrainOptions(), minutes=5.0)
    with pytest.raises(TypeError, match="lr"):
        options_from({"lr": 1e-3, "minutes": 5.0})
    assert set(asdict(TINY)) == set(asdict(TrainOptions()))


# --- points ----------------------------------------------------------------------------------------------------------


def test_farthest_points_are_those_of_geometry():
    cloud = clouds(3, 300)
    rows = farthest_points(cloud, 40, generator())
    for points, row in zip(cloud.numpy(), rows.numpy(), strict=True):
        assert row.tolist() == sampling.farthest_points(points, 40, start=int(row[0])).tolist()
    assert not torch.equal(rows[:, 0], farthest_points(cloud, 40, generator(1))[:, 0])


def test_training_points_are_points_of_the_surface_and_half_of_them_noisy():
    cloud = clouds(200, 60)
    points = model_points(cloud, 20, 0.01, generator())
    gap = torch.cdist(points.double(), cloud.double()).min(-1).values.max(-1).values  # (200,)
    noisy = gap > 1e-3
    assert points.shape == (200, 20, 3)
    assert 70 < noisy.sum() < 130 and gap.max() < 0.06
    assert gap[~noisy].max() < 1e-5
    still = model_points(cloud, 20, 0.0, generator())
    assert all(len(set(map(tuple, p))) == 20 for p in still.tolist())


# --- the loss --------------------------------------------------------------------------------------------------------


def logits(rows=2, length=6):
    return torch.randn((rows, length, len(PIECES)), generator=generator()) * 2


NUMBER = IDS["|12"]


@pytest.mark.parametrize("smoothing", [0.0, 0.7])
def test_the_loss_ignores_padding(smoothing):
    targets = torch.tensor([[5, NUMBER, 40, END], [9, END, PAD, PAD]])
    value = token_loss(logits(2, 4), targets, smoothing)
    longer = torch.cat([targets, torch.full((2, 2), PAD)], 1)
    wild = torch.cat([logits(2, 4), 1e4 * logits(2, 2)], 1)
    wild[1, 2:] = -77.0
    assert token_loss(wild, longer, smoothing) == pytest.approx(value.item(), abs=1e-5)


def test_the_loss_without_smoothing_is_the_mean_cross_entropy():
    targets = torch.tensor([[5, NUMBER, END]])
    scores = logits(1, 3)
    by_hand = -np.mean([scores[0, i].log_softmax(0)[t].item() for i, t in enumerate((5, NUMBER, END))])
    assert token_loss(scores, targets, 0.0) == pytest.approx(by_hand, abs=1e-5)
    assert token_loss(scores, targets, 1e-3) == pytest.approx(by_hand, abs=1e-4)


def test_smoothed_targets_are_distributions_that_leave_syntax_alone():
    table = smoothed_targets(0.7, "cpu")
    assert torch.allclose(table.sum(1), torch.ones(len(PIECES)), atol=1e-5)
    syntax = np.flatnonzero(np.isnan(VALUES))
    assert torch.equal(table[syntax], torch.eye(len(PIECES))[syntax])
    numbers = np.flatnonzero(~np.isnan(VALUES))
    assert table[np.ix_(numbers, syntax)].abs().max() == 0
    assert (table[numbers].argmax(1).numpy() == numbers).all()


def test_a_near_number_costs_less_than_a_far_one():
    targets = torch.tensor([[NUMBER]])
    cost = {}
    for guess in ("|12", "|12.5", "|13", "|40", ")"):
        scores = torch.zeros((1, 1, len(PIECES)))
        scores[..., IDS[guess]] = 5.0
        cost[guess] = token_loss(scores, targets, 0.7).item()
    assert cost["|12"] < cost["|12.5"] < cost["|13"] < cost["|40"]
    assert cost["|40"] == pytest.approx(cost[")"], abs=1e-3)


# --- the start -------------------------------------------------------------------------------------------------------


def test_a_fresh_model_knows_that_neighbouring_numbers_are_alike():
    torch.manual_seed(0)
    weights = initialised(Qwen2Options(len(PIECES), 128, 64, 1, 2, 2)).model.embed_tokens.weight.detach()
    like = lambda a, b: torch.cosine_similarity(weights[IDS[a]], weights[IDS[b]], dim=0).item()  # noqa: E731
    assert like("|50", "|51") > like("|50", "|80") + 0.1


def test_the_stream_feeds_the_run(batch):
    """Shapes and types of real batches are what a step takes."""
    run = Run.start(TINY, CPU, None)
    for points, ids in islice(batches(DataOptions(surface_points=40, batch_size=4, seed=2), pool=1), 2):
        run.step(torch.from_numpy(points), torch.from_numpy(ids), 32, 1.0, 0.7)
    assert run.steps == 2


def test_a_pause_uses_up_none_of_the_minutes():
    times = iter([0.0, 5.0, 7.0, 7.0 + 3600.0, 3610.0])
    clock = BusyClock(lambda: next(times))
    assert [clock.tick() for _ in range(4)] == [5.0, 7.0, 7.0 + LONGEST_STEP, 10.0 + LONGEST_STEP]
