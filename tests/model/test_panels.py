"""Products by the C source are those of float64, whatever the numbers of rows and columns; where it can't, torch's."""

import pytest
import torch

from cadcode.model import panels
from cadcode.model.panels import WIDTH, Columns, Panels, product

needs_compiler = pytest.mark.skipif(panels.multiply() is None, reason="no C compiler here")


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@needs_compiler
@pytest.mark.parametrize("start", ["none", "row", "rows"])
@pytest.mark.parametrize("out", [5, WIDTH, 3 * WIDTH + 1])
@pytest.mark.parametrize("rows", [*range(1, 14), 50])
def test_products_are_those_of_float64(rows, out, start):
    matrix, x = random(out, 36).bfloat16().float(), random(rows, 36, seed=1)
    add = {"none": None, "row": random(out, seed=2), "rows": random(rows, out, seed=3)}[start]
    found = product(matrix)
    assert isinstance(found, Panels)
    wanted = x.double() @ matrix.double().T + (0 if add is None else add.double())
    torch.testing.assert_close(found(x, add).double(), wanted, atol=1e-5, rtol=1e-5)


@needs_compiler
def test_rows_that_do_not_lie_behind_each_other():
    matrix, x = random(20, 16).bfloat16().float(), random(16, 7).T
    torch.testing.assert_close(product(matrix)(x), x @ matrix.T)


@pytest.mark.parametrize("matrix", [random(20, 16), random(20, 18).bfloat16().float()])
def test_what_does_not_fit_is_multiplied_by_torch(matrix):
    x, add = random(3, matrix.shape[1], seed=1), random(20, seed=2)
    found = product(matrix)
    assert isinstance(found, Columns)
    torch.testing.assert_close(found(x), x @ matrix.T)
    torch.testing.assert_close(found(x, add), x @ matrix.T + add)


def test_without_a_compiler_torch_multiplies(monkeypatch):
    monkeypatch.setattr(panels, "multiply", lambda: None)
    assert isinstance(product(random(16, 16).bfloat16().float()), Columns)
