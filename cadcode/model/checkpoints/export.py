"""Export for serving engines that take prompt embeddings: a plain Qwen2 checkpoint and the point encoder.

    config.json, generation_config.json, model.safetensors, tokenizer.json   what any engine loads as Qwen2ForCausalLM
    point_encoder/model.safetensors    `point_encoder.projection.weight` (hidden, features) and `.bias`, float32
    point_encoder/prompt.json          prompt: number of points, ids that follow them, id of the end

The prompt's embeddings are those of the points (`nets.points.FourierPointEncoder`), then those of the ids.
`load_model` reads such a folder too.
"""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file

from cadcode.errors import OutputError, UsageError
from cadcode.model.checkpoints.spec import IMAGES, LoadedModel
from cadcode.model.checkpoints.vocabulary import check_trained
from cadcode.model.checkpoints.weights import ENCODER, IN_FLOAT32, SINGLE
from cadcode.model.tokenizers.own import build_tokenizer


def export_model(model: LoadedModel, folder: Path) -> list[Path]:
    """Write the files above in the dtype the model was loaded in; returns their paths. OutputError, UsageError."""
    if model.reads == IMAGES:
        raise UsageError(f"{model.spec.name} is exported without its vision tower; load it to read points")
    if model.engine.dtype == torch.int8:
        raise UsageError(f"{model.spec.name} is exported in the numbers it was published in; load it without int8")
    check_trained(getattr(model.language, "untrained", ()), model.spec.name)  # engines decode without the grammar
    try:
        (folder / ENCODER).mkdir(parents=True, exist_ok=True)
        _write_weights(model, folder)
        _write_settings(model, folder)
        tokenizer = getattr(model.language, "tokenizer", None) or build_tokenizer()
        tokenizer.save(str(folder / "tokenizer.json"))
    except OSError as e:
        raise OutputError(folder, e) from e
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _write_weights(model: LoadedModel, folder: Path) -> None:
    weights = {name: weight.detach().cpu().contiguous() for name, weight in model.engine.weights().items()}
    encoder = {name: weights.pop(name) for name in list(weights) if name.startswith(IN_FLOAT32)}
    if model.network.options.tie_word_embeddings:
        del weights["lm_head.weight"]
    _save({name: weight.to(model.engine.dtype) for name, weight in weights.items()}, folder / SINGLE)
    _save(encoder, folder / ENCODER / SINGLE)


def _save(weights: dict[str, torch.Tensor], path: Path) -> None:
    save_file(weights, path, metadata={"format": "pt"})
    path.chmod(0o644)  # safetensors writes for the owner alone


def _write_settings(model: LoadedModel, folder: Path) -> None:
    options, end = asdict(model.network.options), model.language.end_id
    theta, dtype = options.pop("rope_theta"), str(model.engine.dtype).removeprefix("torch.")
    config = dict(
        options,
        model_type="qwen2",
        architectures=["Qwen2ForCausalLM"],
        hidden_act="silu",
        rope_theta=theta,
        rope_parameters=dict(rope_type="default", rope_theta=theta),
        dtype=dtype,
        torch_dtype=dtype,
        max_position_embeddings=model.spec.points + 2048,
        eos_token_id=end,
    )
    start = model.language.start_id
    prompt = dict(
        points=model.spec.points,
        features=model.network.point_encoder.projection.in_features,
        prompt_ids=list(start) if isinstance(start, tuple) else [start],
        end_id=end,
        program_units=model.spec.program_units,
        max_new_tokens=model.spec.max_new_tokens,
        model=model.spec.name,
        licence=model.spec.licence,
        revision=model.revision,
    )
    _write_json(folder / "config.json", config)
    _write_json(folder / "generation_config.json", dict(eos_token_id=end, max_new_tokens=model.spec.max_new_tokens))
    _write_json(folder / ENCODER / "prompt.json", prompt)


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
