"""The embedded model: a point-conditioned Qwen2 decoder over the compact tokens."""

import torch
from torch import nn

from cadcode.model.engines.cpu import PackedQwen2
from cadcode.model.engines.cuda_graphs import FixedCache, FixedMemory
from cadcode.model.engines.kv_cache import Alone, Shared
from cadcode.model.nets.points import FEATURES, FourierPointEncoder
from cadcode.model.nets.qwen2 import KeyValueCache, Qwen2, Qwen2Options

Cache = KeyValueCache | FixedCache | Alone | Shared
PREFIX_LENGTH = 256  # text always starts at this rotary position, however many points there are


class SmallModel(nn.Module):
    """256 point embeddings, then text. Weights are named as in CAD-Recode's files (`model.*`, `point_encoder.*`)."""

    def __init__(self, options: Qwen2Options, point_features: int = FEATURES):
        super().__init__()
        self.model = Qwen2(options)
        self.lm_head = nn.Linear(options.hidden_size, options.vocab_size, bias=False)
        self.point_encoder = FourierPointEncoder(options.hidden_size, point_features)
        if options.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight
        self.packed: PackedQwen2 | None = None
        self.fixed: FixedMemory | None = None

    def pack(self, kind: torch.dtype | None = None) -> None:
        """From now on write with a copy of the weights that is arranged for it; later changes of weights are not seen.

        For float32 on a CPU. `kind` is what matrices are stored as, int8 or the smallest that loses nothing.
        """
        self.packed = PackedQwen2(self.model, self.lm_head, kind)

    def fix(self) -> None:
        """From now on write by steps of fixed shapes, which CUDA records."""
        self.fixed = FixedMemory(self.options, self.last_logits)

    @property
    def options(self) -> Qwen2Options:
        return self.model.options

    @property
    def device(self):
        return self.model.norm.weight.device

    def forward(self, points: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Next-token logits (B, T, V) after each of the text ids (B, T), given points (B, P, 3) with P <= 256."""
        text = self.model.embed_tokens(ids)
        embeddings = torch.cat([self.point_encoder(points).to(text.dtype), text], dim=1)
        if torch.is_autocast_enabled(embeddings.device.type):
            embeddings = embeddings.to(torch.get_autocast_dtype(embeddings.device.type))
        positions = torch.cat([point_positions(points.shape[1]), PREFIX_LENGTH + torch.arange(ids.shape[1])])
        return self.lm_head(self.model(embeddings, positions.to(ids.device), tail=ids.shape[1]))

    def prefill(self, points: torch.Tensor, start: int, room: int):
        """Logits (B, V) of the first text token after the `start` token, and a cache with space for `room` more."""
        prefix = self.point_encoder(points)
        text = self.model.embed_tokens(torch.full((len(points), 1), start, device=points.device))
        embeddings = torch.cat([prefix.to(text.dtype), text], dim=1)
        positions = torch.cat([point_positions(points.shape[1]), torch.tensor([PREFIX_LENGTH])]).to(points.device)
        return self.begin(embeddings, positions, room)

    def step(self, ids: torch.Tensor, written: int, cache) -> torch.Tensor:
        """Logits (B, V) after one more token a row (B,) or several (B, n), numbered from `written` on.

        The start token is number 0.
        """
        ids = ids.view(len(ids), -1)
        positions = PREFIX_LENGTH + written + torch.arange(ids.shape[1], device=ids.device)
        return self.go_on(self.model.embed_tokens(ids), positions, cache)

    def begin(self, embeddings: torch.Tensor, positions: torch.Tensor, room: int) -> tuple[torch.Tensor, Cache]:
        """Logits (B, V) after embeddings (B, L, H) at rotary positions, and a cache with space for `room` more."""
        (batch, length, _), dtype, device = embeddings.shape, embeddings.dtype, embeddings.device
        if self.packed is not None:
            cache = self.packed.new_cache(batch, length + room)
            return self.packed(embeddings, positions, cache), cache
        if self.fixed is not None:
            cache = self.fixed.new_cache(batch, length + room, dtype, device)
        else:
            cache = KeyValueCache(self.options, batch, length + room, dtype, device)
        return self.lm_head(self.model(embeddings, positions, cache, tail=1)[:, -1]), cache

    def go_on(self, embeddings: torch.Tensor, positions: torch.Tensor, cache: Cache) -> torch.Tensor:
        """Logits (B, V) after embeddings (B, n, H) that follow what is in the cache."""
        if self.packed is not None:
            return self.packed(embeddings, positions, cache)
        if isinstance(cache, FixedCache):
            return cache.step(embeddings, positions)
        return self.last_logits(embeddings, positions, cache)

    def last_logits(self, embeddings, positions, cache, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Logits (B, V) after the last of embeddings (B, n, H); `mask` as for `Qwen2.forward`."""
        return self.lm_head(self.model(embeddings, positions, cache, mask=mask)[:, -1])


def point_positions(count: int) -> torch.Tensor:
    """Rotary positions of `count` points, spread over the prefix so that fewer points train all of its positions."""
    return torch.arange(count) * PREFIX_LENGTH // count
