"""Programs on their way to a result: `Proposed`, then `Verified`, or `Failure` with the reason."""

import math
from dataclasses import dataclass

from cadcode.geometry.metrics import Errors
from cadcode.model.generate import SOURCES, Draft
from cadcode.program.tree import Program
from cadcode.sandbox.outcome import Solid
from cadcode.search.from_surfaces import READINGS
from cadcode.search.search import Source
from cadcode.surfaces import FaceCheck

SECTION, BOX = "section", "box"
TEXTS = SOURCES | {SECTION: "{}", BOX: "bounding box"}
REFINED, EDITED = "refined", "edited"  # stages of the search, as is its `COMPLETED`


@dataclass(frozen=True)
class Provenance:
    """Origin of a program: a decoding mode of the model, a section of the input, or its bounding box.

    `view` is the view in which the model read the part. `index` is the number of a sample, the width of a beam or the
    axis of a section. `stages` are the stages of the search that changed the program, in order.
    """

    origin: str
    view: int = 0
    index: int = 0
    stages: tuple[str, ...] = ()

    @classmethod
    def of_draft(cls, draft: Draft) -> "Provenance":
        return cls(draft.mode, draft.view, draft.number)

    @classmethod
    def of_search(cls, source: Source) -> "Provenance":
        """Provenance of a program of the search, whose drafts were named by their provenance."""
        if source.start in READINGS:
            return cls(SECTION, index=READINGS.index(source.start), stages=source.stages)
        start = source.start
        return cls(start.origin, start.view, start.index, (*start.stages, *source.stages))

    @property
    def is_greedy(self) -> bool:
        """Whether it is the greedy program for the part as it is, unchanged."""
        return self.origin == "greedy" and not self.view and not self.stages

    @property
    def is_box(self) -> bool:
        """Whether it is the bounding box of the input, unchanged."""
        return self.origin == BOX and not self.stages

    def __str__(self) -> str:
        """Text for people and for part.json: `view 1, sample 2, refined, edited`."""
        name = READINGS[self.index] if self.origin == SECTION else TEXTS[self.origin].format(self.index)
        return ", ".join((*([f"view {self.view}"] if self.view else []), name, *self.stages))


@dataclass(frozen=True)
class FreeText:
    """A program text that is not in the dialect. `scale`: program units per unit of the text."""

    text: str
    scale: float = 1.0


@dataclass(frozen=True, eq=False)
class Proposed:
    """A program to try. Candidates with equal programs are the same candidate.

    `distance` is the mean distance to the input (program units): infinite for a program without a solid and for a free
    text, NaN where the search made the program. `expected` is the IoU that the search measured, if it measured one.
    """

    program: Program | FreeText  # program frame
    provenance: Provenance
    distance: float = math.inf
    log_probability: float | None = None
    expected: float | None = None

    @property
    def source(self) -> str:
        return str(self.provenance)

    def as_dict(self, failure=None, error: Errors | None = None, solid: Solid | None = None) -> dict:
        """Plain values: an entry of `candidates` in part.json."""
        return dict(
            source=self.source,
            distance=self.distance if math.isfinite(self.distance) else None,
            failure=failure,
            log_probability=self.log_probability,
            error=error and error.as_dict(),
            solid=solid and solid_facts(solid),
        )


@dataclass(frozen=True, eq=False)
class Verified:
    """A program that made a solid when it was run. `text`: readable CadQuery in world units.

    `error` is None for a part without an input shape: there is nothing to measure against. `faces` are the input's
    analytic faces against those of the solid, None where either are not read.
    """

    proposed: Proposed
    text: str
    solid: Solid
    error: Errors | None = None
    faces: FaceCheck | None = None

    @property
    def program(self) -> Program | FreeText:
        return self.proposed.program

    @property
    def provenance(self) -> Provenance:
        return self.proposed.provenance

    @property
    def source(self) -> str:
        return self.proposed.source

    @property
    def iou(self) -> float:
        """IoU, 0 where there is none."""
        return (self.error and self.error.iou) or 0.0

    @property
    def is_sound(self) -> bool:
        """Whether its solid is valid and was measured, with an IoU where the input has a volume."""
        return self.error is not None and not self.error.iou_failed and self.solid.valid

    def as_dict(self) -> dict:
        return self.proposed.as_dict(error=self.error, solid=self.solid)


@dataclass(frozen=True, eq=False)
class Failure:
    """A draft or a program without a result, and the reason in one line."""

    proposed: Proposed
    reason: str

    @property
    def program(self) -> Program | FreeText:
        return self.proposed.program

    @property
    def provenance(self) -> Provenance:
        return self.proposed.provenance

    @property
    def distance(self) -> float:
        return self.proposed.distance

    def as_dict(self) -> dict:
        return self.proposed.as_dict(failure=self.reason)


Candidate = Proposed | Verified | Failure


def solid_facts(solid: Solid) -> dict:
    """Plain values: the kernel's verdict on a solid, its number of bodies, its volume in cubed units."""
    return dict(valid=solid.valid, solids=solid.solids, volume=solid.volume)
