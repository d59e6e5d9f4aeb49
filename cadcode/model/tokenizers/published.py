"""Languages of the published models: prompts, tokenizers, text without a grammar."""

import re
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from cadcode.errors import ModelError
from cadcode.model.checkpoints import hub
from cadcode.model.checkpoints.spec import IMAGES, POINTS, QWEN2, QWEN2_VL, TEXT, ModelSpec, known
from cadcode.model.nets.patches import PICTURE_TOKENS
from cadcode.model.tokenizers.own import read_tokenizer
from cadcode.program.parse import parse
from cadcode.program.tree import Program

INSTRUCTION = "Generate cadquery code"  # prompt of cadrille's training, for points and pictures
PLACE = "<|video_pad|>"  # cadrille sends its picture as a video
SEEN = "<|vision_start|>" + PLACE * PICTURE_TOKENS + "<|vision_end|>"


@dataclass(frozen=True)
class Layout:
    """Common properties of one kind of checkpoints. `keys`: patterns of weight names and their replacements."""

    tokenizer: str
    template: str  # prompt with a place for the user's text
    end: str
    keys: tuple[tuple[str, str], ...] = ()
    inputs: tuple[str, ...] = (POINTS,)


CHAT = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n"
    "<|im_start|>assistant\n"
)
LAYOUTS = {
    "qwen2": Layout(QWEN2, "<|im_start|>", "<|endoftext|>"),
    "qwen2_vl": Layout(
        QWEN2_VL,
        CHAT,
        "<|im_end|>",
        ((r"(model\.)?visual\.", "visual."), (r"model\.language_model\.", "model.")),
        (POINTS, IMAGES, TEXT),
    ),
}
ENDS = tuple(layout.end for layout in LAYOUTS.values())


class PublishedLanguage:
    """Python in a Qwen2 tokenizer, without a grammar: what the models write is mostly a program of the dialect."""

    def __init__(self, tokenizer: Tokenizer, template: str, end: str, said: str = INSTRUCTION):
        self.tokenizer, self.template, self.end = tokenizer, template, end
        self.start_id = tuple(tokenizer.encode(template.format(said)).ids)
        self.end_id = tokenizer.token_to_id(end)

    def asking(self, said: str) -> "PublishedLanguage":
        """The same with another text in the prompt."""
        return PublishedLanguage(self.tokenizer, self.template, self.end, said)

    def initial(self):
        return None

    def allowed(self, state):
        return None

    def advance(self, state, token: int):
        return None

    def text(self, ids) -> str:
        return self.tokenizer.decode(list(ids), skip_special_tokens=True)

    def close(self, ids: list[int]) -> list[int] | None:
        """Ids up to the last whole body, None where no body is whole."""
        text = self.text(ids)
        for cut in reversed([match.start() for match in re.finditer(r"\.(union|cut|intersect)\(", text)]):
            if isinstance(parse(text[:cut]), Program):
                return self.tokenizer.encode(text[:cut]).ids
        return None


def read_language(folder: Path, config: dict, vocabulary: int, spec: ModelSpec, reads: str) -> PublishedLanguage:
    """The language of a model with its folder's tokenizer, or else the one it was published with. ModelError."""
    layout = LAYOUTS[config["model_type"]]
    path = find_tokenizer(folder, spec)
    tokenizer = read_tokenizer(path)
    ids = tokenizer.get_vocab(with_added_tokens=True)
    needed = (*ENDS, "<|im_start|>", *((PLACE, "<|vision_start|>", "<|vision_end|>") if reads == IMAGES else ()))
    if missing := [token for token in needed if token not in ids]:
        raise ModelError(f"{path}: has no token {missing[0]}; use the tokenizer of {layout.tokenizer}")
    if (largest := max(ids.values())) >= vocabulary:
        raise ModelError(
            f"{folder}: a vocabulary of {vocabulary} is too small for the tokenizer's {largest + 1}; "
            f"use the tokenizer of {layout.tokenizer}"
        )
    _agree(folder, layout, "ends texts", config.get("eos_token_id"), [ids[end] for end in ENDS])
    if reads == IMAGES:
        _agree(folder, layout, "puts pictures", config.get("video_token_id"), [ids[PLACE]])
    return PublishedLanguage(tokenizer, layout.template, layout.end, (SEEN if reads == IMAGES else "") + INSTRUCTION)


def _agree(folder: Path, layout: Layout, what: str, stated, known: list[int]) -> None:
    if isinstance(stated, int) and stated not in known:
        raise ModelError(
            f"{folder}: the config {what} with token {stated}, the tokenizer with {known}; "
            f"use the tokenizer of {layout.tokenizer}"
        )


def find_tokenizer(folder: Path, spec: ModelSpec) -> Path:
    """tokenizer.json of a folder or of the local cache; from the network only for a model named by its hub id."""
    own = folder / "tokenizer.json"
    if own.is_file():
        return own
    if kept := hub.cached(spec.tokenizer, own.name):
        return kept
    if known(spec.name) and not Path(spec.name).exists():
        return hub.fetch(spec.tokenizer, (own.name,)) / own.name
    raise ModelError(
        f"{folder}: has no tokenizer.json; copy that of {spec.tokenizer} there, "
        f"or run: {hub.command(spec.tokenizer, (own.name,))}"
    )
