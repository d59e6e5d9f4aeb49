"""Tokens per second: cadcode's decoding, transformers' `generate` with the same weights, and the memory limit."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from cadcode.model.checkpoints.export import export_model
from cadcode.model.checkpoints.spec import LoadedModel
from cadcode.model.generate import DecodeOptions, decode


@dataclass(frozen=True)
class Written:
    """One decoded sequence: seconds to its first token, seconds in total, its ids."""

    first: float
    whole: float
    ids: tuple[int, ...]


Writer = Callable[[torch.Tensor, int], Written]  # cloud (1, 256, 3 or 6), maximum number of tokens


Clock = Callable[[], float]
CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}


def timed(work: Callable, clock: Clock):
    """(seconds, result) of `work`."""
    started = clock()
    result = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return clock() - started, result


def ours(model: LoadedModel, clock: Clock) -> Writer:
    @torch.inference_mode()
    def write(cloud: torch.Tensor, most: int) -> Written:
        first, _ = timed(lambda: model.engine.begin(cloud, model.language.start_id, most), clock)
        options = DecodeOptions(max_new_tokens=most)
        whole, [drafts] = timed(lambda: decode(model.engine, model.language, cloud, options), clock)
        ended = drafts and not drafts[0].closed  # else it ran into the limit, however much of it was kept
        return Written(first, whole, drafts[0].ids if ended else (0,) * most)

    return write


def transformers(model: LoadedModel, clock: Clock) -> Writer:
    """`Qwen2ForCausalLM.generate` from point embeddings, greedy, without a grammar, always `most` tokens."""
    from transformers import Qwen2ForCausalLM

    with tempfile.TemporaryDirectory() as folder:
        export_model(model, Path(folder))
        dtype = model.engine.dtype
        network = Qwen2ForCausalLM.from_pretrained(folder, dtype=dtype).to(model.device).eval()

    def generate(embeddings: torch.Tensor, count: int):
        mask = torch.ones(embeddings.shape[:2], dtype=torch.long, device=embeddings.device)
        return network.generate(
            inputs_embeds=embeddings,
            attention_mask=mask,
            max_new_tokens=count,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
        )

    @torch.inference_mode()
    def write(cloud: torch.Tensor, most: int) -> Written:
        prompt = torch.atleast_1d(torch.as_tensor(model.language.start_id, device=cloud.device))[None]
        text = model.network.model.embed_tokens(prompt)
        embeddings = torch.cat([model.network.point_encoder(cloud).to(text.dtype), text], dim=1)
        first, _ = timed(lambda: generate(embeddings, 1), clock)
        whole, ids = timed(lambda: generate(embeddings, most), clock)
        return Written(first, whole, tuple(ids[0].tolist()))

    return write


def best(writer: Writer, cloud: torch.Tensor, most: int, repeats: int) -> Written:
    """Shortest times of several runs, since other load only adds time."""
    runs = [writer(cloud, most) for _ in range(repeats)]
    return Written(min(run.first for run in runs), min(run.whole for run in runs), runs[0].ids)


def rates(texts: list[Written], prompt: int) -> dict:
    """Tokens per second in prefill, for prompts of `prompt` tokens, and in decoding after the first token."""
    first = sum(text.first for text in texts)
    writing = sum(max(text.whole - text.first, 1e-9) for text in texts)
    tokens = sum(len(text.ids) - 1 for text in texts)
    return dict(
        tokens=tokens,
        prefill_tokens_per_s=prompt * len(texts) / first,
        tokens_per_s=tokens / writing,
        seconds_a_text=(first + writing) / len(texts),
    )


def bandwidth(size: int, device, repeats: int, clock: Clock) -> float:
    """Memory bandwidth in bytes per second of repeated reads of `size` bytes of float32, like the weights."""
    data = torch.ones(max(size // 4, 1), device=device)
    return size / min(timed(data.sum, clock)[0] for _ in range(5 * repeats))


@torch.inference_mode()
def candidates_seconds(model: LoadedModel, cloud: torch.Tensor, options: DecodeOptions, repeats: int, clock: Clock):
    """Seconds in which one part gets its drafts."""
    work = lambda: decode(model.engine, model.language, cloud, options)  # noqa: E731
    return min(timed(work, clock)[0] for _ in range(repeats))
