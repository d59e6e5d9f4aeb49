"""The quality benchmark: figures that can be trusted, from parts that training never sees."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_models import saved
from typer.testing import CliRunner

from cadcode.bench.quality import SCANS, Figure, QualityOptions, _Part, difference, generated_quality, robust_quality
from cadcode.cli.app import app
from cadcode.data.dataset import DataOptions, held_out, samples
from cadcode.model.checkpoints.load import load_model
from cadcode.program.text.compact import compact
from cadcode.program.tokens import encode
from cadcode.program.tree import Extrude, Face, Program, Rect, Step


class Oracle:
    """A network that has learnt the held-out parts by heart: it writes their tokens in their order."""

    device = torch.device("cpu")

    def __init__(self, parts, size):
        self.texts, self.size = [encode(compact(s.program)) for s in parts], size

    def begin(self, points, start, room):
        return self._logits(range(len(points)), 0), _Rows(list(range(len(points))))

    def step(self, ids, written, cache):
        return self._logits(cache.rows, written + ids.shape[1] - 1)

    def _logits(self, rows, at):
        logits = torch.full((len(rows), self.size), -50.0)
        for i, row in enumerate(rows):
            text = self.texts[row]
            logits[i, text[min(at, len(text) - 1)]] = 50.0
        return logits


class _Rows:
    def __init__(self, rows):
        self.rows = rows

    def select(self, index):
        return _Rows([self.rows[i] for i in index.tolist()])


@pytest.fixture
def model(tmp_path):
    return load_model(str(saved(tmp_path / "tiny")))


def test_a_perfect_model_scores_one(model):
    options = QualityOptions(parts=6, candidates=2, batch=6, volume_points=2000)
    oracle = Oracle(held_out(6), model.network.options.vocab_size)
    perfect = type(model)(model.spec, oracle, model.language, model.folder, model.revision)
    for figure in generated_quality(perfect, options):
        assert figure.ious == (1.0,) * 6


def test_best_of_n_keeps_to_the_parts_and_a_seed_fixes_it(model):
    options = QualityOptions(parts=3, candidates=3, batch=2, volume_points=1000)
    first, second = generated_quality(model, options), generated_quality(model, options)
    assert [f.name for f in first] == ["greedy", "best of 3"] and first == second
    assert all(len(f.ious) == 3 and all(iou is None or 0 <= iou <= 1 for iou in f.ious) for f in first)


def test_an_invalid_part_counts_as_zero_and_is_counted():
    figure = Figure("x", (1.0, None)).as_dict(100, 0)
    assert figure["iou_mean"] == 0.5 and figure["invalid"] == 0.5
    low, high = figure["interval"]
    assert 0 <= low <= 0.5 <= high <= 1


def test_an_iou_of_zero_is_not_invalid():
    assert Figure("x", (0.0, 0.5)).as_dict(100, 0)["invalid"] == 0


def test_held_out_parts_are_not_the_training_stream():
    kept = {compact(s.program) for s in held_out(20)}
    stream = samples(DataOptions(surface_points=16), np.random.default_rng([0, 0]))
    assert len(kept & {compact(next(stream).program) for _ in range(20)}) < 10  # plain boxes and discs may coincide
    assert [compact(s.program) for s in held_out(3)] == [compact(s.program) for s in held_out(20)[:3]]


def test_the_command_prints_every_figure(model, tmp_path):
    call = ["bench", "quality", "--model", str(tmp_path / "tiny"), "--parts", "2", "--candidates", "2", "--json"]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)["figures"]
    assert [f["name"] for f in figures] == ["greedy", "best of 2"] and all(f["parts"] == 2 for f in figures)


def test_pairs_see_a_difference_that_single_intervals_do_not():
    hard = np.random.default_rng(0).uniform(0, 0.9, 80)
    ours, theirs = Figure("greedy", tuple(hard + 0.05)), Figure("greedy", tuple(hard))
    pair, low = difference(ours, theirs, 500, 0), ours.as_dict(500, 0)["interval"][0]
    assert pair["difference"] == pytest.approx(0.05) and pair["interval"] == pytest.approx([0.05, 0.05])
    assert low < theirs.as_dict(500, 0)["interval"][1] and (pair["better"], pair["worse"]) == (1.0, 0.0)
    mixed = difference(Figure("x", (1.0, 0.0, None, 0.4)), Figure("x", (0.0, 0.5, 0.1, 0.4)), 500, 0)
    assert mixed["difference"] == pytest.approx(0.1) and mixed["interval"][0] < 0.1 < mixed["interval"][1]
    assert (mixed["better"], mixed["worse"]) == (0.25, 0.5)
    assert difference(ours, ours, 100, 0)["interval"] == [0, 0]
    with pytest.raises(ValueError):
        difference(ours, Figure("greedy", (1.0,)), 100, 0)


def test_the_same_program_is_the_same_text_of_a_valid_one():
    texts = ("a", "b", None, "c"), ("a", "d", None, "c")
    ours, theirs = (Figure("x", (1.0, 0.5, None, 1.0), one) for one in texts)
    assert difference(ours, theirs, 10, 0)["same"] == 0.5


def test_one_model_in_two_kinds_of_numbers(model, tmp_path):
    folder = str(tmp_path / "tiny")
    call = ["bench", "quality", "--model", folder, "--against", folder, "--parts", "3", "--candidates", "2", "--json"]
    for dtype in ("float32", "bfloat16"):
        result = CliRunner().invoke(app, [*call, "--dtype", dtype])
        assert result.exit_code == 0, result.output
        pairs = json.loads(result.stdout)["differences"]
        assert [0 <= pair["same"] <= 1 for pair in pairs] == [True, True]
        assert dtype == "bfloat16" or all(pair["difference"] == 0 for pair in pairs)


def test_scans_are_points_of_the_surface_with_their_fault():
    surface = np.random.default_rng(0).uniform(-100, 100, (3000, 3))
    clouds = {name: scan(surface, np.random.default_rng(1), 128) for name, scan in SCANS.items()}
    assert [len(cloud) for cloud in clouds.values()] == [64 if name == "half of the points" else 128 for name in SCANS]
    rows = set(map(tuple, surface))
    assert [name for name, cloud in clouds.items() if not rows.issuperset(map(tuple, cloud))] == ["noise 1 %"]
    gap = np.linalg.norm(clouds["noise 1 %"] - clouds["clean"], axis=1)
    assert 1.3 < gap.mean() < 1.9  # the mean length of a 3D normal of deviation 1
    assert np.linalg.norm(clouds["uneven"].mean(0)) > 20 > np.linalg.norm(surface.mean(0))
    assert np.linalg.norm(clouds["a side missing"].mean(0)) > 8


def test_robustness_is_measured_for_every_scan(model):
    options = QualityOptions(parts=4, batch=3, volume_points=1000)
    oracle = Oracle(held_out(3), model.network.options.vocab_size)
    perfect = type(model)(model.spec, oracle, model.language, model.folder, model.revision)
    figures = robust_quality(perfect, replace(options, parts=3))
    assert [f.name for f in figures] == list(SCANS) and all(f.ious == (1.0,) * 3 for f in figures)
    assert robust_quality(model, options) == robust_quality(model, options)


def test_the_command_compares_with_another_model(model, tmp_path):
    tiny = str(tmp_path / "tiny")
    call = ["bench", "quality", "--model", tiny, "--against", tiny, "--parts", "2", "--candidates", "2"]
    result = CliRunner().invoke(app, [*call, "--json"])
    assert result.exit_code == 0, result.output
    pairs = json.loads(result.stdout)["differences"]
    assert [p["name"] for p in pairs] == ["greedy", "best of 2"]
    assert all((p["difference"], p["interval"]) == (0, [0, 0]) for p in pairs)
    assert "against" in CliRunner().invoke(app, call).output
    wrong = CliRunner().invoke(app, ["bench", "quality", str(tmp_path), "--robustness"])
    assert wrong.exit_code == 2


def test_what_reaches_out_of_the_part_costs():
    box, long = (
        Program((Step("union", Extrude("XY", 0.0, 10.0, (Face(Rect((0.0, 0.0), size, 10.0)),))),))
        for size in (10.0, 40.0)
    )
    part = _Part.of(box, 0, QualityOptions(surface_points=512, volume_points=50_000))
    assert part.iou(box) == 1.0 and part.iou(long) == pytest.approx(0.25, abs=0.01) and part.iou(None) is None
