"""bfloat16 weights on a CPU without instructions for them: products of many rows are faster in float32.

Torch emulates them there: 10 GFLOP/s a core where float32 reaches 70. Weights are converted one matrix at a time, so
memory stays that of bfloat16; with few rows the conversion would cost more than the product.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

MANY_ROWS = 16


class WideLinear(nn.Linear):
    """Linear layer that multiplies many rows in float32 and rounds once, at the end; shares the weights of `layer`."""

    def __init__(self, layer: nn.Linear):
        nn.Module.__init__(self)  # the parent would allocate weights of its own
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.numel() // x.shape[-1] < MANY_ROWS:
            return super().forward(x)
        bias = None if self.bias is None else self.bias.float()
        return F.linear(x.float(), self.weight.float(), bias).to(x.dtype)


def widen(network: nn.Module) -> None:
    """Let the bfloat16 layers of a network multiply many rows in float32."""
    exchange(network, lambda module: type(module) is nn.Linear and module.weight.dtype == torch.bfloat16, WideLinear)


def exchange(network: nn.Module, matches: Callable[[nn.Module], bool], make: Callable[[nn.Module], nn.Module]) -> None:
    """Replace the modules inside a network that match by what `make` makes of them, one after the other.

    Only names are held, so the memory of a replaced module is free at once.
    """
    places = [
        (module, name) for module in network.modules() for name, child in module.named_children() if matches(child)
    ]
    for module, name in places:
        setattr(module, name, make(getattr(module, name)))
