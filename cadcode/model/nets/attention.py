"""Attention of a model: torch's own, or the flash-attn package where it is installed and asked for."""

import torch
from torch import nn

from cadcode.errors import UsageError
from cadcode.model.nets.qwen2 import Attention, attend

SDPA = "sdpa"
ATTENTIONS = (SDPA, "flash_attention_2")  # transformers' names


def flash_attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """As `qwen2.attend`, (B, heads, L, head_dim), by FlashAttention-2 (Dao 2023, arXiv:2307.08691)."""
    from flash_attn import flash_attn_func

    rows = (t.transpose(1, 2).contiguous() for t in (q, k, v))  # causal: the last query sees all keys
    return flash_attn_func(*rows, causal=True).transpose(1, 2)


def check_attention(name: str, device: str) -> None:
    """UsageError where attention `name` is unknown or cannot be computed on a device."""
    if name not in ATTENTIONS:
        raise UsageError(f"--attention {name}: choose one of {', '.join(ATTENTIONS)}")
    if name == SDPA:
        return
    if not device.startswith("cuda"):
        raise UsageError(f"--attention {name}: needs --device cuda; {SDPA} works everywhere")
    try:
        import flash_attn  # noqa: F401
    except ImportError as error:
        reason = f"flash-attn cannot be loaded ({error}); pip install flash-attn"
        raise UsageError(f"--attention {name}: {reason}") from error


def use_attention(network: nn.Module, name: str) -> None:
    """Let a network compute attention by `name`. UsageError where that cannot be done in its numbers."""
    layers = [module for module in network.modules() if isinstance(module, Attention)]
    if name != SDPA and any(layer.q_proj.weight.dtype != torch.bfloat16 for layer in layers):
        raise UsageError(f"--attention {name}: needs --dtype bfloat16")
    for layer in layers:
        layer.attend = attend if name == SDPA else flash_attend
