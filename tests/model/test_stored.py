"""Matrices stored in bfloat16 or int8 and multiplied in float32: the numbers of float32, or of the rounded matrix."""

from dataclasses import replace

import pytest
import torch
from published_models import OPTIONS, byte_tokenizer, random_published, save_published
from tiny_models import clouds
from torch import nn

from cadcode.errors import UsageError
from cadcode.model.checkpoints.load import load_model
from cadcode.model.engines import cpu as packed
from cadcode.model.engines import kernels
from cadcode.model.engines.choose import pick_numbers
from cadcode.model.engines.cpu import CpuEngine
from cadcode.model.engines.kernels import rounded
from cadcode.model.engines.stored import StoredLinear, store

needs_compiler = pytest.mark.skipif(kernels.kernels() is None, reason="no C compiler here")


def layer(kind, bias=True, in_features=96):
    torch.manual_seed(0)
    plain = nn.Linear(in_features, 40, bias=bias).bfloat16()
    network = nn.Sequential(plain)
    weight, own = plain.weight.detach().clone(), None if plain.bias is None else plain.bias.detach().float()
    store(network, kind)
    return network[0], weight, own


@needs_compiler
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 7, 40])
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.int8])
@torch.inference_mode()
def test_products_are_those_of_float32(kind, rows, bias):
    linear, weight, own = layer(kind, bias)
    assert type(linear) is StoredLinear and linear.kind == kind
    x = torch.randn((rows, 96), generator=torch.Generator().manual_seed(1))
    wide = weight.float()
    if kind == torch.int8:
        whole, scales = rounded(weight)
        wide = whole.float() * scales[:, None]
    wanted = nn.functional.linear(x.double(), wide.double(), None if own is None else own.double())
    assert (linear(x) - wanted).abs().max() < 1e-5
    assert linear(x.unsqueeze(0)).shape == (1, rows, 40)


@needs_compiler
def test_a_stored_matrix_comes_back():
    linear, weight, _ = layer(torch.bfloat16)
    assert torch.equal(linear.product.matrix(), weight)


def test_rounding_is_off_by_half_a_step_at_most():
    weight = torch.randn((8, 64), generator=torch.Generator().manual_seed(2))
    weight[3] = 0.0
    whole, scales = rounded(weight)
    assert whole.abs().max() == 127 and whole[3].eq(0).all()
    assert ((whole.float() * scales[:, None] - weight).abs() <= scales[:, None] * 0.5001).all()


def test_rows_that_do_not_fit_the_source_stay_plain():
    linear, _, _ = layer(torch.bfloat16, in_features=41)
    assert type(linear) is nn.Linear and linear.weight.dtype == torch.float32


def test_what_is_stored_depends_on_the_machine():
    pick = lambda *args: pick_numbers(*args, compiled=lambda: object())  # noqa: E731
    assert pick("auto", "cpu", torch.bfloat16) == (torch.bfloat16, torch.bfloat16)
    assert pick("auto", "cpu", torch.float32)[1] is None
    assert pick("float32", "cpu", torch.bfloat16) == (torch.float32, None)
    assert pick("int8", "cpu", torch.float32) == (torch.bfloat16, torch.int8)
    assert pick_numbers("auto", "cpu", torch.bfloat16, compiled=lambda: None)[1] is None
    with pytest.raises(UsageError, match="compiler"):
        pick_numbers("int8", "cpu", torch.bfloat16, compiled=lambda: None)


@needs_compiler
@torch.inference_mode()
def test_a_published_model_is_stored_as_published_on_a_processor(tmp_path):
    folder = str(save_published(random_published().bfloat16(), tmp_path, byte_tokenizer()))
    network, exact, small = (load_model(folder, dtype=dtype).engine for dtype in ("auto", "float32", "int8"))
    assert network.dtype == torch.bfloat16 and small.dtype == torch.int8
    states = [model.begin(clouds(2), (3,), 8) for model in (network, exact, small)]
    for step in range(4):
        logits, wanted, near = (logits for logits, _ in states)
        assert logits.dtype == torch.float32 and (logits - wanted).abs().max() < 1e-4
        assert (near - wanted).abs().mean() < 0.1 * wanted.std()
        ids = wanted.argmax(-1)
        states = [
            (model.step(ids, step, cache), cache)
            for model, (_, cache) in zip((network, exact, small), states, strict=True)
        ]


@needs_compiler
@torch.inference_mode()
def test_the_embedded_model_writes_nearly_the_same_in_int8():
    exact, small = load_model().engine, load_model(dtype="int8").engine
    logits, wanted = (model.begin(clouds(2), 1, 1)[0] for model in (small, exact))
    assert (logits - wanted).abs().mean() < 0.05 * wanted.std() and not torch.equal(logits, wanted)


@needs_compiler
@pytest.mark.parametrize("tied", [True, False])
def test_a_stored_decoder_gives_its_weights_back(tied):
    plain = random_published(options=replace(OPTIONS, tie_word_embeddings=tied)).bfloat16()
    weights = {name: weight.clone() for name, weight in plain.state_dict().items() if "layers" in name}
    head = plain.lm_head.weight.clone()
    engine = CpuEngine(plain, torch.bfloat16, release=True)
    assert len(plain.model.layers) == 0 and plain.lm_head is None
    found = engine.decoder.state("model.layers.{}.", "head")
    assert torch.equal(found.pop("head"), head) and set(found) == set(weights)
    assert all(torch.equal(found[name].bfloat16(), weight) for name, weight in weights.items())


@needs_compiler
@torch.inference_mode()
def test_positions_beyond_the_table_turn_as_well(monkeypatch):
    logits = []
    for positions in (packed.POSITIONS, 4):
        monkeypatch.setattr(packed, "POSITIONS", positions)
        network = CpuEngine(random_published())
        found, cache = network.begin(clouds(1, 8), (3,), 2)
        logits += [torch.cat([found, network.step(torch.tensor([4]), 1, cache)])]
    torch.testing.assert_close(logits[0], logits[1])
