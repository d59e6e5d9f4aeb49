"""What a decoder computes while it writes, in float32 on a CPU: by C where a compiler is at hand, else by torch.

The time of a step is that of reading the weights and the keys. The files hold weights in bfloat16, so reading those
takes half of float32's time, and gives its numbers: every weight is widened in a register.
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
LARGEST = 127  # of int8, the same on both sides
ROUNDED = 128  # rows at a time, so that what is made of them on the way stays in the cache
WIDENED = 2.0**24  # what int8 is multiplied by where it is widened

KINDS = {"p": ctypes.c_void_p, "n": ctypes.c_int64, "f": ctypes.c_float, "t": ctypes.c_int}
ARGUMENTS = {
    "multiply_bfloat16": "ppppnpnnnt",
    "multiply_int8": "ppppnpnnnt",
    "lay_bfloat16": "ppnntt",
    "lay_int8": "ppnnt",
    "rms_norm": "ppfpnn",
    "swiglu": "ppnn",
    "attend": "ppnnnnppnppnnnppnnpt",
    "remember": "pnnnppnpnnnnn",
}

Product = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]  # of x (n, in) and a start: (n, out)


@functools.cache
def kernels() -> ctypes.CDLL | None:
    """The compiled functions; None where they cannot be compiled."""
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


class Stretch(NamedTuple):
    """Keys and values of one layer, (texts * heads, room, D) each, of which the first `length` positions are in use."""

    keys: int  # addresses
    values: int
    distance: int  # from one head to the next
    length: int


NOTHING = Stretch(0, 0, 0, 0)


class TextGroups(NamedTuple):
    """Texts by the prefix they share: those of prefix p are order[firsts[p] : firsts[p + 1]] (int64)."""

    order: torch.Tensor
    firsts: torch.Tensor

    @classmethod
    def of(cls, members: list[list[int]]) -> "TextGroups":
        """From the numbers of each prefix's texts."""
        ends = list(accumulate(map(len, members), initial=0))
        return cls(torch.tensor([text for texts in members for text in texts]), torch.tensor(ends))


def attends(size: int) -> bool:
    """Whether `attend` takes heads of this size."""
    return kernels() is not None and size % panel_width() == 0


def attend(
    q: torch.Tensor,
    count: int,
    groups: TextGroups,
    before: Stretch,
    after: Stretch,
    slots: torch.Tensor,
    columns: torch.Tensor | None = None,
) -> torch.Tensor:
    """Attention of scaled queries (B * heads, count * shared, D) of the last `count` positions, to q's shape.

    Texts see `before`, the prefix of their group, and `after`, which is their own, up to where they are themselves;
    that of text i is kept at slots[i]. `columns` are the prefixes' keys as `key_columns` lays them: they save time
    where texts share prefixes.
    """
    q, y = q.contiguous(), torch.empty_like(q, memory_format=torch.contiguous_format)
    texts, (_, queries, size) = len(groups.order), q.shape
    keys, width = (before.keys, 0) if columns is None else (columns.data_ptr(), columns.shape[-1])
    kernels().attend(
        q.data_ptr(),
        y.data_ptr(),
        len(q) // texts,
        count,
        queries // count,
        size,
        groups.order.data_ptr(),
        groups.firsts.data_ptr(),
        len(groups.firsts) - 1,
        keys,
        *before[1:],
        width,
        *after,
        slots.data_ptr(),
        torch.get_num_threads(),
    )
    return y


def remember(keys_values: torch.Tensor, stretch: Stretch, slots: torch.Tensor) -> None:
    """Write keys and values (2, B, heads, n, D) to the last n positions of a stretch, those of text i at slots[i].

    Numbers of a position of a text, and those of its heads, lie behind each other.
    """
    between, row, _, position, _ = keys_values.stride()
    _, rows, heads, count, size = keys_values.shape
    kernels().remember(
        keys_values.data_ptr(),
        row,
        position,
        between,
        *stretch[:3],
        slots.data_ptr(),
        rows,
        heads,
        count,
        stretch.length - count,
        size,
    )


def key_columns(keys: torch.Tensor) -> torch.Tensor:
    """Keys (..., length, D) transposed, (..., D, columns), with zeros after the last."""
    return F.pad(keys.transpose(-1, -2), (0, -keys.shape[-2] % panel_width())).contiguous()


def product(matrix: torch.Tensor, kind: torch.dtype | None = None) -> Product:
    """How to multiply float32 rows (n, in) by a matrix (out, in).

    It is stored as bfloat16 or int8, if `kind` asks for that (which needs `kernels`), else as bfloat16 where nothing is
    lost by it, else in float32. The product takes what to add to, (out,) or (n, out), and returns (n, out).
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
    """A matrix (out, in) as int8 and what to multiply its rows by (out,): the largest of a row becomes 127."""
    whole, scales = torch.empty_like(matrix, dtype=torch.int8), matrix.new_empty(len(matrix), dtype=torch.float32)
    for start in range(0, len(matrix), ROUNDED):
        rows = slice(start, start + ROUNDED)
        wide = matrix[rows].float()
        scales[rows] = wide.abs().amax(1).clamp_min_(torch.finfo(torch.float32).tiny) / LARGEST
        whole[rows] = (wide / scales[rows, None]).round_()
    return whole, scales


class Panels:
    """A matrix (out, in) of bfloat16, or of int8 with scales (out,), laid for the C source."""

    def __init__(self, matrix: torch.Tensor, scales: torch.Tensor | None = None):
        self.out, self.size = matrix.shape
        more = -self.out % panel_width()
        whole = (F.pad(matrix, (0, 0, 0, more)) if more else matrix).contiguous()
        self.width, self.laid = self.out + more, torch.empty_like(whole)
        self.scales = None if scales is None else F.pad(scales, (0, more)) / WIDENED
        if scales is None:
            _lay_bfloat16(whole, self.laid, back=False)
        else:
            kernels().lay_int8(whole.data_ptr(), self.laid.data_ptr(), *whole.shape, torch.get_num_threads())
        self._multiply = kernels().multiply_bfloat16 if scales is None else kernels().multiply_int8

    def __call__(self, x: torch.Tensor, start: torch.Tensor | None = None) -> torch.Tensor:
        x, y = x.contiguous(), x.new_empty(x.shape[0], self.width)
        if start is not None and self.width != self.out:
            start = F.pad(start, (0, self.width - self.out))
        begin, step = (None, 0) if start is None else (start.data_ptr(), 0 if start.ndim == 1 else start.stride(0))
        scales = None if self.scales is None else self.scales.data_ptr()
        self._multiply(
            self.laid.data_ptr(),
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
        return self.laid.nbytes

    def matrix(self) -> torch.Tensor:
        """The bfloat16 matrix (out, in) again."""
        whole = torch.empty_like(self.laid)
        _lay_bfloat16(whole, self.laid, back=True)
        return whole[: self.out]


def _lay_bfloat16(matrix: torch.Tensor, laid: torch.Tensor, back: bool) -> None:
    kernels().lay_bfloat16(matrix.data_ptr(), laid.data_ptr(), *matrix.shape, back, torch.get_num_threads())


class Columns:
    """A matrix (out, in) laid as (in, out), which torch multiplies a single row by fastest."""

    def __init__(self, matrix: torch.Tensor):
        self.columns = matrix.t().contiguous()

    def __call__(self, x: torch.Tensor, start: torch.Tensor | None = None) -> torch.Tensor:
        return torch.mm(x, self.columns) if start is None else torch.addmm(start, x, self.columns)

    @property
    def bytes(self) -> int:
        return self.columns.nbytes

    def matrix(self) -> torch.Tensor:
        """The matrix (out, in) again."""
        return self.columns.t().contiguous()
