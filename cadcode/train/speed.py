"""Utilisation in training: floating-point operations of a step, and the measured peak of the device."""

import time

import torch

from cadcode.model.nets.qwen2 import Qwen2Options

SIZES = {"cuda": 8192, "cpu": 1024}
TRIES = 5


def step_operations(o: Qwen2Options, batch: int, points: int, text: int) -> float:
    """Floating-point operations of forward and backward passes for `batch` prefixes of `points` and `text` tokens.

    Matrix products only: two operations per multiplication, and the backward pass costs twice the forward pass. Causal
    attention counts half. The last layer needs queries and feed-forward for the text tokens only. The point encoder is
    negligible.
    """
    h, length = o.hidden_size, points + text
    shared = 2 * h * o.num_key_value_heads * o.head_dim  # multiplications per token: keys and values
    own = 2 * h * h + 3 * h * o.intermediate_size  # queries, output, feed-forward
    layer = length * (shared + own) + length**2 * h
    last = length * shared + text * own + text * (2 * length - text) * h
    return 3 * 2.0 * batch * ((o.num_hidden_layers - 1) * layer + last + text * h * o.vocab_size)


def measured_peak(device: torch.device, dtype: torch.dtype) -> float:
    """Operations per second of one large matrix product, the best of several runs."""
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
