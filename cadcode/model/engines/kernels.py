"""Operations of decoding in float32 on a CPU: in C where there is a compiler, else in torch.

A step takes as long as reading the weights and the keys. Files hold weights in bfloat16: reading those takes half the
time of float32 and gives the same results, because every weight is converted in a register.
"""

import ctypes
import functools
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F

from cadcode.model.engines.compiled import library

SOURCE = Path(__file__).with_name("kernels.c")
PARTS, CHAINS = 4, 2  # as in the source
INT8_MAX = 127  # the same for both signs
ROWS_AT_ONCE = 128  # rows that are rounded at once: intermediate results stay in the CPU cache
INT8_SCALE = 2.0**24  # factor on int8 numbers where they are converted

KINDS = {"p": ctypes.c_void_p, "n": ctypes.c_int64, "f": ctypes.c_float, "t": ctypes.c_int}
ARGUMENTS = {
    "multiply_bfloat16": "ppppnpnnnt",
    "multiply_int8": "ppppnpnnnt",
    "pack_bfloat16": "ppnntt",
    "pack_int8": "ppnnt",
    "rms_norm": "ppfpnn",
    "swiglu": "ppnn",
    "attend": "ppnnnnppnppnnnppnnpt",
    "store_keys_values": "pnnnppnpnnnnn",
}

# x (n, in) and a summand (out,) or (n, out) -> (n, out)
Product = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]


@functools.cache
def kernels() -> ctypes.CDLL | None:
    """Compiled functions; None where they cannot be compiled."""
    found = library(SOURCE)
    if found is not None:
        for name, arguments in ARGUMENTS.items():
            function = getattr(found, name)
            function.argtypes, function.restype = [KINDS[kind] for kind in arguments], None
    return found


@functools.cache
def lanes() -> int:
    """Numbers in a register; sizes have to be multiples of it."""
    return kernels().lanes()


def panel_width() -> int:
    """Rows of a matrix in a panel."""
    return PARTS * lanes()


def rms_norm(x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Rows (n, size) over the root of their mean square, times a weight (size,)."""
    if kernels() is None or x.shape[1] % lanes():
        return F.rms_norm(x, weight.shape, weight, epsilon)
    x, y = x.contiguous(), torch.empty_like(x, memory_format=torch.contiguous_format)
    kernels().rms_norm(x.data_ptr(), weight.data_ptr(), epsilon, y.data_ptr(), *x.shape)
    return y


def swiglu(x: torch.Tensor) -> torch.Tensor:
    """silu(gate) * up (n, size) of rows (n, 2 * size): the gate, then up."""
    size = x.shape[1] // 2
    if kernels() is None or size % lanes():
        gate, up = x.chunk(2, dim=-1)
        return F.silu(gate).mul_(up)
    x, y = x.contiguous(), x.new_empty(x.shape[0], size)  # a product whose panels are wider is a part of its rows
    kernels().swiglu(x.data_ptr(), y.data_ptr(), x.shape[0], size)
    return y


class LayerBlocks(NamedTuple):
    """KV blocks of one layer: keys and values (blocks * heads, room, D), the first `length` positions in use."""

    keys: int  # addresses
    values: int
    distance: int  # numbers from one head to the next
    length: int


NO_BLOCKS = LayerBlocks(0, 0, 0, 0)


class PrefixGroups(NamedTuple):
    """Batch rows by the prefix they share: those of prefix p are order[firsts[p] : firsts[p + 1]] (int64)."""

    order: torch.Tensor
    firsts: torch.Tensor

    @classmethod
    def of(cls, members: list[list[int]]) -> "PrefixGroups":
        """Groups from the batch rows of each prefix."""
        ends = list(accumulate(map(len, members), initial=0))
        return cls(torch.tensor([row for rows in members for row in rows]), torch.tensor(ends))

    @classmethod
    def alone(cls, count: int) -> "PrefixGroups":
        """One group per batch row."""
        return cls.of([[row] for row in range(count)])


def attends(size: int) -> bool:
    """Whether `attend` takes heads of this size."""
    return kernels() is not None and size % panel_width() == 0


def attend(
    q: torch.Tensor,
    count: int,
    groups: PrefixGroups,
    prefixes: LayerBlocks,
    own: LayerBlocks,
    blocks: torch.Tensor,
    columns: torch.Tensor | None = None,
) -> torch.Tensor:
    """Attention of scaled queries (B * heads, count * shared, D) of the last `count` positions, to q's shape.

    Each batch row attends to the prefix of its group and to its own block up to its position; row i is kept in block
    `blocks[i]`. `columns` are the prefixes' keys from `transposed_keys`: they save time where rows share prefixes.
    """
    q, y = q.contiguous(), torch.empty_like(q, memory_format=torch.contiguous_format)
    rows, (_, queries, size) = len(groups.order), q.shape
    keys, width = (prefixes.keys, 0) if columns is None else (columns.data_ptr(), columns.shape[-1])
    kernels().attend(
        q.data_ptr(),
        y.data_ptr(),
        len(q) // rows,
        count,
        queries // count,
        size,
        groups.order.data_ptr(),
        groups.firsts.data_ptr(),
        len(groups.firsts) - 1,
        keys,
        *prefixes[1:],
        width,
        *own,
        blocks.data_ptr(),
        torch.get_num_threads(),
    )
    return y


def store_keys_values(keys_values: torch.Tensor, into: LayerBlocks, blocks: torch.Tensor) -> None:
    """Write keys and values (2, B, heads, n, D) to the last n positions of a layer's blocks, batch row i to blocks[i].

    The numbers of a head, and the heads of a position, have to be contiguous.
    """
    between, row, _, position, _ = keys_values.stride()
    _, rows, heads, count, size = keys_values.shape
    kernels().store_keys_values(
        keys_values.data_ptr(),
        row,
        position,
        between,
        *into[:3],
        blocks.data_ptr(),
        rows,
        heads,
        count,
        into.length - count,
        size,
    )


def transposed_keys(keys: torch.Tensor) -> torch.Tensor:
    """Keys (..., length, D) transposed to (..., D, columns), zeros after the last."""
    return F.pad(keys.transpose(-1, -2), (0, -keys.shape[-2] % panel_width())).contiguous()


def product(matrix: torch.Tensor, kind: torch.dtype | None = None) -> Product:
    """Product of float32 rows (n, in) with a packed matrix (out, in), plus an optional summand (out,) or (n, out).

    The matrix is stored as `kind`, bfloat16 or int8, which needs `kernels`; else as bfloat16 where that is exact, else
    in float32.
    """
    matrix = matrix.detach()
    if kernels() is not None and matrix.shape[1] % CHAINS == 0:
        if kind == torch.int8:
            return Panels(*rounded(matrix))
        narrow = matrix.to(torch.bfloat16)
        if kind is not None or torch.equal(narrow.to(matrix.dtype), matrix):
            return Panels(narrow)
    return Columns(matrix.float())


def rounded(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Matrix (out, in) as int8 and the scales (out,) of its rows: the largest number of a row becomes 127."""
    whole, scales = torch.empty_like(matrix, dtype=torch.int8), matrix.new_empty(len(matrix), dtype=torch.float32)
    for start in range(0, len(matrix), ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        wide = matrix[rows].float()
        scales[rows] = wide.abs().amax(1).clamp_min_(torch.finfo(torch.float32).tiny) / INT8_MAX
        whole[rows] = (wide / scales[rows, None]).round_()
    return whole, scales


class Panels:
    """Matrix (out, in) of bfloat16, or of int8 with scales (out,), packed into the panels of the C source."""

    def __init__(self, matrix: torch.Tensor, scales: torch.Tensor | None = None):
        self.out, self.size = matrix.shape
        more = -self.out % panel_width()
        whole = (F.pad(matrix, (0, 0, 0, more)) if more else matrix).contiguous()
        self.width, self.packed = self.out + more, torch.empty_like(whole)
        self.scales = None if scales is None else F.pad(scales, (0, more)) / INT8_SCALE
        if scales is None:
            _pack_bfloat16(whole, self.packed, back=False)
        else:
            kernels().pack_int8(whole.data_ptr(), self.packed.data_ptr(), *whole.shape, torch.get_num_threads())
        self._multiply = kernels().multiply_bfloat16 if scales is None else kernels().multiply_int8

    def __call__(self, x: torch.Tensor, start: torch.Tensor | None = None) -> torch.Tensor:
        x, y = x.contiguous(), x.new_empty(x.shape[0], self.width)
        if start is not None and self.width != self.out:
            start = F.pad(start, (0, self.width - self.out))
        begin, step = (None, 0) if start is None else (start.data_ptr(), 0 if start.ndim == 1 else start.stride(0))
        scales = None if self.scales is None else self.scales.data_ptr()
        self._multiply(
            self.packed.data_ptr(),
            scales,
            x.data_ptr(),
            begin,
            step,
            y.data_ptr(),
            x.shape[0],
            self.size,
            self.width,
            torch.get_num_threads(),
        )
        return y if self.width == self.out else y[:, : self.out]

    @property
    def bytes(self) -> int:
        return self.packed.nbytes

    def matrix(self) -> torch.Tensor:
        """bfloat16 matrix (out, in), unpacked."""
        whole = torch.empty_like(self.packed)
        _pack_bfloat16(whole, self.packed, back=True)
        return whole[: self.out]


def _pack_bfloat16(matrix: torch.Tensor, packed: torch.Tensor, back: bool) -> None:
    kernels().pack_bfloat16(matrix.data_ptr(), packed.data_ptr(), *matrix.shape, back, torch.get_num_threads())


class Columns:
    """Matrix (out, in) stored as (in, out), which torch multiplies by a single row fastest."""

    def __init__(self, matrix: torch.Tensor):
        self.columns = matrix.t().contiguous()

    def __call__(self, x: torch.Tensor, start: torch.Tensor | None = None) -> torch.Tensor:
        return torch.mm(x, self.columns) if start is None else torch.addmm(start, x, self.columns)

    @property
    def bytes(self) -> int:
        return self.columns.nbytes

    def matrix(self) -> torch.Tensor:
        """Matrix (out, in)."""
        return self.columns.t().contiguous()
