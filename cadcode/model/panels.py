"""Products with a matrix for few or many rows: in panels of bfloat16, multiplied in float32 by C, or by torch.

While a text is written the time of a step is that of reading the weights. The files hold them in bfloat16, so this
takes half of float32's time and gives its numbers: every weight is widened in a register.
"""

import ctypes
import functools
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F

from cadcode.model.compiled import library

SOURCE = Path(__file__).with_name("panels.c")
LANES, CHAINS = 8, 4  # as in the source
WIDTH = 2 * LANES

Product = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]  # of x (n, in) and a start: (n, out)


@functools.cache
def multiply() -> Callable | None:
    found = library(SOURCE)
    if found is None:
        return None
    function, pointer, size = found.multiply_panels, ctypes.c_void_p, ctypes.c_int64
    function.argtypes, function.restype = [pointer] * 3 + [size, pointer] + [size] * 3 + [ctypes.c_int], None
    return function


def product(matrix: torch.Tensor) -> Product:
    """How to multiply float32 rows (n, in) by a matrix (out, in): in panels where nothing is lost in bfloat16.

    The product takes what to add to, (out,) or (n, out), and returns (n, out).
    """
    narrow = matrix.detach().to(torch.bfloat16)
    fits = matrix.device.type == "cpu" and matrix.shape[1] % CHAINS == 0 and torch.equal(narrow.to(matrix), matrix)
    return Panels(narrow) if fits and multiply() is not None else Columns(matrix)


class Panels:
    """A bfloat16 matrix (out, in) laid for the C source: (panels, in, LANES) words of two numbers."""

    def __init__(self, matrix: torch.Tensor):
        self.out, self.size = matrix.shape
        whole = F.pad(matrix, (0, 0, 0, -self.out % WIDTH))
        laid = whole.view(-1, 2, LANES, self.size).permute(0, 3, 2, 1).contiguous()
        self.words, self.width = laid.view(torch.int32), len(whole)

    def __call__(self, x: torch.Tensor, start: torch.Tensor | None = None) -> torch.Tensor:
        x, y = x.contiguous(), x.new_empty(len(x), self.width)
        if start is not None and self.width != self.out:
            start = F.pad(start, (0, self.width - self.out))
        begin, step = (None, 0) if start is None else (start.data_ptr(), 0 if start.ndim == 1 else start.stride(0))
        multiply()(self.words.data_ptr(), x.data_ptr(), begin, step, y.data_ptr(), len(x), self.size, self.width,
                   torch.get_num_threads())  # fmt: skip
        return y if self.width == self.out else y[:, : self.out]


class Columns:
    """A matrix (out, in) laid as (in, out), which torch multiplies a single row by fastest."""

    def __init__(self, matrix: torch.Tensor):
        self.columns = matrix.detach().t().contiguous()

    def __call__(self, x: torch.Tensor, start: torch.Tensor | None = None) -> torch.Tensor:
        return torch.mm(x, self.columns) if start is None else torch.addmm(start, x, self.columns)
