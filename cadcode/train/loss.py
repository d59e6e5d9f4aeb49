"""Cross entropy over program tokens, with smoothed targets for number tokens."""

import torch
import torch.nn.functional as F

from cadcode.program.tokens import PAD, VALUES


def token_loss(logits, targets, smoothing: float) -> torch.Tensor:
    """Mean cross entropy over all tokens but padding; number targets are smoothed by a Gaussian of `smoothing` units.

    Shapes do not depend on the padding, so a GPU need not synchronise.
    """
    kept = targets != PAD
    log_p = F.log_softmax(logits, dim=-1)
    if smoothing:
        each = -(smoothed_targets(smoothing, log_p.device)[targets] * log_p).sum(-1)
    else:
        each = -log_p.gather(-1, targets[..., None]).squeeze(-1)
    return each.masked_fill(~kept, 0.0).sum() / kept.sum()


def smoothed_targets(width: float, device) -> torch.Tensor:
    """Target distributions (V, V): a number token shares its weight with its neighbours, other tokens are one-hot."""
    values = torch.tensor(VALUES, dtype=torch.float32, device=device)
    weight = torch.exp(-(((values[:, None] - values) / width) ** 2) / 2)
    weight[torch.isnan(weight)] = 0.0
    others = torch.isnan(values)
    weight[others, others] = 1.0
    return weight / weight.sum(1, keepdim=True)
