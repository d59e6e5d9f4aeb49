"""Augmented point clouds for training: few surface points, noisy, uneven or with a side missing."""

import torch


def model_points(surface, count: int, noise: float, generator, uneven: float = 0.0, missing: float = 0.0):
    """Training points (B, count, 3) from surface points (B, N, 3), in random order.

    Farthest points by default; on a share `uneven` of the samples random points, denser towards one side. On a share
    `missing`, a side of the surface is removed first. Half of the samples get noise of standard deviation `noise`.
    """
    batch = len(surface)
    if missing:
        surface = with_a_side_missing(surface, _some(surface, missing, generator), generator)
    rows = farthest_points(surface, count, generator)
    if uneven:
        rows = torch.where(_some(surface, uneven, generator), uneven_rows(surface, count, generator), rows)
    rows = rows.gather(1, torch.rand(rows.shape, generator=generator, device=rows.device).argsort(1))
    points = surface.gather(1, rows[..., None].expand(-1, -1, 3))
    jitter = torch.randn(points.shape, generator=generator, device=points.device) * noise
    return points + jitter * (torch.rand(batch, 1, 1, generator=generator, device=points.device) < 0.5)


def _some(surface, share: float, generator) -> torch.Tensor:
    """Bool (B, 1): a random share of the samples."""
    return torch.rand(len(surface), 1, generator=generator, device=surface.device) < share


def _directions(surface, generator) -> torch.Tensor:
    """Random unit vectors (B, 3, 1), one per sample."""
    drawn = torch.randn(len(surface), 3, 1, generator=generator, device=surface.device)
    return drawn / drawn.norm(dim=1, keepdim=True)


def farthest_points(points, count: int, generator) -> torch.Tensor:
    """Row numbers (B, count) of greedily farthest points of (B, N, 3), from a random start (Gonzalez 1985)."""
    batch, size, _ = points.shape
    axes = points.permute(2, 0, 1).contiguous()  # (3, B, N)
    rows = torch.empty(batch, count, dtype=torch.long, device=points.device)
    rows[:, 0] = torch.randint(size, (batch,), generator=generator, device=points.device)
    nearest = torch.full((batch, size), torch.inf, device=points.device)
    for i in range(1, count):
        last = rows[:, i - 1].view(1, batch, 1).expand(3, -1, 1)
        gap = (axes - axes.gather(2, last)).square_().sum(0)
        torch.minimum(nearest, gap, out=nearest)
        rows[:, i] = nearest.argmax(1)
    return rows


def uneven_rows(points, count: int, generator) -> torch.Tensor:
    """Row numbers (B, count) of random points of (B, N, 3), up to e^3 times denser on one side than on the other.

    Sampling without replacement by the largest perturbed weights (Efraimidis and Spirakis 2006).
    """
    strength = 3 * torch.rand(len(points), 1, generator=generator, device=points.device)
    weight = strength / 2 * (points @ _directions(points, generator)).squeeze(-1)
    luck = torch.rand(weight.shape, generator=generator, device=points.device).clamp(1e-9, 1 - 1e-7)
    return (weight - torch.log(-torch.log(luck))).topk(count, dim=1).indices


def with_a_side_missing(surface, which, generator) -> torch.Tensor:
    """Surface points (B, N, 3); on the samples `which` (B, 1), 10 to 35 % of the points on one side are replaced.

    The side is a half space or a cone from the centre; its points are replaced by copies of one point elsewhere. The
    outermost points along each axis are kept, so that the bounding box, and with it the frame, does not change.
    """
    along = (surface @ _directions(surface, generator)).squeeze(-1)  # (B, N)
    cone = torch.rand(len(surface), 1, generator=generator, device=surface.device) < 0.5
    score = torch.where(cone, along / surface.norm(dim=-1).clamp(min=1e-6), along)
    share = 0.1 + 0.25 * torch.rand(len(surface), 1, generator=generator, device=surface.device)
    order = score.argsort(1)
    rank = order.argsort(1)
    gone = which & (rank >= (1 - share) * score.shape[1])
    outermost = torch.cat([surface.argmax(1), surface.argmin(1)], dim=1)  # (B, 6)
    gone = gone.scatter(1, outermost, torch.zeros_like(outermost, dtype=torch.bool))
    replacement = surface.gather(1, order[:, :1, None].expand(-1, -1, 3))  # (B, 1, 3), the farthest from the side
    return torch.where(gone[..., None], replacement, surface)
