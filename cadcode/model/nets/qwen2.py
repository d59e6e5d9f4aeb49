"""A Qwen2 decoder (Yang et al. 2024, arXiv:2407.10671) in plain torch.

Same weights, names and numbers as transformers' Qwen2ForCausalLM, without its seconds of import time: this is what
decodes by default and what trains. A test holds the two together.
"""

from copy import copy as shallow_copy
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Qwen2Options:
    """Fields as in transformers' Qwen2Config."""

    vocab_size: int
    hidden_size: int = 256
    intermediate_size: int = 768
    num_hidden_layers: int = 6
    num_attention_heads: int = 4
    num_key_value_heads: int = 4
    rms_norm_eps: float = 1e-6
    rope_theta: float = 1e6
    tie_word_embeddings: bool = False

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads

    @classmethod
    def from_config(cls, config: dict) -> "Qwen2Options":
        """From the contents of a config.json, of transformers 4 or 5 (which keeps theta in `rope_parameters`)."""
        theta = config.get("rope_theta") or (config.get("rope_parameters") or {}).get("rope_theta") or 1e4
        known = {k: config[k] for k in asdict(cls(1)) if k in config}
        return cls(**{**known, "rope_theta": float(theta)})


class KeyValueCache:
    """Keys and values of all layers in buffers allocated once: (layers, B, heads, length, head_dim)."""

    def __init__(self, options: Qwen2Options, batch: int, length: int, dtype, device):
        shape = (options.num_hidden_layers, batch, options.num_key_value_heads, length, options.head_dim)
        self.keys = torch.empty(shape, dtype=dtype, device=device)
        self.values = torch.empty(shape, dtype=dtype, device=device)
        self.used = 0

    def append(self, layer: int, keys: torch.Tensor, values: torch.Tensor):
        """Append (B, heads, n, head_dim); returns all keys and values so far."""
        end = self.used + keys.shape[2]
        self.keys[layer, :, :, self.used : end] = keys
        self.values[layer, :, :, self.used : end] = values
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def select(self, rows: torch.Tensor) -> "KeyValueCache":
        """Cache of some batch rows (B' indices, repeats allowed), with memory of its own."""
        selected = shallow_copy(self)
        selected.keys, selected.values = (self._selected(store, rows) for store in (self.keys, self.values))
        return selected

    def _selected(self, store: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Only used positions are copied: unwritten memory costs nothing."""
        new = store.new_empty((store.shape[0], len(rows), *store.shape[2:]))
        new[:, :, :, : self.used] = store[:, :, :, : self.used].index_select(1, rows)
        return new


def rope(positions: torch.Tensor, head_dim: int, theta: float):
    """Cosines and sines (L, head_dim) of rotary positions, in float32 (Su et al. 2021, arXiv:2104.09864).

    Positions are (L,), or (L, head_dim / 2) where each frequency turns by its own.
    """
    positions = positions[:, None] if positions.ndim == 1 else positions
    exponents = torch.arange(0, head_dim, 2, device=positions.device, dtype=torch.float32) / head_dim
    angles = positions.float() * (1.0 / theta**exponents)  # rounded as transformers does
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    scale = torch.rsqrt(x.float().square().mean(-1, keepdim=True) + eps)
    return weight.to(x.dtype) * (x * scale.to(x.dtype))


def rms_norm_as_published(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    """The same, rounded where transformers rounds: below float32 the last digits differ."""
    wide = x.float()
    return weight * (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)).to(x.dtype)


def swiglu(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    return F.silu(gate) * up


# The element-wise functions, which modules hold as attributes so that training can exchange them for compiled ones.
ELEMENTWISE = {"rms_norm": rms_norm, "rotate": rotate, "swiglu": swiglu}


class RMSNorm(nn.Module):
    def __init__(self, size: int, eps: float):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps
        self.rms_norm = rms_norm

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.rms_norm(x, self.weight, self.eps)


class Attention(nn.Module):
    def __init__(self, o: Qwen2Options):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = o.num_attention_heads, o.num_key_value_heads, o.head_dim
        self.q_proj = nn.Linear(o.hidden_size, self.heads * self.head_dim)
        self.k_proj = nn.Linear(o.hidden_size, self.kv_heads * self.head_dim)
        self.v_proj = nn.Linear(o.hidden_size, self.kv_heads * self.head_dim)
        self.o_proj = nn.Linear(self.heads * self.head_dim, o.hidden_size, bias=False)
        self.rotate, self.attend = rotate, attend

    def forward(self, x, cos, sin, cache, layer, tail, mask=None):
        q, k, v = self._split(self.q_proj(x[:, -tail:])), self._split(self.k_proj(x)), self._split(self.v_proj(x))
        q, k = self.rotate(q, cos[-tail:].to(q), sin[-tail:].to(q)), self.rotate(k, cos.to(k), sin.to(k))
        if cache is not None:
            k, v = cache.append(layer, k, v)
        y = self.attend(q, k, v) if mask is None else attend(q, k, v, mask[-tail:])
        return self.o_proj(y.transpose(1, 2).flatten(2))

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)  # (B, heads, L, head_dim)


def attend(q, k, v, mask=None):
    """Causal attention of the last `q` positions over all `k` positions; several query heads may share a key head.

    A `mask` (queries, keys), added to the scores, says instead of the order what sees what.
    """
    queries, keys = q.shape[2], k.shape[2]
    if q.shape[1] != k.shape[1]:
        if queries == 1 and mask is None:  # without repeated keys, which cost most of a step
            return F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
        if mask is not None:  # heads that share keys as further queries of one head
            shared = q.shape[1] // k.shape[1]
            y = attend(q.unflatten(1, (-1, shared)).flatten(2, 3), k, v, mask.repeat(shared, 1))
            return y.unflatten(2, (shared, queries)).flatten(1, 2)
        k, v = (t.repeat_interleave(q.shape[1] // t.shape[1], dim=1) for t in (k, v))
    if q.requires_grad and q.device.type == "cpu":
        return explicit_attention(q, k, v, mask)
    if mask is not None:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask.to(q.dtype))
    if queries == keys or queries == 1:
        return F.scaled_dot_product_attention(q, k, v, is_causal=queries > 1)
    mask = torch.ones(queries, keys, dtype=torch.bool, device=q.device).tril(keys - queries)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def explicit_attention(q, k, v, mask=None):
    """The same by plain matrix products: in bfloat16 on a CPU the fused backward pass is 3 to 5 times slower."""
    (batch, heads, queries, size), keys = q.shape, k.shape[2]
    if mask is None:
        mask = torch.full((queries, keys), -torch.inf, device=q.device).triu(keys - queries + 1)
    q, k, v = q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1)
    scores = torch.baddbmm(mask.to(q.dtype).expand(len(q), -1, -1), q, k.transpose(1, 2), alpha=size**-0.5)
    return torch.bmm(scores.softmax(-1), v).unflatten(0, (batch, heads))


class MLP(nn.Module):
    def __init__(self, o: Qwen2Options):
        super().__init__()
        self.gate_proj = nn.Linear(o.hidden_size, o.intermediate_size, bias=False)
        self.up_proj = nn.Linear(o.hidden_size, o.intermediate_size, bias=False)
        self.down_proj = nn.Linear(o.intermediate_size, o.hidden_size, bias=False)
        self.swiglu = swiglu

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down_proj(self.swiglu(self.gate_proj(x), self.up_proj(x)))


class Layer(nn.Module):
    def __init__(self, o: Qwen2Options):
        super().__init__()
        self.self_attn, self.mlp = Attention(o), MLP(o)
        self.input_layernorm = RMSNorm(o.hidden_size, o.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(o.hidden_size, o.rms_norm_eps)

    def forward(self, x, cos, sin, cache, index, tail, mask=None):
        x = x[:, -tail:] + self.self_attn(self.input_layernorm(x), cos, sin, cache, index, tail, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Qwen2(nn.Module):
    def __init__(self, options: Qwen2Options):
        super().__init__()
        self.options = options
        self.embed_tokens = nn.Embedding(options.vocab_size, options.hidden_size)
        self.layers = nn.ModuleList(Layer(options) for _ in range(options.num_hidden_layers))
        self.norm = RMSNorm(options.hidden_size, options.rms_norm_eps)

    def forward(
        self,
        embeddings,
        positions,
        cache: KeyValueCache | None = None,
        tail: int | None = None,
        mask: torch.Tensor | None = None,
    ):
        """Hidden states (B, tail, H) of the last `tail` of the embeddings (B, L, H) at rotary positions (L,), or
        (L, head_dim / 2) for one per frequency.

        Only the last layer can be spared for the other positions: theirs is needed as keys and values before it.
        `mask` (L, all keys) is added to the scores where sequences are not seen in their order.
        """
        length = embeddings.shape[1]
        cos, sin = rope(positions, self.options.head_dim, self.options.rope_theta)
        x, last = embeddings, len(self.layers) - 1
        for index, layer in enumerate(self.layers):
            x = layer(x, cos, sin, cache, index, (tail or length) if index == last else length, mask)
        if cache is not None:
            cache.used += length
        return self.norm(x)
