"""Models in folders: what is saved comes back, and what cannot be used is refused in one line."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import OPTIONS, Terse, clouds, saved, tiny_model

from cadcode.errors import ModelError
from cadcode.model.checkpoints.load import from_training, load_model, read_checkpoint, resolve, save_model
from cadcode.model.generate import DecodeOptions, decode


@pytest.fixture
def folder(tmp_path):
    return saved(tmp_path / "model", std=0.5)


def test_weights_come_back_rounded_to_bfloat16_and_the_point_encoder_as_it_was(folder):
    before, after = tiny_model(std=0.5).state_dict(), load_model(str(folder)).network.state_dict()
    assert set(before) == set(after)
    for name, weight in before.items():
        kept = weight if "point_encoder" in name else weight.bfloat16().float()
        assert torch.equal(after[name], kept), name


def test_a_loaded_model_decodes(folder):
    model = load_model(str(folder))
    [[draft]] = decode(model.engine, Terse(), clouds(1), DecodeOptions(max_new_tokens=60))
    assert draft.text.startswith("import cadquery as cq\nr=cq.Workplane(")
    assert next(model.network.parameters()).dtype == torch.float32 and not model.network.training


def test_the_revision_is_that_of_the_weights(folder, tmp_path):
    same, other = saved(tmp_path / "same", std=0.5), saved(tmp_path / "other", seed=1)
    assert load_model(str(folder)).revision == load_model(str(same)).revision != load_model(str(other)).revision


def test_the_config_says_what_the_model_is(folder):
    assert load_model(str(folder)).network.options == OPTIONS
    assert (folder / "tokenizer.json").is_file() and not list(folder.glob("*.part"))


def test_weights_in_shards_are_the_same_weights(folder, tmp_path):
    network, most = tiny_model(std=0.5), 40_000
    save_model(network, tmp_path / "shards", shard_bytes=most)
    shards = sorted((tmp_path / "shards").glob("*.safetensors"))
    assert len(shards) > 2 and max(path.stat().st_size for path in shards) <= most
    assert not (tmp_path / "shards" / "model.safetensors").exists()
    whole, parts = (load_model(str(path)).network.state_dict() for path in (folder, tmp_path / "shards"))
    assert whole.keys() == parts.keys() and all(torch.equal(whole[name], parts[name]) for name in whole)


def test_saving_again_leaves_no_weights_of_before(folder):
    first = load_model(str(folder)).revision
    save_model(tiny_model(std=0.5), folder, shard_bytes=40_000)
    assert load_model(str(folder)).revision != first and not (folder / "model.safetensors").exists()
    save_model(tiny_model(std=0.5), folder)
    assert [path.name for path in folder.glob("model*")] == ["model.safetensors"]
    assert load_model(str(folder)).revision == first


def test_a_missing_shard_is_refused(folder):
    save_model(tiny_model(std=0.5), folder, shard_bytes=40_000)
    sorted(folder.glob("*.safetensors"))[1].unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(str(folder))


# --- what cannot be used ---------------------------------------------------------------------------------------------


def change_config(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def without_a_weight(folder):
    weights = load_file(folder / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors")


def truncated(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda f: (f / "config.json").unlink(), "no such model"),
        (lambda f: (f / "model.safetensors").unlink(), "cannot be read"),
        (lambda f: (f / "config.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "config.json").write_bytes(b"\xff\xfe\x00"), "cannot be read"),
        (lambda f: (f / "config.json").write_text("[1]"), "a vocabulary of None"),
        (lambda f: (f / "model.safetensors").write_bytes(b""), "cannot be read"),
        (truncated, "cannot be read"),
        (without_a_weight, "weights do not fit the config"),
        (lambda f: change_config(f, vocab_size=500), "a vocabulary of 500"),
        (lambda f: change_config(f, hidden_size=64), "weights do not fit the config"),
        (lambda f: change_config(f, num_hidden_layers=3), "weights do not fit the config"),
        (lambda f: change_config(f, num_hidden_layers=1), "weights do not fit the config"),
    ],
)
def test_damaged_folders_are_refused_in_one_line(folder, damage, message):
    damage(folder)
    with pytest.raises(ModelError, match=message) as refusal:
        load_model(str(folder))
    assert "\n" not in str(refusal.value) and str(folder) in str(refusal.value)


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ModelError, match="no-such-model: .*cadcode-small"):
        resolve("no-such-model")


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x80\x02N."])
def test_files_that_are_no_checkpoint(tmp_path, content):
    path = tmp_path / "some.pt"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="some.pt"):
        read_checkpoint(path)


def test_checkpoints_run_no_code(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    torch.save({"model": Trap(), "model_options": {}}, tmp_path / "trap.pt")
    with pytest.raises(ModelError, match="trap.pt"):
        from_training(tmp_path / "trap.pt")
    assert not (tmp_path / "sprung").exists()


def test_a_folder_is_a_checkpoint_that_counts_on(tmp_path):
    network, seen = tiny_model(), dict(steps=7, samples=300, minutes=1.5)
    save_model(network, tmp_path / "m", seen)
    state = read_checkpoint(tmp_path / "m")
    assert {name: state[name] for name in seen} == seen and "optimizers" not in state
    again, counted = from_training(tmp_path / "m")
    assert counted == seen and again.options == network.options
    assert torch.equal(again.lm_head.weight, network.lm_head.weight.to(torch.bfloat16).float())
