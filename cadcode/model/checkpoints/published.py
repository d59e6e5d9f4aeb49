"""The published models, CAD-Recode (arXiv:2412.14042) and cadrille (arXiv:2505.22914), on our own decoder.

Both are Qwen2 decoders that read 256 point embeddings and then a prompt. Of cadrille's Qwen2-VL the vision tower is
loaded for pictures only; without them its threefold rotary positions are the plain ones. `cad_recode` and `cadrille`
hold the same models as transformers classes.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch

from cadcode.errors import ModelError
from cadcode.model.checkpoints.spec import IMAGES, POINTS, UNKNOWN_LICENCE, LoadedModel, ModelSpec, check_reads, known
from cadcode.model.checkpoints.weights import fast_bfloat16, fit, read_weights, revision_of, without_weights
from cadcode.model.engines.choose import choose_engine, pick_numbers
from cadcode.model.engines.stored import store
from cadcode.model.nets.points import FEATURES, NORMAL_FEATURES
from cadcode.model.nets.published import PublishedModel
from cadcode.model.nets.qwen2 import Qwen2Options, RMSNorm, rms_norm_as_published
from cadcode.model.nets.vision import PicturedModel, read_vision
from cadcode.model.nets.wide import widen
from cadcode.model.tokenizers.published import LAYOUTS, PLACE, Layout, read_language


def load_published(folder: Path, config: dict, name: str, device: str, dtype: str, reads: str = POINTS) -> LoadedModel:
    """A published model, or one of its kind, from a folder; `name` is what the user calls it. ModelError."""
    layout = LAYOUTS[config["model_type"]]
    spec = known(name) or replace(_SOME, name=name, tokenizer=layout.tokenizer, inputs=layout.inputs)
    check_reads(spec, reads)
    config = _flat(config)
    options = _options(config, folder)
    language = read_language(folder, config, options.vocab_size, spec, reads)
    with ThreadPoolExecutor(1) as aside:
        revision = aside.submit(revision_of, folder)  # it reads all files, too
        engine, normals = _engine(folder, config, options, language, device, dtype, reads)
    spec = replace(spec, normals=normals, program_units=50.0 if normals else 100.0)
    return LoadedModel(spec, engine, language, folder, revision.result(), reads)


def _engine(folder: Path, config: dict, options: Qwen2Options, language, device: str, dtype: str, reads: str):
    """Engine with the network on its device, and whether it reads points with normals. ModelError."""
    layout = LAYOUTS[config["model_type"]]
    weights = read_weights(folder, lambda key: _renamed(key, layout, reads))
    features = _features(weights, folder)
    if options.tie_word_embeddings and "model.embed_tokens.weight" in weights:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    make = _maker(config, folder, options, features, language, reads)
    network = without_weights(make).eval()
    numbers, stored = pick_numbers(dtype, device, _numbers(weights))
    fit(network, weights, numbers, folder)
    prepare(network)
    if device == "cpu" and stored is None and not fast_bfloat16(device):
        widen(network)
    engine = choose_engine(network.to(device), device, stored is not None, stored, release=True)
    if stored is not None:
        store(network, stored)  # the parts that the engine does not pack
    return engine, features == NORMAL_FEATURES


_SOME = ModelSpec("", UNKNOWN_LICENCE, max_new_tokens=768, free_text=True)


def _maker(config: dict, folder: Path, options: Qwen2Options, features: int, language, reads: str):
    """Constructor of the network."""
    if reads != IMAGES:
        return lambda: PublishedModel(options, features)
    vision, sections = read_vision(config, options, folder)
    place = language.tokenizer.token_to_id(PLACE)
    return lambda: PicturedModel(options, features, vision, place, sections)


def prepare(network: PublishedModel) -> None:
    """Tie the two embeddings, and let norms round where those of transformers do."""
    if network.options.tie_word_embeddings:
        network.lm_head.weight = network.model.embed_tokens.weight
    for module in network.modules():
        if isinstance(module, RMSNorm):
            module.rms_norm = rms_norm_as_published


def _flat(config: dict) -> dict:
    """A config as transformers 4 wrote it: since 5, most of Qwen2-VL's is in an inner `text_config`."""
    inner = config.get("text_config")
    return config | inner | {"model_type": config["model_type"]} if isinstance(inner, dict) else config


def _options(config: dict, folder: Path) -> Qwen2Options:
    """The sizes of a model; ModelError where config.json has none or asks for what our decoder does not do."""
    try:
        options = Qwen2Options.from_config(config)
    except (TypeError, ValueError, AttributeError) as e:
        raise ModelError(f"{folder}: config.json does not describe a model ({e}); install it again") from e
    rope = config.get("rope_scaling") or config.get("rope_parameters") or {}
    asked = dict(
        use_sliding_window=config.get("use_sliding_window", False),
        hidden_act=config.get("hidden_act", "silu"),
        rope_type=rope.get("rope_type", rope.get("type", "default")),
    )
    if odd := [f"{k} {v}" for k, v in asked.items() if v not in (False, "silu", "default", "mrope")]:
        raise ModelError(f"{folder}: the config asks for {odd[0]}, which cadcode does not compute")
    return options


def _renamed(key: str, layout: Layout, reads: str) -> str | None:
    """Name of a published weight here, None for the vision tower where no pictures are read."""
    for pattern, becomes in layout.keys:
        if match := re.match(pattern, key):
            key = becomes + key[match.end() :]
            break
    return None if key.startswith("visual.") and IMAGES in layout.inputs and reads != IMAGES else key


def _numbers(weights: dict) -> torch.dtype | None:
    """Number format of a file's matrices; None if they differ."""
    kinds = {weight.dtype for key, weight in weights.items() if key.startswith("model.layers.")}
    return kinds.pop() if len(kinds) == 1 else None


def _features(weights: dict, folder: Path) -> int:
    """Number of features that the point encoder reads: it tells CAD-Recode v1 from the others. ModelError."""
    weight = weights.get("point_encoder.projection.weight")
    features = None if weight is None else weight.shape[-1]
    if features not in (FEATURES, NORMAL_FEATURES):
        raise ModelError(
            f"{folder}: weights do not fit the config (a point encoder of {features} features; "
            f"{FEATURES} and {NORMAL_FEATURES} are known); it is no CAD-Recode or cadrille"
        )
    return features
