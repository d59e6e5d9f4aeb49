"""bfloat16 weights on a processor without instructions for them: products of many rows are faster in float32.

Torch emulates them there: 10 GFLOP/s a core where float32 reaches 70. Weights are widened one matrix at a time, so
memory stays that of bfloat16; with few rows the widening would cost more than the product.
"""

import torch
import torch.nn.functional as F
from torch import nn

MANY_ROWS = 16


class WideLinear(nn.Linear):
    """An nn.Linear that multiplies many rows in float32 and rounds once, at the end."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.numel() // x.shape[-1] < MANY_ROWS:
            return super().forward(x)
        bias = None if self.bias is None else self.bias.float()
        return F.linear(x.float(), self.weight.float(), bias).to(x.dtype)


def widen(network: nn.Module) -> None:
    """Let the bfloat16 layers of a network multiply many rows in float32."""
    for module in network.modules():
        if type(module) is nn.Linear and module.weight.dtype == torch.bfloat16:
            module.__class__ = WideLinear  # the weights stay where they are
