"""The compact tokens as a Hugging Face tokenizer: `AutoTokenizer` decodes ids to the CadQuery text itself."""

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import WordLevel

from cadcode.errors import ModelError
from cadcode.program.tokens import IDS, NUMBER_PATTERN, SPECIAL, TEXT_PIECES


def build_tokenizer() -> Tokenizer:
    """Text to ids and back, equal to `cadcode.program.tokens` on every program of the dialect."""
    tokenizer = Tokenizer(WordLevel(IDS, unk_token=SPECIAL[0]))
    # A bar in front of every number that follows "(", "=" or ","; then the comma before a bar is redundant.
    mark = normalizers.Replace(Regex(rf"(?<=[(,=])(?={NUMBER_PATTERN})"), "|")
    tokenizer.normalizer = normalizers.Sequence([mark, normalizers.Replace(",|", "|")])
    pattern = "|".join([*map(_escape, TEXT_PIECES), rf"\|{NUMBER_PATTERN}"])
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    unmark = [decoders.Replace("(|", "("), decoders.Replace("=|", "="), decoders.Replace("|", ",")]
    tokenizer.decoder = decoders.Sequence([decoders.Fuse(), *unmark])
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in SPECIAL])
    return tokenizer


def _escape(piece: str) -> str:
    return "".join("\\n" if c == "\n" else "\\" + c if c in "()[].=',|" else c for c in piece)


def save_tokenizer(folder: Path):
    """Write tokenizer.json and tokenizer_config.json."""
    build_tokenizer().save(str(folder / "tokenizer.json"))
    pad, start, end = SPECIAL
    config = dict(
        tokenizer_class="PreTrainedTokenizerFast",
        pad_token=pad,
        bos_token=start,
        eos_token=end,
        unk_token=pad,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=2048,
    )
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1))


def read_tokenizer(path: Path) -> Tokenizer:
    """A tokenizer.json of any kind; ModelError where it cannot be read."""
    try:
        return Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except Exception as e:  # noqa: BLE001 (the library raises plain Exception)
        said = " ".join(str(e).split())[:200]
        raise ModelError(f"{path}: cannot be read as a tokenizer ({said}); install it again") from e
