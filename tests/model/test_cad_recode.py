"""Our decoder, transformers' Qwen2 behind CAD-Recode's interface, and what the published class gave."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from published_models import OPTIONS as PUBLISHED_OPTIONS
from published_models import byte_tokenizer, clouds_with_normals, random_published, save_published
from safetensors.torch import load_file, save_file
from tiny_models import FreeLanguage, clouds, saved
from transformers import AutoModelForCausalLM, Qwen2ForCausalLM

from cadcode.errors import ModelError
from cadcode.model.checkpoints.export import export_model
from cadcode.model.checkpoints.load import load_model
from cadcode.model.generate import DecodeOptions, decode
from cadcode.model.hf.cad_recode import POINT_MARK, CADRecode
from cadcode.model.nets.points import FEATURES, NORMAL_FEATURES, FourierPointEncoder
from cadcode.program.tokens import END, PAD, PIECES, START

FIXTURES = Path(__file__).parent / "fixtures"
NEW = 24
ANY_CPU = 4e-5  # transformers itself is up to 2.1e-5 away from what it gave on the CPU of the fixtures


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def theirs(folder):
    return CADRecode.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.fixture(scope="module", params=["cadrecode_tied", "cadrecode_untied"])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def published(name):
    """The published layout: model_type qwen2, `model.*`, `point_encoder.projection.*`, with and without a tied head."""
    return CADRecode.from_pretrained(FIXTURES / name, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def expected(name):
    with np.load(FIXTURES / name / "expected_fp32_4.47.1.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file}


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
    drafts = decode(model.engine, FreeLanguage(END), cloud, DecodeOptions(max_new_tokens=NEW))
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
    generated = theirs.generate(
        ids,
        attention_mask=mask,
        point_cloud=clouds(2),
        max_new_tokens=5,
        num_beams=3,
        num_return_sequences=2,
        do_sample=False,
    )
    assert generated.shape[0] == 4 and generated[:, :257].equal(ids.repeat_interleave(2, 0))


# --- the published layout ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 2])
def test_the_published_ids_and_logits(published, expected, batch):
    ids, mask = prompt(batch, pad=2, start=3)
    out = published.generate(
        ids,
        attention_mask=mask,
        point_cloud=expected["point_cloud"][:batch],
        max_new_tokens=64,
        do_sample=False,
        pad_token_id=2,
        return_dict_in_generate=True,
        output_logits=True,
    )
    logits = torch.stack(out.logits, 1)
    assert out.sequences.tolist() == expected[f"b{batch}_ids"].tolist()
    assert logits.shape == (batch, 64, 500)
    torch.testing.assert_close(logits[:, expected["steps"]], expected[f"b{batch}_logits"], rtol=0, atol=ANY_CPU)


@pytest.mark.parametrize("batch", [1, 2])
@torch.inference_mode()
def test_our_decoder_gives_the_logits_of_transformers(published, expected, name, tmp_path, batch):
    shutil.copytree(FIXTURES / name, tmp_path / "model")
    byte_tokenizer().save(str(tmp_path / "model" / "tokenizer.json"))
    ours = load_model(str(tmp_path / "model"), dtype="float32").engine
    ids, mask = prompt(batch, pad=2, start=3)
    out = published.generate(
        ids,
        attention_mask=mask,
        point_cloud=expected["point_cloud"][:batch],
        max_new_tokens=64,
        do_sample=False,
        pad_token_id=2,
        return_dict_in_generate=True,
        output_logits=True,
    )
    logits, cache = ours.begin(expected["point_cloud"][:batch], (3,), room=64)
    for written, theirs in enumerate(out.logits, start=1):
        torch.testing.assert_close(logits, theirs, rtol=0, atol=1e-5)
        logits = ours.step(out.sequences[:, 256 + written], written, cache)


@pytest.mark.parametrize("cloud", [0, 1])
def test_our_beams_are_those_of_transformers(published, expected, name, tmp_path, cloud):
    shutil.copytree(FIXTURES / name, tmp_path / "model")
    byte_tokenizer().save(str(tmp_path / "model" / "tokenizer.json"))
    points = expected["point_cloud"][cloud : cloud + 1]
    ids, mask = prompt(1, pad=2, start=3)
    theirs = published.generate(
        ids, attention_mask=mask, point_cloud=points, max_new_tokens=64, num_beams=4, do_sample=False, pad_token_id=2
    )
    language = FreeLanguage(END)
    language.start_id, language.end_id = 3, 1
    ours = load_model(str(tmp_path / "model"), dtype="float32").engine
    [[draft]] = decode(ours, language, points, DecodeOptions("beam", beams=4, max_new_tokens=64))
    assert list(draft.ids) == theirs[0, 257:].tolist() != expected["b1_ids"][0, 257:].tolist()


def test_rows_of_unequal_length_are_as_alone(published, expected):
    """The longer row has text behind the start token; the shorter one is padded on the left."""
    ids, mask = prompt(1, pad=2, start=3)
    more = torch.tensor([[40, 50, 60]])
    longer, marks = torch.cat([ids, more], 1), torch.cat([mask, torch.ones_like(more)], 1)
    pad = torch.full_like(more, 2)
    both = torch.cat([longer, torch.cat([pad, ids], 1)])
    given = torch.cat([marks, torch.cat([torch.zeros_like(pad), mask], 1)])
    options = dict(max_new_tokens=6, do_sample=False, pad_token_id=2)
    together = published.generate(both, attention_mask=given, point_cloud=expected["point_cloud"], **options)
    rows = [(longer, marks, expected["point_cloud"][:1]), (ids, mask, expected["point_cloud"][1:])]
    for row, (one, own, points) in enumerate(rows):
        alone = published.generate(one, attention_mask=own, point_cloud=points, **options)
        assert alone[0, -6:].tolist() == together[row, -6:].tolist()


def test_points_are_embedded_once(published, expected):
    calls, (ids, mask) = [], prompt(2, pad=2, start=3)
    hook = published.point_encoder.register_forward_hook(lambda *_: calls.append(1))
    try:
        published.generate(ids, attention_mask=mask, point_cloud=expected["point_cloud"], max_new_tokens=5)
    finally:
        hook.remove()
    assert calls == [1]


# --- v1, and what does not fit ----------------------------------------------------------------------------------------


def test_v1_has_normals_and_gives_what_our_decoder_gives(tmp_path):
    save_published(random_published(NORMAL_FEATURES), tmp_path, byte_tokenizer())
    model = CADRecode.from_pretrained(tmp_path, dtype=torch.float32).eval()
    assert model.point_encoder.projection.in_features == model.config.point_features == NORMAL_FEATURES
    cloud, (ids, mask) = clouds_with_normals(2), prompt(2, pad=2, start=3)
    theirs = model.generate(
        ids, attention_mask=mask, point_cloud=cloud, max_new_tokens=NEW, do_sample=False, pad_token_id=2
    )[:, 257:].tolist()
    language = FreeLanguage(1)
    language.start_id = 3
    engine = load_model(str(tmp_path), dtype="float32").engine
    for [draft], row in zip(decode(engine, language, cloud, DecodeOptions(max_new_tokens=NEW)), theirs, strict=True):
        assert list(draft.ids) == row[: len(draft.ids)] and len(draft.ids) > 4
    model.save_pretrained(tmp_path / "again")
    assert CADRecode.from_pretrained(tmp_path / "again").point_encoder.projection.in_features == NORMAL_FEATURES


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda w: w.pop("model.layers.1.mlp.up_proj.weight"), "up_proj.weight is missing"),
        (lambda w: w.pop("point_encoder.projection.weight"), "projection.weight is missing"),
        (lambda w: w.update(odd=torch.ones(2)), "odd is unexpected"),
        (lambda w: w.update({"model.norm.weight": torch.ones(9)}), "norm.weight has a wrong shape"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, change, message):
    save_published(random_published(), tmp_path, None)
    weights = load_file(tmp_path / "model.safetensors")
    change(weights)
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=message):
        CADRecode.from_pretrained(tmp_path)


# --- export -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [FEATURES, NORMAL_FEATURES])
@pytest.mark.parametrize("tied", [True, False])
def test_an_exported_model_is_a_plain_qwen2_with_the_same_tokens(tmp_path, width, tied):
    options = replace(PUBLISHED_OPTIONS, tie_word_embeddings=tied)
    save_published(random_published(width, options), tmp_path / "model", byte_tokenizer())
    model = load_model(str(tmp_path / "model"), dtype="bfloat16")
    files = export_model(model, tmp_path / "plain")
    assert {path.name for path in files} >= {"config.json", "model.safetensors", "tokenizer.json", "prompt.json"}
    plain, info = Qwen2ForCausalLM.from_pretrained(tmp_path / "plain", dtype=torch.float32, output_loading_info=True)
    assert not info["unexpected_keys"] and not set(info["missing_keys"]) - {"lm_head.weight"}
    said = json.loads((tmp_path / "plain/point_encoder/prompt.json").read_text())
    assert (said["features"], said["program_units"]) == (width, 50 if width == NORMAL_FEATURES else 100)
    encoder = FourierPointEncoder(32, said["features"])
    weights = load_file(tmp_path / "plain/point_encoder/model.safetensors")
    encoder.load_state_dict({name.removeprefix("point_encoder."): weight for name, weight in weights.items()})
    cloud = clouds_with_normals(2)[..., : 6 if width == NORMAL_FEATURES else 3]
    text = plain.get_input_embeddings()(torch.tensor([said["prompt_ids"]] * 2))
    embeddings = torch.cat([encoder(cloud), text], dim=1)
    theirs = plain.generate(
        inputs_embeds=embeddings,
        attention_mask=torch.ones(embeddings.shape[:2]).long(),
        max_new_tokens=NEW,
        do_sample=False,
        pad_token_id=2,
    ).tolist()
    language = FreeLanguage(said["end_id"])
    language.start_id = tuple(said["prompt_ids"])
    for folder in ("model", "plain"):
        engine = load_model(str(tmp_path / folder), dtype="float32").engine
        ours = decode(engine, language, cloud, DecodeOptions(max_new_tokens=NEW))
        for [draft], row in zip(ours, theirs, strict=True):
            assert list(draft.ids) == row[: len(draft.ids)] and len(draft.ids) > 4
