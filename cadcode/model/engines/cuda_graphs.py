"""Steps of decoding that are the same work each time, which a GPU replays from a recording (CUDA graphs).

A step of a large model starts hundreds of small operations, and starting them takes a GPU longer than they do. So keys
and values lie in memory that stays where it is, steps attend over more positions than are in use, with a mask, and rows
of texts that have ended are computed along. The functions are those of `qwen2`; without CUDA nothing is recorded. A
recording is used only after it has given the numbers of the step that it was made of.
"""

import math
from collections.abc import Callable
from typing import NamedTuple
from weakref import WeakSet

import torch

from cadcode.model.engines.kv_cache import shared_out
from cadcode.model.nets.qwen2 import KeyValueCache, Qwen2Options

MOST = 64  # texts at once; with more of them the work takes longer than its start
SPAN = 128  # steps attend over multiples of so many positions
TRIALS = 2  # steps of a kind before one is recorded, which takes as long as some dozen of them
SPARE = 4  # memory with so many times the slots that are needed is given up

Network = Callable[[torch.Tensor, torch.Tensor, "Kind", torch.Tensor], torch.Tensor]
"""Logits (slots, V) after embeddings (slots, n, H), at rotary positions, given a cache and a mask (n, positions)."""


class FixedMemory:
    """The memory of a model's caches, kept for the next ones, with the recordings that read it."""

    def __init__(self, options: Qwen2Options, network: Network):
        self.options, self.network = options, network
        self._buffers: list[Buffers] = []

    def new_cache(self, batch: int, length: int, dtype, device) -> "FixedCache | KeyValueCache":
        """For `batch` texts of up to `length` positions."""
        if batch > MOST:
            return KeyValueCache(self.options, batch, length, dtype, device)
        return FixedCache(self, self.buffers(batch, length, dtype, device), list(range(batch)), 0)

    def buffers(self, texts: int, length: int, dtype, device) -> "Buffers":
        """Those of the right size that no cache uses, else new ones."""
        slots, room = 1 << (texts - 1).bit_length(), -(-length // SPAN) * SPAN
        for one in self._buffers:
            if not one.users and one.fits(slots, room, dtype, device):
                return one
        self._buffers.append(Buffers(self.options, slots, room, dtype, device))
        return self._buffers[-1]


class Buffers:
    """Keys and values (layers, slots, heads, room, D), and the kinds of steps that were made with them."""

    def __init__(self, o: Qwen2Options, slots: int, room: int, dtype, device):
        shape = (o.num_hidden_layers, slots, o.num_key_value_heads, room, o.head_dim)
        # Zeros: what a mask hides has a weight of 0, but 0 times what lies in new memory need not be 0.
        self.keys, self.values = (torch.zeros(shape, dtype=dtype, device=device) for _ in range(2))
        self.slots, self.room = slots, room
        self.users: WeakSet[FixedCache] = WeakSet()
        self._kinds: dict[tuple, Kind] = {}

    def fits(self, slots: int, room: int, dtype, device) -> bool:
        same = (self.keys.dtype, self.keys.device) == (dtype, torch.device(device))
        return same and (self.slots, self.room) == (slots, room)

    def kind(self, embeddings: torch.Tensor, positions: torch.Tensor, end: int) -> "Kind":
        """The kind of a step that adds embeddings (B, n, H) as the last of `end` positions."""
        key = (embeddings.shape[1], positions.shape, -(-end // SPAN) * SPAN)
        if key not in self._kinds:
            self._kinds[key] = Kind(self, embeddings, positions, key[-1])
        return self._kinds[key]


class Kind:
    """A step of some size: n more tokens of all slots, which attend over `span` positions. The network's cache."""

    def __init__(self, buffers: Buffers, embeddings: torch.Tensor, positions: torch.Tensor, span: int):
        self._buffers, self._span = buffers, span
        self._embeddings = embeddings.new_zeros((buffers.slots, *embeddings.shape[1:]))
        self._positions = torch.zeros_like(positions)
        self._places = torch.zeros(embeddings.shape[1], dtype=torch.long, device=embeddings.device)
        self._recording: Recording | None = None
        self._trials = TRIALS if recordable(embeddings) else math.inf  # steps to go until one is recorded
        self.used = 0  # counted by the network; the places say where it writes

    def __call__(self, network: Network, slots: torch.Tensor, embeddings, positions, used: int) -> torch.Tensor:
        """Logits (slots, V), which the next step may write over."""
        self._embeddings.index_copy_(0, slots, embeddings)
        self._positions.copy_(positions)
        torch.arange(used, used + len(self._places), out=self._places)
        if self._recording is not None:
            self._recording.replay()
            return self._recording.logits
        logits = self._run(network)
        self._trials -= 1
        if self._trials == 0:
            self._recording = checked_recording(lambda: self._run(network), logits)
        return logits

    def append(self, layer: int, keys: torch.Tensor, values: torch.Tensor):
        """Write (slots, heads, n, D) at the places; returns all that is attended over."""
        stores = self._buffers.keys[layer], self._buffers.values[layer]
        for store, new in zip(stores, (keys, values), strict=True):
            store.index_copy_(2, self._places, new)
        return tuple(store[:, :, : self._span] for store in stores)

    def _run(self, network: Network) -> torch.Tensor:
        later = torch.arange(self._span, device=self._places.device) > self._places[:, None]
        mask = torch.zeros(later.shape, dtype=self._embeddings.dtype, device=later.device)
        return network(self._embeddings, self._positions, self, mask.masked_fill_(later, -torch.inf))


class Recording(NamedTuple):
    replay: Callable[[], object]
    logits: torch.Tensor  # what a replay writes


def recordable(tensor: torch.Tensor) -> bool:
    return tensor.is_cuda


def checked_recording(run: Callable[[], torch.Tensor], expected: torch.Tensor) -> Recording | None:
    """A recording of what gave `expected`; None where CUDA refuses it (no memory left) or it gives other numbers."""
    try:
        found = recorded(run)
        found.replay()
    except RuntimeError:  # torch's own for everything that CUDA says
        return None
    wide, rough = found.logits.float(), 1e-4 if expected.dtype == torch.float32 else 2e-2
    return found if torch.allclose(wide, expected.float(), rtol=rough, atol=rough * wide.abs().max().item()) else None


def recorded(run: Callable[[], torch.Tensor]) -> Recording:
    """As torch's documentation of CUDA graphs asks for: once on a stream of its own before the recording."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        run()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        logits = run()
    return Recording(graph.replay, logits)


class FixedCache:
    """Texts in slots of fixed memory, text i in slot `slots[i]`."""

    def __init__(self, memory: FixedMemory, buffers: Buffers, slots: list[int], used: int):
        self._memory, self._buffers, self._slots, self.used = memory, buffers, slots, used
        self._index = torch.tensor(slots, device=buffers.keys.device)
        buffers.users.add(self)

    def append(self, layer: int, keys: torch.Tensor, values: torch.Tensor):
        """As `KeyValueCache.append`, for what comes before the first step, when text i is in slot i."""
        end = self.used + keys.shape[2]
        stores = (store[layer, : len(self._slots)] for store in (self._buffers.keys, self._buffers.values))
        both = tuple(store[:, :, :end] for store in stores)
        for store, new in zip(both, (keys, values), strict=True):
            store[:, :, self.used :] = new
        return both

    def step(self, embeddings: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Logits (B, V) after embeddings (B, n, H) at rotary positions (n,), or (n, D / 2)."""
        end = self.used + embeddings.shape[1]
        kind = self._buffers.kind(embeddings, positions, end)
        logits = kind(self._memory.network, self._index, embeddings, positions, self.used)
        self.used = end
        return logits[self._index]

    def select(self, rows: torch.Tensor) -> "FixedCache | KeyValueCache":
        """Some of the texts, repeats allowed; from here on either they go on or those that are here."""
        slots, count = [self._slots[row] for row in rows.tolist()], self._buffers.slots
        if not count // SPARE < len(slots) <= count:
            return self._copied(slots)
        slots, sources, targets = shared_out(slots, count)
        for store in (self._buffers.keys, self._buffers.values) if sources else ():
            used = store[..., : self.used, :]
            used[:, targets] = used[:, sources]
        return FixedCache(self._memory, self._buffers, slots, self.used)

    def _copied(self, slots: list[int]) -> "FixedCache | KeyValueCache":
        """Texts that go on from what these slots have, in memory of their own."""
        old, count = self._buffers, len(slots)
        new = self._memory.new_cache(count, old.room, old.keys.dtype, old.keys.device)
        stores = (new.keys, new.values) if count > MOST else (new._buffers.keys, new._buffers.values)
        for store, source in zip(stores, (old.keys, old.values), strict=True):
            store[:, :count, :, : self.used] = source[:, slots, :, : self.used]
        new.used = self.used
        return new
