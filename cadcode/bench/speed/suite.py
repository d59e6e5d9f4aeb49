"""Measurements of `cadcode bench speed`, each a dictionary of plain numbers."""

import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from cadcode.bench.speed import large, running, writing
from cadcode.bench.speed.parts import Part, cloud_of, parts
from cadcode.bench.speed.processes import COMPLETE, LOG, cadcode_command, spent
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
    programs: int = 5  # programs that run in separate processes
    faces: int = 5_000_000  # faces of the large STL; 0 skips it
    repeats: int = 3  # repetitions of short measurements; the shortest time counts
    rivals: bool = True  # measure transformers and one process per program
    clock: str = "wall"  # clock of decoding; "cpu" counts the work of this process, for busy computers and one thread

    def __post_init__(self):
        if self.clock not in writing.CLOCKS:
            raise UsageError(f"--clock {self.clock}: choose one of {', '.join(writing.CLOCKS)}")

    @property
    def now(self) -> writing.Clock:
        return writing.CLOCKS[self.clock]


def measure(model: LoadedModel, sandbox: Sandbox, options: SpeedOptions, progress=lambda name: None) -> dict:
    """All measurements, a dictionary of numbers for each name below. SandboxError, CadcodeError."""
    chosen = parts(options.parts, sandbox)
    steps = dict(
        cold_start=lambda: cold_start(chosen[0], model),
        tokens=lambda: tokens(chosen, model, options),
        candidates=lambda: candidates(chosen, model, options),
        programs=lambda: programs(chosen, sandbox, options),
        whole=lambda: stages(chosen, model, sandbox, options),
    )
    steps |= dict(large_file=lambda: large_file(options.faces)) if options.faces else {}
    figures = dict(machine=dict(cores=cores(), threads=torch.get_num_threads(), torch=str(torch.__version__)))
    for name, step in steps.items():
        progress(name)
        figures[name] = step()
    return figures


def cold_start(part: Part, model: LoadedModel) -> dict:
    """`cadcode --help`, and `cadcode generate` for one STL in a new process, with one candidate and the full search."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "part.stl").write_bytes(part.stl)
        named = ["--model", str(model.folder.resolve())]
        generate = cadcode_command("generate", "part.stl", *named, "--quiet", "-o", "out")
        return dict(
            help=spent(cadcode_command("--help"), folder).as_dict(),
            generate_one=spent([*generate, "--candidates", "1", "--no-refine"], folder, COMPLETE).as_dict(),
            generate=spent(generate, folder, COMPLETE).as_dict(),
        )


def tokens(chosen: list[Part], model: LoadedModel, options: SpeedOptions) -> dict:
    """Prefill and decoding rates, those of transformers with the same weights, and the memory bandwidth limit."""
    clouds, most, repeats = [cloud_of(part, model) for part in chosen], options.max_new_tokens, options.repeats
    prompt = model.spec.points + torch.as_tensor(model.language.start_id).numel()
    writer = writing.ours(model, options.now)
    mine = [writing.best(writer, cloud, most, repeats) for cloud in clouds]
    figures = dict(cadcode=writing.rates(mine, prompt), limit=limit(model, options))
    if options.rivals:
        writer = writing.transformers(model, options.now)
        theirs = [
            writing.best(writer, cloud, max(2, len(text.ids)), repeats)
            for cloud, text in zip(clouds, mine, strict=True)
        ]
        figures["transformers"] = writing.rates(theirs, prompt)
        figures["same_ids"] = sum(a.ids == b.ids for a, b in zip(mine, theirs, strict=True))
        figures["times_transformers"] = figures["cadcode"]["tokens_per_s"] / figures["transformers"]["tokens_per_s"]
    figures["share_of_limit"] = figures["cadcode"]["tokens_per_s"] / figures["limit"]["tokens_per_s"]
    return figures


def limit(model: LoadedModel, options: SpeedOptions) -> dict:
    """One text can at best be written as fast as the weights are read."""
    size = model.engine.weight_bytes
    per_second = writing.bandwidth(size, model.device, options.repeats, options.now)
    return dict(weight_bytes=size, bytes_per_s=per_second, tokens_per_s=per_second / size)


def candidates(chosen: list[Part], model: LoadedModel, options: SpeedOptions) -> dict:
    """Seconds for one candidate of a part, and for many."""
    plain = DecodeOptions(mode="sample", max_new_tokens=options.max_new_tokens)
    clouds, seconds = [cloud_of(part, model) for part in chosen], []
    for count in (1, options.candidates):
        decoding = replace(plain, candidates=count)
        spans = [writing.candidates_seconds(model, c, decoding, options.repeats, options.now) for c in clouds]
        seconds.append(sum(spans) / len(spans))
    single, many = seconds
    return dict(candidates=options.candidates, seconds_one=single, seconds_many=many, times_one=many / single)


def programs(chosen: list[Part], sandbox: Sandbox, options: SpeedOptions) -> dict:
    """Programs per second on one core, in the sandbox and in one process per program."""
    texts = [part.text for part in chosen]
    figures = dict(cadcode=running.in_sandbox(texts * options.repeats, sandbox))
    if options.rivals:
        figures["process_each"] = running.in_processes(texts[: options.programs], sandbox.options)
        figures["times_process_each"] = figures["cadcode"] / figures["process_each"]
    return figures


def stages(chosen: list[Part], model: LoadedModel, sandbox: Sandbox, options: SpeedOptions) -> dict:
    """Full conversion with a loaded model and a running worker: mean seconds per stage, and parts per minute."""
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
    """Reading of a large STL in a separate process; `seconds` is the reading alone, `process` the whole process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = large.write_sphere(folder / "large.stl", faces)
        process = spent([sys.executable, "-m", "cadcode.bench.speed.large", "large.stl"], folder)
        seconds, kept, watertight = (folder / LOG).read_text().split()
    return dict(
        faces=count, kept=int(kept), watertight=watertight == "True", seconds=float(seconds), process=process.as_dict()
    )
