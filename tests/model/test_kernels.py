"""What C computes is what torch does, whatever the sizes; where there is no compiler, torch computes it."""

import pytest
import torch
import torch.nn.functional as F

from cadcode.model.engines import kernels
from cadcode.model.engines.kernels import Columns, Panels, product, rms_norm, rounded, swiglu

needs_compiler = pytest.mark.skipif(kernels.kernels() is None, reason="no C compiler here")


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@needs_compiler
@pytest.mark.parametrize("start", ["none", "row", "rows"])
@pytest.mark.parametrize("out", [5, 64, 193])
@pytest.mark.parametrize("kind", [None, torch.int8])
@pytest.mark.parametrize("rows", [*range(1, 14), 50])
def test_products_are_those_of_float64(rows, out, start, kind):
    matrix, x = random(out, 36).bfloat16().float(), random(rows, 36, seed=1)
    add = {"none": None, "row": random(out, seed=2), "rows": random(rows, out, seed=3)}[start]
    found = product(matrix, kind)
    assert isinstance(found, Panels)
    if kind == torch.int8:
        whole, scales = rounded(matrix)
        matrix = whole.float() * scales[:, None]
    wanted = x.double() @ matrix.double().T + (0 if add is None else add.double())
    torch.testing.assert_close(found(x, add).double(), wanted, atol=1e-5, rtol=1e-5)


@needs_compiler
def test_rows_that_do_not_lie_behind_each_other():
    matrix, x = random(20, 16).bfloat16().float(), random(16, 7).T
    torch.testing.assert_close(product(matrix)(x), x @ matrix.T)


@pytest.mark.parametrize("matrix", [random(20, 16), random(20, 17).bfloat16().float()])
def test_what_does_not_fit_is_multiplied_by_torch(matrix):
    x, add = random(3, matrix.shape[1], seed=1), random(20, seed=2)
    found = product(matrix)
    assert isinstance(found, Columns)
    torch.testing.assert_close(found(x), x @ matrix.T)
    torch.testing.assert_close(found(x, add), x @ matrix.T + add)


def test_without_a_compiler_torch_multiplies(monkeypatch):
    monkeypatch.setattr(kernels, "kernels", lambda: None)
    assert isinstance(product(random(16, 16).bfloat16().float()), Columns)


@pytest.fixture(params=["C", "torch"])
def way(request, monkeypatch):
    if request.param == "torch":
        monkeypatch.setattr(kernels, "kernels", lambda: None)
    elif kernels.kernels() is None:
        pytest.skip("no C compiler here")


@pytest.mark.parametrize("size", [16, 36, 512])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_norms(way, size, scale):
    x, weight = scale * random(3, size), random(size, seed=1)
    torch.testing.assert_close(rms_norm(x, weight, 1e-6), F.rms_norm(x, (size,), weight, 1e-6))


@pytest.mark.parametrize("size", [8, 20, 64])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e4])
def test_gates(way, size, scale):
    x = scale * random(3, 2 * size)
    gate, up = x.double().chunk(2, -1)
    torch.testing.assert_close(swiglu(x).double(), F.silu(gate) * up, atol=1e-6, rtol=2e-6)


def test_gates_of_rows_that_do_not_lie_behind_each_other(way):
    x = random(3, 48)[:, :32]
    gate, up = x.chunk(2, -1)
    torch.testing.assert_close(swiglu(x), F.silu(gate) * up)
