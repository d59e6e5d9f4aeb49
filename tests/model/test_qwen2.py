"""The decoder against itself: with and without a cache, whole and in part, by either attention."""

from dataclasses import replace

import pytest
import torch
from tiny_models import OPTIONS, clouds, tiny_model

from cadcode.model.engines.eager import EagerEngine
from cadcode.model.nets.points import FEATURES, FREQUENCIES, FourierPointEncoder, fourier_features
from cadcode.model.nets.qwen2 import KeyValueCache, Qwen2Options, attend, explicit_attention, rope, rotate
from cadcode.model.nets.small import PREFIX_LENGTH, point_positions
from cadcode.program.tokens import PIECES, START

IDS = torch.randint(3, len(PIECES), (2, 12), generator=torch.Generator().manual_seed(4))
IDS[:, 0] = START
SHARED = replace(OPTIONS, num_attention_heads=4, num_key_value_heads=2)  # two query heads a key head


def heads(seed, queries=5, keys=9, query_heads=2):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(3, query_heads, queries, 16), (3, 2, keys, 16), (3, 2, keys, 16)]
    return [torch.randn(shape, generator=generator) for shape in shapes]


@pytest.mark.parametrize("options", [OPTIONS, SHARED])
@pytest.mark.parametrize("points", [256, 64])
@torch.inference_mode()
def test_cached_logits_are_those_of_the_whole_sequence(options, points):
    model, cloud = tiny_model(options=options), clouds(2, points)
    whole = model(cloud, IDS)  # (2, 12, V)
    engine = EagerEngine(model)
    logits, cache = engine.begin(cloud, START, room=IDS.shape[1])
    steps = [logits]
    for written in range(1, IDS.shape[1]):
        steps.append(engine.step(IDS[:, written], written, cache))
    torch.testing.assert_close(torch.stack(steps, 1), whole, atol=2e-4, rtol=1e-4)
    assert whole.std() > 0.5  # or nothing was compared


@torch.inference_mode()
def test_rows_picked_from_a_cache_go_on_as_their_own():
    model, cloud = tiny_model(), clouds(2)
    engine = EagerEngine(model)
    logits, cache = engine.begin(cloud, START, room=4)
    picked = cache.select(torch.tensor([1, 0, 1]))
    ids = torch.tensor([20, 40, 60])
    rows = engine.step(ids, 1, picked)
    for row, part in enumerate((1, 0, 1)):
        text = torch.tensor([[START, ids[row]]])
        torch.testing.assert_close(rows[row], model(cloud[part : part + 1], text)[0, -1], atol=2e-4, rtol=1e-4)
    assert cache.used == 257 and picked.used == 258


@torch.inference_mode()
def test_a_tail_is_the_end_of_the_whole():
    model = tiny_model().model
    x, positions = torch.randn((2, 10, 32), generator=torch.Generator().manual_seed(1)), torch.arange(10)
    whole = model(x, positions)
    for tail in (1, 4, 10):
        torch.testing.assert_close(model(x, positions, tail=tail), whole[:, -tail:])


@torch.inference_mode()
def test_later_tokens_change_nothing_before_them():
    model, cloud = tiny_model(), clouds(2)
    other = IDS.clone()
    other[:, 8:] = 30
    before, after = model(cloud, IDS), model(cloud, other)
    torch.testing.assert_close(before[:, :8], after[:, :8])
    assert not torch.allclose(before[:, 8:], after[:, 8:], atol=1e-2)


@pytest.mark.parametrize("queries, keys", [(9, 9), (1, 9), (5, 9)])
@pytest.mark.parametrize("query_heads", [2, 4])
def test_explicit_attention_is_the_fused_one(queries, keys, query_heads):
    q, k, v = heads(0, queries, keys, query_heads)
    fused = attend(q, k, v)
    k, v = (t.repeat_interleave(query_heads // 2, dim=1) for t in (k, v))
    torch.testing.assert_close(explicit_attention(q, k, v), fused, atol=1e-5, rtol=1e-4)


def test_attention_with_gradients_is_the_one_without():
    q, k, v = heads(1)
    torch.testing.assert_close(attend(q.clone().requires_grad_(), k, v), attend(q, k, v), atol=1e-5, rtol=1e-4)


def test_attention_by_hand():
    """One query at the last position: a softmax over all keys."""
    q, k, v = heads(2, queries=1)
    weights = ((q * k).sum(-1) / 4).softmax(-1)
    torch.testing.assert_close(attend(q, k, v)[:, :, 0], (weights[..., None] * v).sum(2), atol=1e-5, rtol=1e-4)


def test_rotary_products_depend_on_the_distance_only():
    a, b = torch.randn((2, 16), generator=torch.Generator().manual_seed(0))
    cos, sin = rope(torch.arange(60), 16, 1e4)
    dot = lambda i, j: rotate(a, cos[i], sin[i]) @ rotate(b, cos[j], sin[j])  # noqa: E731
    assert dot(50, 47) == pytest.approx(dot(3, 0).item(), abs=1e-4)
    assert dot(3, 1).item() != pytest.approx(dot(3, 0).item(), abs=1e-2)


@pytest.mark.parametrize("count", [1, 7, 64, 100, 128, 255, 256])
def test_fewer_points_are_spread_over_the_prefix(count):
    positions = point_positions(count)
    assert len(positions) == len(set(positions.tolist())) == count
    assert positions[0] == 0 and positions[-1] < PREFIX_LENGTH
    assert positions[-1] >= PREFIX_LENGTH - PREFIX_LENGTH / count - 1
    assert (positions.diff() > 0).all()


@torch.inference_mode()
def test_points_matter_and_their_place_in_the_prefix_too():
    model, ids = tiny_model(), IDS[:1]
    base = model(clouds(1), ids)
    assert not torch.allclose(model(clouds(1, seed=1), ids), base, atol=0.05)
    assert not torch.allclose(model(clouds(1).flip(1), ids), base, atol=0.05)


# --- points ----------------------------------------------------------------------------------------------------------


def test_fourier_features_by_hand():
    features = fourier_features(torch.tensor([[0.5, -0.25, 1.0]]))[0]
    angles = [c * 2.0**k for c in (0.5, -0.25, 1.0) for k in range(FREQUENCIES)]
    expected = [0.5, -0.25, 1.0, *torch.tensor(angles).sin().tolist(), *torch.tensor(angles).cos().tolist()]
    assert len(expected) == FEATURES
    torch.testing.assert_close(features, torch.tensor(expected))


def test_the_point_encoder_stays_in_float32_under_autocast():
    torch.manual_seed(0)
    encoder, points = FourierPointEncoder(8), clouds(1, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = encoder(points)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, encoder(points), rtol=0, atol=0)


# --- options ---------------------------------------------------------------------------------------------------------


THETAS = [{"rope_theta": 5e5}, {"rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}}]


@pytest.mark.parametrize("theta", THETAS)
def test_options_come_from_configs_of_either_generation(theta):
    config = dict(vocab_size=9, hidden_size=48, num_attention_heads=3, model_type="qwen2", hidden_act="silu", **theta)
    options = Qwen2Options.from_config(config)
    assert (options.vocab_size, options.hidden_size, options.head_dim, options.rope_theta) == (9, 48, 16, 5e5)


def test_a_cache_is_as_large_as_asked_for():
    cache = KeyValueCache(SHARED, 3, 20, torch.float32, "cpu")
    assert cache.keys.shape == cache.values.shape == (2, 3, 2, 20, SHARED.head_dim)
