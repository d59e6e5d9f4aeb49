"""The decoder of `qwen2` arranged for writing on a processor: the same function in fewer and larger operations.

A step costs as much in starting operations as in reading weights, of small models. So matrices that read the same input
become one, and what adds to a product is part of it. The two halves that rotary positions turn lie side by side, so
that a turn is one complex product. It computes in float32, whatever the matrices are stored in; results differ in the
last digits only.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from cadcode.model.engines.kernels import Product, product, rms_norm, swiglu
from cadcode.model.engines.kv_cache import Alone, Shared
from cadcode.model.nets.qwen2 import Layer, Qwen2, Qwen2Options

POSITIONS = 2048  # of the table of rotary turns


@dataclass(frozen=True, eq=False)
class PackedLayer:
    """Products (n, in) -> (n, out), and the weights (in,) of the norms before the first and the third of them."""

    norm: torch.Tensor
    qkv: Product
    qkv_bias: torch.Tensor
    out: Product
    later_norm: torch.Tensor
    gate_up: Product
    down: Product


class PackedQwen2:
    """`Qwen2` and its head, with a cache of its own kind. Matrices are stored as `kind`, see `kernels.product`.

    With `take` the model loses its layers, one after the other: there is not memory for large ones twice.
    """

    def __init__(self, model: Qwen2, head: nn.Linear, kind: torch.dtype | None = None, take: bool = False):
        self.options, self.kind = model.options, kind
        layers = taken(model.layers) if take else model.layers
        self.layers = [pack(layer, model.options, kind) for layer in layers]
        self.norm, self.head = wide(model.norm.weight), product(head.weight, kind)
        self.turns = turns(model.options, torch.arange(POSITIONS))

    @property
    def bytes(self) -> int:
        """Of the matrices, all of which a step reads."""
        layers = (p for layer in self.layers for p in (layer.qkv, layer.out, layer.gate_up, layer.down))
        return sum(p.bytes for p in (self.head, *layers))

    def new_cache(self, batch: int, length: int) -> Alone:
        """With room for `length` positions; it grows where that is not enough."""
        o = self.options
        return Alone(o.num_hidden_layers, batch, o.num_key_value_heads, length, o.head_dim, self.norm)

    def __call__(self, embeddings: torch.Tensor, positions: torch.Tensor, cache: Alone | Shared) -> torch.Tensor:
        """Logits (B, V) behind the embeddings (B, n, H) at rotary positions (n,), or (n, D / 2)."""
        batch, count, size = embeddings.shape
        first, x = cache.used == 0, embeddings.reshape(-1, size)  # (B * n, H)
        known = positions.ndim == 1 and int(positions[-1]) < POSITIONS  # they rise
        turn = self.turns[positions] if known else turns(self.options, positions)  # (n, ...)
        cache.extend(count)
        for index, layer in enumerate(self.layers):
            qkv = layer.qkv(self.normed(x, layer.norm), layer.qkv_bias)
            torch.view_as_complex(qkv.view(batch, count, -1, 2)).mul_(turn)
            q, keys_values = self.split(qkv, batch, count)
            cache.write(index, keys_values)
            if first and count > 1:
                y = self.read(q, *keys_values)
            else:
                y = self.attend(cache, index, q)
            x = layer.out(y, x)
            if index == len(self.layers) - 1:
                x = x.view(batch, count, size)[:, -1]  # the others were needed for their keys and values
            x = layer.down(swiglu(layer.gate_up(self.normed(x, layer.later_norm))), x)
        return self.head(self.normed(x, self.norm))

    def normed(self, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return rms_norm(x, weight, self.options.rms_norm_eps)

    def split(self, qkv: torch.Tensor, batch: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Queries (B, n, heads, D), and keys and values (2, B, key heads, n, D)."""
        o = self.options
        qkv = qkv.view(batch, count, -1, o.head_dim)
        keys_values = qkv[:, :, o.num_attention_heads :].view(batch, count, 2, -1, o.head_dim)
        return qkv[:, :, : o.num_attention_heads], keys_values.permute(2, 0, 3, 1, 4)

    def attend(self, cache: Alone | Shared, layer: int, q: torch.Tensor) -> torch.Tensor:
        """(B * n, H) from queries (B, n, heads, D): heads that share keys stand behind each other as queries."""
        batch, count, _, size = q.shape
        heads = self.options.num_key_value_heads
        q = q.view(batch, count, heads, -1, size).transpose(1, 2).reshape(batch * heads, -1, size)
        y = cache.attend(layer, q, count)
        return y.view(batch, heads, count, -1).transpose(1, 2).reshape(batch * count, -1)

    def read(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """As `attend`, for a first stretch, which has nothing before it."""
        shared = q.shape[2] // k.shape[1]
        k, v = (t.repeat_interleave(shared, 1) if shared > 1 else t for t in (k, v))
        y = F.scaled_dot_product_attention(q.transpose(1, 2), k, v, is_causal=True, scale=1.0)
        return y.transpose(1, 2).reshape(q.shape[0] * q.shape[1], -1)

    def state(self, layer: str, head: str) -> dict[str, torch.Tensor]:
        """Weights of the plain layers and the head again, by their names, matrices in the bfloat16 they are stored in.

        `layer` is a name with a place for the layer's number.
        """
        found = {head: self.head.matrix()}
        for index, packed in enumerate(self.layers):
            before = layer.format(index)
            found |= {before + name: weight for name, weight in unpacked(packed, self.options).items()}
        return found


def taken(layers: nn.ModuleList) -> Iterator[Layer]:
    while len(layers):
        layer = layers[0]
        del layers[0]
        yield layer


def wide(weight: torch.Tensor) -> torch.Tensor:
    return weight.detach().float()


def pack(layer: Layer, options: Qwen2Options, kind: torch.dtype | None) -> PackedLayer:
    attention, mlp, size = layer.self_attn, layer.mlp, options.head_dim
    q, k, v = attention.q_proj, attention.k_proj, attention.v_proj
    qkv = torch.cat([halves_beside(q.weight, size), halves_beside(k.weight, size), v.weight])
    bias = torch.cat([halves_beside(q.bias, size), halves_beside(k.bias, size), v.bias])
    gate_up = torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight])
    return PackedLayer(
        wide(layer.input_layernorm.weight),
        product(qkv, kind),
        wide(bias),
        product(attention.o_proj.weight, kind),
        wide(layer.post_attention_layernorm.weight),
        product(gate_up, kind),
        product(mlp.down_proj.weight, kind),
    )


def unpacked(layer: PackedLayer, options: Qwen2Options) -> dict[str, torch.Tensor]:
    """The weights that `pack` was given, by their names, if they are stored in bfloat16."""
    size, key_heads = options.head_dim, options.num_key_value_heads
    sizes = [heads * size for heads in (options.num_attention_heads, key_heads, key_heads)]
    found = {
        "input_layernorm.weight": layer.norm,
        "post_attention_layernorm.weight": layer.later_norm,
        "self_attn.o_proj.weight": layer.out.matrix(),
        "mlp.down_proj.weight": layer.down.matrix(),
    }
    for name, rows in (("weight", layer.qkv.matrix()), ("bias", layer.qkv_bias)):
        q, k, v = rows.split(sizes)
        found |= {
            f"self_attn.q_proj.{name}": halves_apart(q, size),
            f"self_attn.k_proj.{name}": halves_apart(k, size),
            f"self_attn.v_proj.{name}": v,
        }
    found["mlp.gate_proj.weight"], found["mlp.up_proj.weight"] = layer.gate_up.matrix().chunk(2)
    return found


def halves_beside(rows: torch.Tensor, size: int) -> torch.Tensor:
    """Rows (heads * size, ...) of queries or keys, i and i + size / 2 of a head as neighbours; products stay."""
    return rows.unflatten(0, (-1, 2, size // 2)).transpose(1, 2).flatten(0, 2)


def halves_apart(rows: torch.Tensor, size: int) -> torch.Tensor:
    """The way back."""
    return rows.unflatten(0, (-1, size // 2, 2)).transpose(1, 2).flatten(0, 2)


def turns(options: Qwen2Options, positions: torch.Tensor) -> torch.Tensor:
    """Complex numbers (n, (heads + 2 * key heads) * D / 2) that turn pairs to rotary positions (Su et al. 2021,
    arXiv:2104.09864), (n,) or (n, D / 2): those of queries, which also get the scale of attention, and of keys; values
    stay.
    """
    exponents = torch.arange(0, options.head_dim, 2, dtype=torch.float32) / options.head_dim
    angles = positions.float().view(len(positions), -1) * (1.0 / options.rope_theta**exponents)
    heads = (options.num_attention_heads, options.num_key_value_heads, options.num_key_value_heads)
    turned = torch.cat([angles.repeat(1, heads[0] + heads[1]), torch.zeros_like(angles).repeat(1, heads[2])], 1)
    scales = torch.ones_like(turned)
    scales[:, : heads[0] * angles.shape[1]] = options.head_dim**-0.5
    return torch.polar(scales, turned)
