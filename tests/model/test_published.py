"""CAD-Recode's checkpoints on our own decoder: the published tokens, v1 and v1.5, and what is refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from published_models import (
    ENDOFTEXT,
    IM_START,
    OPTIONS,
    WIDTHS,
    byte_tokenizer,
    clouds_with_normals,
    random_published,
    save_published,
)
from safetensors.torch import load_file, save_file
from tiny_models import FreeLanguage, clouds

from cadcode.errors import ModelError, UsageError
from cadcode.model.checkpoints import hub
from cadcode.model.checkpoints.load import find, load_model
from cadcode.model.checkpoints.weights import pick_dtype
from cadcode.model.generate import DecodeOptions, decode
from cadcode.model.nets.points import NORMAL_FEATURES, FourierEmbedder, FourierPointEncoder, fourier_features
from cadcode.program.parse import parse

ANY_CPU = 4e-5  # transformers itself is up to 2.1e-5 away from what it gave on the CPU of the fixtures
FIXTURES = Path(__file__).parent / "fixtures"
BOX = "r=cq.Workplane('XY').box(10,10,10)"
TWO = f"import cadquery as cq\n{BOX}.union(cq.Workplane('XY').box(5,5,50))"


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """No network and an empty cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    return save_published(random_published(), tmp_path / "model", byte_tokenizer())


@pytest.fixture(params=["cadrecode_tied", "cadrecode_untied"])
def fixture(request, tmp_path):
    """(folder with a tokenizer, expected arrays) of what the published class gave."""
    shutil.copytree(FIXTURES / request.param, tmp_path / "model")
    byte_tokenizer().save(str(tmp_path / "model" / "tokenizer.json"))
    with np.load(FIXTURES / request.param / "expected_fp32_4.47.1.npz") as file:
        return tmp_path / "model", dict(file)


class Free(FreeLanguage):
    start_id = (IM_START,)


# --- the published tokens --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 2])
def test_greedy_ids_are_the_published_ones(fixture, batch):
    folder, expected = fixture
    model, cloud = load_model(str(folder), dtype="float32"), torch.from_numpy(expected["point_cloud"][:batch])
    drafts = decode(model.engine, Free(ENDOFTEXT), cloud, DecodeOptions(max_new_tokens=64))
    assert [list(draft.ids) for [draft] in drafts] == expected[f"b{batch}_ids"][:, 257:].tolist()
    assert model.language.start_id == (IM_START,) and model.language.end_id == ENDOFTEXT


@pytest.mark.parametrize("batch", [1, 2])
@torch.inference_mode()
def test_logits_are_the_published_ones(fixture, batch):
    folder, expected = fixture
    engine = load_model(str(folder), dtype="float32").engine
    ids = torch.from_numpy(expected[f"b{batch}_ids"][:, 257:])
    logits, cache = engine.begin(torch.from_numpy(expected["point_cloud"][:batch]), (IM_START,), room=64)
    found = [logits]
    for written in range(1, 64):
        found.append(engine.step(ids[:, written - 1], written, cache))
    logits = torch.stack(found, 1)[:, expected["steps"]].numpy()
    np.testing.assert_allclose(logits, expected[f"b{batch}_logits"], rtol=0, atol=ANY_CPU)


# --- v1 and v1.5 -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version, units", [("v1", 50.0), ("v1.5", 100.0)])
def test_the_projection_tells_the_versions_apart(tmp_path, version, units):
    misleading = tmp_path / ("cad-recode-v1.5" if version == "v1" else "cad-recode")
    save_published(random_published(WIDTHS[version]), misleading, byte_tokenizer())
    spec = load_model(str(misleading)).spec
    assert (spec.program_units, spec.normals) == (units, version == "v1")
    assert spec.max_new_tokens == 768 and spec.free_text


@torch.inference_mode()
def test_normals_are_read_behind_the_features_of_their_points():
    encoder, cloud = FourierPointEncoder(8, NORMAL_FEATURES), clouds_with_normals(2)
    features = torch.cat([fourier_features(cloud[..., :3]), cloud[..., 3:]], dim=-1)
    torch.testing.assert_close(encoder(cloud), features @ encoder.projection.weight.T + encoder.projection.bias)


@torch.inference_mode()
def test_normals_matter_to_v1(tmp_path):
    folder = save_published(random_published(NORMAL_FEATURES), tmp_path / "v1", byte_tokenizer())
    engine, cloud = load_model(str(folder), dtype="float32").engine, clouds_with_normals(1)
    turned = torch.cat([cloud[..., :3], -cloud[..., 3:]], dim=-1)
    first, other = (engine.begin(points, (IM_START,), 1)[0] for points in (cloud, turned))
    assert not torch.allclose(first, other, atol=0.05)


@pytest.mark.parametrize("logspace", [True, False])
@pytest.mark.parametrize("include_pi", [True, False])
def test_the_configurable_features_by_hand(logspace, include_pi):
    points = torch.tensor([[0.5, -0.25, 1.0]])
    frequencies = [1.0, 2.0, 4.0] if logspace else [1.0, 2.5, 4.0]
    angles = [c * f * (np.pi if include_pi else 1) for c in (0.5, -0.25, 1.0) for f in frequencies]
    expected = torch.tensor([[0.5, -0.25, 1.0, *np.sin(angles), *np.cos(angles)]], dtype=torch.float32)
    found = FourierEmbedder(3, logspace, include_input=True, include_pi=include_pi)(points)
    torch.testing.assert_close(found, expected)
    without = FourierEmbedder(3, logspace, include_input=False, include_pi=include_pi)(points)
    torch.testing.assert_close(without, expected[:, 3:])


def test_both_encoders_are_the_same_formula():
    points = clouds(2)
    assert torch.equal(FourierEmbedder(8, include_pi=False)(points), fourier_features(points))
    half = FourierEmbedder(8, include_pi=False)(points.bfloat16())
    assert half.dtype == torch.float32


# --- decoding --------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def test_the_cache_changes_nothing(folder):
    engine, cloud = load_model(str(folder), dtype="float32").engine, clouds(2)
    ids = torch.randint(4, 260, (2, 10), generator=torch.Generator().manual_seed(1))
    logits, cache = engine.begin(cloud, (IM_START,), 10)
    for written in range(10):
        whole = engine.begin(cloud[:1], (IM_START, *ids[0, :written].tolist()), 0)[0]
        torch.testing.assert_close(logits[:1], whole, atol=2e-4, rtol=1e-4)
        logits = engine.step(ids[:, written], written + 1, cache)


def test_points_are_embedded_once(folder):
    model, calls = load_model(str(folder)), []
    model.network.point_encoder.register_forward_hook(lambda *_: calls.append(1))
    decode(model.engine, Free(ENDOFTEXT), clouds(2), DecodeOptions("sample", candidates=3, max_new_tokens=12))
    assert calls == [1]


@torch.inference_mode()
def test_many_rows_are_each_as_alone(folder):
    engine, cloud = load_model(str(folder), dtype="float32").engine, clouds(6)
    logits, cache = engine.begin(cloud, (IM_START,), 2)
    after = engine.step(logits.argmax(-1), 1, cache)
    for row in range(6):
        one, own = engine.begin(cloud[row : row + 1], (IM_START,), 2)
        torch.testing.assert_close(logits[row : row + 1], one, atol=2e-4, rtol=1e-4)
        alone = engine.step(one.argmax(-1), 1, own)
        torch.testing.assert_close(after[row : row + 1], alone, atol=2e-4, rtol=1e-4)


def test_in_bfloat16_the_point_encoder_stays_in_float32(folder):
    model = load_model(str(folder), dtype="bfloat16")
    kinds = {name: weight.dtype for name, weight in model.network.state_dict().items()}
    assert {kinds.pop(f"point_encoder.projection.{n}") for n in ("weight", "bias")} == {torch.float32}
    assert set(kinds.values()) == {torch.bfloat16}
    drafts = decode(model.engine, Free(ENDOFTEXT), clouds(1), DecodeOptions(max_new_tokens=4))
    assert len(drafts[0]) == 1


def test_tied_embeddings_are_one_tensor(folder):
    network = load_model(str(folder), dtype="bfloat16").network
    assert network.lm_head.weight is network.model.embed_tokens.weight


def test_dtypes_are_known_ones():
    assert pick_dtype("float32", "cpu") is torch.float32 and pick_dtype("bfloat16", "cpu") is torch.bfloat16
    assert pick_dtype("auto", "cpu") in (torch.float32, torch.bfloat16)
    with pytest.raises(UsageError, match="float16"):
        pick_dtype("float16", "cpu")


# --- text ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def language(folder):
    return load_model(str(folder)).language


def test_ids_are_read_as_text_without_special_tokens(language):
    ids = language.tokenizer.encode(TWO).ids
    assert language.text([*ids, ENDOFTEXT]) == TWO


@pytest.mark.parametrize("rest", [".union(cq.Work", ".union(cq.Workplane('XY').box(1,", ".cut("])
def test_a_text_that_is_too_long_ends_after_its_last_whole_body(language, rest):
    closed = language.close(language.tokenizer.encode(TWO + rest).ids)
    assert language.text(closed) == TWO and parse(TWO).steps[1].body.height == 50


def test_a_text_without_a_whole_body_is_not_closed(language):
    assert language.close(language.tokenizer.encode(TWO[:40]).ids) is None


# --- loading ---------------------------------------------------------------------------------------------------------


def test_shards_are_read_as_one(folder, tmp_path):
    whole = load_file(folder / "model.safetensors")
    sharded = tmp_path / "sharded"
    shutil.copytree(folder, sharded)
    (sharded / "model.safetensors").unlink()
    names = sorted(whole)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, keys in parts.items():
        save_file({key: whole[key] for key in keys}, sharded / file)
    index = dict(metadata={}, weight_map={key: file for file, keys in parts.items() for key in keys})
    (sharded / "model.safetensors.index.json").write_text(json.dumps(index))
    one, other = (load_model(str(path), dtype="float32").network.state_dict() for path in (folder, sharded))
    assert all(torch.equal(weight, other[name]) for name, weight in one.items())
    (sharded / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(str(sharded))


def change_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def change_weights(folder, change):
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def other_tokenizer(folder, **changes):
    text = (folder / "tokenizer.json").read_text()
    for old, new in changes.items():
        text = text.replace(old, new)
    (folder / "tokenizer.json").write_text(text)


DAMAGES = {
    "a missing key": (lambda f: change_weights(f, lambda w: w.pop("model.norm.weight")), "model.norm.weight"),
    "an unexpected key": (lambda f: change_weights(f, lambda w: w.update(odd=torch.ones(2))), "odd"),
    "a wrong shape": (lambda f: change_weights(f, lambda w: w.update({"model.norm.weight": torch.ones(9)})), "norm"),
    "no point encoder": (
        lambda f: change_weights(f, lambda w: w.pop("point_encoder.projection.weight")),
        "a point encoder of None",
    ),
    "another point encoder": (
        lambda f: change_weights(f, lambda w: w.update({"point_encoder.projection.weight": torch.ones(32, 40)})),
        "a point encoder of 40",
    ),
    "no head": (lambda f: change_config(f, tie_word_embeddings=False), "lm_head"),
    "a truncated file": (lambda f: truncate(f / "model.safetensors"), "cannot be read"),
    "no file": (lambda f: (f / "model.safetensors").unlink(), "cannot be read"),
    "another size": (lambda f: change_config(f, hidden_size=64), "do not fit"),
    "no sizes": (lambda f: (f / "config.json").write_text('{"model_type": "qwen2"}'), "does not describe a model"),
    "other positions": (lambda f: change_config(f, rope_scaling={"type": "yarn"}), "rope_type yarn"),
    "a window": (lambda f: change_config(f, use_sliding_window=True), "use_sliding_window True"),
    "a broken index": (
        lambda f: [(f / "model.safetensors").unlink(), (f / "model.safetensors.index.json").write_text("[]")],
        "cannot be read",
    ),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "hf download Qwen/Qwen2-1.5B tokenizer.json"),
    "a broken tokenizer": (lambda f: truncate(f / "tokenizer.json"), "cannot be read as a tokenizer"),
    "another tokenizer": (lambda f: other_tokenizer(f, **{"<|im_end|>": "<|odd|>"}), "no token <|im_end|>"),
    "a larger tokenizer": (
        lambda f: byte_tokenizer([f"w{i}" for i in range(99)]).save(str(f / "tokenizer.json")),
        "vocabulary of 300",
    ),
    "another end": (lambda f: change_config(f, eos_token_id=77), "token 77"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_folders_are_refused_in_one_line(folder, name):
    damage, message = DAMAGES[name]
    load_model(str(folder))
    damage(folder)
    with pytest.raises(ModelError) as refusal:
        load_model(str(folder))
    assert message in str(refusal.value) and "\n" not in str(refusal.value) and str(folder) in str(refusal.value)


# --- hub ids ---------------------------------------------------------------------------------------------------------


def keep(name: str, source: Path, cache: Path, files=None):
    """Put a folder into the cache as if it had been fetched."""
    repo, commit = cache / ("models--" + name.replace("/", "--")), "0" * 40
    (repo / "refs").mkdir(parents=True)
    (repo / "refs/main").write_text(commit)
    (repo / "snapshots" / commit).mkdir(parents=True)
    for path in source.iterdir():
        if files is None or path.name in files:
            shutil.copy(path, repo / "snapshots" / commit)


def test_a_hub_id_is_found_in_the_cache(folder, tmp_path):
    name = "filapro/cad-recode-v1.5"
    assert find(name) is None
    keep(name, folder, tmp_path / "cache", {"config.json", "model.safetensors"})
    keep("Qwen/Qwen2-1.5B", folder, tmp_path / "cache", {"tokenizer.json"})
    model = load_model(name)
    assert model.spec.name == name and model.spec.licence == "CC-BY-NC-4.0"
    assert model.revision == load_model(str(folder)).revision
    keep("somebody/tuned", folder, tmp_path / "cache")
    assert load_model("somebody/tuned").spec.licence != "CC-BY-NC-4.0"


def test_offline_the_message_says_what_to_run(folder, tmp_path):
    name = "filapro/cad-recode-v1.5"
    with pytest.raises(ModelError, match=f"{name} is not on this computer.*run: hf download {name}$"):
        load_model(name)
    keep(name, folder, tmp_path / "cache", {"config.json"})  # an interrupted download
    assert find(name) is None
    with pytest.raises(ModelError, match="hf download"):
        load_model(name)
    with pytest.raises(ModelError, match="no such model"):
        load_model("somebody/unknown")


def test_a_tokenizer_that_is_missing_is_named(folder, tmp_path):
    keep("filapro/cad-recode", folder, tmp_path / "cache", {"config.json", "model.safetensors"})
    with pytest.raises(ModelError, match="run: hf download Qwen/Qwen2-1.5B tokenizer.json$"):
        load_model("filapro/cad-recode")


def test_only_weights_and_settings_are_fetched(monkeypatch, tmp_path):
    asked = {}
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda name, **how: asked.update(how) or str(tmp_path))
    assert hub.fetch("filapro/cad-recode") == tmp_path
    assert set(asked["allow_patterns"]) == {"*.json", "*.safetensors"}


def test_sizes_of_heads_are_read_from_the_config(tmp_path):
    options = replace(OPTIONS, num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=False)
    folder = save_published(random_published(options=options), tmp_path / "other", byte_tokenizer())
    assert load_model(str(folder)).network.options == options


def test_of_a_large_vocabulary_the_likeliest_tokens_are_sampled_as_ever(folder, monkeypatch):
    """Where the likeliest hold all of the nucleus, it makes no difference that the others are left out."""
    model, options = load_model(str(folder), dtype="float32"), DecodeOptions("sample", candidates=6, top_p=0.5)
    options = replace(options, max_new_tokens=12)
    whole = decode(model.engine, Free(ENDOFTEXT), clouds(1), options)
    monkeypatch.setattr("cadcode.model.generate.WIDEST", 200)
    assert decode(model.engine, Free(ENDOFTEXT), clouds(1), options) == whole
    monkeypatch.setattr("cadcode.model.generate.WIDEST", 1)
    narrow = [draft.ids for draft in decode(model.engine, Free(ENDOFTEXT), clouds(1), options)[0]]
    assert len(set(narrow)) == 1 < len({draft.ids for draft in whole[0]})
