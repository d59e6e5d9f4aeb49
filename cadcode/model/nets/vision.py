"""Qwen2-VL's vision tower (Wang et al. 2024, arXiv:2409.12191) in plain torch, and the model that reads its tokens.

Weights are named as in the checkpoints (`visual.*`); a test holds the numbers to those of transformers.
"""

from dataclasses import dataclass, fields
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from cadcode.errors import ModelError
from cadcode.model.nets.patches import FRAMES, GRID, MERGED, PATCH
from cadcode.model.nets.published import PublishedModel
from cadcode.model.nets.qwen2 import Qwen2Options, rotate


@dataclass(frozen=True)
class VisionOptions:
    """Fields and defaults as in transformers' Qwen2VLVisionConfig."""

    depth: int = 32
    embed_dim: int = 1280
    num_heads: int = 16
    mlp_ratio: int = 4


EXPECTED = dict(hidden_act="quick_gelu", patch_size=PATCH, temporal_patch_size=FRAMES, spatial_merge_size=MERGED)


def read_vision(config: dict, options: Qwen2Options, folder: Path) -> tuple[VisionOptions, tuple[int, ...]]:
    """The sizes of the tower, and how many rotary frequencies turn by time, row and column. ModelError."""
    vision = config.get("vision_config") or {}
    rope = config.get("rope_scaling") or config.get("rope_parameters") or {}
    sections = tuple(rope.get("mrope_section") or (16, 24, 24))  # as transformers has it
    odd = [f"{name} {vision[name]}" for name, value in EXPECTED.items() if vision.get(name, value) != value]
    if len(sections) != 3 or 2 * sum(sections) != options.head_dim:
        odd.append(f"mrope_section {sections}")
    if odd:
        raise ModelError(f"{folder}: the config asks for {odd[0]}, which cadcode does not compute")
    sizes = {field.name: vision[field.name] for field in fields(VisionOptions) if field.name in vision}
    try:
        return VisionOptions(**{name: int(size) for name, size in sizes.items()}), sections
    except (TypeError, ValueError) as e:
        raise ModelError(f"{folder}: config.json does not describe a vision tower ({e}); install it again") from e


def quick_gelu(x: torch.Tensor) -> torch.Tensor:
    return x * torch.sigmoid(1.702 * x)


class VisionAttention(nn.Module):
    """Every patch of a frame attends to every other."""

    def __init__(self, o: VisionOptions):
        super().__init__()
        self.heads = o.num_heads
        self.qkv, self.proj = nn.Linear(o.embed_dim, 3 * o.embed_dim), nn.Linear(o.embed_dim, o.embed_dim)

    def forward(self, x, cos, sin):
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # each (N, heads, L, size)
        q, k = (rotate(t.float(), cos, sin).to(x.dtype) for t in (q, k))
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class VisionMLP(nn.Module):
    def __init__(self, o: VisionOptions):
        super().__init__()
        self.fc1 = nn.Linear(o.embed_dim, o.mlp_ratio * o.embed_dim)
        self.fc2 = nn.Linear(o.mlp_ratio * o.embed_dim, o.embed_dim)

    def forward(self, x):
        return self.fc2(quick_gelu(self.fc1(x)))


class VisionBlock(nn.Module):
    def __init__(self, o: VisionOptions):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(o.embed_dim, eps=1e-6), nn.LayerNorm(o.embed_dim, eps=1e-6)
        self.attn, self.mlp = VisionAttention(o), VisionMLP(o)

    def forward(self, x, cos, sin):
        x = x + self.attn(self.norm1(x), cos, sin)
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, o: VisionOptions):
        super().__init__()
        size = (FRAMES, PATCH, PATCH)
        self.proj = nn.Conv3d(3, o.embed_dim, size, stride=size, bias=False)

    def forward(self, patches):
        return F.linear(patches.to(self.proj.weight.dtype), self.proj.weight.flatten(1))  # one place a patch: a product


class PatchMerger(nn.Module):
    """Four neighbouring patches become one token."""

    def __init__(self, o: VisionOptions, hidden_size: int):
        super().__init__()
        self.width = MERGED * MERGED * o.embed_dim
        self.ln_q = nn.LayerNorm(o.embed_dim, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(self.width, self.width), nn.GELU(), nn.Linear(self.width, hidden_size))

    def forward(self, x):
        return self.mlp(self.ln_q(x).view(len(x), -1, self.width))


class VisionTower(nn.Module):
    """Patches (B, t * h * w, 1176) of `grid` (t, h, w) to tokens (B, t * h * w / 4, hidden)."""

    def __init__(self, o: VisionOptions, hidden_size: int):
        super().__init__()
        self.size = o.embed_dim // o.num_heads
        self.patch_embed = PatchEmbed(o)
        self.blocks = nn.ModuleList(VisionBlock(o) for _ in range(o.depth))
        self.merger = PatchMerger(o, hidden_size)

    def forward(self, patches: torch.Tensor, grid: tuple[int, int, int]) -> torch.Tensor:
        frames, down, across = grid
        cos, sin = patch_rope(down, across, self.size, patches.device)
        x = self.patch_embed(patches).unflatten(1, (frames, -1)).flatten(0, 1)  # frames do not see each other
        for block in self.blocks:
            x = block(x, cos, sin)
        return self.merger(x.reshape(len(patches), -1, x.shape[-1]))


def patch_rope(down: int, across: int, size: int, device):
    """Cosines and sines (L, size): half of the frequencies turn by the row of a patch, half by its column."""
    rows, columns = (torch.arange(n, device=device, dtype=torch.float32) for n in (down, across))
    exponents = torch.arange(0, size // 2, 2, device=device, dtype=torch.float32) / (size // 2)
    frequencies = 1.0 / 10000.0**exponents
    places = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1)  # (down, across, 2)
    places = places.unflatten(1, (-1, MERGED)).unflatten(0, (-1, MERGED)).transpose(1, 2).reshape(-1, 2, 1)
    angles = (places * frequencies).flatten(1)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


class PicturedModel(PublishedModel):
    """cadrille with its vision tower: the input is patches (B, 400, 1176) instead of points.

    Their tokens replace those of the prompt with the id `place`. Rotary positions are threefold: text counts in all
    three, the tokens of a picture in time, rows and columns, and the text after it from the largest of these.
    """

    def __init__(self, options: Qwen2Options, features: int, vision: VisionOptions, place: int, sections):
        super().__init__(options, features)
        self.visual = VisionTower(vision, options.hidden_size)
        self.place, self.sections, self.grid = place, tuple(sections), GRID

    def embed(self, patches: torch.Tensor, prompt: torch.Tensor) -> torch.Tensor:
        tokens = self.model.embed_tokens(prompt)
        seen = self.visual(patches, self.grid).to(tokens.dtype)
        return tokens.masked_scatter((prompt == self.place)[..., None], seen)

    def positions(self, patches: torch.Tensor, prompt: torch.Tensor) -> torch.Tensor:
        """(L, head_dim / 2): each frequency rotates by the position of its section."""
        first = int((prompt[0] == self.place).nonzero()[0])
        axes = torch.meshgrid(*(torch.arange(n) for n in self._tokens()), indexing="ij")
        picture = torch.stack(axes).flatten(1) + first  # (3, tokens)
        after = torch.arange(first + picture.shape[1], prompt.shape[1]) - self.skipped
        parts = [torch.arange(first).expand(3, -1), picture, after.expand(3, -1)]
        sections = torch.arange(3).repeat_interleave(torch.tensor(self.sections))
        return torch.cat(parts, dim=1)[sections].T.to(prompt.device)

    @property
    def skipped(self) -> int:
        """Number of tokens up to the end of the picture less the number of their positions."""
        frames, down, across = self._tokens()
        return frames * down * across - max(down, across)

    def _tokens(self) -> tuple[int, int, int]:
        frames, down, across = self.grid
        return frames, down // MERGED, across // MERGED
