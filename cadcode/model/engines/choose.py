"""Choice of the engine and of the number formats by device, dtype and compiler; once, where a model is loaded."""

from collections.abc import Callable

import torch

from cadcode.errors import UsageError
from cadcode.model.checkpoints.weights import pick_dtype
from cadcode.model.engines.base import NetworkEngine
from cadcode.model.engines.cpu import CpuEngine
from cadcode.model.engines.cuda_graphs import CudaGraphsEngine
from cadcode.model.engines.eager import EagerEngine
from cadcode.model.engines.kernels import kernels
from cadcode.model.nets.small import SmallModel

INT8 = "int8"


def pick_numbers(
    name: str, device: str, published: torch.dtype | None = None, compiled: Callable = kernels
) -> tuple[torch.dtype, torch.dtype | None]:
    """Number formats for `--dtype`: of the weights as they are read, and of stored matrices where it differs from that
    of computing.

    'auto': `published` bfloat16 stays stored on a CPU, even one with instructions for it, because torch takes three
    times as long for a row; else bfloat16 where the hardware computes in it, and float32. `compiled` gives the C
    kernels or None. UsageError.
    """
    if name == INT8:
        if device != "cpu" or compiled() is None:
            raise UsageError("--dtype int8: needs a CPU and a C compiler (cc); install one or use --dtype float32")
        return torch.bfloat16, torch.int8
    if name == "auto" and device == "cpu" and published == torch.bfloat16 and compiled() is not None:
        return torch.bfloat16, torch.bfloat16
    return pick_dtype(name, device), None


def choose_engine(
    network: SmallModel, device: str, packed: bool, stored: torch.dtype | None = None, release: bool = False
) -> NetworkEngine:
    """Engine for a network on its device: packed matrices on a CPU if asked for, CUDA graphs on a GPU, else eager.

    Packed matrices are stored as `stored`, see `kernels.product`; `release` frees the layers of the network, because
    there is no memory for large models twice.
    """
    if packed:
        return CpuEngine(network, stored, release)
    return CudaGraphsEngine(network) if device.startswith("cuda") else EagerEngine(network)
