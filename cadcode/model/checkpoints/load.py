"""Models by name or folder: what is known of them, and loading the embedded one without transformers."""

import json
import pickle
from dataclasses import asdict, replace
from pathlib import Path

import torch

from cadcode.errors import ModelError
from cadcode.model.checkpoints import hub
from cadcode.model.checkpoints.published import LAYOUTS, load_published
from cadcode.model.checkpoints.spec import (
    EMBEDDED,
    KNOWN,
    POINTS,
    UNKNOWN_LICENCE,
    LoadedModel,
    ModelSpec,
    check_reads,
    known,
)
from cadcode.model.checkpoints.vocabulary import map_rows, read_pieces, untrained
from cadcode.model.checkpoints.weights import (
    fit,
    read_config,
    read_weights,
    revision_of,
    weight_files,
    without_weights,
    write_weights,
)
from cadcode.model.engines.choose import choose_engine, pick_numbers
from cadcode.model.nets.attention import check_attention, use_attention
from cadcode.model.nets.qwen2 import Qwen2Options
from cadcode.model.nets.small import SmallModel
from cadcode.model.tokenizers.language import CompactLanguage
from cadcode.model.tokenizers.own import save_tokenizer
from cadcode.program.tokens import END, PAD, PIECES, RELEASED, START

WEIGHTS = Path(__file__).parents[2] / "weights"
COUNTS = ("steps", "samples", "minutes")  # counts of a training run


def find(name: str) -> Path | None:
    """The folder of a model on this computer: the embedded one, a local folder, a hub id in the cache; else None."""
    folder = WEIGHTS / name if name == EMBEDDED else Path(name)
    if not (folder / "config.json").is_file() and name != EMBEDDED and not folder.exists():
        kept = hub.cached(name, "config.json")
        folder = kept.parent if kept and all(path.is_file() for path in weight_files(kept.parent)) else folder
    return folder if (folder / "config.json").is_file() else None


def size_on_disk(name: str) -> int | None:
    """Bytes of a model's files on this computer, None where it is not there or not all of it."""
    folder = find(name)
    if folder is None or not all(path.is_file() for path in weight_files(folder)):
        return None
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def resolve(name: str) -> Path:
    """The folder of a model; one that is known by its hub id is fetched. ModelError where there is none."""
    folder = find(name)
    if folder is None and name != EMBEDDED and known(name):
        folder = hub.fetch(name)
    if folder is None:
        names = ", ".join(spec.name for spec in KNOWN)
        raise ModelError(f"{name}: no such model; use {names} or a folder with config.json and model.safetensors")
    return folder


def load_model(
    name: str = EMBEDDED, device: str = "cpu", dtype: str = "auto", reads: str = POINTS, attention: str = "sdpa"
) -> LoadedModel:
    """Load a model for decoding; ModelError where files are missing, damaged or do not fit each other.

    `reads` is the input modality: 'points', or for cadrille also 'images' or 'text'; UsageError for others.
    `dtype` is 'float32', 'bfloat16', 'int8' or 'auto': float32 for the embedded model, for the published ones bfloat16
    weights in float32 products on a CPU (`stored`), bfloat16 on a GPU that computes in it. The point encoder is always
    in float32. `attention` is torch's 'sdpa', or 'flash_attention_2' where that package is installed.
    """
    check_attention(attention, device)
    if spec := known(name):
        check_reads(spec, reads)
    folder = resolve(name)  # nothing is fetched before the options are known to fit
    config = read_config(folder)
    load = load_published if config.get("model_type") in LAYOUTS else _load_small
    model = load(folder, config, name, device, dtype, reads)
    use_attention(model.network, attention)
    return replace(model, dtype=dtype, attention=attention)


def _load_small(folder: Path, config: dict, name: str, device: str, dtype: str, reads: str) -> LoadedModel:
    spec = known(name) or ModelSpec(str(name), UNKNOWN_LICENCE)
    check_reads(spec, reads)
    pieces = read_pieces(folder, config.get("vocab_size"))
    options = replace(Qwen2Options.from_config(config), vocab_size=len(PIECES))
    network = without_weights(lambda: SmallModel(options)).eval()
    numbers, stored = pick_numbers("float32" if dtype == "auto" else dtype, device)
    numbers = torch.float32 if stored else numbers
    weights = read_weights(folder)
    map_rows(weights, pieces, folder)
    fit(network, weights, numbers, folder)
    packed = device == "cpu" and numbers == torch.float32
    engine = choose_engine(network.to(device), device, packed, stored)
    return LoadedModel(spec, engine, CompactLanguage(untrained(pieces)), folder, revision_of(folder))


def save_model(network: SmallModel, folder: Path, training: dict | None = None, shard_bytes: int | None = None):
    """Write config, weights (bfloat16, the point encoder float32) and tokenizer, for us and for transformers alike.

    With `shard_bytes` no file of weights is larger, unless one tensor is. `training` (steps, samples, minutes) is kept
    in the config, so that a later run can count on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    options = asdict(network.options)
    theta = options.pop("rope_theta")
    config = dict(
        options,
        model_type="cadcode",
        architectures=["CADRecode"],
        rope_theta=theta,
        dtype="bfloat16",
        rope_parameters=dict(rope_type="default", rope_theta=theta),
        max_position_embeddings=1024,
        bos_token_id=START,
        eos_token_id=END,
        pad_token_id=PAD,
    )
    config |= {"training": training} if training else {}
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    generation = dict(bos_token_id=START, eos_token_id=END, pad_token_id=PAD, max_new_tokens=128)
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=1))
    weights = {
        k: v.detach().cpu().to(torch.float32 if "point_encoder" in k else torch.bfloat16).contiguous()
        for k, v in network.state_dict().items()
    }
    write_weights(weights, folder, shard_bytes)
    save_tokenizer(folder)


def read_checkpoint(path: Path) -> dict:
    """State that `cadcode train` saved, or without optimisers the model of a folder; runs no code from the file.

    Rows of the embedding and of the head are laid out by the pieces of this version; where these are not the stored
    ones, there are no optimisers either. ModelError where it is something else, or its vocabulary is a foreign one.
    """
    if path.is_dir():
        network, counts = load_model(str(path), dtype="float32").network, read_config(path).get("training", {})
        state = dict(model=network.state_dict(), model_options=asdict(network.options))
        return state | {name: counts.get(name, 0) for name in COUNTS}
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as e:
        raise ModelError(f"{path}: cannot be read as a training checkpoint ({type(e).__name__})") from e
    if not isinstance(state, dict) or not {"model", "model_options"} <= set(state):
        raise ModelError(f"{path}: is no training checkpoint; name a .pt file that `cadcode train` wrote")
    return _with_rows_of_this_version(state, path)


def _with_rows_of_this_version(state: dict, path: Path) -> dict:
    stored, options = tuple(state.get("pieces", RELEASED)), state["model_options"]
    if options["vocab_size"] != len(stored):
        raise ModelError(f"{path}: a vocabulary of {options['vocab_size']} has {len(stored)} pieces; it is damaged")
    if stored == PIECES:
        return state
    weights = dict(state["model"])
    map_rows(weights, stored, path)
    kept = {name: value for name, value in state.items() if name not in ("optimizers", "pieces")}
    return kept | dict(model=weights, model_options=dict(options, vocab_size=len(PIECES)))


def from_training(checkpoint: Path) -> tuple[SmallModel, dict]:
    """The model of a training checkpoint, and what it has seen: steps, samples, minutes."""
    state = read_checkpoint(checkpoint)
    network = SmallModel(Qwen2Options(**state["model_options"])).eval()
    network.load_state_dict(state["model"])
    return network, {name: state[name] for name in COUNTS if name in state}
