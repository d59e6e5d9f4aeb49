"""Cross entropy over the tokens of programs, with numbers whose neighbours are nearly right."""

import torch
import torch.nn.functional as F

from cadcode.program.tokens import PAD, VALUES


def token_loss(logits, targets, smoothing: float) -> torch.Tensor:
    """Mean cross entropy over the real tokens; number targets blurred by a Gaussian of `smoothing` program units.

    Shapes do not depend on where the padding is, so a GPU need not be asked.
    """
    kept = targets != PAD
    log_p = F.log_softmax(logits, dim=-1)
    if smoothing:
        each = -(blurred_targets(smoothing, log_p.device)[targets] * log_p).sum(-1)
    else:
        each = -log_p.gather(-1, targets[..., None]).squeeze(-1)
    return each.masked_fill(~kept, 0.0).sum() / kept.sum()


def blurred_targets(width: float, device) -> torch.Tensor:
    """Target distributions (V, V): a number's neighbours share its weight, other tokens keep theirs."""
    values = torch.tensor(VALUES, dtype=torch.float32, device=device)
    weight = torch.exp(-(((values[:, None] - values) / width) ** 2) / 2)
    weight[torch.isnan(weight)] = 0.0
    others = torch.isnan(values)
    weight[others, others] = 1.0
    return weight / weight.sum(1, keepdim=True)
