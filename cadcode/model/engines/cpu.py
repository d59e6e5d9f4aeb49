"""CPU engine: the decoder of `qwen2` with packed weights, the same function in fewer and larger operations.

Starting operations costs a step of a small model as much as reading its weights. So matrices with the same input are
fused, and additions are part of a product. The two halves that rotary positions rotate are interleaved, so that a
rotation is one complex product. It computes in float32, whatever the matrices are stored in; results differ in the last
digits only.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from cadcode.model.engines.base import NetworkEngine
from cadcode.model.engines.kernels import Product, product, rms_norm, swiglu
from cadcode.model.engines.kv_cache import BlockCache, SharedPrefixCache
from cadcode.model.nets.qwen2 import Layer, Qwen2, Qwen2Options
from cadcode.model.nets.small import SmallModel

POSITIONS = 2048  # size of the table of rotary factors


class CpuEngine(NetworkEngine):
    """Decodes with a packed copy of the weights; later changes of the network's weights are not seen.

    Matrices are stored as `kind`, see `kernels.product`. `release` frees the layers and the head of the network, one
    after the other: there is no memory for large ones twice.
    """

    def __init__(self, network: SmallModel, kind: torch.dtype | None = None, release: bool = False):
        super().__init__(network)
        self.decoder, self.released = PackedQwen2(network.model, network.lm_head, kind, release), release
        if release:
            network.lm_head = None

    def prefill(self, embeddings: torch.Tensor, positions: torch.Tensor, room: int):
        cache = self.decoder.new_cache(len(embeddings), embeddings.shape[1] + room)
        return self.decoder(embeddings, positions, cache), cache

    def extend(self, embeddings: torch.Tensor, positions: torch.Tensor, cache) -> torch.Tensor:
        return self.decoder(embeddings, positions, cache)

    @property
    def dtype(self) -> torch.dtype:
        return self.decoder.kind if self.released else super().dtype

    @property
    def weight_bytes(self) -> int:
        return self.decoder.bytes

    def weights(self) -> dict[str, torch.Tensor]:
        packed = self.decoder.state("model.layers.{}.", "lm_head.weight") if self.released else {}
        return super().weights() | packed


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
    """`Qwen2` and its head with packed matrices, stored as `kind`; with `release` the model loses its layers."""

    def __init__(self, model: Qwen2, head: nn.Linear, kind: torch.dtype | None, release: bool):
        self.options, self.kind = model.options, kind
        layers = released(model.layers) if release else model.layers
        self.layers = [pack(layer, model.options, kind) for layer in layers]
        self.norm, self.head = float32(model.norm.weight), product(head.weight, kind)
        self.rotations = rotations(model.options, torch.arange(POSITIONS))

    @property
    def bytes(self) -> int:
        """Bytes of the matrices, all of which a step reads."""
        layers = (p for layer in self.layers for p in (layer.qkv, layer.out, layer.gate_up, layer.down))
        return sum(p.bytes for p in (self.head, *layers))

    def new_cache(self, batch: int, length: int) -> BlockCache:
        """Cache with room for `length` positions; it grows where that is not enough."""
        o = self.options
        return BlockCache(o.num_hidden_layers, batch, o.num_key_value_heads, length, o.head_dim, self.norm)

    def __call__(
        self, embeddings: torch.Tensor, positions: torch.Tensor, cache: BlockCache | SharedPrefixCache
    ) -> torch.Tensor:
        """Logits (B, V) after embeddings (B, n, H) at rotary positions (n,), or (n, D / 2)."""
        batch, count, size = embeddings.shape
        first, x = cache.used == 0, embeddings.reshape(-1, size)  # (B * n, H)
        tabulated = positions.ndim == 1 and int(positions[-1]) < POSITIONS  # positions rise
        rotation = self.rotations[positions] if tabulated else rotations(self.options, positions)  # (n, ...)
        cache.extend(count)
        for index, layer in enumerate(self.layers):
            qkv = layer.qkv(self.normed(x, layer.norm), layer.qkv_bias)
            torch.view_as_complex(qkv.view(batch, count, -1, 2)).mul_(rotation)
            q, keys_values = self.split(qkv, batch, count)
            cache.write(index, keys_values)
            if first and count > 1:
                y = self.attend_prefix(q, *keys_values)
            else:
                y = self.attend(cache, index, q)
            x = layer.out(y, x)
            if index == len(self.layers) - 1:
                x = x.view(batch, count, size)[:, -1]  # the others are needed as keys and values only
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

    def attend(self, cache: BlockCache | SharedPrefixCache, layer: int, q: torch.Tensor) -> torch.Tensor:
        """(B * n, H) from queries (B, n, heads, D): heads that share keys become consecutive queries of one head."""
        batch, count, _, size = q.shape
        heads = self.options.num_key_value_heads
        q = q.view(batch, count, heads, -1, size).transpose(1, 2).reshape(batch * heads, -1, size)
        y = cache.attend(layer, q, count)
        return y.view(batch, heads, count, -1).transpose(1, 2).reshape(batch * count, -1)

    def attend_prefix(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """As `attend`, for the first positions, before which nothing is cached."""
        shared = q.shape[2] // k.shape[1]
        k, v = (t.repeat_interleave(shared, 1) if shared > 1 else t for t in (k, v))
        y = F.scaled_dot_product_attention(q.transpose(1, 2), k, v, is_causal=True, scale=1.0)
        return y.transpose(1, 2).reshape(q.shape[0] * q.shape[1], -1)

    def state(self, layer: str, head: str) -> dict[str, torch.Tensor]:
        """Weights of the layers and the head by their names in a checkpoint, matrices in their stored bfloat16.

        `layer` is the prefix of a layer's names, with `{}` for its number.
        """
        weights = {head: self.head.matrix()}
        for index, packed in enumerate(self.layers):
            prefix = layer.format(index)
            weights |= {prefix + name: weight for name, weight in unpacked(packed, self.options).items()}
        return weights


def released(layers: nn.ModuleList) -> Iterator[Layer]:
    while len(layers):
        layer = layers[0]
        del layers[0]
        yield layer


def float32(weight: torch.Tensor) -> torch.Tensor:
    return weight.detach().float()


def pack(layer: Layer, options: Qwen2Options, kind: torch.dtype | None) -> PackedLayer:
    attention, mlp, size = layer.self_attn, layer.mlp, options.head_dim
    q, k, v = attention.q_proj, attention.k_proj, attention.v_proj
    qkv = torch.cat([interleaved(q.weight, size), interleaved(k.weight, size), v.weight])
    bias = torch.cat([interleaved(q.bias, size), interleaved(k.bias, size), v.bias])
    gate_up = torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight])
    return PackedLayer(
        float32(layer.input_layernorm.weight),
        product(qkv, kind),
        float32(bias),
        product(attention.o_proj.weight, kind),
        float32(layer.post_attention_layernorm.weight),
        product(gate_up, kind),
        product(mlp.down_proj.weight, kind),
    )


def unpacked(layer: PackedLayer, options: Qwen2Options) -> dict[str, torch.Tensor]:
    """Weights that `pack` was given, by their names, if they are stored in bfloat16."""
    size, key_heads = options.head_dim, options.num_key_value_heads
    sizes = [heads * size for heads in (options.num_attention_heads, key_heads, key_heads)]
    weights = {
        "input_layernorm.weight": layer.norm,
        "post_attention_layernorm.weight": layer.later_norm,
        "self_attn.o_proj.weight": layer.out.matrix(),
        "mlp.down_proj.weight": layer.down.matrix(),
    }
    for name, rows in (("weight", layer.qkv.matrix()), ("bias", layer.qkv_bias)):
        q, k, v = rows.split(sizes)
        weights |= {
            f"self_attn.q_proj.{name}": separated(q, size),
            f"self_attn.k_proj.{name}": separated(k, size),
            f"self_attn.v_proj.{name}": v,
        }
    weights["mlp.gate_proj.weight"], weights["mlp.up_proj.weight"] = layer.gate_up.matrix().chunk(2)
    return weights


def interleaved(rows: torch.Tensor, size: int) -> torch.Tensor:
    """Rows (heads * size, ...) of queries or keys with i and i + size / 2 of a head as neighbours.

    Scalar products of queries and keys stay the same.
    """
    return rows.unflatten(0, (-1, 2, size // 2)).transpose(1, 2).flatten(0, 2)


def separated(rows: torch.Tensor, size: int) -> torch.Tensor:
    """Inverse of `interleaved`."""
    return rows.unflatten(0, (-1, size // 2, 2)).transpose(1, 2).flatten(0, 2)


def rotations(options: Qwen2Options, positions: torch.Tensor) -> torch.Tensor:
    """Complex factors (n, (heads + 2 * key heads) * D / 2) that rotate pairs to rotary positions (n,) or (n, D / 2).

    Queries also get the scale of attention; values stay (Su et al. 2021, arXiv:2104.09864).
    """
    exponents = torch.arange(0, options.head_dim, 2, dtype=torch.float32) / options.head_dim
    angles = positions.float().view(len(positions), -1) * (1.0 / options.rope_theta**exponents)
    heads = (options.num_attention_heads, options.num_key_value_heads, options.num_key_value_heads)
    rotated = torch.cat([angles.repeat(1, heads[0] + heads[1]), torch.zeros_like(angles).repeat(1, heads[2])], 1)
    scales = torch.ones_like(rotated)
    scales[:, : heads[0] * angles.shape[1]] = options.head_dim**-0.5
    return torch.polar(scales, rotated)
