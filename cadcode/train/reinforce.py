"""Let a trained model learn from the geometry of what it writes: IoU by the programs' own fields, no CAD kernel.

    cadcode train-rl --from cadcode/weights/cadcode-small --minutes 40 --out runs/rl

GRPO (Shao et al. 2024, arXiv:2402.03300) as cadrille (Kolodiazhnyi et al. 2025, arXiv:2505.22914) uses it: 16 programs
a part, their rewards centred but not divided by their deviation, the 4 with the largest advantages learnt from, ratios
clipped, no reference model. The true program joins in with a small weight, which keeps the samples varied.

Worker processes sample and score with the weights of one update before; the main process learns.
"""

import json
import multiprocessing
import time
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from cadcode.train.experience import Weights, lessons, measured, start_worker
from cadcode.train.learner import Learner, ReinforceOptions, means
from cadcode.train.reward import held_out_targets


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
    return out / "final.pt"


def _loop(options: ReinforceOptions, learner: Learner, pool, out: Path, log) -> None:
    held, started, figures = held_out_targets(options.held_out, options.sampling.reward), time.monotonic(), []
    minutes = lambda: (time.monotonic() - started) / 60  # noqa: E731
    _log_line(out, learner, 0.0, measure(learner, held, pool), log)
    ahead, saved = _round(options, learner, 0, pool), minutes()
    while (elapsed := minutes()) < options.minutes:
        ready = [lesson for task in ahead for lesson in task.result()]
        ahead = _round(options, learner, learner.rounds + 1, pool)  # sampled while this one is learnt
        figures.append(learner.update(ready, learning_rate(options, elapsed / options.minutes, learner.rounds)))
        if learner.rounds % options.log_every == 0:
            _log_line(out, learner, minutes(), means(figures), log)
            figures = []
        if minutes() - saved > options.measure_minutes:
            learner.save(out / "latest.pt")
            _log_line(out, learner, minutes(), measure(learner, held, pool), log)
            saved = minutes()
    for task in ahead:
        task.cancel()
    learner.save(out / "final.pt")
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


def _round(options: ReinforceOptions, learner: Learner, number: int, pool) -> list[Future]:
    """The lessons of one update, made by all workers."""
    weights, tasks = Weights.of(learner.model), max(1, options.workers)
    shares = [len(share) for share in np.array_split(np.arange(options.parts), tasks) if len(share)]
    points = options.points[number % len(options.points)]
    return [
        pool.submit(lessons, weights, (options.seed, number, task), share, points, options.sampling)
        for task, share in enumerate(shares)
    ]


def measure(learner: Learner, held: list, pool, chunk: int = 8) -> dict:
    """Held-out means: IoU greedy and of the best of the group, reward and IoU of a sample, share of no solid."""
    options = learner.options
    weights, sampling = Weights.of(learner.model), replace(options.sampling, temperature=1.0)
    tasks = [
        pool.submit(measured, weights, held[at : at + chunk], options.held_out_group, sampling, at)
        for at in range(0, len(held), chunk)
    ]
    found = [part for task in tasks for part in task.result()]
    ious = np.array([part.ious for part in found])  # (parts, G)
    figures = dict(
        greedy=ious[:, 0].mean(),
        best=ious.max(1).mean(),
        sampled=ious[:, 1:].mean(),
        reward=np.mean([part.rewards for part in found]),
        invalid=(ious[:, 1:] == 0).mean(),
    )
    return {f"held_out_{name}": round(float(value), 4) for name, value in figures.items()}


def _log_line(out: Path, learner: Learner, elapsed: float, figures: dict, log) -> None:
    line = dict(step=learner.steps, samples=learner.samples, minutes=round(elapsed, 2)) | figures
    with open(out / "log.jsonl", "a") as f:
        f.write(json.dumps(line) + "\n")
    log(" ".join(f"{k} {v}" for k, v in line.items()))
