"""Attention under a mask: what the mask says, by either way of computing it."""

import pytest
import torch
from tiny_models import tiny_model

from cadcode.model.nets.qwen2 import attend, explicit_attention


def heads(queries, keys, query_heads=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(3, query_heads, queries, 16), (3, 2, keys, 16), (3, 2, keys, 16)]
    return [torch.randn(shape, generator=generator) for shape in shapes]


def causal(queries, keys):
    return torch.full((queries, keys), -torch.inf).triu(keys - queries + 1)


@pytest.mark.parametrize("queries, keys, query_heads", [(5, 9, 2), (9, 9, 2), (1, 9, 2), (1, 9, 4), (5, 9, 4)])
def test_a_causal_mask_is_the_order_itself(queries, keys, query_heads):
    q, k, v = heads(queries, keys, query_heads)
    torch.testing.assert_close(attend(q, k, v, causal(queries, keys)), attend(q, k, v), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("query_heads", [2, 4])
def test_what_a_mask_hides_does_not_count(query_heads):
    q, k, v = heads(4, 9, query_heads)
    mask = torch.zeros(4, 9)
    mask[:, 6:] = -torch.inf
    mask[2, 0] = -torch.inf
    hidden = attend(q, k, v, mask)
    torch.testing.assert_close(attend(q.clone().requires_grad_(), k, v, mask), hidden, atol=1e-5, rtol=1e-4)
    k[:, :, 6:], v[:, :, 6:] = 50.0, -70.0
    torch.testing.assert_close(attend(q, k, v, mask), hidden)
    changed = v.clone()
    changed[:, :, 0] += 1
    rows = (attend(q, k, changed, mask) - hidden).abs().amax((0, 1, 3)) > 1e-4
    assert rows.tolist() == [True, True, False, True]
    if query_heads == 2:
        torch.testing.assert_close(explicit_attention(q, k, v, mask), hidden, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_a_masked_tail_is_the_end_of_the_masked_whole():
    model = tiny_model().model
    x, positions = torch.randn((2, 10, 32), generator=torch.Generator().manual_seed(1)), torch.arange(10)
    mask = causal(10, 10)
    mask[8, 3:6] = -torch.inf
    whole = model(x, positions, mask=mask)
    assert not torch.allclose(whole[:, 8], model(x, positions)[:, 8], atol=1e-3)
    for tail in (1, 4, 10):
        torch.testing.assert_close(model(x, positions, tail=tail, mask=mask), whole[:, -tail:])
