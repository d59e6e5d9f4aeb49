"""Steps of fixed shapes against the plain ones: the same logits, however texts share, grow, repeat and leave."""

import pytest
import torch
from published_models import random_published
from tiny_models import OPTIONS, SHARED_HEADS, close, clouds, tiny_model, twins

from cadcode.model.checkpoints.load import load_model, save_model
from cadcode.model.engines import cuda_graphs as static
from cadcode.model.engines.cuda_graphs import CudaGraphsEngine, Graph, StaticCache
from cadcode.model.generate import DecodeOptions, decode
from cadcode.model.nets.qwen2 import KeyValueCache
from cadcode.model.tokenizers.language import CompactLanguage
from cadcode.program.tokens import PIECES, START

IDS = torch.randint(3, len(PIECES), (9, 12), generator=torch.Generator().manual_seed(4))
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here"))]


@pytest.fixture(params=DEVICES)
def both(request):
    """A model, and the same one whose steps have fixed shapes."""

    def make(options=OPTIONS):
        return twins(tiny_model(0, options).to(request.param), CudaGraphsEngine)

    return make


def written(model, selections, counts, batch=3):
    """Logits of steps of so many tokens, each after a selection."""
    points = clouds(batch).to(model.device)
    logits, cache = model.begin(points, START, room=sum(counts))
    found, read = [logits], 0
    for rows, count in zip(selections, counts, strict=True):
        cache = cache if rows is None else cache.select(torch.tensor(rows, device=model.device))
        texts = len(logits) if rows is None else len(rows)
        logits = model.step(IDS[:texts, read : read + count].to(model.device), read + 1, cache)
        found.append(logits)
        read += count
    return torch.cat(found), cache


@pytest.mark.parametrize("options", [OPTIONS, SHARED_HEADS])
@pytest.mark.parametrize(
    "selections",
    [
        [None, None, None, None],
        [[0, 0, 1], None, [2, 1], [1, 0, 0]],
        [[2, 0], [1], [0, 0, 0], [2]],
        [[0, 1, 2, 0, 1, 2, 2], [6, 0, 3], [2], [0]],
    ],
)
@torch.inference_mode()
def test_logits_are_those_of_the_plain_steps(both, options, selections):
    plain, other = both(options)
    for counts in ([1, 1, 1, 1], [1, 3, 2, 1]):
        expected, _ = written(plain, selections, counts)
        found, cache = written(other, selections, counts)
        assert isinstance(cache, StaticCache)
        close(found, expected)


@torch.inference_mode()
def test_texts_longer_than_a_span_go_on_in_the_next(both, monkeypatch):
    monkeypatch.setattr(static, "LENGTH_STEP", 4)
    plain, other = both()
    selections, counts = [[0, 1, 1], None, None, [1, 0], None, None], [1, 1, 3, 4, 2, 1]
    close(written(other, selections, counts)[0], written(plain, selections, counts)[0])


@torch.inference_mode()
def test_many_texts_are_written_by_plain_steps(both, monkeypatch):
    monkeypatch.setattr(static, "MAX_ROWS", 4)
    plain, other = both()
    selections, counts = [[0, 0, 1], [0, 1, 2, 0, 1, 2, 1], [5, 3, 0]], [1, 2, 1]
    found, cache = written(other, selections, counts)
    assert isinstance(cache, KeyValueCache)
    close(found, written(plain, selections, counts)[0])


@torch.inference_mode()
def test_memory_is_used_again_when_nobody_needs_it(both):
    plain, other = both()
    cloud = clouds(2).to(other.device)
    _, first = other.begin(cloud, START, room=8)
    logits, second = other.begin(cloud.flip(0), START, room=8)
    assert first._buffers is not second._buffers
    step = lambda model, cache: model.step(IDS[:2, 0].to(model.device), 1, cache)  # noqa: E731
    expected = [step(plain, plain.begin(c, START, room=8)[1]) for c in (cloud, cloud.flip(0))]
    close(torch.cat([step(other, first), step(other, second)]), torch.cat(expected))
    free = first._buffers
    del first
    _, third = other.begin(cloud, START, room=8)
    assert third._buffers is free
    close(step(other, third), expected[0])


@pytest.mark.parametrize("mode", ["greedy", "sample", "beam"])
def test_drafts_are_those_of_the_plain_steps(both, mode):
    plain, other = both()
    options = DecodeOptions(mode=mode, candidates=6, max_new_tokens=24)
    texts = [decode(m, CompactLanguage(), clouds(3).to(m.device), options) for m in (plain, other)]
    assert [[d.ids for d in drafts] for drafts in texts[0]] == [[d.ids for d in drafts] for drafts in texts[1]]
    assert any(texts[0])


@pytest.mark.parametrize("device", DEVICES)
@torch.inference_mode()
def test_published_models_write_the_same(device):
    ids = []
    for model in twins(random_published(std=0.2).to(device), CudaGraphsEngine):
        logits, cache = model.begin(clouds(2).to(device), (5, 6), room=20)
        ids.append([logits.argmax(-1)])
        for step in range(1, 20):
            ids[-1].append(model.step(ids[-1][-1], step, cache).argmax(-1))
    assert torch.equal(torch.stack(ids[0]), torch.stack(ids[1]))


def steps(engine):
    return [step for buffers in engine._buffers for step in buffers._steps.values()]


def faithful(run):
    """A recording for tests without CUDA: the same work on the same memory."""
    logits = run()
    return Graph(lambda: logits.copy_(run()), logits)


def wrong(run):
    logits = run()
    return Graph(lambda: logits.zero_(), logits)


def refused(run):
    raise RuntimeError("CUDA error: out of memory")


@pytest.mark.parametrize("recorder, used", [(faithful, True), (wrong, False), (refused, False)])
@torch.inference_mode()
def test_a_recording_is_used_if_it_gives_the_same_numbers(monkeypatch, recorder, used):
    monkeypatch.setattr(static, "capturable", lambda tensor: True)
    monkeypatch.setattr(static, "captured", recorder)
    plain, other = twins(tiny_model(0), CudaGraphsEngine)
    selections, counts = [[0, 1, 1, 2], None, None, None, [3, 0, 1, 1], None, [1, 2]], [1] * 7
    close(written(other, selections, counts)[0], written(plain, selections, counts)[0])
    assert any(step._graph for step in steps(other)) == used


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")
def test_steps_are_recorded_on_cuda(tmp_path):
    save_model(tiny_model(), tmp_path)
    model = load_model(str(tmp_path), device="cuda")
    decode(model.engine, model.language, clouds(2).cuda(), DecodeOptions(max_new_tokens=40))
    assert any(step._graph for step in steps(model.engine))
