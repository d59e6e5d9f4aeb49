"""Vocabulary by name: rows follow their pieces, whatever order or length the vocabulary has."""

import hashlib
import json
from dataclasses import asdict, replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import OPTIONS, clouds, saved, tiny_model

from cadcode.errors import ModelError
from cadcode.model.checkpoints import vocabulary
from cadcode.model.checkpoints.export import export_model
from cadcode.model.checkpoints.load import WEIGHTS, load_model, read_checkpoint
from cadcode.model.checkpoints.vocabulary import EMBEDDING, HEAD, map_rows, read_pieces, untrained
from cadcode.model.nets.small import SmallModel
from cadcode.model.tokenizers.language import CompactLanguage
from cadcode.program.tokens import PIECES, RELEASED, START, State, allowed_ids
from cadcode.train.supervised import Run, TrainOptions

LONGER = (*PIECES[:40], "<new>", *PIECES[40:], "<newer>")


def network_with(weights, pieces) -> SmallModel:
    model = SmallModel(replace(OPTIONS, vocab_size=len(pieces))).eval()
    model.load_state_dict(weights)
    return model


def mapped(weights, stored, pieces):
    weights = dict(weights)
    map_rows(weights, stored, "here", pieces)
    return weights


def test_pieces_of_the_first_release_keep_their_ids():
    digest = hashlib.sha256("\0".join(RELEASED).encode()).hexdigest()
    assert digest.startswith("32abc84123c2a70d") and PIECES[: len(RELEASED)] == RELEASED
    assert len(set(PIECES)) == len(PIECES)


def test_the_embedded_weights_carry_their_pieces():
    folder = WEIGHTS / "cadcode-small"
    config = json.loads((folder / "config.json").read_text())
    assert read_pieces(folder, config["vocab_size"]) == RELEASED


@torch.inference_mode()
def test_a_longer_vocabulary_keeps_the_logits_of_the_old_pieces():
    model, places = tiny_model(), [LONGER.index(piece) for piece in PIECES]
    longer = network_with(mapped(model.state_dict(), PIECES, LONGER), LONGER)
    ids = torch.tensor([[START, *range(30, 60)]])
    before, after = model(clouds(1), ids), longer(clouds(1), torch.tensor(places)[ids])
    torch.testing.assert_close(after[..., places], before)
    assert after.shape[-1] == len(PIECES) + 2


def test_new_rows_are_seeded_and_near_the_mean():
    weights = tiny_model().state_dict()
    first, second = (mapped(weights, PIECES, LONGER)[EMBEDDING] for _ in range(2))
    new = first[[40, -1]]
    assert torch.equal(first, second) and not torch.equal(new[0], new[1])
    assert (new - weights[EMBEDDING].mean(0)).abs().max() < 0.1


@torch.inference_mode()
def test_a_reordered_vocabulary_gives_the_same_model(tmp_path):
    plain, folder = load_model(str(saved(tmp_path / "a"))), saved(tmp_path / "b")
    order = torch.randperm(len(PIECES), generator=torch.Generator().manual_seed(1)).tolist()
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {name: weights[name][order] for name in (EMBEDDING, HEAD)}, folder / "model.safetensors")
    change_pieces(folder, [PIECES[place] for place in order])
    found, expected = (model.network.state_dict() for model in (load_model(str(folder)), plain))
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def change_pieces(folder, pieces):
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    content["model"]["vocab"] = {piece: place for place, piece in enumerate(pieces)}
    path.write_text(json.dumps(content))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | dict(vocab_size=len(pieces))))


def test_a_foreign_piece_is_named(tmp_path):
    folder = saved(tmp_path)
    change_pieces(folder, [*PIECES[:-1], ".loft("])
    with pytest.raises(ModelError, match=r"pieces that this version does not know \('\.loft\('\)"):
        load_model(str(folder))


def test_a_damaged_list_of_pieces_is_refused(tmp_path):
    folder = saved(tmp_path)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot be read"):
        load_model(str(folder))


def test_rows_that_do_not_fit_the_pieces_are_refused():
    weights = tiny_model().state_dict()
    with pytest.raises(ModelError, match="533 rows for 3 pieces"):
        map_rows(weights, PIECES[:3], "here")


@pytest.fixture
def shorter(tmp_path):
    """A checkpoint without the last number."""
    folder = saved(tmp_path / "shorter")
    weights = load_file(folder / "model.safetensors")
    for name in (EMBEDDING, HEAD):
        weights[name] = weights[name][:-1].clone()
    save_file(weights, folder / "model.safetensors")
    change_pieces(folder, PIECES[:-1])
    return folder


def test_a_piece_without_a_trained_row_is_never_allowed(shorter):
    model = load_model(str(shorter))
    height = State("height", first_body=True)
    assert model.language.untrained == PIECES[-1:] and model.network.options.vocab_size == len(PIECES)
    assert set(allowed_ids(height)) - set(model.language.allowed(height)) == {len(PIECES) - 1}


def test_a_grammar_that_needs_a_lacking_piece_says_which():
    with pytest.raises(ModelError, match=r"asks for '\)'"):
        CompactLanguage((")",)).allowed(State("close face"))


def test_only_a_model_with_all_pieces_is_exported(shorter, tmp_path):
    with pytest.raises(ModelError, match=r"lacks pieces of this version \('\|200'\)"):
        export_model(load_model(str(shorter)), tmp_path / "out")


def test_training_goes_on_from_a_shorter_vocabulary(shorter, tmp_path):
    run = Run.start(TrainOptions(fuse=False), torch.device("cpu"), shorter)
    assert len(run.model.lm_head.weight) == len(PIECES)
    run.save(tmp_path / "a.pt")
    state = read_checkpoint(tmp_path / "a.pt")
    assert state["pieces"] == list(PIECES) and "optimizers" in state


def test_a_training_checkpoint_is_mapped_by_piece(tmp_path):
    model, stored = tiny_model(), PIECES[::-1]
    weights = model.state_dict()
    reordered = weights | {name: weights[name].flip(0) for name in (EMBEDDING, HEAD)}
    state = dict(model=reordered, model_options=asdict(model.options), steps=1, optimizers=[])
    torch.save(state | dict(pieces=list(stored)), tmp_path / "a.pt")
    found = read_checkpoint(tmp_path / "a.pt")
    assert all(torch.equal(found["model"][name], weight) for name, weight in weights.items())
    assert found["steps"] == 1 and "optimizers" not in found
    torch.save(state | dict(pieces=["<loft>", *stored[1:]]), tmp_path / "b.pt")
    with pytest.raises(ModelError, match="b.pt: .*'<loft>'"):
        read_checkpoint(tmp_path / "b.pt")


def test_a_training_checkpoint_without_pieces_is_of_the_first_release(tmp_path):
    model = tiny_model()
    torch.save(dict(model=model.state_dict(), model_options=asdict(model.options)), tmp_path / "a.pt")
    assert torch.equal(read_checkpoint(tmp_path / "a.pt")["model"][HEAD], model.lm_head.weight)


def test_messages_name_few_pieces():
    assert vocabulary.shown("abcde") == "'a', 'b', 'c' and 2 more"
    assert untrained(PIECES) == () and untrained(PIECES, LONGER) == ("<new>", "<newer>")
