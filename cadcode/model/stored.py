"""Matrices stored in bfloat16 or int8 that are multiplied in float32: for large models on a CPU.

A step of decoding takes as long as the weights take to be read from memory. Published weights are bfloat16: widened in
registers they give the numbers of float32 in half of its time and memory. int8, with a scale for each row, halves both
once more and is no longer exact. Products of few rows are C; for many rows a matrix is widened as a whole.
"""

import ctypes
import functools
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from cadcode.errors import UsageError
from cadcode.model.compiled import library
from cadcode.model.weights import fast_bfloat16, pick_dtype

INT8 = "int8"
SOURCE = Path(__file__).with_name("stored.c")
LANES = 8  # as in the source: words that are taken apart at once
SPAN = 4 * LANES  # rows of the matrices are a multiple of this
MANY_ROWS = 12
LARGEST = 127  # of int8, the same on both sides


@functools.cache
def products() -> ctypes.CDLL | None:
    """The compiled products; None where they cannot be compiled."""
    found = library(SOURCE)
    for function in (found.multiply_bfloat16, found.multiply_int8) if found else ():
        function.argtypes, function.restype = [ctypes.c_void_p] * 4 + [ctypes.c_int64] * 3 + [ctypes.c_int], None
    return found


def pick_numbers(
    name: str, device: str, published: torch.dtype | None = None
) -> tuple[torch.dtype, torch.dtype | None]:
    """For `--dtype`: what weights are read as, and what they are stored as where that is not what they compute in.

    'auto' is bfloat16 where the hardware computes in it; else `published` bfloat16 stays stored so on a CPU, and
    everything else is float32. UsageError.
    """
    if name == INT8:
        if device != "cpu" or products() is None:
            raise UsageError("--dtype int8: needs a CPU and a C compiler (cc); install one or use --dtype float32")
        return torch.bfloat16, torch.int8
    stays = name == "auto" and device == "cpu" and published == torch.bfloat16 and not fast_bfloat16(device)
    if stays and products() is not None:
        return torch.bfloat16, torch.bfloat16
    return pick_dtype(name, device), None


class StoredLinear(nn.Linear):
    """An nn.Linear of float32 rows whose `weight` (out, in) is bfloat16, or int8 times `scales` (out,) in float32."""

    scales: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.numel() // x.shape[-1]
        y = self.few(x, rows) if rows < MANY_ROWS else F.linear(x, self.widened())
        return y if self.bias is None else y + self.bias

    def few(self, x: torch.Tensor, rows: int) -> torch.Tensor:
        """The product with few rows (..., in), by the C source."""
        found, y = products(), x.new_empty((*x.shape[:-1], self.out_features))
        if self.scales is None:
            multiply, scales, in_a_word = found.multiply_bfloat16, None, 2
        else:
            multiply, scales, in_a_word = found.multiply_int8, self.scales.data_ptr(), 4
        x = x.reshape(rows, -1, LANES, in_a_word).transpose(2, 3).contiguous()  # as words come apart
        multiply(self.weight.data_ptr(), scales, x.data_ptr(), y.data_ptr(), rows, self.out_features, self.in_features,
                 torch.get_num_threads())  # fmt: skip
        return y

    def widened(self) -> torch.Tensor:
        return self.weight.float() if self.scales is None else self.weight.float().mul_(self.scales[:, None])


class StoredEmbedding(nn.Embedding):
    """An nn.Embedding in bfloat16 whose rows are read in float32."""

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return super().forward(ids).float()


def store(network: nn.Module, kind: torch.dtype) -> None:
    """Keep the matrices of a bfloat16 network as they are, or as int8; everything else becomes float32."""
    for module in network.modules():
        if type(module) is nn.Linear and module.weight.dtype == torch.bfloat16 and module.in_features % SPAN == 0:
            keep(module, kind)
        elif type(module) is nn.Embedding:
            module.__class__ = StoredEmbedding
        else:
            widen_own(module)


def keep(layer: nn.Linear, kind: torch.dtype) -> None:
    layer.__class__ = StoredLinear  # its weights stay where they are
    if layer.bias is not None:
        layer.bias = nn.Parameter(layer.bias.float(), requires_grad=False)
    if kind == torch.int8:
        weight, layer.scales = rounded(layer.weight)
        layer.weight = nn.Parameter(weight, requires_grad=False)


def rounded(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A matrix (out, in) as int8 and what to multiply its rows by (out,): the largest of a row becomes 127."""
    wide = weight.detach().float()
    scales = wide.abs().amax(1).clamp_min_(torch.finfo(torch.float32).tiny) / LARGEST
    return (wide / scales[:, None]).round_().to(torch.int8), scales


def widen_own(module: nn.Module) -> None:
    for name, weight in module.named_parameters(recurse=False):
        setattr(module, name, nn.Parameter(weight.detach().float(), requires_grad=False))
