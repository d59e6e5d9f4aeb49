"""Benchmark parts: held-out programs of the generator, executed."""

from dataclasses import dataclass

import numpy as np
import torch

from cadcode.data.dataset import held_out
from cadcode.geometry.frame import Frame
from cadcode.geometry.sampling import SamplingOptions, model_points, points_with_normals
from cadcode.geometry.shape import Shape
from cadcode.model.checkpoints.spec import LoadedModel
from cadcode.program.text.compact import compact
from cadcode.sandbox.outcome import Solid
from cadcode.sandbox.sandbox import Sandbox


@dataclass(frozen=True, eq=False)
class Part:
    text: str  # compact program of the part
    shape: Shape
    stl: bytes


def parts(count: int, sandbox: Sandbox) -> list[Part]:
    """The first `count` held-out programs that make a solid."""
    solids: list[Part] = []
    for sample in held_out(2 * count):
        if len(solids) == count:
            break
        text = compact(sample.program)
        solid = sandbox.run(text, export=("stl",))
        if isinstance(solid, Solid):
            solids.append(Part(text, Shape.from_arrays(solid.vertices, solid.faces), solid.exports["stl"]))
    return solids


def cloud_of(part: Part, model: LoadedModel) -> torch.Tensor:
    """Input of the network as in `generate`: (1, 256, 3), or (1, 256, 6) with normals."""
    sample = points_with_normals if model.spec.normals else model_points
    points = sample(part.shape, Frame.around(part.shape.bounds), SamplingOptions())
    return torch.from_numpy(np.asarray(points, np.float32))[None].to(model.device)
