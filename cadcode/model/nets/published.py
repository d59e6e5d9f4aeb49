"""Network of the published models: points, if any, and a prompt, on our own Qwen2 decoder."""

import torch

from cadcode.model.nets.small import SmallModel


class PublishedModel(SmallModel):
    """Points, if any, then a prompt of several tokens, at rotary positions that count from 0 over both."""

    skipped = 0  # number of embeddings of the prefix less the number of its positions

    def positions(self, points: torch.Tensor, prompt: torch.Tensor) -> torch.Tensor:
        return torch.arange(points.shape[1] + prompt.shape[1], device=prompt.device)

    def next_positions(self, ids: torch.Tensor, written: int, used: int) -> torch.Tensor:
        return used - self.skipped + torch.arange(ids.shape[1], device=ids.device)
