"""The Hugging Face tokenizer says the same as `cadcode.program.tokens`."""

import numpy as np
import pytest
from transformers import AutoTokenizer

from cadcode.data.shapes import random_program
from cadcode.model.tokenizers.own import build_tokenizer, save_tokenizer
from cadcode.program import tokens
from cadcode.program.text.compact import compact
from cadcode.program.tokens import END, PAD, START

RNG = np.random.default_rng(8)
TEXTS = [compact(random_program(RNG)) for _ in range(120)]


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer()


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(folder)
    return AutoTokenizer.from_pretrained(folder)


def test_ids_of_programs_are_the_same(tokenizer):
    for text in TEXTS:
        assert tokenizer.encode(text).ids == tokens.encode(text)[:-1]  # ours adds the end


def test_ids_are_read_as_the_same_text(tokenizer):
    for text in TEXTS:
        assert tokenizer.decode(tokens.encode(text)) == text == tokens.decode(tokens.encode(text))


def test_vocabularies_are_the_same(tokenizer):
    assert tokenizer.get_vocab() == tokens.IDS


def test_all_operations_planes_and_edges_occur_in_what_was_compared():
    used = {tokens.PIECES[i] for text in TEXTS for i in tokens.encode(text)}
    rare = {p for p in tokens.SYNTAX if ".intersect(" in p or "ketch().arc" in p or ".face(" in p}
    assert set(tokens.SYNTAX) - used <= rare


@pytest.mark.parametrize("piece", tokens.SYNTAX)
def test_every_piece_of_syntax_before_a_number(tokenizer, piece):
    ids = [tokens.IDS[piece], tokens.IDS["|-7.5"], tokens.IDS["|12"]]
    text = tokens.decode(ids)
    assert tokenizer.decode(ids) == text
    if piece.endswith(("(", "=")):  # elsewhere no number follows
        assert tokenizer.encode(text).ids == ids


def test_transformers_loads_it_from_a_folder(loaded):
    for text in TEXTS[:40]:
        ids = tokens.encode(text)
        assert loaded.decode([PAD, PAD, START, *ids], skip_special_tokens=True) == text
        assert loaded(text)["input_ids"] == ids[:-1]
    assert (loaded.pad_token_id, loaded.bos_token_id, loaded.eos_token_id) == (PAD, START, END)
    assert loaded.padding_side == "left"


def test_batches_are_decoded_with_their_padding(loaded):
    rows = [[START, *tokens.encode(text)] for text in TEXTS[:3]]
    longest = max(map(len, rows))
    padded = [[PAD] * (longest - len(row)) + row for row in rows]
    assert loaded.batch_decode(padded, skip_special_tokens=True) == TEXTS[:3]
