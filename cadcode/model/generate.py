"""Decoding: greedy, beam and sampled generation of programs from points, cached, batched, inside the grammar.

Candidates of a part share one prefill, and candidates with identical tokens share one batch row. Tokens forced by the
grammar are appended without a forward pass; the next one reads them together with their neighbours. A sampled candidate
has random numbers of its own, drawn from (seed, its number), so it is the same alone, in a batch, and next to any other
parts.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch

from cadcode.errors import UsageError
from cadcode.model.engines.base import Cache, Engine

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
    """Output of a model: its special tokens, its grammar (if any) and its text."""

    start_id: int | tuple[int, ...]  # or a whole prompt, for networks that take one
    end_id: int

    def initial(self): ...  # the grammar's state before the first token
    def allowed(self, state) -> tuple[int, ...] | None: ...  # None: anything
    def advance(self, state, token: int): ...
    def close(self, ids: list[int]) -> list[int] | None: ...  # a sequence that reached the length limit
    def text(self, ids: list[int]) -> str: ...


@dataclass(frozen=True, slots=True)
class Draft:
    """One decoded candidate. `closed`: it reached the length limit and was cut after its last whole body.

    `mode` is one of MODES. `number` is that of a sample among its part's candidates, or the width of a beam. `view` is
    a number for the caller: the direction from which the network saw the part.
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
class _Candidate:
    """One candidate while it is decoded."""

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


BatchRow = list[_Candidate]  # candidates with identical tokens so far


@torch.inference_mode()
def decode(engine: Engine, language: Language, points: torch.Tensor, options: DecodeOptions) -> list[list[Draft]]:
    """Drafts for each of the point clouds (B, 256, 3), model frame; none where no candidate has a whole body.

    `points` are the inputs that the network reads: for cadrille also patches of pictures (B, 400, 1176), or no points
    (B, 0, 3) for a prompt alone. Sampling gives `candidates` drafts a cloud, the first of them greedy; greedy and beam
    give one.
    """
    if options.mode == "beam":
        return [_beam(engine, language, cloud[None], options) for cloud in points]
    count = options.candidates if options.mode == "sample" else 1
    parts = [[_candidate(language, p, n, _randoms(options, n)) for n in range(count)] for p in range(len(points))]
    _generate(engine, language, points, list(parts), options)
    return [_drafts(language, candidates) for candidates in parts]


def _candidate(language: Language, part: int, number: int, randoms: np.ndarray) -> _Candidate:
    state = language.initial()
    return _Candidate(part, number, state, language.allowed(state), randoms)


def _randoms(options: DecodeOptions, number: int) -> np.ndarray:
    return np.random.default_rng([options.seed, number]).random(options.max_new_tokens)


def _generate(engine: Engine, language: Language, points, batch: list[BatchRow], options: DecodeOptions) -> None:
    """Decode all candidates of a batch to their end or the length limit."""
    logits, cache = engine.begin(points, language.start_id, options.max_new_tokens)
    read = 0  # the cache holds the first `read` tokens of every batch row
    while True:
        for candidate in _add_tokens(batch, logits, read, language, options):
            _add_forced_tokens(candidate, language, options)
        batch, parents = _split(batch, read, language.end_id, options)
        if not batch:
            return
        cache = _selected(cache, parents, logits)
        logits, read = _forward(engine, batch, read, logits.device, cache)


def _add_tokens(batch: list[BatchRow], logits, read: int, language, options) -> list[_Candidate]:
    """Add the next token to the candidates that have none after the `read` ones; returns these candidates."""
    open_rows = [row for row, candidates in enumerate(batch) if len(candidates[0].ids) == read]
    if not open_rows:
        return []
    rows = [batch[row] for row in open_rows]
    logits = logits if len(rows) == len(logits) else logits[open_rows]
    log_p = _masked([candidate for candidate, *_ in rows], logits).log_softmax(-1)
    candidates, lines = [c for row in rows for c in row], [line for line, row in enumerate(rows) for _ in row]
    tokens = _tokens(log_p, candidates, lines, options)
    for candidate, token, value in zip(candidates, tokens, log_p[lines, tokens].tolist(), strict=True):
        candidate.score += value
        candidate.add(token, language)
    return candidates


def _tokens(log_p, candidates: list[_Candidate], lines: list[int], options: DecodeOptions) -> list[int]:
    """Next token of each candidate, from its line of `log_p`: the likeliest for number 0, else a sample."""
    best = log_p.argmax(-1).tolist()
    tokens = [best[line] for line in lines]
    if not any(candidate.number for candidate in candidates):
        return tokens
    sampled = _sample(log_p, candidates, lines, options)
    return [s if candidate.number else b for candidate, b, s in zip(candidates, tokens, sampled, strict=True)]


def _add_forced_tokens(candidate: _Candidate, language: Language, options: DecodeOptions) -> None:
    """Add the tokens that are the only ones allowed: their log-probability is 0."""
    while not candidate.finished(language.end_id, options) and candidate.allowed and len(candidate.allowed) == 1:
        candidate.add(candidate.allowed[0], language)


def _split(batch: list[BatchRow], read: int, end: int, options) -> tuple[list[BatchRow], list[int]]:
    """Batch rows of the unfinished candidates, one per distinct sequence, and the row that each continues."""
    rows: dict[tuple, BatchRow] = {}
    for parent, candidates in enumerate(batch):
        for candidate in candidates:
            if not candidate.finished(end, options):
                rows.setdefault((parent, *candidate.ids[read:]), []).append(candidate)
    return list(rows.values()), [parent for parent, *_ in rows]


def _selected(cache: Cache, parents: list[int], logits: torch.Tensor) -> Cache:
    """Cache of the rows that are continued; the same one where each row of the last batch (logits (B, V)) is."""
    if parents == list(range(len(logits))):
        return cache
    return cache.select(torch.tensor(parents, device=logits.device))


def _forward(engine: Engine, batch: list[BatchRow], read: int, device, cache: Cache) -> tuple[torch.Tensor, int]:
    """Logits (B, V) after the tokens that all rows have beyond the `read` ones, and how many are read then."""
    known = min(len(candidate.ids) for candidate, *_ in batch)
    ids = [candidate.ids[read:known] for candidate, *_ in batch]
    return engine.step(torch.tensor(ids, device=device), read + 1, cache), known


def _sample(log_p, candidates: list[_Candidate], lines: list[int], options: DecodeOptions) -> list[int]:
    """Nucleus sampling (Holtzman et al. 2020, arXiv:1904.09751) by each candidate's own uniform number.

    Candidate i draws from line `lines[i]` of `log_p`.
    """
    p = (log_p.double() / options.temperature).softmax(-1)
    p, order = p.topk(WIDEST) if p.shape[1] > WIDEST else p.sort(-1, descending=True)
    total = p.cumsum(-1)
    p = p * (total - p < options.top_p)
    total = p.cumsum(-1)[lines]
    draws = torch.tensor([c.randoms[min(len(c.ids), len(c.randoms) - 1)] for c in candidates], device=p.device)
    index = torch.searchsorted(total, (draws * total[:, -1])[:, None], right=True).clamp_max(p.shape[1] - 1)
    return order[lines].gather(1, index)[:, 0].tolist()


def _masked(candidates: list[_Candidate], logits):
    """Logits in float32, minus infinity where the grammar forbids a token."""
    if candidates[0].allowed is None:
        return logits.float()
    mask = np.stack([_mask(candidate.allowed, logits.shape[1]) for candidate in candidates])
    return logits.float() + torch.from_numpy(mask).to(logits.device)


@lru_cache(4096)
def _mask(ids: tuple[int, ...], size: int) -> np.ndarray:
    mask = np.full(size, -np.inf, np.float32)
    mask[list(ids)] = 0.0
    return mask


def _drafts(language: Language, candidates: list[_Candidate]) -> list[Draft]:
    """Drafts of the candidates that have a whole body."""
    modes = ("sample" if candidate.number else "greedy" for candidate in candidates)
    drafts = (_draft(language, c.ids, c.score, mode, c.number) for c, mode in zip(candidates, modes, strict=True))
    return [draft for draft in drafts if draft]


def _draft(language: Language, ids: list[int], score: float, mode: str, number: int) -> Draft | None:
    if ids[-1] == language.end_id:
        return Draft(language.text(ids), tuple(ids), score, mode, number)
    closed = language.close(ids)
    return None if closed is None else Draft(language.text(closed), tuple(closed), score, mode, number, closed=True)


# --- beam search -----------------------------------------------------------------------------------------------------


def _beam(engine: Engine, language: Language, points, options: DecodeOptions) -> list[Draft]:
    """The best of `beams` hypotheses by log-probability over length, for one cloud (1, 256, 3)."""
    logits, cache = engine.begin(points, language.start_id, options.max_new_tokens)
    live, finished = [_candidate(language, 0, 0, np.empty(0))], []
    for written in range(1, options.max_new_tokens + 1):
        live, parents, ended = _expand(language, live, logits, options.beams)
        finished = sorted(finished + ended, key=_per_token, reverse=True)[: options.beams]
        if not live or _settled(finished, live, options.beams) or written == options.max_new_tokens:
            break
        cache = cache.select(torch.tensor(parents, device=logits.device))
        logits = engine.step(torch.tensor([c.ids[-1] for c in live], device=logits.device), written, cache)
    ranked = sorted(finished, key=_per_token, reverse=True) or sorted(live, key=_per_token, reverse=True)
    drafts = (_draft(language, c.ids, c.score, "beam", options.beams) for c in ranked)
    return [d for d in drafts if d][:1]


def _per_token(candidate: _Candidate) -> float:
    return candidate.score / len(candidate.ids)


def _settled(finished: list[_Candidate], live: list[_Candidate], beams: int) -> bool:
    return len(finished) == beams and _per_token(finished[-1]) >= max(map(_per_token, live))


def _expand(language: Language, live: list[_Candidate], logits, beams: int):
    """The `beams` best unfinished continuations, the rows they continue, and the finished ones among the best."""
    log_p = _masked(live, logits).log_softmax(-1)
    total = log_p + torch.tensor([[candidate.score] for candidate in live], device=log_p.device)
    scores, flat = total.flatten().topk(min(2 * beams, total.numel()))
    going, parents, ended = [], [], []
    for rank, (score, index) in enumerate(zip(scores.tolist(), flat.tolist(), strict=True)):
        parent, token = divmod(index, log_p.shape[1])
        if score == -np.inf or len(going) == beams:
            break
        child = _continued(live[parent], token, score, language)
        if token != language.end_id:
            going.append(child)
            parents.append(parent)
        elif rank < beams:
            ended.append(child)
    return going, parents, ended


def _continued(candidate: _Candidate, token: int, score: float, language: Language) -> _Candidate:
    child = _Candidate(0, 0, candidate.state, None, candidate.randoms, list(candidate.ids), score)
    child.add(token, language)
    return child
