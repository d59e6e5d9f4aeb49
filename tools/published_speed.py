"""Speed and memory of a published architecture with random weights: cadcode's decoder and transformers.

    python tools/published_speed.py /tmp/random-v1.5              # writes 3.1 GB there, then measures both
    python tools/published_speed.py /tmp/tiny --layers 2 --hidden 64 --vocabulary 400

Each engine runs in its own process: load, embed 256 points, decode `--tokens` tokens greedily; on CUDA twice, and the
second run counts, because the first includes warm-up. Output: seconds to load, seconds to the first token, tokens per
second after it, the share of the memory bandwidth limit (decoding steps and reads of the weights in turns), and the
peak memory of the process. Only cadcode's decoder has `--dtype int8`: `--engine ours`.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

import torch

TURNS = 20
START, SPECIAL = "<|im_start|>", ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--layers", type=int, default=28)
    parser.add_argument("--hidden", type=int, default=1536)
    parser.add_argument("--vocabulary", type=int, default=151936)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--engine", choices=("both", *ENGINES), default="both")
    return parser.parse_args()


# --- the checkpoint --------------------------------------------------------------------------------------------------


def write_checkpoint(options: argparse.Namespace) -> None:
    """Random bfloat16 weights, a shard for the embedding and one for every seven layers; keys as published."""
    from safetensors.torch import save_file

    from cadcode.model.checkpoints.published import PublishedModel
    from cadcode.model.nets.qwen2 import Qwen2Options

    sizes = Qwen2Options(
        options.vocabulary,
        options.hidden,
        options.hidden * 35 // 6,
        options.layers,
        12 if options.hidden % 12 == 0 else 4,
        2,
        tie_word_embeddings=True,
    )
    with torch.device("meta"):
        shapes = {name: weight.shape for name, weight in PublishedModel(sizes).state_dict().items()}
    del shapes["lm_head.weight"]
    options.folder.mkdir(parents=True, exist_ok=True)
    shards, generator = {}, torch.Generator().manual_seed(0)
    for name, shape in shapes.items():
        shards.setdefault(shard_of(name), []).append((name, shape))
    for shard, members in shards.items():
        save_file({name: random_weight(name, shape, generator) for name, shape in members}, options.folder / shard)
    index = dict(metadata={}, weight_map={name: shard for shard, members in shards.items() for name, _ in members})
    (options.folder / "model.safetensors.index.json").write_text(json.dumps(index))
    write_settings(options.folder, sizes)


def shard_of(name: str) -> str:
    part = int(name.split(".")[2]) // 7 + 1 if name.startswith("model.layers.") else 0
    return f"model-{part:05}.safetensors"


def random_weight(name: str, shape, generator: torch.Generator) -> torch.Tensor:
    dtype = torch.float32 if "point_encoder" in name else torch.bfloat16
    weight = torch.randn(shape, generator=generator, dtype=torch.float32).mul_(0.02).to(dtype)
    return weight + 1 if "norm" in name else weight


def write_settings(folder: Path, sizes) -> None:
    from dataclasses import asdict

    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    end = min(151643, sizes.vocab_size - len(SPECIAL))  # as in Qwen2
    words = sorted(pre_tokenizers.ByteLevel.alphabet())
    words += [f"filler{i}" for i in range(end - len(words))]
    tokenizer = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=[]))
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.save(str(folder / "tokenizer.json"))
    config = dict(
        asdict(sizes),
        model_type="qwen2",
        architectures=["CADRecode"],
        eos_token_id=end,
        bos_token_id=end,
        torch_dtype="bfloat16",
        max_position_embeddings=32768,
    )
    (folder / "config.json").write_text(json.dumps(config))


# --- the engines -----------------------------------------------------------------------------------------------------


def points(options: argparse.Namespace) -> torch.Tensor:
    return torch.rand((options.batch, 256, 3), generator=torch.Generator().manual_seed(1)) * 2 - 1


@torch.inference_mode()
def ours(options: argparse.Namespace) -> dict:
    from cadcode.model.checkpoints.load import load_model

    started = time.perf_counter()
    model = load_model(str(options.folder), options.device, options.dtype)
    loaded = time.perf_counter()
    engine = model.engine

    def write() -> tuple[float, list]:
        logits, cache = engine.begin(points(options).to(options.device), model.language.start_id, options.tokens)
        ids = [logits.argmax(-1)]
        ids[0].tolist()  # waits for the device
        first = time.perf_counter()
        for written in range(1, options.tokens):
            ids.append(engine.step(ids[-1], written, cache).argmax(-1))
        return first, torch.stack(ids, 1).tolist()

    begin, (first, ids) = prepared(write, loaded, options)
    result = figures(options, loaded - started, begin, first, ids)
    return result | dict(of_limit=round(share_of_limit(model, options), 3))


def share_of_limit(model, options: argparse.Namespace) -> float:
    """Seconds to read the weights over seconds of a decoding step: medians of both, measured in turns, because other
    load changes the memory bandwidth.
    """
    from statistics import median

    from cadcode.bench.speed.writing import timed

    engine, size = model.engine, model.engine.weight_bytes
    data = torch.ones(min(size, 1 << 30) // 4, device=engine.device)
    logits, cache = engine.begin(points(options).to(engine.device), model.language.start_id, 2 * TURNS)
    ids, steps, reads = logits.argmax(-1), [], []
    for turn in range(1, 2 * TURNS):
        seconds, _ = timed(lambda written=turn: engine.step(ids, written, cache), time.perf_counter)
        steps.append(seconds)
        reads.append(timed(data.sum, time.perf_counter)[0] * size / data.nbytes)
    return median(reads[TURNS:]) / median(steps[TURNS:])


@torch.inference_mode()
def theirs(options: argparse.Namespace) -> dict:
    from transformers import LogitsProcessorList

    from cadcode.model.checkpoints.weights import pick_dtype
    from cadcode.model.hf.cad_recode import POINT_MARK, CADRecode

    started = time.perf_counter()
    dtype = pick_dtype(options.dtype, options.device)
    model = CADRecode.from_pretrained(options.folder, dtype=dtype).to(options.device).eval()
    loaded = time.perf_counter()
    prompt = json.loads((options.folder / "config.json").read_text())["eos_token_id"] + SPECIAL.index(START)
    ids = torch.full((options.batch, 257), prompt, device=options.device)
    mask = torch.full_like(ids, POINT_MARK)
    mask[:, -1] = 1

    def write() -> tuple[float, list]:
        times = []

        def clock(ids, logits):
            if not times:
                logits.argmax(-1).tolist()  # waits for the device
                times.append(time.perf_counter())
            return logits

        whole = model.generate(
            ids,
            attention_mask=mask,
            point_cloud=points(options).to(options.device),
            do_sample=False,
            eos_token_id=None,
            pad_token_id=prompt,
            max_new_tokens=options.tokens,
            logits_processor=LogitsProcessorList([clock]),
        )
        return times[0], whole[:, 257:].tolist()

    begin, (first, ids) = prepared(write, loaded, options)
    return figures(options, loaded - started, begin, first, ids)


ENGINES = {"ours": ours, "transformers": theirs}


def prepared(write, loaded: float, options: argparse.Namespace):
    """Start time and result of `write`; on CUDA those of the second run."""
    if not options.device.startswith("cuda"):
        return loaded, write()
    write()
    return time.perf_counter(), write()


def figures(options, load: float, begin: float, first: float, ids: list) -> dict:
    import resource

    seconds = time.perf_counter() - first
    return dict(
        load_s=round(load, 2),
        first_token_s=round(first - begin, 3),
        tokens_per_s=round(options.batch * (options.tokens - 1) / seconds, 2),
        peak_gb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        ids=ids,
    )


def main() -> None:
    options = arguments()
    if options.engine != "both":
        torch.set_num_threads(options.threads)
        print(json.dumps(ENGINES[options.engine](options)))
        return
    if not (options.folder / "config.json").is_file():
        write_checkpoint(options)
    results = {}
    for engine in ENGINES:
        call = [sys.executable, *sys.argv, "--engine", engine]
        completed = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True)
        results[engine] = json.loads(completed.stdout.splitlines()[-1])
        print(engine, {name: value for name, value in results[engine].items() if name != "ids"})
    print("same tokens:", results["ours"]["ids"] == results["transformers"]["ids"])


if __name__ == "__main__":
    main()
