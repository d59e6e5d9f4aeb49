"""Weights in safetensors files, whole or in shards: reading them strictly, and the numbers they are computed in."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn
from torch.overrides import TorchFunctionMode

from cadcode.errors import ModelError, UsageError
from cadcode.files import replacing

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
DTYPES = ("auto", "float32", "bfloat16")
IN_FLOAT32 = "point_encoder."
FORMAT = {"format": "pt"}
HEADER, HEADER_A_KEY = 128, 128  # most bytes of a safetensors header, besides names
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


def write_weights(weights: dict[str, torch.Tensor], folder: Path, shard_bytes: int | None = None) -> None:
    """Write tensors to one file or, with `shard_bytes`, to shards of at most that size (or of one tensor) and an index.

    Files are written under a temporary name and renamed, the index last; earlier files of weights are removed.
    """
    groups = [list(weights)] if shard_bytes is None else _shards(weights, shard_bytes)
    names = (
        [SINGLE]
        if len(groups) == 1
        else [f"model-{i + 1:05}-of-{len(groups):05}.safetensors" for i in range(len(groups))]
    )
    for name, keys in zip(names, groups, strict=True):
        _replace(folder / name, lambda path, keys=keys: save_file({key: weights[key] for key in keys}, path, FORMAT))
    if len(groups) > 1:
        places = {key: name for name, keys in zip(names, groups, strict=True) for key in keys}
        index = dict(metadata=dict(total_size=sum(_bytes(w) for w in weights.values())), weight_map=places)
        _replace(folder / INDEX, lambda path: path.write_text(json.dumps(index, indent=1), encoding="utf-8"))
    kept = {*names, *([INDEX] if len(groups) > 1 else [])}
    for path in [*folder.glob("model*.safetensors"), folder / INDEX]:
        if path.name not in kept:
            path.unlink(missing_ok=True)


def _shards(weights: dict[str, torch.Tensor], most: int) -> list[list[str]]:
    """The keys in their order, in groups whose tensors take at most `most` bytes with their names."""
    groups, size = [[]], HEADER
    for key, weight in weights.items():
        more = _bytes(weight) + HEADER_A_KEY + len(key)
        if groups[-1] and size + more > most:
            groups, size = [*groups, []], HEADER
        groups[-1].append(key)
        size += more
    return groups


def _bytes(weight: torch.Tensor) -> int:
    return weight.numel() * weight.element_size()


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    with replacing(path) as written:
        write(written)
        written.chmod(0o644)  # safetensors writes for the owner alone; an installed package is for everyone


class _LeftAsItIs(TorchFunctionMode):
    """Random initialisation is left out: on the meta device the normal one alone imports for two seconds."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in (nn.init.normal_, nn.init.kaiming_uniform_, nn.init.uniform_):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def without_weights(make: Callable[[], nn.Module]) -> nn.Module:
    """Module that `make` makes, on the meta device: it takes neither memory nor time until `fit` gives it weights."""
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
