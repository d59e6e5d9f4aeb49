"""Our decoder, transformers' Qwen2 behind CAD-Recode's interface, and what the published class gave."""

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import FreeLanguage, clouds, saved
from transformers import AutoModelForCausalLM

from cadcode.decoding import DecodeOptions, decode
from cadcode.model.cad_recode import POINT_MARK, CADRecode
from cadcode.model.checkpoints import load_model
from cadcode.program.tokens import END, PAD, PIECES, START

PUBLISHED = Path(__file__).parent / "fixtures" / "cadrecode_tied"
NEW = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def theirs(folder):
    return CADRecode.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def published():
    """The published layout: model_type qwen2, `model.*`, `point_encoder.projection.*`, a tied head."""
    model, info = CADRecode.from_pretrained(PUBLISHED, dtype=torch.float32, output_loading_info=True)
    assert not info["unexpected_keys"] and not set(info["missing_keys"]) - {"lm_head.weight"}
    return model.eval()


@pytest.fixture(scope="module")
def expected():
    with np.load(PUBLISHED / "expected_fp32_4.47.1.npz") as file:
        return dict(file)


def prompt(count, points=256, pad=PAD, start=START):
    """Ids (B, points + 1) and their mask: pads marked as points, then the start token."""
    ids = torch.full((count, points + 1), pad)
    ids[:, -1] = start
    mask = torch.full_like(ids, POINT_MARK)
    mask[:, -1] = 1
    return ids, mask


# --- a model of ours, in both -----------------------------------------------------------------------------------------


@torch.inference_mode()
def test_logits_are_those_of_transformers(folder, theirs):
    ours, cloud = load_model(str(folder)).network, clouds(2)
    ids, mask = prompt(2)
    text = torch.randint(3, len(PIECES), (2, 9), generator=torch.Generator().manual_seed(2))
    whole, marks = torch.cat([ids, text], 1), torch.cat([mask, torch.ones_like(text)], 1)
    logits = theirs(input_ids=whole, attention_mask=marks, point_cloud=cloud).logits[:, 256:]
    assert logits.std() > 0.5
    torch.testing.assert_close(ours(cloud, whole[:, 256:]), logits, atol=1e-4, rtol=1e-4)


def test_unconstrained_greedy_ids_are_those_of_generate(folder, theirs):
    model, cloud = load_model(str(folder)), clouds(2)
    ids, mask = prompt(2)
    drafts = decode(model.network, FreeLanguage(END), cloud, DecodeOptions(max_new_tokens=NEW))
    generated = theirs.generate(ids, attention_mask=mask, point_cloud=cloud, max_new_tokens=NEW, do_sample=False)
    assert generated[:, :257].equal(ids)
    for [draft], row in zip(drafts, generated[:, 257:].tolist(), strict=True):
        assert list(draft.ids) == row[: len(draft.ids)]
        assert len(draft.ids) == NEW or draft.ids[-1] == END
        assert len(set(draft.ids)) > 4  # no row of one token


def test_auto_classes_find_it_and_its_encoder_stays_in_float32(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    assert isinstance(model, CADRecode)
    assert {p.dtype for p in model.point_encoder.parameters()} == {torch.float32}
    assert model.model.embed_tokens.weight.dtype == torch.bfloat16
    ids, mask = prompt(1)
    new = model.generate(ids, attention_mask=mask, point_cloud=clouds(1), max_new_tokens=4, do_sample=False)
    assert new.shape[1] <= 261


def test_saving_again_keeps_everything(theirs, tmp_path):
    theirs.save_pretrained(tmp_path)
    again = load_model(str(tmp_path)).network.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in theirs.state_dict().items())


def test_marks_and_points_must_be_as_many(theirs):
    ids, mask = prompt(1, points=200)
    with pytest.raises(ValueError, match="200 positions are marked for 1 x 256 points"):
        theirs.generate(ids, attention_mask=mask, point_cloud=clouds(1))


def test_several_sequences_of_one_cloud_keep_their_prompts(theirs):
    ids, mask = prompt(2)
    generated = theirs.generate(ids, attention_mask=mask, point_cloud=clouds(2), max_new_tokens=5, num_beams=3,
                                num_return_sequences=2, do_sample=False)  # fmt: skip
    assert generated.shape[0] == 4 and generated[:, :257].equal(ids.repeat_interleave(2, 0))


# --- the published layout ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 2])
def test_the_published_ids_and_logits(published, expected, batch):
    ids, mask = prompt(batch, pad=2, start=3)
    out = published.generate(ids, attention_mask=mask, point_cloud=torch.from_numpy(expected["point_cloud"][:batch]),
                             max_new_tokens=64, do_sample=False, pad_token_id=2, return_dict_in_generate=True,
                             output_logits=True)  # fmt: skip
    logits = torch.stack(out.logits, 1).numpy()
    assert out.sequences.tolist() == expected[f"b{batch}_ids"].tolist()
    assert logits.shape == (batch, 64, 500)
    np.testing.assert_allclose(logits, expected[f"b{batch}_logits_all"], rtol=0, atol=1e-5)
