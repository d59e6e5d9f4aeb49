"""How much of a device's peak training uses: operations of a step, and the fastest matrix product it does."""

import time

import torch

from cadcode.model.nets.qwen2 import Qwen2Options

SIZES = {"cuda": 8192, "cpu": 1024}
TRIES = 5


def step_operations(o: Qwen2Options, batch: int, points: int, text: int) -> float:
    """Floating-point operations of forward and backward for `batch` prefixes of `points` and texts of `text` tokens.

    Matrix products only: twice their multiplications, backward twice forward. Causal attention counts half; the last
    layer's queries and feed-forward are needed for the text alone. The point encoder is too small to count.
    """
    h, length = o.hidden_size, points + text
    shared = 2 * h * o.num_key_value_heads * o.head_dim  # multiplications a token: keys and values
    own = 2 * h * h + 3 * h * o.intermediate_size  # queries, output, feed-forward
    layer = length * (shared + own) + length**2 * h
    last = length * shared + text * own + text * (2 * length - text) * h
    return 3 * 2.0 * batch * ((o.num_hidden_layers - 1) * layer + last + text * h * o.vocab_size)


def measured_peak(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of one large matrix product, the best of a few."""
    size = SIZES.get(device.type, 1024)
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best = float("inf")
    for _ in range(TRIES):
        _wait(device)
        started = time.perf_counter()
        a @ b
        _wait(device)
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
