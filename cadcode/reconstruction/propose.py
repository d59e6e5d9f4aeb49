"""What the model writes for one part. It reads the part several times: from other sides, by other points.

A part turned by a rotation of the cube is another input to the network, and what it writes can be turned back exactly.
"""

from dataclasses import replace
from math import ceil

import numpy as np
import torch

from cadcode.errors import InputError
from cadcode.geometry.frame import Frame
from cadcode.geometry.io.load import Shape
from cadcode.geometry.sampling import SamplingOptions, model_points, points_with_normals
from cadcode.geometry.views import four_views, scaled
from cadcode.model.checkpoints.spec import IMAGES, LoadedModel
from cadcode.model.generate import DecodeOptions, Draft, decode
from cadcode.model.nets.patches import SCALED, patches_of
from cadcode.program.symmetry import ROTATIONS, transformed
from cadcode.program.tree import Program

# The identity first, then every fifth rotation, so that the first few differ in which axis points up.
VIEWS = tuple(ROTATIONS[5 * i % len(ROTATIONS)] for i in range(len(ROTATIONS)))
CANDIDATES_A_VIEW = 4  # at least: the first is greedy, the others are sampled
NEXT_SEED = 7919  # between the seeds of two views' points


def view_count(options: DecodeOptions, most: int) -> int:
    """How many views share the candidates: one for a single text."""
    return max(1, min(most, len(VIEWS), options.candidates // CANDIDATES_A_VIEW)) if options.mode == "sample" else 1


def model_inputs(shape: Shape, frame: Frame, model: LoadedModel, options: SamplingOptions, count: int) -> np.ndarray:
    """What the network is given, (views, N, features) float32: `count` clouds, or one sheet of pictures as patches.

    Raises InputError where a cloud has no normals, or no faces to look at.
    """
    if model.reads != IMAGES:
        return view_clouds(shape, frame, model, options, count)
    if shape.is_cloud:
        raise InputError(shape.path, "is a cloud and cannot be drawn", "give a mesh, or leave --images out")
    return seen(four_views(frame.to_model(shape.vertices), shape.faces))[None]


def seen(sheet: np.ndarray) -> np.ndarray:
    """Patches (400, 1176) float32 of a sheet of views (H, H, 3) uint8."""
    return patches_of(scaled(sheet, SCALED))


def view_clouds(shape: Shape, frame: Frame, model: LoadedModel, options: SamplingOptions, count: int) -> np.ndarray:
    """Points for the network, (count, 256, 3) float32 in the model frame, or (count, 256, 6) with normals.

    Models that write free text get their part upright: what does not parse could not be turned back.
    """
    sample = points_with_normals if model.spec.normals else model_points
    clouds = [sample(shape, frame, replace(options, seed=options.seed + NEXT_SEED * view)) for view in range(count)]
    if not model.spec.free_text:
        clouds = [VIEWS[view].apply(cloud) for view, cloud in enumerate(clouds)]
    return np.stack(clouds).astype(np.float32)


def write(model: LoadedModel, given: np.ndarray, options: DecodeOptions) -> list[Draft]:
    """`options.candidates` drafts in all, as many of each input (views, N, features); the first input's come first."""
    each = replace(options, candidates=ceil(options.candidates / len(given)))
    points = torch.from_numpy(np.asarray(given, np.float32)).to(model.device)
    drafts = []
    for view, written in enumerate(decode(model.engine, model.language, points, each)):
        turn = 0 if model.spec.free_text else view
        drafts += [replace(d, view=turn, source=f"view {view}, {d.source}") if view else d for d in written]
    return drafts[: options.candidates]


def upright(program: Program, view: int) -> Program:
    """A program that was written for a view, as one for the part as it stands."""
    return transformed(program, VIEWS[view].inverse()) if view else program
