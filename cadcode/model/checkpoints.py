"""Models by name or folder: what is known of them, and loading the embedded one without transformers."""

import hashlib
import json
import os
import pickle
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from cadcode.errors import ModelError
from cadcode.model.language import CompactLanguage
from cadcode.model.qwen2 import Qwen2Options
from cadcode.model.small import SmallModel
from cadcode.model.tokenizer import save_tokenizer
from cadcode.program.tokens import END, PAD, PIECES, START

EMBEDDED = "cadcode-small"
WEIGHTS = Path(__file__).parent.parent / "weights"


@dataclass(frozen=True)
class ModelSpec:
    """What tells models apart."""

    name: str
    licence: str
    inputs: str
    points: int = 256
    size: str = ""


KNOWN = (ModelSpec(EMBEDDED, "Apache-2.0", "points"),)


@dataclass(frozen=True)
class LoadedModel:
    spec: ModelSpec
    network: SmallModel
    language: CompactLanguage
    folder: Path
    revision: str  # the first 12 hex digits of the weights' sha256


def resolve(name: str) -> Path:
    """The folder of a model: an embedded name or a local folder. ModelError where there is none."""
    folder = WEIGHTS / name if name in {s.name for s in KNOWN} else Path(name)
    if not (folder / "config.json").is_file():
        known = ", ".join(s.name for s in KNOWN)
        raise ModelError(f"{name}: no such model; use {known} or a folder with config.json and model.safetensors")
    return folder


def load_model(name: str = EMBEDDED, device: str = "cpu") -> LoadedModel:
    """Load a model for decoding, in float32. ModelError where files are missing, damaged or do not fit each other."""
    folder = resolve(name)
    path = folder / "model.safetensors"
    try:
        config = json.loads((folder / "config.json").read_text())
        weights = load_file(path)
    except (OSError, ValueError, SafetensorError) as e:
        raise ModelError(f"{folder}: cannot be read ({_first_line(e)}); install it again or name another model") from e
    vocabulary = config.get("vocab_size") if isinstance(config, dict) else None
    if vocabulary != len(PIECES):
        raise ModelError(f"{folder}: a vocabulary of {vocabulary} is not this version's {len(PIECES)}; "
                         "use the version of cadcode it was made with")  # fmt: skip
    network = SmallModel(Qwen2Options.from_config(config)).eval()
    _load_strictly(network, weights, folder)
    spec = next((s for s in KNOWN if s.name == name), ModelSpec(str(name), "see its model card", "points"))
    return LoadedModel(spec, network.to(device), CompactLanguage(), folder, _digest(path))


def _load_strictly(network: SmallModel, weights: dict, folder: Path):
    try:
        network.load_state_dict({k: v.float() for k, v in weights.items()}, strict=True)
    except RuntimeError as e:
        raise ModelError(f"{folder}: weights do not fit the config ({_first_line(e)}); install it again") from e


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def save_model(network: SmallModel, folder: Path):
    """Write config, weights (bfloat16, the point encoder float32) and tokenizer, for us and for transformers alike."""
    folder.mkdir(parents=True, exist_ok=True)
    options = asdict(network.options)
    theta = options.pop("rope_theta")
    config = dict(options, model_type="cadcode", architectures=["CADRecode"], rope_theta=theta, dtype="bfloat16",
                  rope_parameters=dict(rope_type="default", rope_theta=theta),
                  max_position_embeddings=1024, bos_token_id=START, eos_token_id=END, pad_token_id=PAD)  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    generation = dict(bos_token_id=START, eos_token_id=END, pad_token_id=PAD, max_new_tokens=256)
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=1))
    weights = {k: v.detach().cpu().to(torch.float32 if "point_encoder" in k else torch.bfloat16).contiguous()
               for k, v in network.state_dict().items()}  # fmt: skip
    beside = folder / "model.safetensors.part"
    save_file(weights, beside, metadata={"format": "pt"})
    beside.chmod(0o644)  # safetensors writes for the owner alone; an installed package is for everyone
    os.replace(beside, folder / "model.safetensors")
    save_tokenizer(folder)


def read_checkpoint(path: Path) -> dict:
    """What `cadcode train` saved; runs no code from the file. ModelError where it is something else."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as e:
        raise ModelError(f"{path}: cannot be read as a training checkpoint ({type(e).__name__})") from e
    if not isinstance(state, dict) or not {"model", "model_options"} <= set(state):
        raise ModelError(f"{path}: is no training checkpoint; name a .pt file that `cadcode train` wrote")
    return state


def from_training(checkpoint: Path) -> SmallModel:
    """The model of a training checkpoint."""
    state = read_checkpoint(checkpoint)
    network = SmallModel(Qwen2Options(**state["model_options"])).eval()
    network.load_state_dict(state["model"])
    return network
