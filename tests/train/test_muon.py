"""The optimiser of hidden matrices against torch's own, and the law it rests on."""

import pytest
import torch

from cadcode.train.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(16, 16), (8, 24), (24, 8)])
def test_singular_values_come_near_one(shape):
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonal(matrices))
    assert values.shape == (3, min(shape))
    assert 0.3 < values.min() and values.max() < 1.4
    assert orthogonal(matrices * 1000).allclose(orthogonal(matrices), atol=1e-4)


def test_steps_are_those_of_torch():
    generator = torch.Generator().manual_seed(1)
    start = [torch.randn(6, 20, generator=generator), torch.randn(20, 6, generator=generator)]
    gradients = [[torch.randn(p.shape, generator=generator) for p in start] for _ in range(3)]

    def trained(make):
        parameters = [torch.nn.Parameter(p.clone()) for p in start]
        optimizer = make(parameters)
        for step in gradients:
            for p, gradient in zip(parameters, step, strict=True):
                p.grad = gradient.clone()
            optimizer.step()
        return parameters

    ours = trained(lambda p: Muon(p, lr=0.02, weight_decay=0.1, dtype=torch.bfloat16))
    theirs = trained(lambda p: torch.optim.Muon(p, lr=0.02, weight_decay=0.1, momentum=0.95))
    for a, b, p in zip(ours, theirs, start, strict=True):
        assert (a - p).abs().max() > 0.01
        assert a.allclose(b, atol=2e-3)  # bfloat16 rounds a batch of products in another order


def test_a_parameter_without_a_gradient_stays():
    p = torch.nn.Parameter(torch.ones(2, 2))
    Muon([p], lr=0.1, weight_decay=0.5).step()
    assert p.equal(torch.ones(2, 2))


def test_vectors_are_refused():
    with pytest.raises(ValueError, match="matrices"):
        Muon([torch.nn.Parameter(torch.ones(3))], lr=0.1, weight_decay=0.0)
