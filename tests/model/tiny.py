"""A tiny random model, and its weights in a folder: large enough weights that positions and points matter."""

import torch

from cadcode.model.checkpoints import save_model
from cadcode.model.qwen2 import Qwen2Options
from cadcode.model.small import SmallModel
from cadcode.program.tokens import PIECES, START

OPTIONS = Qwen2Options(len(PIECES), 32, 64, 2, 2, 2)


def tiny_model(seed=0, options=OPTIONS, std=0.3) -> SmallModel:
    """Random weights of one standard deviation; norms near 1."""
    generator = torch.Generator().manual_seed(seed)
    model = SmallModel(options).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * std + ("norm" in name))
    return model


def clouds(count, points=256, seed=0):
    """(count, points, 3) in [-1, 1]."""
    return torch.rand((count, points, 3), generator=torch.Generator().manual_seed(seed)) * 2 - 1


def saved(folder, **kwargs):
    save_model(tiny_model(**kwargs), folder)
    return folder


class FreeLanguage:
    """No grammar: any token may follow. Its text is its ids."""

    start_id = START

    def __init__(self, end_id):
        self.end_id = end_id

    def initial(self):
        return ()

    def allowed(self, state):
        return None

    def advance(self, state, token):
        return (*state, token)

    def close(self, ids):
        return list(ids)

    def text(self, ids):
        return " ".join(map(str, ids))
