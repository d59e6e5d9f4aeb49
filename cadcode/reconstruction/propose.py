"""Candidate programs for one part: the model's drafts, the search's programs, the bounding box.

The model reads the part several times: from other sides, by other points. A part turned by a rotation of the cube is
another input to the network, and the program for it can be turned back exactly.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from cadcode.errors import InputError
from cadcode.geometry.frame import Frame
from cadcode.geometry.sampling import SamplingOptions, model_points, points_with_normals
from cadcode.geometry.shape import Shape
from cadcode.geometry.views import four_views, scaled
from cadcode.model.checkpoints.spec import IMAGES, LoadedModel, ModelSpec
from cadcode.model.generate import DecodeOptions, Draft, decode
from cadcode.model.nets.patches import SCALED, patches_of
from cadcode.program.parse import parse
from cadcode.program.symmetry import ROTATIONS, transformed
from cadcode.program.transform import moved
from cadcode.program.tree import Extrude, Face, Program, Rect, Rejected, Step
from cadcode.reconstruction.candidate import BOX, Failure, FreeText, Proposed, Provenance
from cadcode.reconstruction.input import Input
from cadcode.reconstruction.options import Options
from cadcode.sandbox.allowlist import check
from cadcode.search.goal import Late, never
from cadcode.search.options import SearchOptions
from cadcode.search.ranking import distance_to_input
from cadcode.search.round_numbers import round_in_world
from cadcode.search.search import search
from cadcode.units import PROGRAM_UNITS

# The identity first, then every fifth rotation, so that the first few differ in which axis points up.
VIEWS = tuple(ROTATIONS[5 * i % len(ROTATIONS)] for i in range(len(ROTATIONS)))
CANDIDATES_A_VIEW = 4  # at least: the first is greedy, the others are sampled
NEXT_SEED = 7919  # between the seeds of two views' points


def view_count(options: DecodeOptions, most: int) -> int:
    """How many views share the candidates: one for a single text."""
    return max(1, min(most, len(VIEWS), options.candidates // CANDIDATES_A_VIEW)) if options.mode == "sample" else 1


def model_inputs(part: Input, model: LoadedModel, options: Options) -> np.ndarray:
    """Input of the network, (views, N, features) float32: a cloud per view, or one sheet of pictures as patches.

    Raises InputError where a cloud has no normals, or no faces to look at.
    """
    shape, frame = part.shape, part.frame
    if model.reads != IMAGES:
        return view_clouds(shape, frame, model, options.sampling, view_count(options.decoding, options.views))
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


def write(
    model: LoadedModel, given: np.ndarray, options: DecodeOptions, decode: Callable[..., list] = decode
) -> list[Draft]:
    """`options.candidates` drafts in all, as many of each input (views, N, features); the first input's come first."""
    each = replace(options, candidates=math.ceil(options.candidates / len(given)))
    points = torch.from_numpy(np.asarray(given, np.float32)).to(model.device)
    drafts = []
    for view, written in enumerate(decode(model.engine, model.language, points, each)):
        drafts += [replace(draft, view=view) for draft in written]
    return drafts[: options.candidates]


def upright(program: Program, view: int) -> Program:
    """A program that was written for a view, as one for the part as it stands."""
    return transformed(program, VIEWS[view].inverse()) if view else program


def rank(drafts: list[Draft], part: Input, seed: int, spec: ModelSpec) -> list[Proposed | Failure]:
    """Candidates by their distance to the input, nearest first; of equal programs the first draft stays.

    Of a model that writes free text, what is not in the dialect but may run comes last.
    """
    candidates, known = [], set()
    for draft in drafts:
        candidate = read(draft, spec)
        if isinstance(candidate, Failure):
            candidates.append(candidate)
        elif candidate.program not in known:
            known.add(candidate.program)
            candidates.append(candidate if isinstance(candidate.program, FreeText) else near(candidate, part, seed))
    return sorted(candidates, key=lambda candidate: candidate.distance)


def read(draft: Draft, spec: ModelSpec) -> Proposed | Failure:
    """A draft as a program of the part as it stands, or as a text that can be run, or with the reason why neither."""
    program, provenance, scale = parse(draft.text), Provenance.of_draft(draft), PROGRAM_UNITS / spec.program_units
    if isinstance(program, Rejected):
        text = FreeText(draft.text, scale)
        if spec.free_text and check(draft.text) is None:
            return Proposed(text, provenance, log_probability=draft.log_probability)
        return Failure(Proposed(text, provenance), f"not in the dialect: {program.reason}")
    program = moved(program, scale, (0, 0, 0)) if scale != 1 else program
    program = program if spec.free_text else upright(program, draft.view)  # `view_clouds` turns no part for these
    return Proposed(program, provenance, log_probability=draft.log_probability)


def near(candidate: Proposed, part: Input, seed: int) -> Proposed | Failure:
    """A candidate with its distance to the input, or the reason why it has none."""
    candidate = replace(candidate, distance=distance_to_input(candidate.program, part.samples, seed))
    return Failure(candidate, "the program leaves no solid") if candidate.distance == math.inf else candidate


def improved(
    ranked: list[Proposed | Failure], part: Input, options: SearchOptions, late: Late = never
) -> list[Proposed]:
    """Programs of the search from the drafts and the bounding box, best score first, in round numbers, none twice."""
    starts = [c for c in ranked if isinstance(c, Proposed) and isinstance(c.program, Program)]
    drafts = [(c.provenance, c.program) for c in [*starts, bounding_box(part)]]
    candidates: dict[Program, Proposed] = {}
    for better in search(drafts, part.goal, options, late):
        program = round_in_world(better.program, part.frame, part.goal)
        expected = part.goal.expected_iou(program)
        proposed = Proposed(program, Provenance.of_search(better.origin), math.nan, expected=expected)
        candidates.setdefault(program, proposed)
    return list(candidates.values())


def bounding_box(part: Input) -> Proposed:
    """The box of the input: the last resort, so that there always is a file to start from."""
    (x0, y0, z0), (x1, y1, z1) = part.frame.to_program(part.shape.bounds)
    thin = 1e-3  # of a program unit: a flat input still gets a solid
    rect = Rect(((x0 + x1) / 2, (y0 + y1) / 2), max(x1 - x0, thin), max(y1 - y0, thin))
    box = Program((Step("union", Extrude("XY", z0, max(z1 - z0, thin), (Face(rect),))),))
    return Proposed(box, Provenance(BOX), math.nan)
