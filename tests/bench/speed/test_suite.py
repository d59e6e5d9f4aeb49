"""The benchmark of speed at its smallest: what it measures is there and adds up; how fast is nobody's claim here."""

import json
import sys
import time
from dataclasses import fields

import numpy as np
import pytest
import torch
from tiny_models import saved
from typer.testing import CliRunner

from cadcode.bench.speed import large, writing
from cadcode.bench.speed.parts import cloud_of, parts
from cadcode.bench.speed.processes import Spent, spent
from cadcode.bench.speed.suite import SpeedOptions, tokens
from cadcode.cli.app import app
from cadcode.errors import CadcodeError, UsageError
from cadcode.geometry.io.load import load_shape
from cadcode.model.checkpoints.load import load_model
from cadcode.sandbox.outcome import Solid
from cadcode.sandbox.sandbox import Sandbox

TINY = ["--parts", "1", "--candidates", "3", "--max-new-tokens", "30", "--faces", "500", "--repeats", "1"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = saved(tmp_path_factory.mktemp("tiny"), std=0.5)
    return load_model(str(folder))


@pytest.fixture(scope="module")
def chosen():
    with Sandbox() as sandbox:
        yield parts(1, sandbox)


def leaves(figures):
    for value in figures.values():
        yield from leaves(value) if isinstance(value, dict) else [value]


@pytest.fixture(scope="module")
def figures(model):
    call = ["bench", "speed", "--model", str(model.folder), *TINY, "--threads", "1", "--json"]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_everything_is_measured_and_nothing_is_negative(figures):
    names = ["machine", "cold_start", "tokens", "candidates", "programs", "whole", "large_file", "options"]
    assert list(figures) == names
    assert set(figures["options"]) == {field.name for field in fields(SpeedOptions)}
    assert all(value is None or isinstance(value, str) or value >= 0 for value in leaves(figures))


def test_ratios_are_those_of_the_numbers_beside_them(figures):
    ours, theirs, limit = (figures["tokens"][name] for name in ("cadcode", "transformers", "limit"))
    assert figures["tokens"]["times_transformers"] == pytest.approx(ours["tokens_per_s"] / theirs["tokens_per_s"])
    assert figures["tokens"]["share_of_limit"] == pytest.approx(ours["tokens_per_s"] / limit["tokens_per_s"])
    assert limit["tokens_per_s"] == pytest.approx(limit["bytes_per_s"] / limit["weight_bytes"])
    assert ours["tokens"] == theirs["tokens"] > 0
    many = figures["candidates"]
    assert many["times_one"] == pytest.approx(many["seconds_many"] / many["seconds_one"])
    programs = figures["programs"]
    assert programs["times_process_each"] == pytest.approx(programs["cadcode"] / programs["process_each"])


def test_stages_lie_within_the_whole_and_processors_within_the_wall(figures):
    whole = figures["whole"]
    assert {"sample", "decode", "run"} <= set(whole["stages"])
    assert 0 < sum(whole["stages"].values()) <= whole["seconds_a_part"] * 1.001
    assert whole["parts_per_minute"] == pytest.approx(60 / whole["seconds_a_part"])
    large = figures["large_file"]
    assert large["kept"] == large["faces"] >= 500 and large["watertight"] is True
    assert large["seconds"] < large["process"]["seconds"]


def test_without_rivals_none_is_run(model, chosen):
    found = tokens(chosen, model, SpeedOptions(max_new_tokens=4, repeats=1, rivals=False))
    assert "transformers" not in found and "times_transformers" not in found and found["cadcode"]["tokens"] > 0


@torch.inference_mode()
def test_the_rival_reads_the_same_weights_and_points(model, chosen):
    """Without a grammar transformers' tokens are the argmax of our own logits."""
    cloud, clock = cloud_of(chosen[0], model), writing.CLOCKS["cpu"]
    theirs = writing.transformers(model, clock)(cloud, 6).ids
    logits, cache = model.engine.begin(cloud, model.language.start_id, 6)
    ids = [int(logits.argmax())]
    for written in range(1, 6):
        ids.append(int(model.engine.step(torch.tensor(ids[-1:]), written, cache).argmax()))
    assert list(theirs) == ids


def test_parts_are_programs_with_their_solids(chosen):
    with Sandbox() as sandbox:
        for part in chosen:
            solid = sandbox.run(part.text)
            assert isinstance(solid, Solid) and part.shape.watertight
            np.testing.assert_allclose(np.ptp(solid.vertices, axis=0), part.shape.extents)


def test_the_shortest_run_counts():
    runs = iter([writing.Written(2, 9, (1,)), writing.Written(3, 5, (1,))])
    assert writing.best(lambda cloud, most: next(runs), torch.zeros(1), 4, repeats=2) == writing.Written(2, 5, (1,))


def test_rates_by_hand():
    found = writing.rates([writing.Written(0.5, 1.5, (1, 2, 3)), writing.Written(0.5, 2.5, (1,) * 7)], prompt=100)
    assert found == dict(tokens=8, prefill_tokens_per_s=200, tokens_per_s=8 / 3, seconds_a_text=2)


# --- processes -------------------------------------------------------------------------------------------------------

HOLD = "import time; held = bytearray(60_000_000); time.sleep(0.6)"
NEST = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLD!r}])"


@pytest.mark.skipif(sys.platform != "linux", reason="memory of other processes is read from /proc")
@pytest.mark.parametrize("code", [HOLD, NEST])
def test_memory_of_all_processes_counts(code, tmp_path):
    cost = spent([sys.executable, "-c", code], tmp_path)
    assert 60 < cost.peak_mb < 160
    assert cost.seconds > 0.6


def test_processor_time_is_what_was_computed(tmp_path):
    busy = "import time\nwhile time.process_time() < 0.5: pass"
    assert spent([sys.executable, "-c", busy], tmp_path).cpu_seconds >= 0.5
    started = time.process_time()
    assert spent([sys.executable, "-c", "import time; time.sleep(0.5)"], tmp_path).cpu_seconds < 0.5
    assert time.process_time() - started < 0.5  # watching costs little itself


def test_a_command_that_fails_is_an_error_with_its_last_words(tmp_path):
    with pytest.raises(CadcodeError, match="code 1: ZeroDivisionError"):
        spent([sys.executable, "-c", "1 / 0"], tmp_path)


def test_costs_are_plain_numbers():
    assert Spent(1.23456, 2.0, None).as_dict() == dict(seconds=1.235, cpu_seconds=2.0, peak_mb=None)


# --- the large file --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("faces", [10, 1000, 20_000])
def test_the_large_file_is_a_closed_sphere(faces, tmp_path):
    count = large.write_sphere(tmp_path / "large.stl", faces)
    shape = load_shape(tmp_path / "large.stl")
    assert faces <= count == len(shape.faces) <= 1.5 * faces + 30
    assert shape.watertight and np.all((shape.extents > 70) & (shape.extents < 105))


def test_clocks_that_do_not_exist_are_refused():
    with pytest.raises(UsageError, match="--clock sun"):
        SpeedOptions(clock="sun")
