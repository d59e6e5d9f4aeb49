"""From a model and points to program texts: greedy, beam and sampled decoding, cached, batched, inside the grammar.

All candidates of a part share one prefill, and as long as some have written the same they are one text to the network.
Where the grammar leaves one token only, it is taken without asking the network, which then reads it together with
those around it. A sampled candidate has its own random numbers, drawn from
(seed, its number), so it comes out the same alone, in a batch, and next to any other parts.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch

from cadcode.errors import UsageError

SOURCES = dict(greedy="greedy", beam="beam of {}", sample="sample {}")
MODES = tuple(SOURCES)
WIDEST = 4096  # of a larger vocabulary only the likeliest tokens are sampled: sorting all of it takes most of a second


@dataclass(frozen=True)
class DecodeOptions:
    mode: str = "greedy"
    candidates: int = 1  # of a part; greedy and beam give one
    beams: int = 4
    temperature: float = 1.0
    top_p: float = 0.95
    max_new_tokens: int = 128
    seed: int = 0

    def __post_init__(self):
        if self.mode not in MODES:
            raise UsageError(f"--decode {self.mode}: choose one of {', '.join(MODES)}")
        if min(self.candidates, self.beams, self.max_new_tokens) < 1:
            raise UsageError("candidates, beams and max-new-tokens must be at least 1")
        if not (self.temperature > 0 and 0 < self.top_p <= 1):
            raise UsageError("temperature must be above 0 and top-p in (0, 1]")


class Language(Protocol):
    """What a model writes in: its special tokens, its grammar (if it has one) and its text."""

    start_id: int | tuple[int, ...]  # or a whole prompt, where the network takes one
    end_id: int

    def initial(self): ...  # the grammar's state before the first token
    def allowed(self, state) -> tuple[int, ...] | None: ...  # None: anything
    def advance(self, state, token: int): ...
    def close(self, ids: list[int]) -> list[int] | None: ...  # a text that ran into the length limit
    def text(self, ids: list[int]) -> str: ...


class Network(Protocol):
    """A prefix of embeddings, those of points or of a picture, then token by token with a cache."""

    def prefill(self, points, start, room: int): ...  # -> logits (B, V), cache
    def step(self, ids, written: int, cache): ...  # ids (B, n) after `written` of each text's tokens -> logits (B, V)


@dataclass(frozen=True, slots=True)
class Draft:
    """One decoded text. `closed` says that it hit the length limit and was cut after its last whole body.

    `mode` is one of MODES. `number` is that of a sample among its part's candidates, or the width of a beam. `view` is
    a number for the caller: from which side the network saw the part.
    """

    text: str
    ids: tuple[int, ...]
    log_probability: float
    mode: str = "greedy"
    number: int = 0
    closed: bool = False
    view: int = 0

    @property
    def source(self) -> str:
        """`greedy`, `sample 7` or `beam of 4`."""
        return SOURCES[self.mode].format(self.number)


@dataclass
class _Row:
    """One candidate while it is written."""

    part: int
    number: int
    state: object
    allowed: tuple[int, ...] | None
    randoms: np.ndarray
    ids: list[int] = field(default_factory=list)
    score: float = 0.0

    def add(self, token: int, language: Language) -> None:
        self.ids.append(token)
        self.state = language.advance(self.state, token)
        self.allowed = language.allowed(self.state)

    def finished(self, end: int, options: DecodeOptions) -> bool:
        return bool(self.ids) and (self.ids[-1] == end or len(self.ids) == options.max_new_tokens)


@torch.inference_mode()
def decode(network: Network, language: Language, points: torch.Tensor, options: DecodeOptions) -> list[list[Draft]]:
    """Drafts for each of the point clouds (B, 256, 3), model frame; empty where no text came to one whole body.

    What `points` are is between the network and its caller: for cadrille also patches of pictures (B, 400, 1176), or
    for a text alone no points (B, 0, 3).

    Sampling gives `candidates` drafts a cloud, the first of them greedy; greedy and beam give one.
    """
    if options.mode == "beam":
        return [_beam(network, language, cloud[None], options) for cloud in points]
    count = options.candidates if options.mode == "sample" else 1
    rows = [_row(language, p, n, _randoms(options, n)) for p in range(len(points)) for n in range(count)]
    texts = [rows[start : start + count] for start in range(0, len(rows), count)]
    _write(network, language, texts, *network.prefill(points, language.start_id, options.max_new_tokens), options)
    drafts = [[] for _ in range(len(points))]
    for row in rows:
        draft = _draft(language, row.ids, row.score, "sample" if row.number else "greedy", row.number)
        drafts[row.part] += [draft] if draft else []
    return drafts


def _row(language: Language, part: int, number: int, randoms: np.ndarray) -> _Row:
    state = language.initial()
    return _Row(part, number, state, language.allowed(state), randoms)


def _randoms(options: DecodeOptions, number: int) -> np.ndarray:
    return np.random.default_rng([options.seed, number]).random(options.max_new_tokens)


def _write(network, language, texts, logits, cache, options):
    """Write all rows to their end or the length limit.

    `texts` are lists of rows that have written the same so far, each a row of the batch. One splits where its rows
    choose differently; finished ones leave.
    """
    read, end = 0, language.end_id  # the network has read the first `read` tokens of every text
    while True:
        _choose(language, texts, logits, read, options)
        going, sources = _apart(texts, read, end, options)
        if not going:
            return
        if sources != list(range(len(texts))):
            cache = cache.select(torch.tensor(sources, device=logits.device))
        texts, known = going, min(len(rows[0].ids) for rows in going)
        ids = [rows[0].ids[read:known] for rows in texts]
        logits = network.step(torch.tensor(ids, device=logits.device), read + 1, cache)
        read = known


def _apart(texts, read, end, options) -> tuple[list[list[_Row]], list[int]]:
    """The unfinished texts after a choice, and for each the place of the text that it goes on from."""
    found: dict[tuple, list[_Row]] = {}
    for place, rows in enumerate(texts):
        for row in rows:
            if not row.finished(end, options):
                found.setdefault((place, *row.ids[read:]), []).append(row)
    return list(found.values()), [place for place, *_ in found]


def _choose(language, texts, logits, read, options):
    """The next token of every row that has none beyond the `read` ones, and those that must follow it."""
    end = language.end_id
    places = [i for i, (row, *_) in enumerate(texts) if len(row.ids) == read]
    if not places:
        return
    texts = [texts[i] for i in places]
    logits = logits if len(places) == len(logits) else logits[places]
    log_p = _masked([rows[0] for rows in texts], logits).log_softmax(-1)
    rows, at = [row for rows in texts for row in rows], [i for i, rows in enumerate(texts) for _ in rows]
    best = log_p.argmax(-1).tolist()
    tokens = [best[i] for i in at]
    if any(row.number for row in rows):
        sampled = _sample(log_p, rows, at, options)
        tokens = [s if row.number else b for row, b, s in zip(rows, tokens, sampled, strict=True)]
    for row, token, value in zip(rows, tokens, log_p[at, tokens].tolist(), strict=True):
        row.score += value
        row.add(token, language)
        while not row.finished(end, options) and row.allowed is not None and len(row.allowed) == 1:
            row.add(row.allowed[0], language)  # with a log-probability of 0


def _sample(log_p, rows, at, options) -> list[int]:
    """Nucleus sampling (Holtzman et al. 2020, arXiv:1904.09751) by each row's own uniform number.

    Row i draws from line `at[i]` of `log_p`.
    """
    p = (log_p.double() / options.temperature).softmax(-1)
    p, order = p.topk(WIDEST) if p.shape[1] > WIDEST else p.sort(-1, descending=True)
    total = p.cumsum(-1)
    p = p * (total - p < options.top_p)
    total = p.cumsum(-1)[at]
    draws = torch.tensor([row.randoms[min(len(row.ids), len(row.randoms) - 1)] for row in rows], device=p.device)
    index = torch.searchsorted(total, (draws * total[:, -1])[:, None], right=True).clamp_max(p.shape[1] - 1)
    return order[at].gather(1, index)[:, 0].tolist()


def _masked(rows, logits):
    """Logits in float32, minus infinity where the grammar forbids a token."""
    if rows[0].allowed is None:
        return logits.float()
    mask = np.stack([_mask(row.allowed, logits.shape[1]) for row in rows])
    return logits.float() + torch.from_numpy(mask).to(logits.device)


@lru_cache(4096)
def _mask(ids: tuple[int, ...], size: int) -> np.ndarray:
    mask = np.full(size, -np.inf, np.float32)
    mask[list(ids)] = 0.0
    return mask


def _draft(language, ids, score, mode, number) -> Draft | None:
    if ids[-1] == language.end_id:
        return Draft(language.text(ids), tuple(ids), score, mode, number)
    closed = language.close(ids)
    return None if closed is None else Draft(language.text(closed), tuple(closed), score, mode, number, closed=True)


# --- beams -----------------------------------------------------------------------------------------------------------


def _beam(network, language, points, options) -> list[Draft]:
    """The best of `beams` hypotheses by log-probability over length, for one cloud (1, 256, 3)."""
    logits, cache = network.prefill(points, language.start_id, options.max_new_tokens)
    live, finished = [_row(language, 0, 0, np.empty(0))], []
    for written in range(1, options.max_new_tokens + 1):
        live, parents, ended = _expand(language, live, logits, options.beams)
        finished = sorted(finished + ended, key=_per_token, reverse=True)[: options.beams]
        if not live or _settled(finished, live, options.beams) or written == options.max_new_tokens:
            break
        cache = cache.select(torch.tensor(parents, device=logits.device))
        logits = network.step(torch.tensor([row.ids[-1] for row in live], device=logits.device), written, cache)
    ranked = sorted(finished, key=_per_token, reverse=True) or sorted(live, key=_per_token, reverse=True)
    drafts = (_draft(language, row.ids, row.score, "beam", options.beams) for row in ranked)
    return [d for d in drafts if d][:1]


def _per_token(row: _Row) -> float:
    return row.score / len(row.ids)


def _settled(finished, live, beams) -> bool:
    return len(finished) == beams and _per_token(finished[-1]) >= max(map(_per_token, live))


def _expand(language, live, logits, beams):
    """The `beams` best unfinished continuations, the rows they come from, and the finished ones among the best."""
    log_p = _masked(live, logits).log_softmax(-1)
    total = log_p + torch.tensor([[row.score] for row in live], device=log_p.device)
    scores, flat = total.flatten().topk(min(2 * beams, total.numel()))
    going, parents, ended = [], [], []
    for rank, (score, index) in enumerate(zip(scores.tolist(), flat.tolist(), strict=True)):
        parent, token = divmod(index, log_p.shape[1])
        if score == -np.inf or len(going) == beams:
            break
        row = live[parent]
        child = _Row(0, 0, row.state, None, row.randoms, list(row.ids), score)
        child.add(token, language)
        if token != language.end_id:
            going.append(child)
            parents.append(parent)
        elif rank < beams:
            ended.append(child)
    return going, parents, ended
