"""The measurements of `cadcode bench speed`, one after the other, each a dictionary of plain numbers."""

import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from cadcode.bench.speed import large, running, writing
from cadcode.bench.speed.parts import Part, cloud_of, parts
from cadcode.bench.speed.processes import LOG, WHOLE, cadcode_command, spent
from cadcode.errors import UsageError
from cadcode.model.checkpoints.spec import LoadedModel
from cadcode.model.generate import DecodeOptions
from cadcode.model.machine import cores
from cadcode.reconstruction.options import Options
from cadcode.reconstruction.run import reconstruct
from cadcode.sandbox.sandbox import Sandbox


@dataclass(frozen=True)
class SpeedOptions:
    parts: int = 6  # held-out parts of the generator
    candidates: int = 32
    max_new_tokens: int = 128
    programs: int = 5  # that get a process each
    faces: int = 5_000_000  # of the large STL; 0 leaves it out
    repeats: int = 3  # of what takes less than a second; the shortest counts
    rivals: bool = True  # transformers and a process a program
    clock: str = "wall"  # of decoding; "cpu" counts this process's own work, for busy computers and one thread

    def __post_init__(self):
        if self.clock not in writing.CLOCKS:
            raise UsageError(f"--clock {self.clock}: choose one of {', '.join(writing.CLOCKS)}")

    @property
    def now(self) -> writing.Clock:
        return writing.CLOCKS[self.clock]


def measure(model: LoadedModel, sandbox: Sandbox, options: SpeedOptions, progress=lambda name: None) -> dict:
    """All of it: a dictionary of numbers for each of the names below. SandboxError, CadcodeError."""
    chosen = parts(options.parts, sandbox)
    steps = dict(
        cold_start=lambda: cold_start(chosen[0], model),
        tokens=lambda: tokens(chosen, model, options),
        candidates=lambda: candidates(chosen, model, options),
        programs=lambda: programs(chosen, sandbox, options),
        whole=lambda: stages(chosen, model, sandbox, options),
    )
    steps |= dict(large_file=lambda: large_file(options.faces)) if options.faces else {}
    found = dict(machine=dict(cores=cores(), threads=torch.get_num_threads(), torch=str(torch.__version__)))
    for name, step in steps.items():
        progress(name)
        found[name] = step()
    return found


def cold_start(part: Part, model: LoadedModel) -> dict:
    """`cadcode --help`, and one STL from a fresh process to its files, with one candidate and with the whole search."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "part.stl").write_bytes(part.stl)
        named = ["--model", str(model.folder.resolve())]
        generate = cadcode_command("generate", "part.stl", *named, "--quiet", "-o", "out")
        return dict(
            help=spent(cadcode_command("--help"), folder).as_dict(),
            generate_one=spent([*generate, "--candidates", "1", "--no-refine"], folder, WHOLE).as_dict(),
            generate=spent(generate, folder, WHOLE).as_dict(),
        )


def tokens(chosen: list[Part], model: LoadedModel, options: SpeedOptions) -> dict:
    """Reading and writing tokens, beside transformers on the same weights and the limit that memory sets."""
    clouds, most, repeats = [cloud_of(part, model) for part in chosen], options.max_new_tokens, options.repeats
    prompt = model.spec.points + torch.as_tensor(model.language.start_id).numel()
    writer = writing.ours(model, options.now)
    mine = [writing.best(writer, cloud, most, repeats) for cloud in clouds]
    found = dict(cadcode=writing.rates(mine, prompt), limit=limit(model, options))
    if options.rivals:
        writer = writing.transformers(model, options.now)
        theirs = [
            writing.best(writer, cloud, max(2, len(text.ids)), repeats)
            for cloud, text in zip(clouds, mine, strict=True)
        ]
        found["transformers"] = writing.rates(theirs, prompt)
        found["same_ids"] = sum(a.ids == b.ids for a, b in zip(mine, theirs, strict=True))
        found["times_transformers"] = found["cadcode"]["tokens_per_s"] / found["transformers"]["tokens_per_s"]
    found["share_of_limit"] = found["cadcode"]["tokens_per_s"] / found["limit"]["tokens_per_s"]
    return found


def limit(model: LoadedModel, options: SpeedOptions) -> dict:
    """One text can at best be written as fast as the weights are read."""
    size = writing.weight_bytes(model)
    per_second = writing.bandwidth(size, model.network.device, options.repeats, options.now)
    return dict(weight_bytes=size, bytes_per_s=per_second, tokens_per_s=per_second / size)


def candidates(chosen: list[Part], model: LoadedModel, options: SpeedOptions) -> dict:
    """Seconds in which a part gets one draft, and many."""
    plain = DecodeOptions(mode="sample", max_new_tokens=options.max_new_tokens)
    clouds, seconds = [cloud_of(part, model) for part in chosen], []
    for count in (1, options.candidates):
        decoding = replace(plain, candidates=count)
        spans = [writing.candidates_seconds(model, c, decoding, options.repeats, options.now) for c in clouds]
        seconds.append(sum(spans) / len(spans))
    one, many = seconds
    return dict(candidates=options.candidates, seconds_one=one, seconds_many=many, times_one=many / one)


def programs(chosen: list[Part], sandbox: Sandbox, options: SpeedOptions) -> dict:
    """Programs a second on one core, beside a process for each."""
    texts = [part.text for part in chosen]
    found = dict(cadcode=running.in_sandbox(texts * options.repeats, sandbox))
    if options.rivals:
        found["process_each"] = running.in_processes(texts[: options.programs], sandbox.options)
        found["times_process_each"] = found["cadcode"] / found["process_each"]
    return found


def stages(chosen: list[Part], model: LoadedModel, sandbox: Sandbox, options: SpeedOptions) -> dict:
    """The whole way with a warm model and worker: mean seconds a stage, and parts a minute."""
    settings = Options()
    decoding = replace(settings.decoding, candidates=options.candidates, max_new_tokens=options.max_new_tokens)
    settings = replace(settings, decoding=decoding)
    seconds, results = writing.timed(
        lambda: [reconstruct(part.shape, model, sandbox, settings) for part in chosen], writing.CLOCKS["wall"]
    )
    names = list(dict.fromkeys(name for result in results for name in result.seconds))
    mean = {name: sum(result.seconds.get(name, 0.0) for result in results) / len(chosen) for name in names}
    return dict(stages=mean, seconds_a_part=seconds / len(chosen), parts_per_minute=60 * len(chosen) / seconds)


def large_file(faces: int) -> dict:
    """Reading a large STL in a process of its own; `seconds` is the reading alone, `process` all of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = large.write_sphere(folder / "large.stl", faces)
        process = spent([sys.executable, "-m", "cadcode.bench.speed.large", "large.stl"], folder)
        seconds, kept, watertight = (folder / LOG).read_text().split()
    return dict(
        faces=count, kept=int(kept), watertight=watertight == "True", seconds=float(seconds), process=process.as_dict()
    )
