"""The published models, CAD-Recode (arXiv:2412.14042) and cadrille (arXiv:2505.22914), on our own decoder.

Both are Qwen2 decoders that read 256 point embeddings and then a prompt; of cadrille's Qwen2-VL only the text part is
used, whose three-way rotary positions are the plain ones wherever there are no pictures. `cad_recode` and `cadrille`
hold the same models as transformers classes, pictures included.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tokenizers import Tokenizer

from cadcode.errors import ModelError
from cadcode.model import hub
from cadcode.model.points import FEATURES, NORMAL_FEATURES
from cadcode.model.qwen2 import KeyValueCache, Qwen2Options, RMSNorm, rms_norm_as_published
from cadcode.model.small import SmallModel
from cadcode.model.spec import QWEN2, QWEN2_VL, UNKNOWN_LICENCE, LoadedModel, ModelSpec, known
from cadcode.model.tokenizer import read_tokenizer
from cadcode.model.weights import fit, pick_dtype, read_weights, revision_of, without_weights
from cadcode.program.parse import parse
from cadcode.program.syntax import Program

INSTRUCTION = "Generate cadquery code"  # what cadrille was trained with, for points


@dataclass(frozen=True)
class Layout:
    """What the checkpoints of one kind have in common. `keys`: patterns and what they become (None: left out)."""

    tokenizer: str
    prompt: str
    end: str
    keys: tuple[tuple[str, str | None], ...] = ()


CHAT = ("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n"
        "<|im_start|>assistant\n")  # fmt: skip
PICTURES = r"(model\.)?visual\."
LAYOUTS = {
    "qwen2": Layout(QWEN2, "<|im_start|>", "<|endoftext|>"),
    "qwen2_vl": Layout(QWEN2_VL, CHAT.format(INSTRUCTION), "<|im_end|>",
                       ((PICTURES, None), (r"model\.language_model\.", "model."))),
}  # fmt: skip
ENDS = tuple(layout.end for layout in LAYOUTS.values())


class PublishedModel(SmallModel):
    """Points, if any, then a prompt of several tokens, at rotary positions that count from 0 over both."""

    def prefill(self, points: torch.Tensor, start, room: int) -> tuple[torch.Tensor, KeyValueCache]:
        """Logits (B, V) behind the prompt `start` (an id or several), given points (B, P, 3 or 6), and the cache."""
        prompt = torch.atleast_1d(torch.as_tensor(start, device=points.device)).expand(len(points), -1)
        text = self.model.embed_tokens(prompt)
        embeddings = torch.cat([self.point_encoder(points).to(text.dtype), text], dim=1)
        length = embeddings.shape[1]
        cache = KeyValueCache(self.options, len(points), length + room, text.dtype, points.device)
        hidden = self.model(embeddings, torch.arange(length, device=points.device), cache, tail=1)
        return self.lm_head(hidden[:, -1]), cache

    def step(self, ids: torch.Tensor, written: int, cache: KeyValueCache) -> torch.Tensor:
        ids = ids.view(len(ids), -1)
        positions = cache.used + torch.arange(ids.shape[1], device=ids.device)
        return self.lm_head(self.model(self.model.embed_tokens(ids), positions, cache)[:, -1])


class PublishedLanguage:
    """Python in a Qwen2 tokenizer, without a grammar: what the models write is mostly a program of the dialect."""

    def __init__(self, tokenizer: Tokenizer, prompt: str, end: str):
        self.tokenizer = tokenizer
        self.start_id = tuple(tokenizer.encode(prompt).ids)
        self.end_id = tokenizer.token_to_id(end)

    def initial(self):
        return None

    def allowed(self, state):
        return None

    def advance(self, state, token: int):
        return None

    def text(self, ids) -> str:
        return self.tokenizer.decode(list(ids), skip_special_tokens=True)

    def close(self, ids: list[int]) -> list[int] | None:
        """The ids of the text up to its last whole body, None where not even one is whole."""
        text = self.text(ids)
        for cut in reversed([match.start() for match in re.finditer(r"\.(union|cut|intersect)\(", text)]):
            if isinstance(parse(text[:cut]), Program):
                return self.tokenizer.encode(text[:cut]).ids
        return None


def load_published(folder: Path, config: dict, name: str, device: str, dtype: str) -> LoadedModel:
    """A published model, or one of its kind, from a folder; `name` is what the user calls it. ModelError."""
    layout = LAYOUTS[config["model_type"]]
    spec = known(name) or replace(_SOME, name=name, tokenizer=layout.tokenizer)
    options = _options(config, folder)
    language = read_language(folder, config, options.vocab_size, spec, layout)
    weights = read_weights(folder, lambda key: _renamed(key, layout))
    features = _features(weights, folder)
    if options.tie_word_embeddings and "model.embed_tokens.weight" in weights:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    network = without_weights(lambda: PublishedModel(options, features)).eval()
    fit(network, weights, pick_dtype(dtype, device), folder)
    prepare(network)
    normals = features == NORMAL_FEATURES
    spec = replace(spec, normals=normals, program_units=50.0 if normals else 100.0)
    return LoadedModel(spec, network.to(device), language, folder, revision_of(folder))


_SOME = ModelSpec("", UNKNOWN_LICENCE, "points", max_new_tokens=768, free_text=True)


def prepare(network: PublishedModel) -> None:
    """What loading leaves undone: the tie of the two embeddings, and norms that round where transformers' do."""
    if network.options.tie_word_embeddings:
        network.lm_head.weight = network.model.embed_tokens.weight
    for module in network.modules():
        if isinstance(module, RMSNorm):
            module.rms_norm = rms_norm_as_published


def _options(config: dict, folder: Path) -> Qwen2Options:
    """The sizes of a model; ModelError where config.json has none or asks for what our decoder does not do."""
    config = config.get("text_config") or config
    try:
        options = Qwen2Options.from_config(config)
    except (TypeError, ValueError, AttributeError) as e:
        raise ModelError(f"{folder}: config.json does not describe a model ({e}); install it again") from e
    rope = config.get("rope_scaling") or config.get("rope_parameters") or {}
    asked = dict(use_sliding_window=config.get("use_sliding_window", False),
                 hidden_act=config.get("hidden_act", "silu"),
                 rope_type=rope.get("rope_type", rope.get("type", "default")))  # fmt: skip
    if odd := [f"{k} {v}" for k, v in asked.items() if v not in (False, "silu", "default", "mrope")]:
        raise ModelError(f"{folder}: the config asks for {odd[0]}, which cadcode does not compute")
    return options


def _renamed(key: str, layout: Layout) -> str | None:
    for pattern, becomes in layout.keys:
        if match := re.match(pattern, key):
            return None if becomes is None else becomes + key[match.end() :]
    return key


def _features(weights: dict, folder: Path) -> int:
    """What the point encoder reads of a point: this tells CAD-Recode v1 from the others."""
    weight = weights.get("point_encoder.projection.weight")
    features = None if weight is None else weight.shape[-1]
    if features not in (FEATURES, NORMAL_FEATURES):
        raise ModelError(f"{folder}: weights do not fit the config (a point encoder of {features} features; "
                         f"{FEATURES} and {NORMAL_FEATURES} are known); it is no CAD-Recode or cadrille")  # fmt: skip
    return features


# --- the tokenizer ---------------------------------------------------------------------------------------------------


def read_language(folder: Path, config: dict, vocabulary: int, spec: ModelSpec, layout: Layout) -> PublishedLanguage:
    """The language of a model with its folder's tokenizer, or else the one it was published with. ModelError."""
    path = find_tokenizer(folder, spec)
    tokenizer = read_tokenizer(path)
    ids = tokenizer.get_vocab(with_added_tokens=True)
    if missing := [token for token in (*ENDS, "<|im_start|>") if token not in ids]:
        raise ModelError(f"{path}: has no token {missing[0]}; use the tokenizer of {layout.tokenizer}")
    if (largest := max(ids.values())) >= vocabulary:
        raise ModelError(f"{folder}: a vocabulary of {vocabulary} is too small for the tokenizer's {largest + 1}; "
                         f"use the tokenizer of {layout.tokenizer}")  # fmt: skip
    stated, ends = config.get("eos_token_id"), [ids[end] for end in ENDS]
    if isinstance(stated, int) and stated not in ends:
        raise ModelError(f"{folder}: the config ends texts with token {stated}, the tokenizer with {ends}; "
                         f"use the tokenizer of {layout.tokenizer}")  # fmt: skip
    return PublishedLanguage(tokenizer, layout.prompt, layout.end)


def find_tokenizer(folder: Path, spec: ModelSpec) -> Path:
    """tokenizer.json of a folder or of the local cache; from the network only for a model named by its hub id."""
    own = folder / "tokenizer.json"
    if own.is_file():
        return own
    if kept := hub.cached(spec.tokenizer, own.name):
        return kept
    if known(spec.name) and not Path(spec.name).exists():
        return hub.fetch(spec.tokenizer, (own.name,)) / own.name
    raise ModelError(f"{folder}: has no tokenizer.json; copy that of {spec.tokenizer} there, "
                     f"or run: {hub.command(spec.tokenizer, (own.name,))}")  # fmt: skip
