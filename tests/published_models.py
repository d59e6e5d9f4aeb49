"""Tiny checkpoints laid out as the published models are, with a tokenizer of bytes in place of Qwen2's."""

import json
from dataclasses import asdict

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from cadcode.model.checkpoints.published import PublishedModel
from cadcode.model.nets.points import FEATURES, NORMAL_FEATURES
from cadcode.model.nets.qwen2 import Qwen2Options

ENDOFTEXT, IM_END, IM_START = 1, 2, 3
OPTIONS = Qwen2Options(300, 32, 64, 2, 4, 2, tie_word_embeddings=True)
WIDTHS = {"v1.5": FEATURES, "v1": NORMAL_FEATURES}


def byte_tokenizer(words=()) -> Tokenizer:
    """The special tokens at the fixtures' ids, then the bytes, then whole `words`."""
    vocabulary = {"<unk>": 0, "<|endoftext|>": ENDOFTEXT, "<|im_end|>": IM_END, "<|im_start|>": IM_START}
    for character in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocabulary[character] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_end|>", "<|im_start|>"])
    tokenizer.add_tokens(list(words))
    return tokenizer


def seeing_tokenizer(place="<|video_pad|>", words=()) -> Tokenizer:
    """The same with whole `words` and the ids of the fixture of cadrille: 490, 491 around pictures, 494 for them."""
    tokenizer = byte_tokenizer(words)
    size = tokenizer.get_vocab_size()
    tokenizer.add_tokens([f"<filler{i}>" for i in range(490 - size)])
    tokenizer.add_special_tokens(["<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", place])
    return tokenizer


def random_published(width=FEATURES, options=OPTIONS, seed=0, std=0.3) -> PublishedModel:
    generator = torch.Generator().manual_seed(seed)
    model = PublishedModel(options, width).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator) * std + ("norm" in name))
    return model


def weights_of(model: PublishedModel) -> dict[str, torch.Tensor]:
    """As published: bfloat16, the point encoder float32, a tied head left out."""
    weights = {
        name: weight.clone() if "point_encoder" in name else weight.bfloat16()
        for name, weight in model.state_dict().items()
    }
    if model.options.tie_word_embeddings:
        del weights["lm_head.weight"]
    return weights


def save_published(model: PublishedModel, folder, tokenizer: Tokenizer | None, extra=(), **changes):
    """Write a folder as it is published; `changes` go into config.json, `extra` weights into the file."""
    folder.mkdir(parents=True, exist_ok=True)
    config = dict(
        asdict(model.options),
        architectures=["CADRecode"],
        model_type="qwen2",
        hidden_act="silu",
        bos_token_id=ENDOFTEXT,
        eos_token_id=ENDOFTEXT,
        torch_dtype="bfloat16",
        max_position_embeddings=2048,
        use_sliding_window=False,
    )
    (folder / "config.json").write_text(json.dumps(config | changes))
    save_file(weights_of(model) | dict(extra), folder / "model.safetensors", metadata={"format": "pt"})
    if tokenizer is not None:
        tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def clouds_with_normals(count, seed=0):
    """(count, 256, 6): points in [-1, 1] and unit normals."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.rand((count, 256, 3), generator=generator) * 2 - 1
    normals = torch.nn.functional.normalize(torch.randn((count, 256, 3), generator=generator), dim=-1)
    return torch.cat([points, normals], dim=-1)
