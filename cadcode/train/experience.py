"""Training data of reinforcement learning: sampled programs, their rewards and advantages. Made by worker processes.

All functions depend only on the weights and a seed, so the schedule of the workers does not change results.
"""

import signal
from dataclasses import dataclass, field

import numpy as np
import torch

from cadcode.data.dataset import DataOptions
from cadcode.model.checkpoints.weights import without_weights
from cadcode.model.nets.qwen2 import Qwen2Options
from cadcode.model.nets.small import PREFIX_LENGTH, SmallModel
from cadcode.train.groups import Written, sample_groups
from cadcode.train.reward import RewardOptions, Target, fresh_targets, reward, scores
from cadcode.train.supervised import model_points

TRAINING = 7  # first number of the seeds of reinforcement learning, which supervised training never uses


@dataclass(frozen=True)
class SampleOptions:
    """`group` programs are sampled per part; the `chosen` with the largest advantages enter the loss."""

    group: int = 16
    chosen: int = 4
    temperature: float = 1.0
    longest: int = 128  # tokens of a sampled program; longer programs count as invalid
    noise: float = 0.01  # noise scale on half of the parts, model frame
    surface_points: int = 2048
    max_tokens: int = 120  # tokens of a ground truth program
    reward: RewardOptions = field(default_factory=RewardOptions)


@dataclass(frozen=True)
class Weights:
    """A model as plain arrays, for another process."""

    options: Qwen2Options
    arrays: dict[str, np.ndarray]

    @classmethod
    def of(cls, model: SmallModel) -> "Weights":
        return cls(model.options, {name: w.detach().cpu().numpy().copy() for name, w in model.state_dict().items()})

    def model(self) -> SmallModel:
        model = without_weights(lambda: SmallModel(self.options)).eval()
        model.load_state_dict({name: torch.from_numpy(w) for name, w in self.arrays.items()}, assign=True)
        return model


@dataclass(frozen=True, eq=False)
class Lesson:
    """One part: its cloud (N, 3), sampled programs with their advantages, and the ground truth, if known."""

    points: torch.Tensor
    programs: list[Written]
    advantages: list[float]
    truth: tuple[int, ...]
    rewards: np.ndarray  # (G,) of all programs of the group
    invalid: int


def lessons(weights: Weights, seed: tuple[int, ...], parts: int, points: int, options: SampleOptions) -> list[Lesson]:
    """Lessons from new parts, each with `points` points."""
    data = DataOptions(surface_points=options.surface_points, max_tokens=options.max_tokens)
    targets = fresh_targets((TRAINING, *seed), parts, options.reward, data)
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence((TRAINING, *seed)).generate_state(1)[0]))
    clouds = model_points(torch.from_numpy(np.stack([t.surface for t in targets])), points, options.noise, generator)
    groups = sample_groups(weights.model(), clouds, options.group, options.temperature, options.longest, generator)
    return [_lesson(*part, options) for part in zip(targets, clouds, groups, strict=True)]


def _lesson(target: Target, cloud: torch.Tensor, group: list[Written], options: SampleOptions) -> Lesson:
    [group_scores] = scores([target], [[tuple(program.ids) for program in group]], options.reward)
    rewards = np.array([reward(score, options.reward) for score in group_scores])
    advantages = centred(rewards)
    rows = largest_advantages(advantages, options.chosen)
    invalid = sum(score.iou is None for score in group_scores)
    return Lesson(cloud.clone(), [group[i] for i in rows], advantages[rows].tolist(), target.ids, rewards, invalid)


def centred(rewards: np.ndarray) -> np.ndarray:
    """Advantages (G,): rewards minus their mean, not divided by their deviation (Liu et al. 2025, arXiv:2503.20783)."""
    return rewards - rewards.mean()


def largest_advantages(advantages: np.ndarray, count: int) -> np.ndarray:
    """Rows of the `count` largest advantages by magnitude, without zeros (Lin et al. 2025, arXiv:2503.22342)."""
    rows = np.argsort(-np.abs(advantages), kind="stable")[:count]
    return rows[np.abs(advantages[rows]) > 1e-6]


@dataclass(frozen=True)
class Measured:
    """One held-out part: rewards of sampled programs, and IoU of all programs; 0 without a solid."""

    rewards: np.ndarray  # (G - 1,)
    ious: np.ndarray  # (G,) greedy first

    @classmethod
    def of(cls, group_scores, options: RewardOptions) -> "Measured":
        rewards = np.array([reward(score, options) for score in group_scores[1:]])
        return cls(rewards, np.array([score.iou or 0.0 for score in group_scores]))


def measured(weights: Weights, targets: list[Target], group: int, options: SampleOptions, seed: int) -> list[Measured]:
    """Measurements of held-out parts from all points without noise; the first program of each group is greedy."""
    generator = torch.Generator().manual_seed(seed)
    clouds = model_points(torch.from_numpy(np.stack([t.surface for t in targets])), PREFIX_LENGTH, 0.0, generator)
    groups = sample_groups(weights.model(), clouds, group, options.temperature, options.longest, generator, True)
    texts = [[tuple(program.ids) for program in programs] for programs in groups]
    return [Measured.of(group_scores, options.reward) for group_scores in scores(targets, texts, options.reward)]


def start_worker() -> None:
    """Initialise a worker process: one thread, interrupts ignored."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
