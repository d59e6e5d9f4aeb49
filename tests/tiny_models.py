"""A tiny random model, and its weights in a folder: large enough weights that positions and points matter."""

import copy
from dataclasses import replace

import torch

from cadcode.model.checkpoints.load import save_model
from cadcode.model.engines.base import NetworkEngine
from cadcode.model.engines.eager import EagerEngine
from cadcode.model.nets.qwen2 import Qwen2Options
from cadcode.model.nets.small import SmallModel
from cadcode.model.tokenizers.language import CompactLanguage
from cadcode.program import tokens
from cadcode.program.tokens import PIECES, START

OPTIONS = Qwen2Options(len(PIECES), 32, 64, 2, 2, 2)
SHARED_HEADS = replace(OPTIONS, num_attention_heads=4, num_key_value_heads=2)


def twins(network: SmallModel, engine) -> tuple[EagerEngine, NetworkEngine]:
    """The eager engine of a network and another one, such as `CpuEngine`, of a copy."""
    return EagerEngine(network), engine(copy.deepcopy(network))


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Logits are equal but for rounding."""
    assert expected.std() > 0.5  # or nothing is compared
    torch.testing.assert_close(found, expected, atol=5e-4, rtol=1e-4)


def tiny_model(seed=0, options=OPTIONS, std=0.3) -> SmallModel:
    """Random weights of one standard deviation; norms near 1."""
    generator = torch.Generator().manual_seed(seed)
    model = SmallModel(options).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * std + ("norm" in name))
    return model


def clouds(count, points=256, seed=0):
    """(count, points, 3) in [-1, 1], each in a small box of its own, so that even a random model tells them apart."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.rand((count, 1, 3), generator=generator) * 1.4 - 0.7
    return centres + 0.2 * torch.rand((count, points, 3), generator=generator)


def saved(folder, **kwargs):
    save_model(tiny_model(**kwargs), folder)
    return folder


class Terse(CompactLanguage):
    """The grammar, but faces and sketches end as soon as they may: a random model seldom ends anything."""

    ENDS = frozenset(tokens.IDS[p] for p in (tokens.CIRCLE, tokens.RECT, tokens.CLOSE, tokens.ASSEMBLE, tokens.EXTRUDE))

    def allowed(self, state):
        ids = super().allowed(state)
        return tuple(i for i in ids if i in self.ENDS) or ids


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
