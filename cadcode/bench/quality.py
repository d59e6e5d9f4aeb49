"""Quality of a model: greedy decoding and best of N, on held-out generated parts or on a folder of meshes.

Means have 95 % bootstrap intervals over the parts; a part without a valid program counts as IoU 0.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from cadcode.data.dataset import HELD_OUT, held_out
from cadcode.geometry.io.load import is_shape_file, load_shape
from cadcode.geometry.sampling import farthest_points
from cadcode.model.checkpoints.load import LoadedModel
from cadcode.model.generate import DecodeOptions, decode
from cadcode.program.field import EmptySolid, bounds, occupancy
from cadcode.program.parse import parse
from cadcode.program.surface import sample_surface
from cadcode.program.tree import Program, Rejected
from cadcode.reconstruction.options import Options
from cadcode.reconstruction.result import Result
from cadcode.reconstruction.run import reconstruct
from cadcode.search.ranking import SearchTarget, distance_to_input


@dataclass(frozen=True)
class QualityOptions:
    parts: int = 200
    candidates: int = 10
    surface_points: int = 8192
    model_points: int = 256
    volume_points: int = 20_000
    batch: int = 16
    resamples: int = 2000
    seed: int = 0


@dataclass(frozen=True)
class Figure:
    """One configuration over all parts: IoU per part (None without a valid program), and the programs."""

    name: str
    ious: tuple[float | None, ...]
    texts: tuple[str | None, ...] = ()

    @classmethod
    def of(cls, name: str, parts: list[tuple[float | None, str | None]]) -> "Figure":
        """A figure from (IoU, program text) of every part."""
        return cls(name, *zip(*parts, strict=True))

    def as_dict(self, resamples: int, seed: int) -> dict:
        values = np.array([iou or 0.0 for iou in self.ious])
        draws = np.random.default_rng(seed).integers(len(values), size=(resamples, len(values)))
        low, high = np.quantile(values[draws].mean(1), [0.025, 0.975])
        invalid = sum(iou is None for iou in self.ious) / len(values)
        mean, median = float(values.mean()), float(np.median(values))
        return dict(
            name=self.name,
            parts=len(values),
            iou_mean=mean,
            interval=[float(low), float(high)],
            iou_median=median,
            invalid=invalid,
        )


def difference(ours: Figure, theirs: Figure, resamples: int, seed: int) -> dict:
    """Mean paired difference of IoU, with its 95 % bootstrap interval over the parts, and the share of equal programs.

    The interval is much narrower than those of the figures, because both models find the same parts hard. ValueError if
    the figures have different numbers of parts.
    """
    pairs = zip(ours.ious, theirs.ious, strict=True)
    gaps = np.array([(a or 0.0) - (b or 0.0) for a, b in pairs])
    draws = np.random.default_rng(seed).integers(len(gaps), size=(resamples, len(gaps)))
    low, high = np.quantile(gaps[draws].mean(1), [0.025, 0.975])
    same = sum(a is not None and a == b for a, b in zip(ours.texts, theirs.texts, strict=True)) / len(gaps)
    return dict(
        name=ours.name,
        parts=len(gaps),
        difference=float(gaps.mean()),
        interval=[float(low), float(high)],
        better=float((gaps > 0.01).mean()),
        worse=float((gaps < -0.01).mean()),
        same=same,
    )


# --- generated parts -------------------------------------------------------------------------------------------------


def generated_quality(model: LoadedModel, options: QualityOptions, progress=lambda done: None) -> list[Figure]:
    """Greedy decoding and best of N (by distance to the points) on held-out programs, without the CAD kernel."""
    parts = held_out(options.parts)
    best = f"best of {options.candidates}"
    measured: dict[str, list] = {"greedy": [], best: []}
    for start in range(0, len(parts), options.batch):
        group = [_Part.of(s.program, start + i, options) for i, s in enumerate(parts[start : start + options.batch])]
        points = torch.from_numpy(np.stack([p.cloud for p in group])).to(model.device)
        decoding = DecodeOptions(mode="sample", candidates=options.candidates, seed=options.seed)
        for part, drafts in zip(group, decode(model.engine, model.language, points, decoding), strict=True):
            measured["greedy"].append(part.measured(next((d.text for d in drafts if d.mode == "greedy"), None)))
            nearest = min((d.text for d in drafts), key=lambda text: part.distance(parse(text)), default=None)
            measured[best].append(part.measured(nearest))
        progress(min(start + options.batch, len(parts)))
    return [Figure.of(name, values) for name, values in measured.items()]


def robust_quality(model: LoadedModel, options: QualityOptions, progress=lambda done: None) -> list[Figure]:
    """Greedy decoding on held-out programs, from clean points and from points with the defects of scans."""
    parts = held_out(options.parts)
    measured: dict[str, list] = {name: [] for name in SCANS}
    for start in range(0, len(parts), options.batch):
        group = [_Part.of(s.program, start + i, options) for i, s in enumerate(parts[start : start + options.batch])]
        for name, scan in SCANS.items():
            clouds = [
                scan(part.surface, np.random.default_rng([options.seed, start + i]), options.model_points)
                for i, part in enumerate(group)
            ]
            points = torch.from_numpy(np.stack(clouds).astype(np.float32) / 100).to(model.device)
            drafts = decode(model.engine, model.language, points, DecodeOptions(mode="greedy", candidates=1))
            texts = [candidates[0].text if candidates else None for candidates in drafts]
            measured[name] += [part.measured(text) for part, text in zip(group, texts, strict=True)]
        progress(min(start + options.batch, len(parts)))
    return [Figure.of(name, values) for name, values in measured.items()]


def _clean(surface, rng, count):
    return surface[farthest_points(surface, count)]


def _noisy(surface, rng, count):
    points = _clean(surface, rng, count)
    return points + rng.normal(0, 1.0, points.shape)  # 1 % of half the longest side, 100 units


def _few(surface, rng, count):
    return _clean(surface, rng, count // 2)


def _uneven(surface, rng, count):
    """Random points, up to 20 times denser on one side."""
    along = surface @ _direction(rng)
    weight = np.exp(3 * (along - along.min()) / np.ptp(along))
    return surface[rng.choice(len(surface), count, replace=False, p=weight / weight.sum())]


def _side_missing(surface, rng, count):
    """Points without the quarter farthest to one side; the outermost points are kept, so that the box is unchanged."""
    along = surface @ _direction(rng)
    kept = along < np.quantile(along, 0.75)  # (N,)
    kept[[*surface.argmax(0), *surface.argmin(0)]] = True
    return _clean(surface[kept], rng, count)


def _direction(rng):
    drawn = rng.normal(size=3)
    return drawn / np.linalg.norm(drawn)


SCANS = {
    "clean": _clean,
    "noise 1 %": _noisy,
    "half of the points": _few,
    "uneven": _uneven,
    "a side missing": _side_missing,
}


@dataclass(frozen=True, eq=False)
class _Part:
    program: Program
    surface: np.ndarray  # (N, 3) program frame
    cloud: np.ndarray  # (256, 3) float32, model frame
    target: SearchTarget
    places: np.ndarray  # (M, 3) in the unit cube, volume samples

    @classmethod
    def of(cls, program: Program, number: int, options: QualityOptions) -> "_Part":
        rng = np.random.default_rng([HELD_OUT, number])
        surface, _ = sample_surface(program, options.surface_points, rng)
        cloud = surface[farthest_points(surface, options.model_points)] / 100
        places = rng.random((options.volume_points, 3))
        return cls(program, surface, cloud.astype(np.float32), SearchTarget.of(surface[:2048]), places)

    def distance(self, program: Program | Rejected) -> float:
        return distance_to_input(program, self.target) if isinstance(program, Program) else float("inf")

    def measured(self, text: str | None) -> tuple[float | None, str | None]:
        """IoU and text of a candidate."""
        return (None, None) if text is None else (self.iou(parse(text)), text)

    def iou(self, program: Program | Rejected) -> float | None:
        """IoU from points in the common box; None if `program` was rejected, 0 for an empty solid."""
        if not isinstance(program, Program):
            return None
        try:
            boxes = np.stack([bounds(self.program), bounds(program)])
        except EmptySolid:
            return 0.0
        low, high = boxes[:, 0].min(0), boxes[:, 1].max(0)
        points = low + self.places * (high - low)
        ours, theirs = occupancy(self.program, points), occupancy(program, points)
        return float((ours & theirs).sum() / max((ours | theirs).sum(), 1))


# --- meshes ----------------------------------------------------------------------------------------------------------


def folder_quality(
    folder: Path, model: LoadedModel, sandbox, options: QualityOptions, refined: bool, progress=lambda done: None
) -> list[Figure]:
    """Greedy decoding, best of N and, if `refined`, the full search on a folder of meshes, executed and measured."""
    paths = sorted(p for p in Path(folder).rglob("*") if is_shape_file(p))
    plain = Options().seeded(options.seed)
    plain = replace(plain, search=replace(plain.search, refine=False, execute=1), export=())
    settings = {"greedy": replace(plain, decoding=replace(plain.decoding, mode="greedy", candidates=1))}
    sampled = replace(plain, decoding=replace(plain.decoding, mode="sample", candidates=options.candidates))
    settings[f"best of {options.candidates}"] = sampled
    if refined:
        settings["refined"] = replace(sampled, search=Options().search)
    measured: dict[str, list] = {name: [] for name in settings}
    for done, path in enumerate(paths, 1):
        shape = load_shape(path, cad_reader=sandbox.read_cad)
        for name, setting in settings.items():
            measured[name].append(_measured(reconstruct(shape, model, sandbox, setting)))
        progress(done)
    return [Figure.of(name, values) for name, values in measured.items()]


def _measured(result: Result) -> tuple[float | None, str | None]:
    """IoU and text of the chosen program; None without a valid program, also for the bounding box fallback."""
    chosen = result.chosen
    return (None, None) if chosen is None or chosen.provenance.is_box else (chosen.error.iou, chosen.text)
