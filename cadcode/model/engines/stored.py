"""Matrices stored in bfloat16 or int8 that are multiplied in float32: for large models on a CPU.

A step of decoding takes as long as the weights take to be read from memory. Published weights are bfloat16: widened in
registers they give the numbers of float32 in half of its time and memory. int8, with a scale for each row, halves both
once more and is no longer exact.
"""

import torch
from torch import nn

from cadcode.errors import UsageError
from cadcode.model.checkpoints.weights import pick_dtype
from cadcode.model.engines.kernels import CHAINS, kernels, product

INT8 = "int8"


def pick_numbers(
    name: str, device: str, published: torch.dtype | None = None
) -> tuple[torch.dtype, torch.dtype | None]:
    """For `--dtype`: what weights are read as, and what they are stored as where that is not what they compute in.

    'auto': `published` bfloat16 stays stored so on a CPU, also where that has instructions for it, because torch takes
    three times as long for a row; else bfloat16 where the hardware computes in it, and float32. UsageError.
    """
    if name == INT8:
        if device != "cpu" or kernels() is None:
            raise UsageError("--dtype int8: needs a CPU and a C compiler (cc); install one or use --dtype float32")
        return torch.bfloat16, torch.int8
    if name == "auto" and device == "cpu" and published == torch.bfloat16 and kernels() is not None:
        return torch.bfloat16, torch.bfloat16
    return pick_dtype(name, device), None


class StoredLinear(nn.Module):
    """An nn.Linear of float32 rows whose matrix (out, in) is stored as bfloat16 or int8."""

    def __init__(self, layer: nn.Linear, kind: torch.dtype):
        super().__init__()
        self.product, self.kind, self.out_features = product(layer.weight, kind), kind, layer.out_features
        self.bias = None if layer.bias is None else nn.Parameter(layer.bias.float(), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.product(x.flatten(0, -2), self.bias).view(*x.shape[:-1], self.out_features)


class StoredEmbedding(nn.Embedding):
    """An nn.Embedding in bfloat16 whose rows are read in float32."""

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return super().forward(ids).float()


def store(network: nn.Module, kind: torch.dtype) -> None:
    """Keep the matrices of a bfloat16 network as they are, or as int8; everything else becomes float32."""
    places = [(module, name) for module in network.modules() for name, layer in module.named_children() if fits(layer)]
    for module in network.modules():
        if type(module) is nn.Embedding:
            module.__class__ = StoredEmbedding  # its weights stay where they are
        elif not fits(module):
            widen_own(module)
    for module, name in places:  # a file of weights is free when the last of it is stored: nothing is held here
        setattr(module, name, StoredLinear(getattr(module, name), kind))


def fits(layer: nn.Module) -> bool:
    return type(layer) is nn.Linear and layer.weight.dtype == torch.bfloat16 and layer.in_features % CHAINS == 0


def widen_own(module: nn.Module) -> None:
    for name, weight in module.named_parameters(recurse=False):
        setattr(module, name, nn.Parameter(weight.detach().float(), requires_grad=False))
