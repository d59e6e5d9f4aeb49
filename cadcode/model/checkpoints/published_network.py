"""The network of the published models: points, if any, and a prompt, on our own Qwen2 decoder."""

import torch

from cadcode.model.engines.cpu import PackedQwen2
from cadcode.model.nets.small import Cache, SmallModel


class PublishedModel(SmallModel):
    """Points, if any, then a prompt of several tokens, at rotary positions that count from 0 over both."""

    skipped = 0  # positions that the input takes less than it has embeddings

    def embed(self, points: torch.Tensor, prompt: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, L, H) of points (B, P, 3 or 6), P may be 0, and the ids of a prompt (B, n)."""
        text = self.model.embed_tokens(prompt)
        return torch.cat([self.point_encoder(points).to(text.dtype), text], dim=1)

    def positions(self, points: torch.Tensor, prompt: torch.Tensor) -> torch.Tensor:
        """Their rotary positions (L,)."""
        return torch.arange(points.shape[1] + prompt.shape[1], device=prompt.device)

    def pack(self, kind: torch.dtype | None = None) -> None:
        """As `SmallModel.pack`, but the plain layers and the head are given up."""
        self.packed = PackedQwen2(self.model, self.lm_head, kind, take=True)
        self.lm_head = None

    def prefill(self, points: torch.Tensor, start, room: int) -> tuple[torch.Tensor, Cache]:
        """Logits (B, V) behind the prompt `start` (an id or several), given points (B, P, 3 or 6), and the cache."""
        prompt = torch.atleast_1d(torch.as_tensor(start, device=points.device)).expand(len(points), -1)
        return self.begin(self.embed(points, prompt), self.positions(points, prompt), room)

    def step(self, ids: torch.Tensor, written: int, cache: Cache) -> torch.Tensor:
        ids = ids.view(len(ids), -1)
        positions = cache.used - self.skipped + torch.arange(ids.shape[1], device=ids.device)
        return self.go_on(self.model.embed_tokens(ids), positions, cache)
