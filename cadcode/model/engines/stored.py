"""Matrices stored in bfloat16 or int8 and multiplied in float32: for large models on a CPU.

A step of decoding takes as long as reading the weights from memory. Published weights are bfloat16: converted in
registers they give the results of float32 in half of its time and memory. int8, with a scale for each row, halves both
again and is not exact.
"""

import torch
from torch import nn

from cadcode.model.engines.kernels import CHAINS, product
from cadcode.model.nets.wide import exchange


class StoredLinear(nn.Module):
    """Linear layer of float32 rows whose matrix (out, in) is stored as bfloat16 or int8."""

    def __init__(self, layer: nn.Linear, kind: torch.dtype):
        super().__init__()
        self.product, self.kind, self.out_features = product(layer.weight, kind), kind, layer.out_features
        self.bias = None if layer.bias is None else nn.Parameter(layer.bias.float(), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.product(x.flatten(0, -2), self.bias).view(*x.shape[:-1], self.out_features)


class StoredEmbedding(nn.Module):
    """Table of embeddings in bfloat16 whose rows are read in float32; shares the weight of an nn.Embedding."""

    def __init__(self, embedding: nn.Embedding):
        super().__init__()
        self.weight = embedding.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return nn.functional.embedding(ids, self.weight).float()


def store(network: nn.Module, kind: torch.dtype) -> None:
    """Keep the matrices of a bfloat16 network as they are, or as int8; everything else becomes float32."""
    exchange(network, lambda module: type(module) is nn.Embedding, StoredEmbedding)
    for module in network.modules():
        if not isinstance(module, StoredEmbedding) and not fits(module):
            widen_own(module)
    exchange(network, fits, lambda layer: StoredLinear(layer, kind))


def fits(layer: nn.Module) -> bool:
    return type(layer) is nn.Linear and layer.weight.dtype == torch.bfloat16 and layer.in_features % CHAINS == 0


def widen_own(module: nn.Module) -> None:
    for name, weight in module.named_parameters(recurse=False):
        setattr(module, name, nn.Parameter(weight.detach().float(), requires_grad=False))
