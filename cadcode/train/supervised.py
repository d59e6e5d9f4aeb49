"""Supervised training of a small model, from scratch or from a checkpoint, on programs generated on the fly.

    cadcode train --minutes 60 --out runs/a          from scratch
    cadcode train --minutes 60 --out runs/b --from runs/a/stable.pt

The same code runs on a CPU and on a GPU. Learning rate: warm-up, constant, and a decay to zero in the last part of the
run (Hu et al. 2024, arXiv:2404.06395). The state before the decay is saved as `stable.pt`, so that a later run can
resume from an undecayed state. Hidden matrices are trained with Muon (Jordan et al. 2024), other weights with AdamW.
"""

import json
import math
import time
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from cadcode.data.dataset import DataOptions, batches, collate, held_out
from cadcode.files import replacing
from cadcode.model.checkpoints.load import read_checkpoint
from cadcode.model.checkpoints.weights import pick_dtype
from cadcode.model.nets.points import fourier_features
from cadcode.model.nets.qwen2 import ELEMENTWISE, Qwen2Options
from cadcode.model.nets.small import PREFIX_LENGTH, SmallModel
from cadcode.program.tokens import PAD, PIECES, VALUES
from cadcode.train.feed import Feed
from cadcode.train.loss import smoothed_targets, token_loss
from cadcode.train.muon import Muon
from cadcode.train.points import farthest_points, model_points
from cadcode.train.speed import measured_peak, step_operations

__all__ = [
    "Run",
    "TrainOptions",
    "smoothed_targets",
    "farthest_points",
    "held_out_batches",
    "held_out_loss",
    "train",
    "initialised",
    "learning_rate",
    "model_points",
    "options_from",
    "points_now",
    "token_loss",
]

PARTS_A_SECOND = 150  # assumed rate of a data worker, which sets the pace of the hardness schedule
LONGEST_STEP = 60.0  # seconds; compilation, held-out measurements and saving count as steps too
GPU_REPLAY = 256  # batches kept for replay


@dataclass(frozen=True)
class TrainOptions:
    """`points` is a schedule: numbers of points, each for an equal share of the run (fewer points are cheaper)."""

    minutes: float = 60.0
    decay_share: float = 0.25  # last share of the run, with learning rate decay; 0: no decay
    points: tuple[int, ...] = (64, 128, 256)
    points_shares: tuple[float, ...] = (1.0, 1.0, 1.0)
    batch_size: int = 64
    muon_lr: float = 0.01
    adam_lr: float = 2e-3
    weight_decay: float = 0.05
    warmup_steps: int = 100
    smoothing: float = 0.7  # width of the number targets, in program units; hard targets in the decay
    noise: float = 0.01  # noise scale on half of the samples, model frame
    uneven: float = 0.1  # share of samples with random points, denser on one side
    missing: float = 0.1  # share of samples with a side missing
    fewer: float = 0.1  # share of steps with half of the points
    hardness: tuple[float, float] = (0.5, 0.5)  # difficulty of programs at the start and the end (`DataOptions`)
    workers: int = 1
    threads: int = 0  # 0: all cores
    device: str = "auto"
    dtype: str = "auto"  # dtype of matrix products; weights, their updates and the loss are always float32
    fuse: bool = True  # compile element-wise functions: a third faster on a CPU, which needs a C++ compiler
    seed: int = 0
    log_every: int = 50
    save_minutes: float = 3.0  # interval of checkpoints and of held-out measurements
    held_out: int = 256
    hidden_size: int = 256
    layers: int = 6
    intermediate_size: int = 768
    heads: int = 4


class _Stream(IterableDataset):
    def __init__(self, options: DataOptions):
        self.options = options

    def __iter__(self):
        info = get_worker_info()
        if info is not None:
            torch.set_num_threads(1)
        for points, ids in batches(self.options, info.id if info else 0, _pool(self.options.batch_size)):
            yield torch.from_numpy(points), torch.from_numpy(ids)


def _pool(batch_size: int) -> int:
    """Number of batches that a worker sorts by length at once: few large ones, so that the first is not late."""
    return min(8, max(3, 1024 // batch_size))


def train(options: TrainOptions, out: Path, resume: Path | None = None, log=print) -> Path:
    """Train for `options.minutes` and write checkpoints to `out`; returns the path of the final checkpoint.

    Writes to `out`: `latest.pt` every few minutes, `stable.pt` before the decay, `final.pt`, and `log.jsonl`.
    """
    out.mkdir(parents=True, exist_ok=True)
    device = _device(options.device)
    if options.threads:
        torch.set_num_threads(options.threads)
    run = Run.start(options, device, resume)
    size = sum(p.numel() for p in run.model.parameters()) / 1e6
    log(f"{size:.1f} M parameters, {run.samples} samples seen, {device}")
    if options.fuse:
        run.compile()
    stream = Feed(_loader(options, run), GPU_REPLAY if device.type == "cuda" else 0, options.seed)
    try:
        _loop(options, run, stream, out, log)
    except KeyboardInterrupt:
        run.save(out / "latest.pt")
        raise
    run.save(out / "final.pt")
    return out / "final.pt"


def _loop(options: TrainOptions, run: "Run", stream: Feed, out: Path, log):
    kept = held_out_batches(options.held_out, options.batch_size)
    peak, dice = measured_peak(run.device, run.dtype), np.random.default_rng([options.seed, run.samples])
    clock, saved, decaying, losses, meter = BusyClock(), time.monotonic(), False, [], _Meter(stream, peak)
    while (elapsed := clock.tick() / 60) < options.minutes:
        run.busy, progress = elapsed, elapsed / options.minutes
        if progress >= 1 - options.decay_share and not decaying:
            decaying = True
            run.save(out / "stable.pt")
        rate = learning_rate(options, progress, run.steps)
        smoothing = 0.0 if decaying else options.smoothing
        points = points_now(options, progress) // (2 if dice.random() < options.fewer else 1)
        surface, ids = next(stream)
        losses.append(run.step(surface, ids, points, rate, smoothing))
        meter.count(run, len(ids), points, ids.shape[1] - 1)
        if run.steps % options.log_every == 0:
            loss = round(torch.stack(losses).mean().item(), 4)
            _log_line(out, run, dict(loss=loss, points=points_now(options, progress)) | meter.figures(), log)
            losses, meter = [], _Meter(stream, peak)
        if time.monotonic() - saved > 60 * options.save_minutes:
            run.save(out / "latest.pt")
            _log_line(out, run, dict(held_out=round(held_out_loss(run, kept), 4)), log)
            saved = time.monotonic()
    if not decaying:  # the run was too short for a step in its decay
        run.save(out / "stable.pt")
    run.busy = clock.tick() / 60
    _log_line(out, run, dict(held_out=round(held_out_loss(run, kept), 4)), log)


class BusyClock:
    """Clock without pauses: a stopped process or a sleeping computer must not use up the minutes of a run.

    Time between two ticks beyond `LONGEST_STEP` counts as a pause.
    """

    def __init__(self, now=time.monotonic):
        self.now, self.last, self.seconds = now, now(), 0.0

    def tick(self) -> float:
        """Busy seconds until now."""
        last, self.last = self.last, self.now()
        self.seconds += min(self.last - last, LONGEST_STEP)
        return self.seconds


class _Meter:
    """Speed since construction: samples per second, share of the peak, share of time without data, of old batches."""

    def __init__(self, stream: Feed, peak: float):
        self.stream, self.peak, self.started = stream, peak, time.monotonic()
        self.samples, self.operations = 0, 0.0
        self.before = stream.fresh, stream.again, stream.waited

    def count(self, run: "Run", samples: int, points: int, text: int):
        self.samples += samples
        self.operations += step_operations(run.model.options, samples, points, text)

    def figures(self) -> dict:
        seconds = time.monotonic() - self.started
        now = self.stream.fresh, self.stream.again, self.stream.waited
        fresh, again, waited = (n - b for n, b in zip(now, self.before, strict=True))
        shares = dict(
            of_peak=self.operations / seconds / self.peak, waited=waited / seconds, again=again / max(fresh + again, 1)
        )
        return dict(per_second=round(self.samples / seconds, 1)) | {name: round(v, 3) for name, v in shares.items()}


def held_out_batches(count: int, batch_size: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Batches of the held-out parts, sorted by length."""
    parts = sorted(held_out(count), key=lambda s: len(s.ids))
    groups = [collate(parts[i : i + batch_size]) for i in range(0, count, batch_size)]
    return [(torch.from_numpy(points), torch.from_numpy(ids)) for points, ids in groups]


@torch.no_grad()
def held_out_loss(run: "Run", kept) -> float:
    """Mean cross entropy per token on the held-out parts, with 256 points, no noise and hard targets."""
    generator, total, tokens = torch.Generator(run.device).manual_seed(0), 0.0, 0
    for surface, ids in kept:
        surface, ids = surface.to(run.device), ids.to(run.device)
        points = model_points(surface, PREFIX_LENGTH, 0.0, generator)
        logits = run.logits(points, ids[:, :-1])
        count = int((ids[:, 1:] != PAD).sum())
        total, tokens = total + count * token_loss(logits.float(), ids[:, 1:], 0.0).item(), tokens + count
    return total / tokens


def fuse(model: SmallModel):
    """Replace the element-wise functions of a model by compiled ones, which read memory once; results are the same."""
    compiled = {name: torch.compile(f, dynamic=True) for name, f in ELEMENTWISE.items()}
    for module in model.modules():
        for name in ELEMENTWISE.keys() & vars(module).keys():
            setattr(module, name, compiled[name])


def _device(name: str) -> torch.device:
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)


def points_now(options: TrainOptions, progress: float) -> int:
    """Number of points per part at a share of the run."""
    ends = np.cumsum(options.points_shares) / np.sum(options.points_shares)
    return options.points[min(int(np.searchsorted(ends, progress, side="right")), len(options.points) - 1)]


def learning_rate(options: TrainOptions, progress: float, steps: int) -> float:
    """Factor of both learning rates: warm-up, 1, and a linear decay at the end."""
    left = (1 - progress) / options.decay_share if options.decay_share else 1.0
    return min(1.0, (steps + 1) / options.warmup_steps, max(left, 0.0))


def _loader(options: TrainOptions, run: "Run"):
    # The seed depends on the number of samples seen, so that a resumed run does not repeat samples.
    ramp = max(int(60 * options.minutes * PARTS_A_SECOND), 1)
    data = DataOptions(
        batch_size=options.batch_size, seed=options.seed + 1 + run.samples, hardness=options.hardness, ramp=ramp
    )
    ahead = 16 if options.workers == 1 else 4 if options.workers else None
    loader = DataLoader(
        _Stream(data),
        batch_size=None,
        num_workers=options.workers,
        prefetch_factor=ahead,
        pin_memory=run.device.type == "cuda",
    )
    return iter(loader)


def _log_line(out, run, figures: dict, log):
    line = dict(step=run.steps, samples=run.samples, minutes=round(run.minutes + run.busy, 2)) | figures
    with open(out / "log.jsonl", "a") as f:
        f.write(json.dumps(line) + "\n")
    log(" ".join(f"{k} {v}" for k, v in line.items()))


# --- run -------------------------------------------------------------------------------------------------------------


class Run:
    """The model, its optimisers and counters: the content of a checkpoint."""

    def __init__(self, model: SmallModel, options: TrainOptions, device: torch.device):
        self.model, self.options, self.device = model.to(device), options, device
        self.dtype = pick_dtype(options.dtype, device.type)
        self.optimizers = _optimizers(model, options, self.dtype)
        self.steps = self.samples = 0
        self.minutes = self.busy = 0.0  # minutes of earlier runs, and of this run without pauses
        self.generator = torch.Generator(device).manual_seed(options.seed)

    def compile(self):
        """Compile the element-wise functions; the whole model would take minutes for each shape."""
        torch._dynamo.config.recompile_limit = 64  # above the limit a function would run uncompiled, with one warning
        fuse(self.model)

    @classmethod
    def start(cls, options: TrainOptions, device, resume: Path | None) -> "Run":
        """A new run, or one resumed from a checkpoint, whose model size overrides the options."""
        if resume is None:
            torch.manual_seed(options.seed)
            return cls(initialised(_model_options(options)), options, device)
        state = read_checkpoint(resume)
        run = cls(SmallModel(Qwen2Options(**state["model_options"])), options, device)
        run.model.load_state_dict(state["model"])
        for optimizer, saved in zip(run.optimizers, state.get("optimizers", []), strict=False):
            _load_moments(optimizer, saved)
        run.steps, run.samples, run.minutes = state["steps"], state["samples"], state["minutes"]
        run.generator.manual_seed(options.seed + run.samples)
        return run

    def save(self, path: Path):
        state = dict(
            model=self.model.state_dict(),
            model_options=asdict(self.model.options),
            pieces=list(PIECES),
            optimizers=[o.state_dict() for o in self.optimizers],
            steps=self.steps,
            samples=self.samples,
            minutes=self.minutes + self.busy,
        )
        with replacing(path) as written:
            torch.save(state, written)

    def logits(self, points, ids) -> torch.Tensor:
        """Logits (B, T, V) of the model, computed in the run's dtype."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            return self.model(points, ids)

    def step(self, surface, ids, count: int, rate: float, smoothing: float) -> torch.Tensor:
        """One update on surface points (B, N, 3) and ids (B, T); returns the loss on the device, without a sync."""
        surface, ids = surface.to(self.device, non_blocking=True), ids.to(self.device, non_blocking=True)
        o = self.options
        points = model_points(surface, count, o.noise, self.generator, o.uneven, o.missing)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["base_lr"] * rate
            optimizer.zero_grad(set_to_none=True)
        logits = self.logits(points, ids[:, :-1])
        loss = token_loss(logits.float(), ids[:, 1:], smoothing)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.steps, self.samples = self.steps + 1, self.samples + len(ids)
        return loss.detach()


def _model_options(o: TrainOptions) -> Qwen2Options:
    return Qwen2Options(len(PIECES), o.hidden_size, o.intermediate_size, o.layers, o.heads, o.heads)


def _optimizers(model: SmallModel, options: TrainOptions, dtype: torch.dtype):
    matrices = [p for n, p in model.named_parameters() if ".layers." in n and p.ndim == 2]
    others = [p for n, p in model.named_parameters() if not (".layers." in n and p.ndim == 2)]
    muon = Muon(matrices, options.muon_lr, options.weight_decay, dtype=dtype)
    adam = torch.optim.AdamW(others, lr=options.adam_lr, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    for optimizer in (muon, adam):
        for group in optimizer.param_groups:
            group["base_lr"] = group["lr"]
    return muon, adam


def _load_moments(optimizer, saved: dict):
    """Load the moments of an optimiser; its learning rates and decays stay those of the options."""
    groups = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    optimizer.load_state_dict(saved)
    for group, own in zip(optimizer.param_groups, groups, strict=True):
        group.update(own)


def initialised(options: Qwen2Options) -> SmallModel:
    """A new model. Number tokens are initialised as random projections of the Fourier features of their values, like
    points, so that neighbouring numbers are similar from the first step.
    """
    model = SmallModel(options)
    for name, p in model.named_parameters():
        if p.ndim == 2:
            torch.nn.init.normal_(p, std=0.02)
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            p.data /= math.sqrt(2 * options.num_hidden_layers)
    rows = np.flatnonzero(~np.isnan(VALUES))
    values = torch.tensor(VALUES[rows] / 100, dtype=torch.float32)
    features = fourier_features(torch.stack([values, values * 0, values * 0], -1))
    features = features[:, [0, *range(3, 11), *range(27, 35)]]  # (numbers, 17): the first coordinate's own features
    for weight in (model.model.embed_tokens.weight, model.lm_head.weight):
        projection = torch.randn(features.shape[1], options.hidden_size)
        weight.data[rows] += 0.02 / math.sqrt(9) * features @ projection
    torch.nn.init.normal_(model.point_encoder.projection.weight, std=0.05)
    torch.nn.init.zeros_(model.point_encoder.projection.bias)
    return model


def options_from(overrides: dict) -> TrainOptions:
    """Default options with the given fields replaced. TypeError for unknown names."""
    known = {f.name for f in fields(TrainOptions)}
    if unknown := set(overrides) - known:
        raise TypeError(f"unknown training options: {', '.join(sorted(unknown))}")
    return replace(TrainOptions(), **overrides)
