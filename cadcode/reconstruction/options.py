"""Options of a run and of its model, checked when they are made."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

from cadcode.errors import UsageError
from cadcode.geometry.metrics import MetricOptions
from cadcode.geometry.sampling import SamplingOptions
from cadcode.model.checkpoints.load import load_model
from cadcode.model.checkpoints.spec import EMBEDDED, POINTS, LoadedModel
from cadcode.model.generate import DecodeOptions
from cadcode.model.machine import pick_device, use_threads
from cadcode.model.nets.attention import SDPA
from cadcode.sandbox.outcome import EXPORTS
from cadcode.search.options import SearchOptions

NEXT_ROUND = 1_000_003  # between the seeds of two rounds


@dataclass(frozen=True)
class Options:
    """Options of a run, one dataclass per stage. Raises UsageError for an unknown export format or no view."""

    sampling: SamplingOptions = SamplingOptions()
    decoding: DecodeOptions = DecodeOptions(mode="sample", candidates=32)
    views: int = 8  # from which the model reads the part, where there are candidates enough
    search: SearchOptions = SearchOptions()
    metrics: MetricOptions = MetricOptions()
    export: tuple[str, ...] = ("step",)

    def __post_init__(self):
        if unknown := set(self.export) - set(EXPORTS):
            raise UsageError(f"--export {', '.join(sorted(unknown))}: choose from {', '.join(EXPORTS)}")
        if self.views < 1:
            raise UsageError("views must be at least 1")

    def seeded(self, seed: int) -> "Options":
        """The same options with a seed for everything random."""
        return self.redrawn(seed)

    def redrawn(self, seed: int) -> "Options":
        """The same options with another seed for the drafts alone."""
        return replace(self, sampling=replace(self.sampling, seed=seed), decoding=replace(self.decoding, seed=seed))

    def rounds(self) -> Iterator["Options"]:
        """Options of one round after the other: the first as they are, the next with other drafts."""
        yield self
        for number in count(1):
            yield self.redrawn(self.decoding.seed + NEXT_ROUND * number)


@dataclass(frozen=True)
class ModelOptions:
    """Model, and how it is computed. Raises UsageError for fewer than one thread; `load` checks the rest."""

    model: str = EMBEDDED  # a name of `cadcode models` or a folder
    device: str = "auto"
    dtype: str = "auto"
    attention: str = SDPA
    threads: int | None = None  # of torch; None: as many as there are free processors
    reads: str = POINTS

    def __post_init__(self):
        if self.threads is not None and self.threads < 1:
            raise UsageError("threads must be at least 1")


def load(options: ModelOptions) -> LoadedModel:
    """Load a model. Raises ModelError, UsageError."""
    use_threads(options.threads)
    device = pick_device(options.device)
    return load_model(options.model, device, options.dtype, options.reads, options.attention)


def named(**options) -> dict:
    """Those options that were named."""
    return {name: value for name, value in options.items() if value is not None}


def options_for(export=None, seed=None, decode=None, beams=None, refine=None, budget=None, **decoding) -> Options:
    """The default options with those named replaced. Raises UsageError where they contradict each other."""
    options = Options() if seed is None else Options().seeded(seed)
    if decode in ("greedy", "beam"):
        if (decoding["candidates"] or 1) != 1:
            raise UsageError(f"--decode {decode} writes one candidate; leave --candidates out or use --decode sample")
        decoding["candidates"] = 1
    elif decoding["candidates"] == 1:
        decode = "greedy"
    if beams is not None and decode != "beam":
        raise UsageError("--beams goes with --decode beam")
    changes = named(mode=decode, beams=beams, **decoding)
    search = replace(options.search, **named(refine=refine, budget=budget))
    return replace(options, decoding=replace(options.decoding, **changes), search=search, **named(export=export))


def suited(options: Options, model: LoadedModel, max_new_tokens: int | None) -> Options:
    """The options with the model's own maximum length, unless one was named."""
    length = max_new_tokens or model.spec.max_new_tokens
    return replace(options, decoding=replace(options.decoding, max_new_tokens=length))
