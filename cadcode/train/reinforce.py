"""Let a trained model learn from the geometry of what it writes: IoU by the programs' own fields, no CAD kernel.

    cadcode train-rl --from cadcode/weights/cadcode-small --minutes 40 --out runs/rl

GRPO (Shao et al. 2024, arXiv:2402.03300) as cadrille (Kolodiazhnyi et al. 2025, arXiv:2505.22914) uses it: 16 programs
a part, their rewards centred but not divided by their deviation, the 4 with the largest advantages learnt from, ratios
clipped, no reference model. The true program joins in with a small weight, which keeps the samples varied.

Worker processes sample and score with the weights of one update before; the main process learns.
"""

import json
import multiprocessing
import os
import time
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from cadcode.model.checkpoints import COUNTS, read_checkpoint
from cadcode.model.qwen2 import Qwen2Options
from cadcode.model.small import SmallModel
from cadcode.train.experience import Lesson, SampleOptions, Weights, lessons, measured, start_worker
from cadcode.train.groups import group_logits, log_probabilities
from cadcode.train.reward import RewardOptions, held_out_targets

TOKENS = 32  # of a typical program: one divisor for all, so that length makes no program count less


@dataclass(frozen=True)
class ReinforceOptions:
    minutes: float = 40.0
    decay_share: float = 0.5  # of the minutes, at the end, with a rate falling to zero
    lr: float = 1e-4
    warmup_steps: int = 5
    clip: float = 0.1
    supervised: float = 0.2  # weight of the true program's cross entropy
    parts: int = 16  # an update
    points: tuple[int, ...] = (128, 256)  # of a part, taken in turn by the updates: fewer are cheaper
    workers: int = 2  # processes that sample and score; 0: none beside the main one
    threads: int = 1  # of the learning process
    seed: int = 0
    log_every: int = 10
    measure_minutes: float = 5.0  # between measurements on held-out parts, and between checkpoints
    held_out: int = 128
    held_out_group: int = 4  # samples of each, the first greedy
    sampling: SampleOptions = field(default_factory=SampleOptions)


def options_from(overrides: dict) -> ReinforceOptions:
    """The default options with the given fields, also those of sampling and reward, replaced. TypeError for others."""
    left, defaults = dict(overrides), ReinforceOptions()
    reward = replace(defaults.sampling.reward, **_take(RewardOptions, left))
    sampling = replace(defaults.sampling, reward=reward, **_take(SampleOptions, left))
    return replace(defaults, sampling=sampling, **left)


def _take(kind: type, left: dict) -> dict:
    """Removes from `left` what are options of a kind, and returns it."""
    return {f.name: left.pop(f.name) for f in fields(kind) if f.name in left}


def reinforce(options: ReinforceOptions, out: Path, start: Path, log=print) -> Path:
    """Train the model of a checkpoint or folder for `options.minutes`; returns the path of the final checkpoint.

    `out` gets `latest.pt` every few minutes, `final.pt`, both as `cadcode train` writes them, and `log.jsonl`.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    learner = Learner.start(options, start)
    pool = _pool(options.workers)
    try:
        _loop(options, learner, pool, out, log)
    except KeyboardInterrupt:
        learner.save(out / "latest.pt")
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    learner.save(out / "final.pt")
    return out / "final.pt"


def _loop(options: ReinforceOptions, learner: "Learner", pool, out: Path, log) -> None:
    held, started, figures = held_out_targets(options.held_out, options.sampling.reward), time.monotonic(), []
    minutes = lambda: (time.monotonic() - started) / 60  # noqa: E731
    _log_line(out, learner, 0.0, measure(learner, held, pool), log)
    ahead, saved = _round(options, learner, 0, pool), minutes()
    while (elapsed := minutes()) < options.minutes:
        ready = [lesson for task in ahead for lesson in task.result()]
        ahead = _round(options, learner, learner.rounds + 1, pool)  # sampled while this one is learnt
        figures.append(learner.update(ready, learning_rate(options, elapsed / options.minutes, learner.rounds)))
        if learner.rounds % options.log_every == 0:
            _log_line(out, learner, minutes(), _means(figures), log)
            figures = []
        if minutes() - saved > options.measure_minutes:
            learner.save(out / "latest.pt")
            _log_line(out, learner, minutes(), measure(learner, held, pool), log)
            saved = minutes()
    for task in ahead:
        task.cancel()
    _log_line(out, learner, minutes(), measure(learner, held, pool), log)


def learning_rate(options: ReinforceOptions, progress: float, rounds: int) -> float:
    """The factor on the learning rate: warm-up, 1, and a linear decay at the end."""
    left = (1 - progress) / options.decay_share if options.decay_share else 1.0
    return min(1.0, (rounds + 1) / options.warmup_steps, max(left, 0.0))


# --- work for others -------------------------------------------------------------------------------------------------


class _Here:
    """A pool without processes: tasks are done at once."""

    def submit(self, function, *arguments) -> Future:
        future = Future()
        future.set_result(function(*arguments))
        return future

    def shutdown(self, wait=True, cancel_futures=False) -> None:
        pass


def _pool(workers: int):
    if not workers:
        return _Here()
    spawn = multiprocessing.get_context("spawn")  # a fork would inherit torch's threads in the middle of their work
    return ProcessPoolExecutor(workers, mp_context=spawn, initializer=start_worker)


def _round(options: ReinforceOptions, learner: "Learner", number: int, pool) -> list[Future]:
    """The lessons of one update, made by all workers."""
    weights, tasks = Weights.of(learner.model), max(1, options.workers)
    shares = [len(share) for share in np.array_split(np.arange(options.parts), tasks) if len(share)]
    points = options.points[number % len(options.points)]
    return [pool.submit(lessons, weights, (options.seed, number, task), share, points, options.sampling)
            for task, share in enumerate(shares)]  # fmt: skip


def measure(learner: "Learner", held: list, pool, chunk: int = 8) -> dict:
    """Held-out means: IoU greedy and of the best of the group, reward and IoU of a sample, share of no solid."""
    options = learner.options
    weights, sampling = Weights.of(learner.model), replace(options.sampling, temperature=1.0)
    tasks = [pool.submit(measured, weights, held[at : at + chunk], options.held_out_group, sampling, at)
             for at in range(0, len(held), chunk)]  # fmt: skip
    found = [part for task in tasks for part in task.result()]
    ious = np.array([part.ious for part in found])  # (parts, G)
    figures = dict(greedy=ious[:, 0].mean(), best=ious.max(1).mean(), sampled=ious[:, 1:].mean(),
                   reward=np.mean([part.rewards for part in found]), invalid=(ious[:, 1:] == 0).mean())  # fmt: skip
    return {f"held_out_{name}": round(float(value), 4) for name, value in figures.items()}


def _means(figures: list[dict]) -> dict:
    """The mean of each figure over those that have it: a part without a program has no cross entropy."""
    names = dict.fromkeys(name for some in figures for name in some)
    return {name: round(float(np.mean([some[name] for some in figures if name in some])), 4) for name in names}


def _log_line(out: Path, learner: "Learner", elapsed: float, figures: dict, log) -> None:
    line = dict(step=learner.steps, samples=learner.samples, minutes=round(elapsed, 2)) | figures
    with open(out / "log.jsonl", "a") as f:
        f.write(json.dumps(line) + "\n")
    log(" ".join(f"{k} {v}" for k, v in line.items()))


# --- learning --------------------------------------------------------------------------------------------------------


class Learner:
    """The model, its optimiser and what they have seen."""

    def __init__(self, model: SmallModel, options: ReinforceOptions):
        self.model, self.options = model.train(), options
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=options.lr, betas=(0.9, 0.98), weight_decay=0.0,
                                           fused=True)  # fmt: skip
        self.steps = self.samples = self.rounds = 0
        self.minutes, self._started = 0.0, time.monotonic()

    @classmethod
    def start(cls, options: ReinforceOptions, checkpoint: Path) -> "Learner":
        """From a checkpoint or a model's folder; the steps, parts and minutes seen count on. ModelError."""
        state = read_checkpoint(checkpoint)
        model = SmallModel(Qwen2Options(**state["model_options"]))
        model.load_state_dict(state["model"])
        learner = cls(model, options)
        learner.steps, learner.samples, learner.minutes = (state[name] for name in COUNTS)
        return learner

    def save(self, path: Path) -> None:
        """As `cadcode train` does, without the optimiser: its moments are those of another loss."""
        state = dict(model=self.model.state_dict(), model_options=asdict(self.model.options), steps=self.steps,
                     samples=self.samples, minutes=self.minutes + (time.monotonic() - self._started) / 60)  # fmt: skip
        beside = path.with_suffix(".part")
        torch.save(state, beside)
        os.replace(beside, path)

    def update(self, group: list[Lesson], rate: float = 1.0) -> dict:
        """One step on the mean loss of the lessons; returns what to log."""
        self.optimizer.param_groups[0]["lr"] = self.options.lr * rate
        self.optimizer.zero_grad(set_to_none=True)
        figures = [self._learn(lesson, len(group)) for lesson in group]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.rounds, self.steps, self.samples = self.rounds + 1, self.steps + 1, self.samples + len(group)
        rewards = np.array([lesson.rewards for lesson in group])
        invalid = sum(lesson.invalid for lesson in group) / rewards.size
        spread = float(rewards.std(axis=1).mean())
        figures = _means(figures) | dict(reward=float(rewards.mean()), spread=spread, invalid=invalid)
        return figures | dict(gradient=norm.item())

    def _learn(self, lesson: Lesson, share: int) -> dict:
        """Add the gradient of one lesson. One without programs and truth teaches nothing."""
        texts = [program.ids for program in lesson.programs]
        if self.options.supervised and lesson.truth:
            texts = [*texts, list(lesson.truth)]
        if not texts:
            return {}
        logits = group_logits(self.model, lesson.points, texts)
        written = sum(len(program.ids) for program in lesson.programs)
        loss, figures = torch.zeros(()), {}
        if lesson.programs:
            loss, figures = policy_loss(logits[:written], lesson, self.options)
        if len(logits) > written:
            truth = F.cross_entropy(logits[written:], torch.tensor(lesson.truth))
            loss, figures = loss + self.options.supervised * truth, figures | dict(cross_entropy=truth.item())
        (loss / share).backward()
        return figures


def policy_loss(logits: torch.Tensor, lesson: Lesson, options: ReinforceOptions) -> tuple[torch.Tensor, dict]:
    """The clipped loss (Schulman et al. 2017, arXiv:1707.06347) of a lesson's programs, given logits (M, V) of all
    their ids: the mean over programs of the sum over their tokens, in units of a typical program.
    """
    programs = lesson.programs
    ids = torch.tensor([token for program in programs for token in program.ids])
    old = torch.tensor([value for program in programs for value in program.log_p])
    allowed = [tokens for program in programs for tokens in program.allowed]
    lengths = torch.tensor([len(program.ids) for program in programs])
    advantages = torch.tensor(lesson.advantages, dtype=torch.float32).repeat_interleave(lengths)
    ratio = (log_probabilities(logits, ids, allowed, options.sampling.temperature) - old).exp()
    bounded = ratio.clamp(1 - options.clip, 1 + options.clip)
    gain = torch.minimum(ratio * advantages, bounded * advantages)
    clipped = (bounded * advantages < ratio * advantages).float().mean()
    return -gain.sum() / (len(programs) * TOKENS), dict(ratio=ratio.mean().item(), clipped=clipped.item())
