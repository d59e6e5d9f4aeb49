"""Result of one part, in plain values and in plain sentences."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import numpy as np
import torch

from cadcode import __version__
from cadcode.geometry.pose import Pose
from cadcode.geometry.shape import Shape
from cadcode.model.checkpoints.spec import LoadedModel
from cadcode.reconstruction.candidate import Candidate, Failure, Verified, solid_facts
from cadcode.reconstruction.choose import at_floor, measured, stage_errors
from cadcode.reconstruction.options import Options
from cadcode.reconstruction.placement import pose_facts
from cadcode.sandbox.sandbox import SandboxOptions
from cadcode.surfaces import FaceCheck


@dataclass(frozen=True, eq=False)
class Result:
    """Outcome of one part; `chosen` is None when no program made a solid.

    `shape` is None for a part that was asked for by text or pictures: `asked` says by which, and nothing is measured.
    """

    shape: Shape | None
    model: LoadedModel
    options: Options
    limits: SandboxOptions  # of the programs that were run
    chosen: Verified | None
    candidates: list[Candidate]
    seconds: dict[str, float] = field(default_factory=dict)
    asked: dict | None = None
    out_of_time: bool = False
    pose: Pose | None = None  # in which the program was written, where the part stands askew
    faces: FaceCheck | None = None  # of the input against the result, where both were read

    @property
    def is_valid(self) -> bool:
        """Whether the result is a valid, measured solid, and no bounding box of something that is no box."""
        if self.chosen is None or self.shape is None:
            return self.chosen is not None and self.chosen.solid.valid
        return self.chosen.is_sound and (not self.chosen.provenance.is_box or at_floor(self.chosen.error, self.shape))

    @property
    def measured(self) -> list[Verified]:
        """The candidates that were measured against the input."""
        return measured(self.candidates)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Plain sentences on a result that is not as the user expects it."""
        return tuple(_remarks(self))

    @property
    def why_not_valid(self) -> str:
        """One line on a result that is not valid."""
        reasons = [c.reason for c in self.candidates if isinstance(c, Failure)]
        said = self.remarks[0] if self.chosen else f"no valid program ({(reasons or ['none was written'])[0]})"
        return f"{said}; try more --candidates"

    def as_dict(self) -> dict:
        """Plain values: the contents of `<part>.json`. Lengths are in the units of the input's file."""
        chosen = self.chosen
        return dict(
            input=self.asked if self.shape is None else _input(self.shape),
            model=_model(self.model),
            options=asdict(self.options),
            limits=asdict(self.limits),
            chosen=chosen.source if chosen else None,
            valid=self.is_valid,
            solid=solid_facts(chosen.solid) if chosen else None,
            remarks=list(self.remarks),
            pose=None if self.pose is None else pose_facts(self.pose),
            error=chosen.error.as_dict() if chosen and chosen.error else None,
            faces=None if self.faces is None else self.faces.as_dict(),
            stages={} if self.shape is None else stage_errors(self.candidates, float(self.shape.extents.max())),
            candidates=[candidate.as_dict() for candidate in self.candidates],
            seconds={k: round(v, 4) for k, v in self.seconds.items()},
            versions=dict(cadcode=__version__, torch=str(torch.__version__), numpy=np.__version__),
        )


def _input(shape: Shape) -> dict:
    return dict(
        path=shape.path,
        sha256=shape.sha256,
        format=shape.format,
        unit=shape.unit,
        notes=list(shape.notes),
        warnings=list(shape.warnings),
        extents=shape.extents.tolist(),
        watertight=shape.watertight,
        bodies=shape.bodies,
        is_cloud=shape.is_cloud,
    )


def _model(model: LoadedModel) -> dict:
    return dict(
        name=model.spec.name,
        revision=model.revision,
        licence=model.spec.licence,
        reads=model.reads,
        device=str(model.device),
        dtype=model.dtype,
        attention=model.attention,
        threads=torch.get_num_threads(),
    )


def _remarks(result: Result) -> Iterator[str]:
    shape, chosen = result.shape, result.chosen
    if chosen is None:
        return
    if not result.is_valid and chosen.provenance.is_box:
        yield "no candidate makes a valid solid: this is the bounding box of the input"
    elif not result.is_valid:
        why = chosen.error.iou_reason if chosen.error and chosen.error.iou_failed else "the kernel finds faults in it"
        yield f"no candidate makes a valid solid: this one is invalid ({why})"
    if shape is not None and shape.bodies and chosen.solid.solids != shape.bodies:
        yield f"the input has {_bodies(shape.bodies)}, the result {_bodies(chosen.solid.solids)}"
    if result.out_of_time:
        yield f"the time limit of {result.options.search.seconds:g} s was reached: this is what was found until then"


def _bodies(count: int) -> str:
    return "1 body" if count == 1 else f"{count} bodies"
