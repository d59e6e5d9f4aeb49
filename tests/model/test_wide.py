"""Products of bfloat16 weights in float32: the same numbers but for rounding, and only where there are many rows."""

import pytest
import torch
from published_models import byte_tokenizer, random_published, save_published
from tiny_models import clouds
from torch import nn

from cadcode.model.checkpoints.load import load_model
from cadcode.model.nets.wide import MANY_ROWS, WideLinear, widen


def layer(bias=True):
    torch.manual_seed(0)
    return nn.Linear(48, 24, bias=bias).bfloat16()


@pytest.mark.parametrize("bias", [True, False])
@torch.inference_mode()
def test_many_rows_are_rounded_once(bias):
    plain, wide = layer(bias), WideLinear(layer(bias))
    x = torch.randn((2, MANY_ROWS, 48), generator=torch.Generator().manual_seed(1)).bfloat16()
    assert torch.equal(wide(x), plain.float()(x.float()).bfloat16())
    few = x[:, : MANY_ROWS // 2 - 1]
    assert torch.equal(wide(few), layer(bias)(few))


def test_only_bfloat16_layers_are_widened():
    network = nn.Sequential(layer(), nn.Linear(24, 8))
    weights = {name: weight.clone() for name, weight in network.state_dict().items()}
    widen(network)
    assert type(network[0]) is WideLinear and type(network[1]) is nn.Linear
    assert all(torch.equal(weight, network.state_dict()[name]) for name, weight in weights.items())


@pytest.mark.parametrize("fast", [True, False])
@torch.inference_mode()
def test_a_model_is_widened_where_bfloat16_is_slow(tmp_path, monkeypatch, fast):
    monkeypatch.setattr("cadcode.model.checkpoints.published.fast_bfloat16", lambda device: fast)
    folder = str(save_published(random_published(), tmp_path, byte_tokenizer()))
    network, exact = (load_model(folder, dtype=dtype).engine for dtype in ("bfloat16", "float32"))
    kinds = {type(module) for module in network.network.model.modules() if isinstance(module, nn.Linear)}
    assert kinds == ({nn.Linear} if fast else {WideLinear})
    assert WideLinear not in {type(module) for module in exact.network.modules()}
    logits, wanted = (model.begin(clouds(2), (3,), 1)[0].float() for model in (network, exact))
    assert (logits - wanted).abs().mean() < 0.05 * wanted.std()
