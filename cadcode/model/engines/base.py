"""Engine protocol of decoding: begin with a prefix, then step token by token with a KV cache."""

from abc import ABC, abstractmethod
from typing import Protocol

import torch

from cadcode.model.nets.small import SmallModel


class Cache(Protocol):
    """KV cache of a batch."""

    used: int  # positions of each batch row

    def select(self, rows: torch.Tensor) -> "Cache":
        """Cache of some batch rows (B',), repeats allowed. Do not use this cache for steps afterwards."""


class Engine(Protocol):
    """Decoding on one device. `device` is the one that inputs have to be on."""

    device: torch.device

    def begin(self, points: torch.Tensor, start, room: int) -> tuple[torch.Tensor, Cache]:
        """Logits (B, V) after points (B, P, 3) and a prompt (an id or several), and a cache with space for `room` more
        tokens. Points may be other inputs of the network, such as patches of pictures.
        """

    def step(self, ids: torch.Tensor, written: int, cache: Cache) -> torch.Tensor:
        """Logits (B, V) after one more token a batch row, ids (B,), or several, (B, n).

        `written` is the number of tokens before them, the start token included; the cache is updated.
        """


class NetworkEngine(ABC):
    """Engine of a network: subclasses compute the decoder, this class makes its embeddings and positions."""

    def __init__(self, network: SmallModel):
        self.network = network

    @property
    def device(self) -> torch.device:
        return self.network.device

    def begin(self, points: torch.Tensor, start, room: int) -> tuple[torch.Tensor, Cache]:
        prompt = torch.atleast_1d(torch.as_tensor(start, device=points.device)).expand(len(points), -1)
        return self.prefill(self.network.embed(points, prompt), self.network.positions(points, prompt), room)

    def step(self, ids: torch.Tensor, written: int, cache: Cache) -> torch.Tensor:
        ids = ids.view(len(ids), -1)
        positions = self.network.next_positions(ids, written, cache.used)
        return self.extend(self.network.model.embed_tokens(ids), positions, cache)

    @abstractmethod
    def prefill(self, embeddings: torch.Tensor, positions: torch.Tensor, room: int) -> tuple[torch.Tensor, Cache]:
        """Logits (B, V) after embeddings (B, L, H) at rotary positions (L,) or (L, D / 2), and their cache."""

    @abstractmethod
    def extend(self, embeddings: torch.Tensor, positions: torch.Tensor, cache: Cache) -> torch.Tensor:
        """Logits (B, V) after embeddings (B, n, H) that follow the cached ones."""

    @property
    def dtype(self) -> torch.dtype:
        """Number format in which the matrices are stored."""
        return self.network.lm_head.weight.dtype

    @property
    def weight_bytes(self) -> int:
        """Bytes that a step reads: everything but the point encoder and the table of embeddings."""
        modules = [*self.network.model.layers.modules(), self.network.lm_head]
        return sum(w.nbytes for module in modules for w in module.parameters(recurse=False))

    def weights(self) -> dict[str, torch.Tensor]:
        """All weights by their names in a checkpoint."""
        return self.network.state_dict()
