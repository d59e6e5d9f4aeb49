"""The learner of `cadcode train-rl`: its options, the clipped loss, and the model with its optimiser."""

import time
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from cadcode.files import replacing
from cadcode.model.checkpoints.load import COUNTS, read_checkpoint
from cadcode.model.nets.qwen2 import Qwen2Options
from cadcode.model.nets.small import SmallModel
from cadcode.program.tokens import PIECES
from cadcode.train.experience import Lesson, SampleOptions
from cadcode.train.groups import group_logits, log_probabilities
from cadcode.train.reward import RewardOptions

TOKENS = 32  # typical length of a program: one divisor for all programs, so that the loss does not depend on length


@dataclass(frozen=True)
class ReinforceOptions:
    minutes: float = 40.0
    decay_share: float = 0.5  # last share of the run, with a learning rate that decays to zero
    lr: float = 1e-4
    warmup_steps: int = 5
    clip: float = 0.1
    supervised: float = 0.2  # weight of the cross entropy of the ground truth program
    parts: int = 16  # parts per update
    points: tuple[int, ...] = (128, 256)  # points per part, cycled over the updates: fewer points are cheaper
    workers: int = 2  # processes that sample and score; 0: the main process does
    threads: int = 1  # torch threads of the learner
    seed: int = 0
    log_every: int = 10
    measure_minutes: float = 5.0  # interval of measurements on held-out parts, and of checkpoints
    held_out: int = 128
    held_out_group: int = 4  # samples per held-out part, the first greedy
    sampling: SampleOptions = field(default_factory=SampleOptions)


def options_from(overrides: dict) -> ReinforceOptions:
    """Default options with the given fields replaced, sampling and reward included. TypeError for unknown fields."""
    left, defaults = dict(overrides), ReinforceOptions()
    reward = replace(defaults.sampling.reward, **_take(RewardOptions, left))
    sampling = replace(defaults.sampling, reward=reward, **_take(SampleOptions, left))
    return replace(defaults, sampling=sampling, **left)


def _take(kind: type, left: dict) -> dict:
    """Remove the options of a kind from `left` and return them."""
    return {f.name: left.pop(f.name) for f in fields(kind) if f.name in left}


class Learner:
    """The model, its optimiser and its counters."""

    def __init__(self, model: SmallModel, options: ReinforceOptions):
        self.model, self.options = model.train(), options
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=options.lr, betas=(0.9, 0.98), weight_decay=0.0, fused=True
        )
        self.steps = self.samples = self.rounds = 0
        self.minutes, self._started = 0.0, time.monotonic()

    @classmethod
    def start(cls, options: ReinforceOptions, checkpoint: Path) -> "Learner":
        """A learner from a checkpoint or a model folder; counters of steps, parts and minutes continue. ModelError."""
        state = read_checkpoint(checkpoint)
        model = SmallModel(Qwen2Options(**state["model_options"]))
        model.load_state_dict(state["model"])
        learner = cls(model, options)
        learner.steps, learner.samples, learner.minutes = (state[name] for name in COUNTS)
        return learner

    def save(self, path: Path) -> None:
        """Save as `cadcode train` does, without the optimiser, whose moments belong to another loss."""
        state = dict(
            model=self.model.state_dict(),
            model_options=asdict(self.model.options),
            pieces=list(PIECES),
            steps=self.steps,
            samples=self.samples,
            minutes=self.minutes + (time.monotonic() - self._started) / 60,
        )
        with replacing(path) as written:
            torch.save(state, written)

    def update(self, group: list[Lesson], rate: float = 1.0) -> dict:
        """One step on the mean loss of the lessons; returns the figures to log."""
        self.optimizer.param_groups[0]["lr"] = self.options.lr * rate
        self.optimizer.zero_grad(set_to_none=True)
        figures = [self._learn(lesson, len(group)) for lesson in group]
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.rounds, self.steps, self.samples = self.rounds + 1, self.steps + 1, self.samples + len(group)
        rewards = np.array([lesson.rewards for lesson in group])
        invalid = sum(lesson.invalid for lesson in group) / rewards.size
        spread = float(rewards.std(axis=1).mean())
        figures = means(figures) | dict(reward=float(rewards.mean()), spread=spread, invalid=invalid)
        return figures | dict(gradient=norm.item())

    def _learn(self, lesson: Lesson, share: int) -> dict:
        """Add the gradient of one lesson; a lesson without programs and ground truth is skipped."""
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


def means(figures: list[dict]) -> dict:
    """Mean of each figure over the entries that have it: a part without a program has no cross entropy."""
    names = dict.fromkeys(name for some in figures for name in some)
    return {name: round(float(np.mean([some[name] for some in figures if name in some])), 4) for name in names}
