"""Muon (Jordan et al. 2024): momentum with an orthogonalised update, for the hidden matrices of a network.

torch.optim.Muon iterates in bfloat16, one matrix at a time. This version iterates over all matrices of one shape in a
batch, which a GPU needs, and in float32 on processors without bfloat16, where the step of torch.optim.Muon takes longer
than the rest of the update.
"""

from collections import defaultdict

import torch

STEPS, A, B, C = 5, 3.4445, -4.7750, 2.0315  # quintic iteration: steep at 0, within 0.3 of 1 elsewhere


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, times sqrt(max(1, rows / columns)); weight decay is decoupled.

    Parameters must be matrices. The iteration computes in `dtype`.
    """

    def __init__(self, params, lr: float, weight_decay: float, momentum: float = 0.95, dtype=torch.float32):
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay, momentum=momentum))
        self.dtype = dtype
        if any(p.ndim != 2 for group in self.param_groups for p in group["params"]):
            raise ValueError("Muon takes matrices")

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            by_shape = defaultdict(list)
            for p in group["params"]:
                if p.grad is not None:
                    by_shape[p.shape].append(p)
            for (rows, columns), matrices in by_shape.items():
                updates = orthogonal(torch.stack([self._nesterov(p, group["momentum"]) for p in matrices]), self.dtype)
                rate = group["lr"] * max(1.0, rows / columns) ** 0.5
                torch._foreach_mul_(matrices, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(matrices, list(updates.to(matrices[0].dtype)), alpha=-rate)

    def _nesterov(self, p: torch.Tensor, momentum: float) -> torch.Tensor:
        kept = self.state[p].setdefault("momentum_buffer", torch.zeros_like(p.grad))
        kept.lerp_(p.grad, 1 - momentum)
        return p.grad.lerp(kept, momentum)


def orthogonal(matrices: torch.Tensor, dtype=torch.float32) -> torch.Tensor:
    """Matrices (n, rows, columns) with singular values moved close to 1 by a Newton-Schulz iteration."""
    x = matrices.to(dtype)
    wide = x.shape[1] <= x.shape[2]
    x = x if wide else x.mT
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=B, alpha=C), x, beta=A)
    return x if wide else x.mT
