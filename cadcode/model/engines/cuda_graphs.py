"""CUDA graphs engine: steps of static shapes, captured once and replayed.

A step of a large model launches hundreds of small kernels, and launching them takes longer than running them. So keys
and values stay at fixed addresses, steps attend over a padded length with a mask, and rows of ended sequences are
computed along. The functions are those of `qwen2`; without CUDA nothing is captured. A graph is used only after it has
given the logits of the step that it was captured from.
"""

import math
from collections.abc import Callable
from typing import NamedTuple
from weakref import WeakSet

import torch

from cadcode.model.engines.base import NetworkEngine
from cadcode.model.engines.eager import prefill_logits
from cadcode.model.engines.kv_cache import assign_blocks
from cadcode.model.nets.qwen2 import KeyValueCache, Qwen2Options
from cadcode.model.nets.small import SmallModel

MAX_ROWS = 64  # batch rows; with more of them the work takes longer than its launch
LENGTH_STEP = 128  # steps attend over multiples of so many positions
WARMUP_STEPS = 2  # steps of a shape before it is captured, which takes as long as some dozen of them
MAX_SPARE = 4  # buffers with so many times the needed blocks are given up

Network = Callable[[torch.Tensor, torch.Tensor, "StaticStep", torch.Tensor], torch.Tensor]
"""Logits (blocks, V) after embeddings (blocks, n, H), at rotary positions, given a cache and a mask (n, positions)."""


class CudaGraphsEngine(NetworkEngine):
    """Decodes by steps of static shapes. Buffers are kept for later batches, with the graphs that read them."""

    def __init__(self, network: SmallModel):
        super().__init__(network)
        self._buffers: list[Buffers] = []

    def prefill(self, embeddings: torch.Tensor, positions: torch.Tensor, room: int):
        batch, length, _ = embeddings.shape
        cache = self.new_cache(batch, length + room, embeddings.dtype, embeddings.device)
        return prefill_logits(self.network, embeddings, positions, cache), cache

    def extend(self, embeddings: torch.Tensor, positions: torch.Tensor, cache) -> torch.Tensor:
        return cache.step(self.network.last_logits, embeddings, positions)

    def new_cache(self, batch: int, length: int, dtype, device) -> "StaticCache | EagerCache":
        """Cache for `batch` rows of up to `length` positions."""
        if batch > MAX_ROWS:
            return EagerCache(self.network.options, batch, length, dtype, device)
        return StaticCache(self, self.buffers(batch, length, dtype, device), list(range(batch)), 0)

    def buffers(self, rows: int, length: int, dtype, device) -> "Buffers":
        """Buffers of the right size that no cache uses, else new ones."""
        blocks, room = 1 << (rows - 1).bit_length(), -(-length // LENGTH_STEP) * LENGTH_STEP
        for buffers in self._buffers:
            if not buffers.users and buffers.fits(blocks, room, dtype, device):
                return buffers
        self._buffers.append(Buffers(self.network.options, blocks, room, dtype, device))
        return self._buffers[-1]


class EagerCache(KeyValueCache):
    """KV cache of a batch that is too large for static shapes."""

    @property
    def stores(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.keys, self.values

    def step(self, network: Network, embeddings: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        return network(embeddings, positions, self)


class Buffers:
    """Keys and values (layers, blocks, heads, room, D), and the steps of static shape that were made with them."""

    def __init__(self, o: Qwen2Options, blocks: int, room: int, dtype, device):
        shape = (o.num_hidden_layers, blocks, o.num_key_value_heads, room, o.head_dim)
        # Zeros: masked positions have a weight of 0, but 0 times uninitialised memory need not be 0.
        self.keys, self.values = (torch.zeros(shape, dtype=dtype, device=device) for _ in range(2))
        self.blocks, self.room = blocks, room
        self.users: WeakSet[StaticCache] = WeakSet()
        self._steps: dict[tuple, StaticStep] = {}

    def fits(self, blocks: int, room: int, dtype, device) -> bool:
        same = (self.keys.dtype, self.keys.device) == (dtype, torch.device(device))
        return same and (self.blocks, self.room) == (blocks, room)

    def step(self, embeddings: torch.Tensor, positions: torch.Tensor, end: int) -> "StaticStep":
        """Step that adds embeddings (B, n, H) as the last of `end` positions."""
        key = (embeddings.shape[1], positions.shape, -(-end // LENGTH_STEP) * LENGTH_STEP)
        if key not in self._steps:
            self._steps[key] = StaticStep(self, embeddings, positions, key[-1])
        return self._steps[key]


class StaticStep:
    """Step of one shape: n more tokens of all blocks, which attend over `span` positions. It is the network's cache."""

    def __init__(self, buffers: Buffers, embeddings: torch.Tensor, positions: torch.Tensor, span: int):
        self._buffers, self._span = buffers, span
        self._embeddings = embeddings.new_zeros((buffers.blocks, *embeddings.shape[1:]))
        self._positions = torch.zeros_like(positions)
        self._places = torch.zeros(embeddings.shape[1], dtype=torch.long, device=embeddings.device)
        self._graph: Graph | None = None
        self._warmup = WARMUP_STEPS if capturable(embeddings) else math.inf  # steps until it is captured
        self.used = 0  # counted by the network; the places say where it writes

    def __call__(self, network: Network, blocks: torch.Tensor, embeddings, positions, used: int) -> torch.Tensor:
        """Logits (blocks, V), which the next step may overwrite."""
        self._embeddings.index_copy_(0, blocks, embeddings)
        self._positions.copy_(positions)
        torch.arange(used, used + len(self._places), out=self._places)
        if self._graph is not None:
            self._graph.replay()
            return self._graph.logits
        logits = self._run(network)
        self._warmup -= 1
        if self._warmup == 0:
            self._graph = checked_graph(lambda: self._run(network), logits)
        return logits

    def append(self, layer: int, keys: torch.Tensor, values: torch.Tensor):
        """Write (blocks, heads, n, D) at the places; returns all keys and values that are attended over."""
        stores = self._buffers.keys[layer], self._buffers.values[layer]
        for store, new in zip(stores, (keys, values), strict=True):
            store.index_copy_(2, self._places, new)
        return tuple(store[:, :, : self._span] for store in stores)

    def _run(self, network: Network) -> torch.Tensor:
        later = torch.arange(self._span, device=self._places.device) > self._places[:, None]
        mask = torch.zeros(later.shape, dtype=self._embeddings.dtype, device=later.device)
        return network(self._embeddings, self._positions, self, mask.masked_fill_(later, -torch.inf))


class Graph(NamedTuple):
    """Captured step."""

    replay: Callable[[], object]
    logits: torch.Tensor  # output of a replay


def capturable(tensor: torch.Tensor) -> bool:
    return tensor.is_cuda


def checked_graph(run: Callable[[], torch.Tensor], expected: torch.Tensor) -> Graph | None:
    """Graph of the work that gave `expected`; None where CUDA refuses it (no memory left) or its logits differ."""
    try:
        graph = captured(run)
        graph.replay()
    except RuntimeError:  # torch's type for all CUDA errors
        return None
    logits, rough = graph.logits.float(), 1e-4 if expected.dtype == torch.float32 else 2e-2
    same = torch.allclose(logits, expected.float(), rtol=rough, atol=rough * logits.abs().max().item())
    return graph if same else None


def captured(run: Callable[[], torch.Tensor]) -> Graph:
    """Graph captured as torch's documentation asks for: after a run on a stream of its own."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        logits = run()
    return Graph(graph.replay, logits)


class StaticCache:
    """KV cache in buffers at fixed addresses, batch row i in block `blocks[i]`."""

    def __init__(self, engine: CudaGraphsEngine, buffers: Buffers, blocks: list[int], used: int):
        self._engine, self._buffers, self._blocks, self.used = engine, buffers, blocks, used
        self._index = torch.tensor(blocks, device=buffers.keys.device)
        buffers.users.add(self)

    def append(self, layer: int, keys: torch.Tensor, values: torch.Tensor):
        """As `KeyValueCache.append`, for the prefix, when row i is in block i."""
        end = self.used + keys.shape[2]
        stores = (store[layer, : len(self._blocks)] for store in (self._buffers.keys, self._buffers.values))
        both = tuple(store[:, :, :end] for store in stores)
        for store, new in zip(both, (keys, values), strict=True):
            store[:, :, self.used :] = new
        return both

    def step(self, network: Network, embeddings: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Logits (B, V) after embeddings (B, n, H) at rotary positions (n,), or (n, D / 2)."""
        end = self.used + embeddings.shape[1]
        step = self._buffers.step(embeddings, positions, end)
        logits = step(network, self._index, embeddings, positions, self.used)
        self.used = end
        return logits[self._index]

    def select(self, rows: torch.Tensor) -> "StaticCache | EagerCache":
        """Cache of some batch rows, repeats allowed. The result may reuse this cache's blocks; do not use this cache
        afterwards.
        """
        blocks, count = [self._blocks[row] for row in rows.tolist()], self._buffers.blocks
        if not count // MAX_SPARE < len(blocks) <= count:
            return self._copied(blocks)
        blocks, sources, targets = assign_blocks(blocks, count)
        for store in (self._buffers.keys, self._buffers.values) if sources else ():
            used = store[..., : self.used, :]
            used[:, targets] = used[:, sources]
        return StaticCache(self._engine, self._buffers, blocks, self.used)

    def _copied(self, blocks: list[int]) -> "StaticCache | EagerCache":
        """Cache of sequences that continue these blocks, in buffers of its own."""
        old, count = self._buffers, len(blocks)
        new = self._engine.new_cache(count, old.room, old.keys.dtype, old.keys.device)
        for store, source in zip(new.stores, (old.keys, old.values), strict=True):
            store[:, :count, :, : self.used] = source[:, blocks, :, : self.used]
        new.used = self.used
        return new

    @property
    def stores(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self._buffers.keys, self._buffers.values
