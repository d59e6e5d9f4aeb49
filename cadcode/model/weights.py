"""Weights in safetensors files, whole or in shards: reading them strictly, and the numbers they are computed in."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn
from torch.overrides import TorchFunctionMode

from cadcode.errors import ModelError, UsageError

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
DTYPES = ("auto", "float32", "bfloat16")
IN_FLOAT32 = "point_encoder."
ENCODER = "point_encoder"  # the folder of the point encoder's weights, where they are kept apart


def read_config(folder: Path) -> dict:
    """The contents of config.json; ModelError where it cannot be read. What is no object becomes an empty one."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise unreadable(folder, e) from e
    return config if isinstance(config, dict) else {}


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a model's weights; those that the index of a sharded model names, sorted. ModelError."""
    apart = [path for path in (folder / ENCODER / SINGLE,) if path.is_file()]
    if (folder / SINGLE).is_file() or not (folder / INDEX).is_file():
        return [folder / SINGLE, *apart]
    try:
        shards = set(json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as e:
        raise unreadable(folder, e) from e
    return [*(folder / Path(str(shard)).name for shard in sorted(shards)), *apart]


def read_weights(folder: Path, name: Callable[[str], str | None] = str) -> dict[str, torch.Tensor]:
    """All tensors by `name(key)`, without those it maps to None: these are not even read. ModelError."""
    found = {}
    try:
        for path in weight_files(folder):
            with safe_open(path, "pt") as file:
                found |= {name(key): file.get_tensor(key) for key in file.keys() if name(key) is not None}  # noqa: SIM118
    except (OSError, ValueError, SafetensorError) as e:
        raise unreadable(folder, e) from e
    return found


class _LeftAsItIs(TorchFunctionMode):
    """Random initialisation is left out: on the meta device the normal one alone imports for two seconds."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in (nn.init.normal_, nn.init.kaiming_uniform_, nn.init.uniform_):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def without_weights(make: Callable[[], nn.Module]) -> nn.Module:
    """What `make` makes, on the meta device: it takes neither memory nor time until `fit` gives it weights."""
    with torch.device("meta"), _LeftAsItIs():
        return make()


def fit(network: nn.Module, weights: dict[str, torch.Tensor], dtype: torch.dtype, folder: Path) -> None:
    """Give a network made on the meta device the `weights` (which end up empty), the point encoder in float32.

    ModelError unless all match.
    """
    kinds = {key: torch.float32 if key.startswith(IN_FLOAT32) else dtype for key in weights}
    cast = {key: weights.pop(key).to(kind) for key, kind in kinds.items()}  # one after the other: no two whole copies
    try:
        network.load_state_dict(cast, strict=True, assign=True)
    except RuntimeError as e:
        raise ModelError(f"{folder}: weights do not fit the config ({first_line(e)}); install it again") from e


def pick_dtype(name: str, device: str) -> torch.dtype:
    """The dtype for `--dtype`; 'auto' is bfloat16 where the hardware computes in it, else float32. UsageError."""
    if name not in DTYPES:
        raise UsageError(f"--dtype {name}: choose one of {', '.join(DTYPES)}")
    if name == "auto":
        return torch.bfloat16 if fast_bfloat16(device) else torch.float32
    return getattr(torch, name)


def fast_bfloat16(device: str) -> bool:
    """Whether a device has instructions for bfloat16."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_capability(device)[0] >= 8  # older ones emulate it
    asked = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # torch has no public name for these
    return device == "cpu" and any(getattr(torch.cpu, name, bool)() for name in asked)


def revision_of(folder: Path) -> str:
    """The first 12 hex digits of the weights' sha256, over all shards in their order."""
    digest = hashlib.sha256()
    for path in weight_files(folder):
        with open(path, "rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()[:12]


def unreadable(folder: Path, error: Exception) -> ModelError:
    return ModelError(f"{folder}: cannot be read ({first_line(error)}); install it again or name another model")


def first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
