"""The Fourier point encoder of CAD-Recode (Rukhovich et al. 2024, arXiv:2412.14042), and that of cadrille's source."""

import math

import torch
from torch import nn

FREQUENCIES = 8
FEATURES = 3 + 3 * 2 * FREQUENCIES
NORMAL_FEATURES = FEATURES + 3  # CAD-Recode v1: features of a point, then its normal


def fourier_features(points: torch.Tensor) -> torch.Tensor:
    """Features [p, sin, cos] of p * 2^0..2^7 for points (..., 3): (..., 51), in float32; no factor of pi.

    The frequencies are computed here and not kept in a buffer: `from_pretrained` leaves non-persistent buffers
    uninitialised.
    """
    points = points.float()
    frequencies = 2.0 ** torch.arange(FREQUENCIES, device=points.device, dtype=torch.float32)
    angles = (points[..., None] * frequencies).flatten(-2)  # (..., 3 * 8), frequencies fastest
    return torch.cat([points, angles.sin(), angles.cos()], dim=-1)


class FourierPointEncoder(nn.Module):
    """Points (B, N, 3) in [-1, 1] to embeddings (B, N, hidden), in float32; with 54 features (B, N, 6), normals too."""

    def __init__(self, hidden_size: int, features: int = FEATURES):
        super().__init__()
        self.projection = nn.Linear(features, hidden_size)

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        with torch.autocast(points.device.type, enabled=False):
            features = fourier_features(points[..., :3])
            return self.projection(torch.cat([features, points[..., 3:].float()], dim=-1))


class FourierEmbedder(nn.Module):
    """The configurable features of cadrille's source; `FourierEmbedder(8, include_pi=False)` is `fourier_features`.

    `logspace`: frequencies 2^0..2^(n-1), else as many evenly spaced from 1 to 2^(n-1). Points (..., 3) become
    (..., 3 * (include_input + 2 * num_freqs)) numbers in float32.
    """

    def __init__(self, num_freqs: int = 6, logspace: bool = True, include_input: bool = True, include_pi: bool = True):
        super().__init__()
        self.num_freqs, self.logspace = num_freqs, logspace
        self.include_input, self.include_pi = include_input, include_pi

    def frequencies(self, device=None) -> torch.Tensor:
        if self.logspace:
            found = 2.0 ** torch.arange(self.num_freqs, device=device, dtype=torch.float32)
        else:
            found = torch.linspace(1.0, 2.0 ** (self.num_freqs - 1), self.num_freqs, device=device)
        return found * math.pi if self.include_pi else found

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        points = points.float()
        angles = (points[..., None] * self.frequencies(points.device)).flatten(-2)
        return torch.cat([points] * self.include_input + [angles.sin(), angles.cos()], dim=-1)
