"""Eager engine: the network as it is, on any device."""

import torch

from cadcode.model.engines.base import NetworkEngine
from cadcode.model.nets.qwen2 import KeyValueCache


class EagerEngine(NetworkEngine):
    """Decodes with the layers of the network, which may be trained in between."""

    def prefill(self, embeddings: torch.Tensor, positions: torch.Tensor, room: int):
        batch, length, _ = embeddings.shape
        cache = KeyValueCache(self.network.options, batch, length + room, embeddings.dtype, embeddings.device)
        return prefill_logits(self.network, embeddings, positions, cache), cache

    def extend(self, embeddings: torch.Tensor, positions: torch.Tensor, cache: KeyValueCache) -> torch.Tensor:
        return self.network.last_logits(embeddings, positions, cache)


def prefill_logits(network, embeddings: torch.Tensor, positions: torch.Tensor, cache) -> torch.Tensor:
    """Logits (B, V) after embeddings (B, L, H); the last layer is computed for the last position only."""
    return network.lm_head(network.model(embeddings, positions, cache, tail=1)[:, -1])
