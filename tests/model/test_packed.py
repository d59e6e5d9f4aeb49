"""The decoder arranged for writing against the plain one: the same logits, however texts share, grow and leave."""

from dataclasses import replace

import pytest
import torch
from tiny_models import OPTIONS, SHARED_HEADS, close, clouds, tiny_model, twins

from cadcode.model.checkpoints.load import load_model, save_model
from cadcode.model.engines.cpu import CpuEngine
from cadcode.model.engines.eager import EagerEngine
from cadcode.model.engines.kv_cache import RowGroups
from cadcode.program.tokens import PIECES, START

WIDE = replace(OPTIONS, hidden_size=128)  # heads of 64, which the C source attends to
WIDE_SHARED = replace(OPTIONS, hidden_size=256, num_attention_heads=4)
EACH = [OPTIONS, SHARED_HEADS, WIDE, WIDE_SHARED]
IDS = torch.randint(3, len(PIECES), (7, 12), generator=torch.Generator().manual_seed(4))


@pytest.fixture(params=[torch.float32, torch.bfloat16])
def both(request):
    """A model and the same one packed; with weights of bfloat16 its products are those of the C source."""

    def make(options=OPTIONS):
        return twins(tiny_model(0, options).to(request.param).float(), CpuEngine)

    return make


@pytest.mark.parametrize(
    "options", [*EACH, replace(OPTIONS, tie_word_embeddings=True), replace(OPTIONS, intermediate_size=72)]
)
@pytest.mark.parametrize("points", [256, 64])
@torch.inference_mode()
def test_logits_are_those_of_the_plain_decoder(both, options, points):
    (plain, packed), cloud = both(options), clouds(2, points)
    logits, cache = packed.begin(cloud, START, room=12)
    found = [logits] + [packed.step(IDS[:2, i], i + 1, cache) for i in range(11)]
    start = torch.full((2, 1), START)
    close(torch.stack(found, 1), plain.network(cloud, torch.cat([start, IDS[:2, :11]], 1)))


@pytest.mark.parametrize("options", EACH)
@pytest.mark.parametrize("shared", [False, True])
@torch.inference_mode()
def test_several_tokens_at_once_are_one_after_the_other(both, options, shared):
    for model in both(options):
        last = []
        for steps in ([1] * 6, [3, 1, 2], [6]):
            logits, cache = model.begin(clouds(2), START, room=8)
            cache = cache.select(torch.tensor([0, 0, 1, 0, 1, 1])) if shared else cache
            ids, read = IDS[: 6 if shared else 2], 0
            for count in steps:
                logits = model.step(ids[:, read : read + count], read + 1, cache)
                read += count
            last.append(logits)
        close(last[1], last[0])
        close(last[2], last[0])


@pytest.mark.parametrize("options", EACH)
@pytest.mark.parametrize(
    "parts, stay",
    [
        ([0, 0, 0, 0], [3, 1]),
        ([0, 1, 2], [2, 0]),
        ([2, 0, 0, 2, 2], [0, 3, 4]),
        ([1, 1, 0, 2], [3, 3, 0, 0]),
        ([0, 1, 2, 2], [1, 1]),
        ([1] * 4 + [0] * 3, [6, 5, 5, 0, 2, 2]),
        ([0, 1], [1, 1, 0, 1, 0, 0]),
    ],
)
@torch.inference_mode()
def test_rows_share_leave_and_repeat_as_with_the_plain_cache(both, options, parts, stay):
    found = []
    for model in both(options):
        _, cache = model.begin(clouds(3), START, room=8)
        cache = cache.select(torch.tensor(parts))
        logits = [model.step(IDS[: len(parts), :2], 1, cache)]
        cache = cache.select(torch.tensor(stay))
        logits += [model.step(IDS[: len(stay), i], i + 1, cache) for i in (2, 3)]
        cache = cache.select(torch.tensor([0]))
        found.append(torch.cat([*logits, model.step(IDS[:1, 4], 5, cache)]))
    close(found[1], found[0])


@pytest.mark.parametrize("options", [OPTIONS, WIDE])
@torch.inference_mode()
def test_prefixes_can_be_selected_from_again(both, options):
    _, model = both(options)
    _, cache = model.begin(clouds(2), START, room=8)
    first = cache.select(torch.tensor([0, 1, 1]))
    ahead = model.step(IDS[:3, 0], 1, first)
    second = cache.select(torch.tensor([1, 1, 0]))
    again = model.step(IDS[:3, 0].flip(0), 1, second)
    close(again.flip(0), ahead)
    assert (first.used, second.used, cache.used) == (258, 258, 257)


@pytest.mark.parametrize("parts, count", [([0, 0, 0], 1), ([0, 1], 2), ([1, 0, 1, 1], 2), ([2, 0], 3)])
def test_rows_come_back_from_their_groups(parts, count):
    groups, x = RowGroups(parts, count, heads=2), torch.arange(len(parts) * 2 * 3 * 5).view(-1, 3, 5)
    grouped = groups.group(x)
    assert grouped.shape == (count * 2, 3 * groups.size, 5)
    assert torch.equal(groups.ungroup(grouped), x)
    for row, part in enumerate(parts):  # all of a row lies with its part
        assert torch.isin(x[2 * row : 2 * row + 2], grouped[2 * part : 2 * part + 2]).all()


def test_a_model_that_is_loaded_for_the_processor_is_packed(tmp_path):
    save_model(tiny_model(), tmp_path)
    assert isinstance(load_model(str(tmp_path)).engine, CpuEngine)
    assert isinstance(load_model(str(tmp_path), dtype="bfloat16").engine, EagerEngine)
