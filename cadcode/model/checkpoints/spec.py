"""Specifications of the known models, and a loaded model."""

from dataclasses import dataclass
from pathlib import Path

from cadcode.errors import UsageError
from cadcode.model.engines.base import Engine

EMBEDDED = "cadcode-small"
POINTS, IMAGES, TEXT = "points", "images", "text"  # modalities
UNKNOWN_LICENCE = "see its model card"


@dataclass(frozen=True)
class ModelSpec:
    """Specification of a model.

    `inputs`: modalities it can read. `normals`: the network reads points with normals, sorted by z, y, x.
    `program_units`: length of half of the longest side in its programs. `free_text`: it may write text that is no
    program of our dialect. `tokenizer`: hub id of the tokenizer, for models that come without one.
    """

    name: str
    licence: str
    inputs: tuple[str, ...] = (POINTS,)
    points: int = 256
    size: str = ""
    normals: bool = False
    program_units: float = 100.0
    max_new_tokens: int = 128  # a little more than the longest sequence of training
    free_text: bool = False
    tokenizer: str = ""


@dataclass(frozen=True)
class LoadedModel:
    """Engine with a network, and the language it writes in, ready for `model.generate`. `reads`: the input modality.

    `dtype` and `attention` are those that `load_model` was given.
    """

    spec: ModelSpec
    engine: Engine
    language: object  # cadcode.model.generate.Language
    folder: Path
    revision: str  # the first 12 hex digits of the weights' sha256
    reads: str = POINTS
    dtype: str = "auto"
    attention: str = "sdpa"

    @property
    def network(self):
        """Network of the engine."""
        return self.engine.network

    @property
    def device(self):
        """Device that inputs have to be on."""
        return self.engine.device


def _published(name: str, licence: str, size: str, tokenizer: str, **more) -> ModelSpec:
    more |= dict(size=size, tokenizer=tokenizer, max_new_tokens=768, free_text=True)
    return ModelSpec(name, licence, **more)


QWEN2, QWEN2_VL = "Qwen/Qwen2-1.5B", "Qwen/Qwen2-VL-2B-Instruct"
NOT_STATED = "not stated, data non-commercial"
KNOWN = (
    ModelSpec(EMBEDDED, "Apache-2.0"),
    _published("filapro/cad-recode-v1.5", "CC-BY-NC-4.0", "1.5 B", QWEN2),
    _published("filapro/cad-recode", "CC-BY-NC-4.0", "1.5 B", QWEN2, normals=True, program_units=50.0),
    _published("maksimko123/cadrille", NOT_STATED, "2.2 B", QWEN2_VL, inputs=(POINTS, IMAGES, TEXT)),
    _published("maksimko123/cadrille-rl", NOT_STATED, "2.2 B", QWEN2_VL, inputs=(POINTS, IMAGES, TEXT)),
)


def known(name: str) -> ModelSpec | None:
    return next((spec for spec in KNOWN if spec.name == name), None)


def check_reads(spec: ModelSpec, reads: str) -> None:
    """UsageError where a model cannot read points, images or text."""
    if reads not in spec.inputs:
        able = next(other.name for other in KNOWN if reads in other.inputs)
        raise UsageError(f"{spec.name} reads {', '.join(spec.inputs)}, not {reads}; use --model {able}")
