"""Keys and values while texts are written: of texts that stand alone, or of many that share what was read before them.

Attention here is the plain one (Vaswani et al. 2017, arXiv:1706.03762) on queries that are scaled already. Queries are
(B * heads, n * shared, D): `heads` counts key heads; at each of n new positions `shared` query heads use one of them.
"""

from copy import copy as shallow_copy

import torch
import torch.nn.functional as F

from cadcode.model.engines.kernels import NOTHING, Stretch, TextGroups, attend, attends, key_columns, remember

GROWTH = 132  # positions of texts: most need no more, and memory that is not written to costs nothing
WORTH_KEEPING = 0.75  # of the prefixes


class Alone:
    """Texts with their own keys and values each: (layers, 2, slots * heads, length, D), a length that grows in steps.

    Text i is kept in slot `slots[i]`, all in their order where torch attends; C lets slots stay empty, so that nothing
    moves when texts leave.
    """

    def __init__(self, layers: int, batch: int, heads: int, length: int, size: int, like: torch.Tensor):
        self.store = like.new_empty((layers, 2, batch * heads, length, size))
        self.heads, self.used, self.slots = heads, 0, torch.arange(batch)
        self.texts = each_alone(batch)
        self.columns: torch.Tensor | None = None  # keys of a prefix (layers, B * heads, D, length) that texts share

    @property
    def batch(self) -> int:
        return len(self.slots)

    @property
    def compiled(self) -> bool:
        return attends(self.store.shape[-1])

    def extend(self, count: int) -> None:
        """Take `count` more positions into use, which `write` then fills layer by layer."""
        end = self.used + count
        if end > self.store.shape[3]:
            grown = self.copied(torch.arange(self.batch), self.batch, end + GROWTH)
            self.store, self.slots = grown.store, grown.slots
        self.used = end

    def write(self, layer: int, keys_values: torch.Tensor) -> None:
        """Keys and values (2, B, heads, n, D) of the positions last taken into use."""
        if self.compiled:
            remember(keys_values, self.stretch(layer), self.slots)
        else:
            start = self.used - keys_values.shape[3]
            self.store[layer, :, :, start : self.used] = keys_values.flatten(1, 2)

    def attend(self, layer: int, q: torch.Tensor, count: int) -> torch.Tensor:
        """Attention (B * heads, n * shared, D) of the last n = `count` positions over all."""
        if self.compiled:
            return attend(q, count, self.texts, NOTHING, self.stretch(layer), self.slots)
        weights = later_hidden(self.scores(layer, q), count).softmax(-1)
        return self.mix(layer, weights)

    def stretch(self, layer: int) -> Stretch:
        whole = self.store.stride(1)
        keys = self.store.data_ptr() + 2 * layer * whole * self.store.element_size()
        return Stretch(keys, keys + whole * self.store.element_size(), self.store.stride(2), self.used)

    def scores(self, layer: int, q: torch.Tensor) -> torch.Tensor:
        return torch.bmm(q, self.store[layer, 0, :, : self.used].transpose(-1, -2))

    def mix(self, layer: int, weights: torch.Tensor) -> torch.Tensor:
        return torch.bmm(weights, self.values(layer))

    def values(self, layer: int) -> torch.Tensor:
        return self.store[layer, 1, :, : self.used]

    def select(self, rows: torch.Tensor) -> "Shared":
        """Texts that go on from these rows, repeats allowed: what is there is shared, not copied."""
        prefix = shallow_copy(self)
        prefix.store = self.store[:, :, :, : self.used]  # it grows no more: what is copied of it later is in use
        return Shared(prefix, rows)

    def picked(self, rows: torch.Tensor) -> "Alone":
        """Some texts, repeats allowed. Either they go on or those that are here, which may share slots with them."""
        count = self.store.shape[2] // self.heads
        if not self.compiled or len(rows) > count:
            room = 2 * len(rows) if self.compiled else len(rows)
            return self.copied(rows, room, self.store.shape[3])
        slots, sources, targets = shared_out(self.slots[rows].tolist(), count)
        used = self.by_slot()[..., : self.used, :]
        if sources:
            used[:, :, targets] = used[:, :, sources]
        return self._with(self.store, slots)

    def copied(self, rows: torch.Tensor, slots: int, length: int) -> "Alone":
        """A copy of some texts, repeats allowed, in the first of so many slots."""
        layers, _, _, _, size = self.store.shape
        copy = self._with(self.store.new_empty((layers, 2, slots * self.heads, length, size)), range(len(rows)))
        used = self.by_slot()[..., : self.used, :]
        copy.by_slot()[:, :, : len(rows), :, : self.used] = used[:, :, self.slots[rows]]
        if self.columns is not None:
            copy.columns = self.columns.unflatten(1, (-1, self.heads))[:, rows].flatten(1, 2)
        return copy

    def by_slot(self) -> torch.Tensor:
        """(layers, 2, slots, heads, length, D)"""
        return self.store.unflatten(2, (-1, self.heads))

    def _with(self, store: torch.Tensor, slots) -> "Alone":
        copy = shallow_copy(self)
        copy.store, copy.slots, copy.texts = store, torch.tensor(slots), each_alone(len(slots))
        return copy


class Shared:
    """Texts behind prefixes that several of them share: row i goes on from row `parts[i]` of `prefix`."""

    def __init__(self, prefix: Alone, parts: torch.Tensor, own: Alone | None = None):
        layers, _, _, _, size = prefix.store.shape
        if prefix.columns is None and len(parts) > prefix.batch and prefix.compiled:
            prefix.columns = key_columns(prefix.store[:, 0])
        self.prefix, self.parts = prefix, parts
        self.own = own or Alone(layers, len(parts), prefix.heads, GROWTH, size, prefix.store)
        self.groups = Groups(parts.tolist(), prefix.batch, prefix.heads)

    @property
    def used(self) -> int:
        return self.prefix.used + self.own.used

    def extend(self, count: int) -> None:
        self.own.extend(count)

    def write(self, layer: int, keys_values: torch.Tensor) -> None:
        self.own.write(layer, keys_values)

    def attend(self, layer: int, q: torch.Tensor, count: int) -> torch.Tensor:
        """As `Alone.attend`: one softmax over the scores of the prefix and of the text."""
        if self.own.compiled:
            columns = None if self.prefix.columns is None else self.prefix.columns[layer]
            return attend(
                q,
                count,
                self.groups.texts,
                self.prefix.stretch(layer),
                self.own.stretch(layer),
                self.own.slots,
                columns,
            )
        length, group, ungroup = self.prefix.used, self.groups.group, self.groups.ungroup
        before = ungroup(self.prefix.scores(layer, group(q)))
        after = later_hidden(self.own.scores(layer, q), count)
        weights = torch.cat([before, after], dim=-1).softmax(-1)
        of_prefix = ungroup(self.prefix.mix(layer, group(weights[..., :length])))
        return of_prefix.baddbmm_(weights[..., length:], self.own.values(layer))

    def select(self, rows: torch.Tensor) -> "Shared":
        """Some of the texts, repeats allowed; from here on either they go on or those that are here.

        Prefixes that none of them needs are dropped once they are a quarter: the others have to be copied for it.
        """
        parts, own = self.parts[rows], self.own.picked(rows)
        needed = parts.unique()
        if len(needed) > WORTH_KEEPING * self.prefix.batch:
            return Shared(self.prefix, parts, own)
        prefix = self.prefix.copied(needed, len(needed), self.prefix.used)
        return Shared(prefix, torch.searchsorted(needed, parts), own)


def shared_out(slots: list[int], count: int) -> tuple[list[int], list[int], list[int]]:
    """A slot each of `count`, at least as many, for texts that go on from `slots`, repeats allowed.

    The first text stays where it is; for the others what is in the second list has to be copied to the third.
    """
    first = {slot: i for i, slot in reversed(list(enumerate(slots)))}  # the text that keeps a slot
    free = (slot for slot in range(count) if slot not in first)
    found = [slot if first[slot] == i else next(free) for i, slot in enumerate(slots)]
    moved = [i for i, slot in enumerate(slots) if first[slot] != i]
    return found, [slots[i] for i in moved], [found[i] for i in moved]


def each_alone(count: int) -> TextGroups:
    return TextGroups.of([[text] for text in range(count)])


class Groups:
    """Rows as equally large groups, one a part, so that one matrix product serves all rows of a part."""

    def __init__(self, parts: list[int], count: int, heads: int):
        members = [[] for _ in range(count)]
        for row, part in enumerate(parts):
            members[part].append(row)
        self.texts = TextGroups.of(members)
        self.parts, self.size, self.heads = count, max(map(len, members)), heads
        padded = [row for rows in members for row in rows + [0] * (self.size - len(rows))]
        places = {row: part * self.size + at for part, rows in enumerate(members) for at, row in enumerate(rows)}
        plain = padded == list(range(len(parts)))
        self.rows = None if plain else torch.tensor(padded)
        self.places = None if plain else torch.tensor([places[row] for row in range(len(parts))])

    def group(self, x: torch.Tensor) -> torch.Tensor:
        """(B * heads, n, D) as (parts * heads, size * n, D)."""
        if self.rows is not None:
            x = x.unflatten(0, (-1, self.heads))[self.rows].flatten(0, 1)
        if self.size == 1:
            return x
        n, width = x.shape[1:]
        x = x.view(self.parts, self.size, self.heads, n, width).transpose(1, 2)
        return x.reshape(self.parts * self.heads, self.size * n, width)

    def ungroup(self, x: torch.Tensor) -> torch.Tensor:
        """The way back."""
        if self.size > 1:
            n, width = x.shape[1] // self.size, x.shape[2]
            x = x.view(self.parts, self.heads, self.size, n, width).transpose(1, 2).reshape(-1, n, width)
        return x if self.places is None else x.unflatten(0, (-1, self.heads))[self.places].flatten(0, 1)


def later_hidden(scores: torch.Tensor, count: int) -> torch.Tensor:
    """Scores (..., n * shared, L) of the last n = `count` positions, minus infinity for what comes after each."""
    if count == 1:
        return scores
    hidden = torch.full((count, count), -torch.inf, device=scores.device).triu(1)
    hidden = hidden.repeat_interleave(scores.shape[-2] // count, 0)
    return scores + F.pad(hidden, (scores.shape[-1] - count, 0))
