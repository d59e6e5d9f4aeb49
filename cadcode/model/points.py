"""The Fourier point encoder of CAD-Recode (Rukhovich et al. 2024, arXiv:2412.14042): [p, sin, cos] of p * 2^0..2^7."""

import torch
from torch import nn

FREQUENCIES = 8
FEATURES = 3 + 3 * 2 * FREQUENCIES


def fourier_features(points: torch.Tensor) -> torch.Tensor:
    """Features of points (..., 3): (..., 51), in float32; no factor of pi.

    The frequencies are computed here and not kept in a buffer: `from_pretrained` leaves non-persistent buffers
    uninitialised.
    """
    points = points.float()
    frequencies = 2.0 ** torch.arange(FREQUENCIES, device=points.device, dtype=torch.float32)
    angles = (points[..., None] * frequencies).flatten(-2)  # (..., 3 * 8), frequencies fastest
    return torch.cat([points, angles.sin(), angles.cos()], dim=-1)


class FourierPointEncoder(nn.Module):
    """Points (B, N, 3) in [-1, 1] to embeddings (B, N, hidden), in float32."""

    def __init__(self, hidden_size: int):
        super().__init__()
        self.projection = nn.Linear(FEATURES, hidden_size)

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        with torch.autocast(points.device.type, enabled=False):
            return self.projection(fourier_features(points))
