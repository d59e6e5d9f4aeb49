"""Network of the embedded model: a point-conditioned Qwen2 decoder over the compact tokens."""

import torch
from torch import nn

from cadcode.model.nets.points import FEATURES, FourierPointEncoder
from cadcode.model.nets.qwen2 import Qwen2, Qwen2Options

PREFIX_LENGTH = 256  # rotary position of the start token, however many points there are


class SmallModel(nn.Module):
    """256 point embeddings, then tokens. Weights are named as in CAD-Recode's files (`model.*`, `point_encoder.*`).

    `forward` is for training; an engine (`model.engines`) decodes with `embed`, `positions` and `next_positions`.
    """

    def __init__(self, options: Qwen2Options, point_features: int = FEATURES):
        super().__init__()
        self.model = Qwen2(options)
        self.lm_head = nn.Linear(options.hidden_size, options.vocab_size, bias=False)
        self.point_encoder = FourierPointEncoder(options.hidden_size, point_features)
        if options.tie_word_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight

    @property
    def options(self) -> Qwen2Options:
        return self.model.options

    @property
    def device(self):
        return self.model.norm.weight.device

    def forward(self, points: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Next-token logits (B, T, V) after each of the ids (B, T), given points (B, P, 3) with P <= 256."""
        embeddings = self.embed(points, ids)
        if torch.is_autocast_enabled(embeddings.device.type):
            embeddings = embeddings.to(torch.get_autocast_dtype(embeddings.device.type))
        return self.lm_head(self.model(embeddings, self.positions(points, ids), tail=ids.shape[1]))

    def embed(self, points: torch.Tensor, prompt: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, P + n, H) of points (B, P, 3 or 6), P may be 0, and the ids of a prompt (B, n)."""
        tokens = self.model.embed_tokens(prompt)
        return torch.cat([self.point_encoder(points).to(tokens.dtype), tokens], dim=1)

    def positions(self, points: torch.Tensor, prompt: torch.Tensor) -> torch.Tensor:
        """Rotary positions (P + n,) of the same."""
        positions = torch.cat([point_positions(points.shape[1]), PREFIX_LENGTH + torch.arange(prompt.shape[1])])
        return positions.to(prompt.device)

    def next_positions(self, ids: torch.Tensor, written: int, used: int) -> torch.Tensor:
        """Rotary positions (n,) of ids (B, n) that follow `written` tokens of a sequence, the start token included.

        `used` is the number of embeddings before them, points included.
        """
        return PREFIX_LENGTH + written + torch.arange(ids.shape[1], device=ids.device)

    def last_logits(self, embeddings, positions, cache, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Logits (B, V) after the last of embeddings (B, n, H); `mask` as for `Qwen2.forward`."""
        return self.lm_head(self.model(embeddings, positions, cache, mask=mask)[:, -1])


def point_positions(count: int) -> torch.Tensor:
    """Rotary positions of `count` points, spread over the prefix so that fewer points train all of its positions."""
    return torch.arange(count) * PREFIX_LENGTH // count
