"""KV caches of the CPU engine: a block of keys and values per batch row, behind a prefix that rows may share.

Attention is scaled dot-product attention (Vaswani et al. 2017, arXiv:1706.03762) on queries that are already scaled.
Queries are (B * heads, n * shared, D): `heads` counts key heads; at each of n new positions `shared` query heads use
one of them.
"""

from copy import copy as shallow_copy

import torch
import torch.nn.functional as F

from cadcode.model.engines.kernels import (
    NO_BLOCKS,
    LayerBlocks,
    PrefixGroups,
    attend,
    attends,
    store_keys_values,
    transposed_keys,
)

GROWTH = 132  # positions by which blocks grow: most sequences need no more, and unwritten memory costs nothing
MIN_USED = 0.75  # share of the prefixes in use below which the others are dropped


class BlockCache:
    """Keys and values of each batch row in a block of its own: (layers, 2, blocks * heads, length, D).

    Batch row i is kept in block `blocks[i]`. All blocks are in use and in order where torch attends; the C kernels
    allow empty blocks, so nothing is copied when rows leave.
    """

    def __init__(self, layers: int, batch: int, heads: int, length: int, size: int, like: torch.Tensor):
        self.store = like.new_empty((layers, 2, batch * heads, length, size))
        self.heads, self.used, self.blocks = heads, 0, torch.arange(batch)
        self.groups = PrefixGroups.alone(batch)
        self.columns: torch.Tensor | None = None  # transposed keys of a shared prefix (layers, B * heads, D, length)

    @property
    def batch(self) -> int:
        return len(self.blocks)

    @property
    def compiled(self) -> bool:
        return attends(self.store.shape[-1])

    def extend(self, count: int) -> None:
        """Reserve `count` more positions, which `write` then fills layer by layer."""
        end = self.used + count
        if end > self.store.shape[3]:
            grown = self.copied(torch.arange(self.batch), self.batch, end + GROWTH)
            self.store, self.blocks = grown.store, grown.blocks
        self.used = end

    def write(self, layer: int, keys_values: torch.Tensor) -> None:
        """Write keys and values (2, B, heads, n, D) to the positions last reserved."""
        if self.compiled:
            store_keys_values(keys_values, self.layer_blocks(layer), self.blocks)
        else:
            start = self.used - keys_values.shape[3]
            self.store[layer, :, :, start : self.used] = keys_values.flatten(1, 2)

    def attend(self, layer: int, q: torch.Tensor, count: int) -> torch.Tensor:
        """Attention (B * heads, n * shared, D) of the last n = `count` positions over all."""
        if self.compiled:
            return attend(q, count, self.groups, NO_BLOCKS, self.layer_blocks(layer), self.blocks)
        weights = masked_causally(self.scores(layer, q), count).softmax(-1)
        return self.mix(layer, weights)

    def layer_blocks(self, layer: int) -> LayerBlocks:
        whole = self.store.stride(1)
        keys = self.store.data_ptr() + 2 * layer * whole * self.store.element_size()
        return LayerBlocks(keys, keys + whole * self.store.element_size(), self.store.stride(2), self.used)

    def scores(self, layer: int, q: torch.Tensor) -> torch.Tensor:
        return torch.bmm(q, self.store[layer, 0, :, : self.used].transpose(-1, -2))

    def mix(self, layer: int, weights: torch.Tensor) -> torch.Tensor:
        return torch.bmm(weights, self.values(layer))

    def values(self, layer: int) -> torch.Tensor:
        return self.store[layer, 1, :, : self.used]

    def select(self, rows: torch.Tensor) -> "SharedPrefixCache":
        """Cache of sequences that continue these batch rows, repeats allowed: cached positions are shared, not copied.

        This cache may be selected from again; do not use it for steps afterwards.
        """
        prefix = shallow_copy(self)
        prefix.store = self.store[:, :, :, : self.used]  # a prefix does not grow: only used positions are copied later
        return SharedPrefixCache(prefix, rows)

    def gathered(self, rows: torch.Tensor) -> "BlockCache":
        """Cache of some batch rows, repeats allowed. The result may reuse this cache's blocks."""
        count = self.store.shape[2] // self.heads
        if not self.compiled or len(rows) > count:
            room = 2 * len(rows) if self.compiled else len(rows)
            return self.copied(rows, room, self.store.shape[3])
        blocks, sources, targets = assign_blocks(self.blocks[rows].tolist(), count)
        used = self.by_block()[..., : self.used, :]
        if sources:
            used[:, :, targets] = used[:, :, sources]
        return self._with(self.store, blocks)

    def copied(self, rows: torch.Tensor, blocks: int, length: int) -> "BlockCache":
        """Copy of some batch rows, repeats allowed, in the first of so many blocks."""
        layers, _, _, _, size = self.store.shape
        copy = self._with(self.store.new_empty((layers, 2, blocks * self.heads, length, size)), range(len(rows)))
        used = self.by_block()[..., : self.used, :]
        copy.by_block()[:, :, : len(rows), :, : self.used] = used[:, :, self.blocks[rows]]
        if self.columns is not None:
            copy.columns = self.columns.unflatten(1, (-1, self.heads))[:, rows].flatten(1, 2)
        return copy

    def by_block(self) -> torch.Tensor:
        """(layers, 2, blocks, heads, length, D)"""
        return self.store.unflatten(2, (-1, self.heads))

    def _with(self, store: torch.Tensor, blocks) -> "BlockCache":
        copy = shallow_copy(self)
        copy.store, copy.blocks, copy.groups = store, torch.tensor(blocks), PrefixGroups.alone(len(blocks))
        return copy


class SharedPrefixCache:
    """Blocks of batch rows behind shared prefixes: batch row i continues row `parents[i]` of `prefix`."""

    def __init__(self, prefix: BlockCache, parents: torch.Tensor, own: BlockCache | None = None):
        layers, _, _, _, size = prefix.store.shape
        if prefix.columns is None and len(parents) > prefix.batch and prefix.compiled:
            prefix.columns = transposed_keys(prefix.store[:, 0])
        self.prefix, self.parents = prefix, parents
        self.own = own or BlockCache(layers, len(parents), prefix.heads, GROWTH, size, prefix.store)
        self.groups = RowGroups(parents.tolist(), prefix.batch, prefix.heads)

    @property
    def used(self) -> int:
        return self.prefix.used + self.own.used

    def extend(self, count: int) -> None:
        self.own.extend(count)

    def write(self, layer: int, keys_values: torch.Tensor) -> None:
        self.own.write(layer, keys_values)

    def attend(self, layer: int, q: torch.Tensor, count: int) -> torch.Tensor:
        """As `BlockCache.attend`: one softmax over the scores of the shared prefix and of the row's own block."""
        if self.own.compiled:
            columns = None if self.prefix.columns is None else self.prefix.columns[layer]
            prefix, own = self.prefix.layer_blocks(layer), self.own.layer_blocks(layer)
            return attend(q, count, self.groups.by_prefix, prefix, own, self.own.blocks, columns)
        length, group, ungroup = self.prefix.used, self.groups.group, self.groups.ungroup
        prefix_scores = ungroup(self.prefix.scores(layer, group(q)))
        own_scores = masked_causally(self.own.scores(layer, q), count)
        weights = torch.cat([prefix_scores, own_scores], dim=-1).softmax(-1)
        of_prefix = ungroup(self.prefix.mix(layer, group(weights[..., :length])))
        return of_prefix.baddbmm_(weights[..., length:], self.own.values(layer))

    def select(self, rows: torch.Tensor) -> "SharedPrefixCache":
        """Cache of some batch rows, repeats allowed. The result may reuse this cache's blocks; do not use this cache
        afterwards.

        Prefixes without a row are dropped once they are a quarter, because dropping copies the others.
        """
        parents, own = self.parents[rows], self.own.gathered(rows)
        needed = parents.unique()
        if len(needed) > MIN_USED * self.prefix.batch:
            return SharedPrefixCache(self.prefix, parents, own)
        prefix = self.prefix.copied(needed, len(needed), self.prefix.used)
        return SharedPrefixCache(prefix, torch.searchsorted(needed, parents), own)


def assign_blocks(blocks: list[int], count: int) -> tuple[list[int], list[int], list[int]]:
    """Blocks for batch rows that continue `blocks`, repeats allowed, of `count` blocks; sources and targets of copies.

    The first row of a block keeps it; for each of the others a source has to be copied to a target.
    """
    first = {block: i for i, block in reversed(list(enumerate(blocks)))}  # the row that keeps a block
    free = (block for block in range(count) if block not in first)
    assigned = [block if first[block] == i else next(free) for i, block in enumerate(blocks)]
    moved = [i for i, block in enumerate(blocks) if first[block] != i]
    return assigned, [blocks[i] for i in moved], [assigned[i] for i in moved]


class RowGroups:
    """Batch rows as groups of equal size, one per prefix, so that one matrix product serves all rows of a prefix."""

    def __init__(self, parents: list[int], count: int, heads: int):
        members = [[] for _ in range(count)]
        for row, parent in enumerate(parents):
            members[parent].append(row)
        self.by_prefix = PrefixGroups.of(members)
        self.count, self.size, self.heads = count, max(map(len, members)), heads
        padded = [row for rows in members for row in rows + [0] * (self.size - len(rows))]
        places = {row: group * self.size + at for group, rows in enumerate(members) for at, row in enumerate(rows)}
        plain = padded == list(range(len(parents)))
        self.rows = None if plain else torch.tensor(padded)
        self.places = None if plain else torch.tensor([places[row] for row in range(len(parents))])

    def group(self, x: torch.Tensor) -> torch.Tensor:
        """(B * heads, n, D) as (groups * heads, size * n, D)."""
        if self.rows is not None:
            x = x.unflatten(0, (-1, self.heads))[self.rows].flatten(0, 1)
        if self.size == 1:
            return x
        n, width = x.shape[1:]
        x = x.view(self.count, self.size, self.heads, n, width).transpose(1, 2)
        return x.reshape(self.count * self.heads, self.size * n, width)

    def ungroup(self, x: torch.Tensor) -> torch.Tensor:
        """Inverse of `group`."""
        if self.size > 1:
            n, width = x.shape[1] // self.size, x.shape[2]
            x = x.view(self.count, self.heads, self.size, n, width).transpose(1, 2).reshape(-1, n, width)
        return x if self.places is None else x.unflatten(0, (-1, self.heads))[self.places].flatten(0, 1)


def masked_causally(scores: torch.Tensor, count: int) -> torch.Tensor:
    """Scores (..., n * shared, L) of the last n = `count` positions, minus infinity for the positions after each."""
    if count == 1:
        return scores
    hidden = torch.full((count, count), -torch.inf, device=scores.device).triu(1)
    hidden = hidden.repeat_interleave(scores.shape[-2] // count, 0)
    return scores + F.pad(hidden, (scores.shape[-1] - count, 0))
