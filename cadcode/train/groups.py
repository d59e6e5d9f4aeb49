"""Groups of programs with a shared prefix: the points of a part are encoded once, for sampling and for training.

The programs of a group follow the points in one sequence. A mask separates the programs, and each has its own rotary
positions, so all numbers equal those of separate sequences.
"""

from dataclasses import dataclass, field

import numpy as np
import torch

from cadcode.model.engines.eager import EagerEngine
from cadcode.model.nets.qwen2 import KeyValueCache
from cadcode.model.nets.small import PREFIX_LENGTH, SmallModel, point_positions
from cadcode.model.tokenizers.language import CompactLanguage
from cadcode.program.tokens import END, PIECES, START

LANGUAGE = CompactLanguage()
SHRINK = 0.75  # the batch is compacted if at most this share of its rows is unfinished


@dataclass
class Written:
    """One sampled program: ids, the log-probability of each, and the ids that the grammar allowed at its position."""

    greedy: bool = False
    state: object = field(default_factory=LANGUAGE.initial)
    ids: list[int] = field(default_factory=list)
    log_p: list[float] = field(default_factory=list)
    allowed: list[tuple[int, ...]] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return bool(self.ids) and self.ids[-1] == END

    def add(self, token: int, log_p: float, allowed: tuple[int, ...]) -> None:
        self.ids.append(token)
        self.log_p.append(log_p)
        self.allowed.append(allowed)
        self.state = LANGUAGE.advance(self.state, token)


# --- sampling --------------------------------------------------------------------------------------------------------


@torch.no_grad()
def sample_groups(
    model: SmallModel,
    points: torch.Tensor,
    group: int,
    temperature: float,
    longest: int,
    generator,
    greedy_first: bool = False,
) -> list[list[Written]]:
    """`group` programs for each of the clouds (P, N, 3), sampled under the grammar.

    A sequence of `longest` tokens without an end token stays incomplete. `greedy_first`: the first program of each
    group is decoded greedily.
    """
    rows = [[Written(greedy_first and number == 0) for number in range(group)] for _ in points]
    logits, prefix = EagerEngine(model).begin(points, START, room=0)
    logits, cache, live = logits[:, None].expand(-1, group, -1), _GroupCache.after(prefix, group, longest), rows
    for written in range(1, longest + 1):
        tokens = _write(live, logits, temperature, generator)
        going = np.array([[not row.ended for row in slots] for slots in live])
        if not going.any() or written == longest:
            return rows
        parts, slots = _kept(going)
        if slots.size <= SHRINK * going.size:
            live = [[live[part][slot] for slot in some] for part, some in zip(parts, slots, strict=True)]
            cache, tokens = cache.select(parts, slots), tokens[parts[:, None], slots]
        logits = _step(model, tokens, written, cache)
    return rows


def _write(live, logits, temperature, generator) -> torch.Tensor:
    """Sample one token for each unfinished row; returns the tokens (P, G)."""
    allowed = [[LANGUAGE.allowed(row.state) for row in slots] for slots in live]
    mask = allowed_mask([ids for some in allowed for ids in some]).view(logits.shape).to(logits.device)
    log_p = (logits.float() / temperature + mask).log_softmax(-1)
    waits = torch.empty(log_p.shape, device=log_p.device).exponential_(generator=generator)
    greedy = torch.tensor([[row.greedy for row in slots] for slots in live], device=log_p.device)
    tokens = (log_p - torch.where(greedy[..., None], 0.0, waits.log())).argmax(-1)  # the Gumbel-max trick
    picked = log_p.gather(-1, tokens[..., None])[..., 0].tolist()
    for slots, ids, values, masks in zip(live, tokens.tolist(), picked, allowed, strict=True):
        for row, token, value, mask in zip(slots, ids, values, masks, strict=True):
            if not row.ended:
                row.add(token, value, mask)
    return tokens


def allowed_mask(allowed: list[tuple[int, ...]]) -> torch.Tensor:
    """Mask (n, V): 0 for allowed tokens, else minus infinity."""
    kinds = {ids: None for ids in allowed}
    table = np.full((len(kinds), len(PIECES)), -np.inf, np.float32)
    for number, ids in enumerate(kinds):
        table[number, list(ids)] = 0.0
        kinds[ids] = number
    return torch.from_numpy(table[[kinds[ids] for ids in allowed]])


def _kept(going: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parts with unfinished rows (P',), and slots (P', G') of each, as many as the part with most unfinished rows."""
    parts = np.flatnonzero(going.any(axis=1))
    order = np.argsort(~going[parts], axis=1, kind="stable")
    return parts, order[:, : going.sum(axis=1).max()]


def _step(model: SmallModel, tokens: torch.Tensor, written: int, cache: "_GroupCache") -> torch.Tensor:
    """Logits (P, G, V) after one more token (P, G) of each row."""
    positions = torch.full((tokens.shape[1],), PREFIX_LENGTH + written, device=tokens.device)
    embeddings = model.model.embed_tokens(tokens)
    return model.lm_head(model.model(embeddings, positions, cache, mask=cache.mask()))


class _GroupCache(KeyValueCache):
    """A prefix for each part, followed by the keys of its G rows, token by token."""

    @classmethod
    def after(cls, prefix: KeyValueCache, group: int, longest: int) -> "_GroupCache":
        return cls._of(prefix.keys, prefix.values, prefix.used, group, group * longest)

    @classmethod
    def _of(cls, keys, values, prefix: int, group: int, capacity: int) -> "_GroupCache":
        cache = object.__new__(cls)
        cache.keys, cache.values = _extended(keys, capacity), _extended(values, capacity)
        cache.used, cache.prefix, cache.group = keys.shape[3], prefix, group
        return cache

    def mask(self) -> torch.Tensor:
        """Mask (G, keys after the next token): a row attends to the prefix and its own tokens."""
        tokens = (self.used - self.prefix) // self.group + 1
        own = torch.eye(self.group, dtype=torch.bool, device=self.keys.device).repeat(1, tokens)
        seen = torch.cat([own.new_ones(self.group, self.prefix), own], dim=1)
        return torch.zeros(seen.shape, device=seen.device).masked_fill(~seen, -torch.inf)

    def select(self, parts: np.ndarray, slots: np.ndarray) -> "_GroupCache":
        """The cache of some parts (P',) and of some of their rows (P', G')."""
        parts, slots = torch.from_numpy(parts), torch.from_numpy(slots)
        left = (self.keys.shape[3] - self.used) // self.group * slots.shape[1]
        keys, values = (self._selected(t, parts, slots) for t in (self.keys, self.values))
        return self._of(keys, values, self.prefix, slots.shape[1], left)

    def _selected(self, t: torch.Tensor, parts, slots) -> torch.Tensor:
        own = t[:, :, :, self.prefix : self.used].unflatten(3, (-1, self.group))  # (layers, P, heads, tokens, G, d)
        own = own.permute(1, 4, 0, 2, 3, 5)[parts[:, None], slots]  # (P', G', layers, heads, tokens, d)
        own = own.permute(2, 0, 3, 4, 1, 5).flatten(3, 4)
        return torch.cat([t[:, parts, :, : self.prefix], own], dim=3)


def _extended(t: torch.Tensor, capacity: int) -> torch.Tensor:
    """A copy of (layers, P, heads, n, d) with `capacity` more tokens, whose memory is committed when written."""
    layers, parts, heads, used, size = t.shape
    wide = t.new_empty((layers, parts, heads, used + capacity, size))
    wide[:, :, :, :used] = t
    return wide


# --- learning --------------------------------------------------------------------------------------------------------


def group_logits(model: SmallModel, points: torch.Tensor, texts: list[list[int]]) -> torch.Tensor:
    """Logits (M, V) for all M ids of the sequences that follow one cloud (N, 3), concatenated.

    The sequences have no start token and no padding: on a CPU, one part at a time is fastest.
    """
    device, lengths = points.device, [len(ids) for ids in texts]
    read = torch.tensor([START, *(token for ids in texts for token in ids[:-1])], device=device)
    embeddings = torch.cat([model.point_encoder(points), model.model.embed_tokens(read)])
    places = [torch.arange(1, length) for length in lengths]  # the last token is output only
    positions = torch.cat([point_positions(len(points)), PREFIX_LENGTH + torch.cat([torch.tensor([0]), *places])])
    mask = group_mask(len(points) + 1, [length - 1 for length in lengths]).to(device)
    [hidden] = model.model(embeddings[None], positions.to(device), tail=len(read), mask=mask)
    return model.lm_head(hidden[_rows_before(lengths)])


def _rows_before(lengths: list[int]) -> torch.Tensor:
    """Row of the preceding token for each id of each sequence; row 0, the start token, for the first."""
    ends = np.cumsum([length - 1 for length in lengths])
    rows = [[0, *range(end - length + 2, end + 1)] for end, length in zip(ends, lengths, strict=True)]
    return torch.tensor([row for some in rows for row in some])


def group_mask(prefix: int, lengths: list[int]) -> torch.Tensor:
    """Mask (L, L), 0 or minus infinity: sequences attend to the prefix and to themselves, but to no other sequence."""
    owner = torch.repeat_interleave(torch.arange(-1, len(lengths)), torch.tensor([prefix, *lengths]))
    seen = ((owner == owner[:, None]) | (owner == -1)).tril()
    return torch.zeros(seen.shape).masked_fill(~seen, -torch.inf)


def log_probabilities(logits: torch.Tensor, ids: torch.Tensor, allowed: list[tuple[int, ...]], temperature: float):
    """Log-probabilities (M,) of ids (M,) under logits (M, V), at a temperature and under the grammar."""
    mask = allowed_mask(allowed).to(logits.device)
    return (logits.float() / temperature + mask).log_softmax(-1).gather(1, ids[:, None])[:, 0]
