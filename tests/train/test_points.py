"""Points as a scanner might give them: which stay, which go, and how dense they lie."""

import pytest
import torch
from tiny_models import clouds

from cadcode.train.points import model_points, uneven_rows, with_a_side_missing


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def sphere(batch, count):
    points = torch.randn(batch, count, 3, generator=generator(3))
    return points / points.norm(dim=-1, keepdim=True)


def test_uneven_rows_do_not_repeat_and_crowd_on_one_side():
    points = sphere(64, 1000)
    rows = uneven_rows(points, 200, generator())
    assert all(len(set(row.tolist())) == 200 for row in rows)
    middles = points.gather(1, rows[..., None].expand(-1, -1, 3)).mean(1).norm(dim=-1)
    assert middles.median() > 3 * points.mean(1).norm(dim=-1).median()
    assert not torch.equal(rows, uneven_rows(points, 200, generator(1)))


def test_a_side_is_missing_and_the_box_stays():
    points, which = clouds(40, 500), torch.arange(40)[:, None] % 2 == 0
    left = with_a_side_missing(points, which, generator())
    assert torch.equal(left[1::2], points[1::2])
    assert torch.equal(left.amax(1), points.amax(1)) and torch.equal(left.amin(1), points.amin(1))
    for before, after in zip(points[::2], left[::2], strict=True):
        gone = (before != after).any(-1)
        assert 0.07 < gone.float().mean() < 0.37
        assert len(after[gone].unique(dim=0)) == 1  # all stand in one place, where a point was and stays
        assert (after[gone][0] == before[~gone]).all(-1).any()


def test_what_is_missing_lies_on_one_side():
    points = sphere(30, 800)
    left = with_a_side_missing(points, torch.ones(30, 1, dtype=torch.bool), generator())
    for before, after in zip(points, left, strict=True):
        gone = (before != after).any(-1)
        towards = before[gone].mean(0)
        assert (before[gone] @ towards).median() > (before[~gone] @ towards).quantile(0.97)


@pytest.mark.parametrize("shares", [(0.5, 0.0), (0.0, 0.5), (1.0, 1.0)])
def test_training_points_are_points_of_the_surface_whatever_is_missing(shares):
    cloud = clouds(50, 80)
    points = model_points(cloud, 24, 0.0, generator(), *shares)
    gap = torch.cdist(points.double(), cloud.double()).min(-1).values
    assert points.shape == (50, 24, 3) and gap.max() < 1e-6
    assert not torch.equal(points, model_points(cloud, 24, 0.0, generator()))
