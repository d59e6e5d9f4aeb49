"""flash-attn is optional: a stand-in with its interface shows that ours is used as it wants to be."""

import sys
from types import ModuleType

import pytest
import torch
from published_models import OPTIONS, random_published

from cadcode.errors import UsageError
from cadcode.model.engines.eager import EagerEngine
from cadcode.model.nets.attention import check_attention, flash_attend, use_attention
from cadcode.model.nets.qwen2 import attend


@pytest.fixture
def flash(monkeypatch):
    """Its function by plain arithmetic: (B, L, heads, size), key heads shared, causal from the last position on."""
    calls = []

    def flash_attn_func(q, k, v, causal=False):
        calls.append(q.shape)
        assert causal and all(t.is_contiguous() for t in (q, k, v))
        k, v = (t.repeat_interleave(q.shape[2] // t.shape[2], dim=2) for t in (k, v))
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / q.shape[-1] ** 0.5
        late = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(scores.shape[3] - scores.shape[2] + 1)
        return torch.einsum("bhqk,bkhd->bqhd", scores.masked_fill(late, -torch.inf).softmax(-1), v)

    module = ModuleType("flash_attn")
    module.flash_attn_func = flash_attn_func
    monkeypatch.setitem(sys.modules, "flash_attn", module)
    return calls


@pytest.mark.parametrize("queries", [1, 3, 7])
def test_it_is_the_same_attention(flash, queries):
    generator = torch.Generator().manual_seed(0)
    q = torch.randn((2, 4, queries, 8), generator=generator)
    k, v = torch.randn((2, 2, 2, 7, 8), generator=generator)
    torch.testing.assert_close(flash_attend(q, k, v), attend(q, k, v), atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_a_network_computes_with_it_where_asked(flash):
    network, cloud = random_published().bfloat16(), torch.rand((2, 256, 3)) * 2 - 1
    network.point_encoder.float()
    engine = EagerEngine(network)
    plain = engine.begin(cloud, (3,), 1)[0]
    assert flash == []
    use_attention(network, "flash_attention_2")
    logits, cache = engine.begin(cloud, (3,), 1)
    assert len(flash) == OPTIONS.num_hidden_layers
    torch.testing.assert_close(logits, plain, atol=0.5, rtol=0.05)
    engine.step(logits.argmax(-1), 1, cache)
    assert flash[-1] == (2, 1, OPTIONS.num_attention_heads, OPTIONS.head_dim)
    use_attention(network, "sdpa")
    assert torch.equal(engine.begin(cloud, (3,), 1)[0], plain)


def test_what_it_needs_is_said(monkeypatch):
    check_attention("sdpa", "cpu")
    with pytest.raises(UsageError, match="choose one of sdpa, flash_attention_2"):
        check_attention("eager", "cuda")
    with pytest.raises(UsageError, match="needs --device cuda"):
        check_attention("flash_attention_2", "cpu")
    monkeypatch.setitem(sys.modules, "flash_attn", None)
    with pytest.raises(UsageError, match="pip install flash-attn"):
        check_attention("flash_attention_2", "cuda")
    with pytest.raises(UsageError, match="needs --dtype bfloat16"):
        use_attention(random_published(), "flash_attention_2")
