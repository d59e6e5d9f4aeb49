"""Operations of a step against those that torch counts."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cadcode.model.nets.qwen2 import Qwen2Options
from cadcode.model.nets.small import SmallModel
from cadcode.program.tokens import PIECES
from cadcode.train.speed import measured_peak, step_operations


@pytest.mark.parametrize(("layers", "points", "text"), [(1, 32, 8), (3, 32, 24), (2, 8, 40)])
def test_operations_are_those_of_the_matrix_products(layers, points, text):
    options = Qwen2Options(len(PIECES), 64, 96, layers, 2, 2)
    model = SmallModel(options)
    with FlopCounterMode(display=False) as counted:
        model(torch.rand(2, points, 3), torch.zeros(2, text, dtype=torch.long)).sum().backward()
    ours = step_operations(options, 2, points, text)
    attention = 3 * 2.0 * 2 * 64 * ((layers - 1) * (points + text) ** 2 + text * (2 * points + text))
    assert ours < counted.get_total_flops() < (ours + attention) * 1.1  # torch counts masked attention in full


def test_operations_are_proportional_to_the_batch_and_grow_with_the_width():
    options = Qwen2Options(len(PIECES), 64, 96, 2, 2, 2)
    wide = Qwen2Options(len(PIECES), 128, 192, 2, 2, 2)
    assert step_operations(options, 6, 30, 20) == 3 * step_operations(options, 2, 30, 20)
    assert step_operations(wide, 2, 30, 20) > 3 * step_operations(options, 2, 30, 20)


def test_the_peak_is_a_number_of_operations():
    assert 1e8 < measured_peak(torch.device("cpu"), torch.float32) < 1e14
