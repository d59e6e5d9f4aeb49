"""Reinforcement learning of a trained model with geometric rewards: IoU from implicit fields, without a CAD kernel.

    cadcode train-rl --from cadcode/weights/cadcode-small --minutes 40 --out runs/rl

GRPO (Shao et al. 2024, arXiv:2402.03300) in the version of cadrille (Kolodiazhnyi et al. 2025, arXiv:2505.22914): 16
programs per part, rewards centred but not divided by their deviation, a loss on the 4 programs with the largest
advantages, clipped ratios, no reference model. The cross entropy of the ground truth, with a small weight, keeps the
samples diverse.

Worker processes sample and score with the weights before the previous update; the main process trains.
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

    Writes to `out`: `latest.pt` every few minutes, `final.pt`, both in the format of `cadcode train`, and `log.jsonl`.
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
        ahead = _round(options, learner, learner.rounds + 1, pool)  # sampled during the update
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
    """Factor of the learning rate: warm-up, 1, and a linear decay at the end."""
    left = (1 - progress) / options.decay_share if options.decay_share else 1.0
    return min(1.0, (rounds + 1) / options.warmup_steps, max(left, 0.0))


# --- worker processes ------------------------------------------------------------------------------------------------


class _SerialPool:
    """A pool without processes: tasks run immediately."""

    def submit(self, function, *arguments) -> Future:
        future = Future()
        future.set_result(function(*arguments))
        return future

    def shutdown(self, wait=True, cancel_futures=False) -> None:
        pass


def _pool(workers: int):
    if not workers:
        return _SerialPool()
    spawn = multiprocessing.get_context("spawn")  # a fork would inherit torch's threads in an undefined state
    return ProcessPoolExecutor(workers, mp_context=spawn, initializer=start_worker)


def _round(options: ReinforceOptions, learner: Learner, number: int, pool) -> list[Future]:
    """Lessons of one update, distributed over all workers."""
    weights, tasks = Weights.of(learner.model), max(1, options.workers)
    shares = [len(share) for share in np.array_split(np.arange(options.parts), tasks) if len(share)]
    points = options.points[number % len(options.points)]
    return [
        pool.submit(lessons, weights, (options.seed, number, task), share, points, options.sampling)
        for task, share in enumerate(shares)
    ]


def measure(learner: Learner, held: list, pool, chunk: int = 8) -> dict:
    """Held-out means: IoU of greedy and of the best of the group, reward and IoU of samples, share of invalid ones."""
    options = learner.options
    weights, sampling = Weights.of(learner.model), replace(options.sampling, temperature=1.0)
    tasks = [
        pool.submit(measured, weights, held[at : at + chunk], options.held_out_group, sampling, at)
        for at in range(0, len(held), chunk)
    ]
    parts = [part for task in tasks for part in task.result()]
    ious = np.array([part.ious for part in parts])  # (parts, G)
    figures = dict(
        greedy=ious[:, 0].mean(),
        best=ious.max(1).mean(),
        sampled=ious[:, 1:].mean(),
        reward=np.mean([part.rewards for part in parts]),
        invalid=(ious[:, 1:] == 0).mean(),
    )
    return {f"held_out_{name}": round(float(value), 4) for name, value in figures.items()}


def _log_line(out: Path, learner: Learner, elapsed: float, figures: dict, log) -> None:
    line = dict(step=learner.steps, samples=learner.samples, minutes=round(elapsed, 2)) | figures
    with open(out / "log.jsonl", "a") as f:
        f.write(json.dumps(line) + "\n")
    log(" ".join(f"{k} {v}" for k, v in line.items()))
