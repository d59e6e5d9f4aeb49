"""Settings of a batch and rows of its results. Light: nothing here imports torch."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from cadcode import __version__
from cadcode.batch.plan import Part
from cadcode.geometry.cleaning import AS_IT_SAYS, ReadOptions
from cadcode.report.files import json_text, plain
from cadcode.sandbox.sandbox import SandboxOptions

if TYPE_CHECKING:
    from cadcode.reconstruction.options import Options

Convert = Callable[[Part], dict]


@dataclass(frozen=True)
class Setup:
    """All that a worker has to know, in values that can be sent to another process."""

    output: Path
    options: "Options"
    model: str
    revision: str  # of the model's weights
    device: str = "cpu"
    dtype: str | None = None
    threads: int = 1  # of torch, in each worker
    max_new_tokens: int | None = None  # None: the model's own
    sandbox: SandboxOptions = SandboxOptions()
    picture: bool = False
    debug: bool = False
    reading: ReadOptions = AS_IT_SAYS
    force: bool = False

    @property
    def settings(self) -> str:
        """A digest of everything that a result depends on beside its file."""
        facts = dict(
            options=asdict(self.options),
            revision=self.revision,
            dtype=self.dtype,
            picture=self.picture,
            length=self.max_new_tokens,
            sandbox=asdict(self.sandbox),
            reading=asdict(self.reading),
            version=__version__,
        )
        return sha256(json_text(facts).encode()).hexdigest()[:12]


def row(part: Part, setup: Setup, status: str, reason: str | None = None, **facts) -> dict:
    """A line of `results.jsonl`, in plain values: the same before and after it was written."""
    seed = part.seed(setup.options.decoding.seed)
    finished = datetime.now(timezone.utc).isoformat()
    return plain(
        dict(
            name=part.name, status=status, reason=reason, settings=setup.settings, seed=seed, finished=finished, **facts
        )
    )
