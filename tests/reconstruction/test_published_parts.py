"""From a mesh to a program by models laid out as the published ones: tiny ones that learnt a single text by heart."""

import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from published_models import (
    ENDOFTEXT,
    IM_END,
    IM_START,
    OPTIONS,
    WIDTHS,
    byte_tokenizer,
    random_published,
    save_published,
    seeing_tokenizer,
)
from torch.nn.functional import cross_entropy
from typer.testing import CliRunner

from cadcode.cli import app as cli
from cadcode.errors import InputError, UsageError
from cadcode.geometry.frame import Frame
from cadcode.geometry.metrics import MetricOptions
from cadcode.geometry.sampling import SamplingOptions, points_with_normals
from cadcode.geometry.shape import Shape
from cadcode.geometry.views import four_views
from cadcode.model.checkpoints.load import load_model
from cadcode.model.generate import DecodeOptions
from cadcode.model.nets.vision import VisionOptions, VisionTower
from cadcode.reconstruction.candidate import Failure, FreeText
from cadcode.reconstruction.options import Options
from cadcode.reconstruction.placement import placed
from cadcode.reconstruction.run import reconstruct
from cadcode.search.search import SearchOptions

PLATE = """import cadquery as cq
w0=cq.Workplane('XY',origin=(0,0,-20))
r=w0.sketch().push([(0,0)]).rect(200,100).push([(50,10)]).circle(30,mode='s').finalize().extrude(40)"""
HALF = """import cadquery as cq
w0=cq.Workplane('XY',origin=(0,0,-10))
r=w0.sketch().push([(0,0)]).rect(100,50).push([(25,5)]).circle(15,mode='s').finalize().extrude(20)"""
BALL = "import cadquery as cq\nr=cq.Workplane('XY').moveTo(0,-100).threePointArc((100,0),(0,100)).close().revolve()"
SCALE, SHIFT = 0.25, (30.0, -7.0, 2.0)  # world = scale * program + shift
FAST = Options(
    sampling=SamplingOptions(surface_points=512),
    metrics=MetricOptions(points=1024),
    decoding=DecodeOptions(max_new_tokens=64),
    search=SearchOptions(points=512, refine=False),
)


def by_heart(text: str, version: str, folder):
    """A checkpoint whose greedy text is `text`, whatever the points."""
    lines = text.splitlines(keepends=True)
    tokenizer = byte_tokenizer(lines)
    ids = tokenizer.encode(text).ids
    assert len(ids) == len(lines)
    model = random_published(WIDTHS[version], replace(OPTIONS, hidden_size=16), std=0.1)
    learn(model, [IM_START, *ids], [*ids, ENDOFTEXT], 6 if version == "v1" else 3)
    return str(save_published(model, folder, tokenizer))


def learn(model, written, target, width=3):
    """Train until each of the tokens `written` is followed by its `target`."""
    cloud = torch.rand((2, 256, width), generator=torch.Generator().manual_seed(1)) * 2 - 1
    written, target = torch.tensor(written).expand(2, -1), torch.tensor(target).expand(2, -1)
    optimizer = torch.optim.Adam(model.parameters(), 3e-2)
    for _ in range(40):
        loss = cross_entropy(model(cloud, written).flatten(0, 1), target.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def cadrille_by_heart(text: str, folder):
    """The same as cadrille is published, with a random vision tower: whatever points, pictures or text."""
    lines = text.splitlines(keepends=True)
    tokenizer = seeing_tokenizer(words=[*lines, "assistant\n"])
    ids, before = tokenizer.encode(text).ids, tokenizer.encode("assistant\n").ids
    assert len(ids) == len(lines) and len(before) == 1
    model = random_published(options=replace(OPTIONS, hidden_size=16, vocab_size=500), std=0.1)
    learn(model, [*before, *ids], [*ids, IM_END])
    with torch.random.fork_rng():
        torch.manual_seed(0)  # some random towers would outshout what was learnt
        tower = VisionTower(VisionOptions(2, 16, 2, 2), 16).state_dict()
    config = dict(
        model_type="qwen2_vl",
        video_token_id=494,
        rope_scaling=dict(type="mrope", mrope_section=[1, 1, 0]),
        vision_config=dict(depth=2, embed_dim=16, num_heads=2, mlp_ratio=2),
    )
    return str(save_published(model, folder, tokenizer, {f"visual.{k}": w for k, w in tower.items()}.items(), **config))


@pytest.fixture(scope="module")
def plate(sandbox):
    solid = sandbox.run(placed(PLATE, SCALE, SHIFT))
    return Shape.from_arrays(solid.vertices, solid.faces)


@pytest.mark.parametrize("version, text", [("v1.5", PLATE), ("v1", HALF)])
def test_a_mesh_becomes_the_published_models_program(version, text, plate, sandbox, tmp_path):
    model = load_model(by_heart(text, version, tmp_path / "model"))
    result = reconstruct(plate, model, sandbox, FAST)
    assert result.chosen.source == "greedy" and result.chosen.error.iou > 0.995
    low, high = result.chosen.solid.vertices.min(0), result.chosen.solid.vertices.max(0)
    assert np.allclose([low, high], plate.bounds, atol=1e-6) and np.allclose(plate.extents, [50, 25, 10])
    widths = [face.outline.width for face in result.chosen.program.steps[0].body.faces[:1]]
    assert widths == [200.0]  # the program frame of all models is one


def test_what_is_not_in_the_dialect_is_run_all_the_same(sandbox, tmp_path):
    ball = trimesh.creation.icosphere(4, 3.0)
    shape = Shape.from_arrays(ball.vertices + SHIFT, ball.faces)
    model = load_model(by_heart(BALL, "v1.5", tmp_path / "model"))
    result = reconstruct(shape, model, sandbox, replace(FAST, decoding=DecodeOptions("sample", candidates=3)))
    assert isinstance(result.chosen.program, FreeText) and result.chosen.error.iou > 0.98
    assert BALL.splitlines()[-1] in result.chosen.text
    assert len([c for c in result.candidates if c.program == result.chosen.program]) == 1


def test_a_text_that_may_not_run_has_a_reason(plate, sandbox, tmp_path):
    model = load_model(by_heart("import os\nr=1", "v1.5", tmp_path / "model"))
    result = reconstruct(plate, model, sandbox, FAST)
    assert result.chosen.source == "bounding box"
    assert any(c.reason.startswith("not in the dialect") for c in result.candidates if isinstance(c, Failure))


def test_the_result_may_have_either_name(sandbox):
    for name in ("r", "result"):
        solid = sandbox.run(placed(f"import cadquery as cq\n{name} = cq.Workplane().box(2, 2, 2)", 3.0, (10, 0, 0)))
        assert np.allclose([solid.vertices.min(0), solid.vertices.max(0)], [[7, -3, -3], [13, 3, 3]])


def test_the_input_of_v1_is_sorted_with_normals(plate):
    points = points_with_normals(plate, Frame.around(plate.bounds), SamplingOptions(seed=3))
    assert points.shape == (256, 6) and points.dtype == np.float32
    keys = [tuple(row) for row in points[:, [2, 1, 0]]]
    assert keys == sorted(keys) and len(set(keys)) > 250
    assert np.abs(points[:, :3]).max() <= 1 + 1e-6 and np.allclose(np.linalg.norm(points[:, 3:], axis=1), 1, atol=1e-5)
    top = points[points[:, 2] > 0.2 - 1e-4]
    assert len(top) > 20 and np.allclose(top[:, 3:], [0, 0, 1], atol=1e-5)


def test_v1_needs_normals(plate):
    cloud = Shape.from_arrays(plate.vertices)
    with pytest.raises(InputError, match="has no normals"):
        points_with_normals(cloud, Frame.around(cloud.bounds))


# --- the command line ------------------------------------------------------------------------------------------------


@pytest.fixture
def call(plate, sandbox, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "_sandbox", lambda timeout: nullcontext(sandbox))
    trimesh.Trimesh(plate.vertices, plate.faces).export("plate.stl")
    return lambda *words: CliRunner().invoke(cli.app, list(words))


def test_generate_takes_such_a_model_and_names_its_licence_once(call, tmp_path):
    model = by_heart(PLATE, "v1.5", tmp_path / "model")
    done = call("generate", "plate.stl", "--model", model, "--decode", "greedy", "--no-refine", "--dtype", "bfloat16")
    assert done.exit_code == 0, done.stderr
    assert done.stderr.count("licence of these weights") == 1
    told = json.loads((tmp_path / "plate.json").read_text())
    assert told["error"]["iou"] > 0.995 and told["options"]["decoding"]["max_new_tokens"] == 768
    quiet = call(
        "generate",
        "plate.stl",
        "--model",
        model,
        "--decode",
        "greedy",
        "--no-refine",
        "--quiet",
        "--max-new-tokens",
        "9",
    )
    assert quiet.exit_code == 0 and quiet.stderr == ""
    assert json.loads((tmp_path / "plate.json").read_text())["options"]["decoding"]["max_new_tokens"] == 9


def test_unknown_dtypes_are_refused(call, tmp_path):
    model = by_heart(PLATE, "v1.5", tmp_path / "model")
    refused = call("generate", "plate.stl", "--model", model, "--dtype", "int4")
    assert refused.exit_code == UsageError.exit_code and "--dtype int4" in refused.stderr


def test_a_model_is_exported_and_its_licence_told(call, tmp_path):
    model = by_heart(PLATE, "v1.5", tmp_path / "model")
    done = call("models", "export", model, "plain")
    assert done.exit_code == 0 and "licence" in done.stderr
    assert done.stdout.split() == sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "plain").rglob("*.*"))
    made = call("generate", "plate.stl", "--model", "plain", "--decode", "greedy", "--no-refine", "-o", "-")
    assert made.exit_code == 0 and call("models", "export", model, "model/config.json").exit_code == 2


# --- pictures and texts ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cadrille(tmp_path_factory):
    return cadrille_by_heart(PLATE, tmp_path_factory.mktemp("cadrille") / "model")


def told(path) -> dict:
    return json.loads(path.read_text())


def test_four_views_of_a_mesh_become_a_program_that_is_measured(call, cadrille, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "cadcode.reconstruction.propose.four_views", lambda *mesh: drawn.append(mesh) or four_views(*mesh)
    )
    done = call("generate", "plate.stl", "--images", "--model", cadrille, "--decode", "greedy", "--no-refine")
    assert done.exit_code == 0, done.stderr
    result = told(tmp_path / "plate.json")
    assert result["error"]["iou"] > 0.995 and result["model"]["reads"] == "images" and result["chosen"] == "greedy"
    [(vertices, _)] = drawn
    assert np.allclose([vertices.min(0), vertices.max(0)], [[-1, -0.5, -0.2], [1, 0.5, 0.2]])  # the model frame


def test_a_text_becomes_a_program_without_an_error(call, cadrille, tmp_path):
    done = call("generate", "--prompt", "A plate\nwith a hole", "--model", cadrille, "--export", "step,stl")
    assert done.exit_code == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"plate.stl", "part.py", "part.step", "part.stl", "part.json"}
    result = told(tmp_path / "part.json")
    assert result["error"] is None and result["input"] == {"prompt": "A plate\nwith a hole"}
    assert result["chosen"] == "greedy" and len(result["candidates"]) == 1 and result["stages"] == {}
    assert "not measured" in done.stderr and "IoU" not in done.stderr
    text = (tmp_path / "part.py").read_text()
    assert text.startswith("# A plate with a hole as CadQuery") and "Fit: not measured" in text
    part = trimesh.load(tmp_path / "part.stl")
    assert np.allclose(part.extents, [200, 100, 40])


def test_a_text_goes_to_the_program_on_stdout_and_to_json(call, cadrille):
    printed = call("generate", "--prompt", "A plate", "--model", cadrille, "-o", "-", "--quiet")
    assert printed.exit_code == 0 and "result = " in printed.stdout and printed.stderr == ""
    line = call("generate", "--prompt", "A plate", "--model", cadrille, "--json", "--quiet", "--candidates", "3")
    assert json.loads(line.stdout)["chosen"] == "greedy"


def test_a_text_whose_program_fails_is_told(call, tmp_path):
    model = cadrille_by_heart("import os\nr=1", tmp_path / "model")
    done = call("generate", "--prompt", "A plate", "--model", model)
    assert done.exit_code == 1 and "no valid program" in done.stderr
    assert (tmp_path / "part.json").is_file() and not (tmp_path / "part.py").exists()


def test_pictures_of_a_user(call, cadrille, plate, tmp_path):
    sheet = four_views(Frame.around(plate.bounds).to_model(plate.vertices), plate.faces)
    Image.fromarray(sheet).save("sheet.png")
    (tmp_path / "views").mkdir()
    for number in range(4):
        Image.fromarray(sheet[3:131, 3:131]).save(f"views/{number}.png")
    done = call("generate", "sheet.png", "views", "--images", "--model", cadrille, "--picture", "-o", "out")
    assert done.exit_code == 0, done.stderr
    for name in ("sheet", "views"):
        result = told(tmp_path / "out" / f"{name}.json")
        assert result["error"] is None and result["chosen"] == "greedy"
        assert {path.suffix for path in (tmp_path / "out").glob(f"{name}.*")} == {".py", ".step", ".json", ".png"}
    refused = call("generate", "sheet.png", "views/none.png", "--images", "--model", cadrille, "-o", "out")
    assert refused.exit_code == 2 and "views/none.png: cannot be read" in refused.stderr


def test_a_cloud_cannot_be_looked_at(call, cadrille, plate):
    np.savetxt("cloud.xyz", plate.vertices)
    refused = call("generate", "cloud.xyz", "--images", "--model", cadrille)
    assert refused.exit_code == 2 and "cloud.xyz: is a cloud and cannot be drawn; give a mesh" in refused.stderr


@pytest.mark.parametrize(
    "words, reason",
    [
        (["plate.stl", "--images"], "cadcode-small reads points, not images; use --model maksimko123/cadrille"),
        (["--prompt", "A plate"], "cadcode-small reads points, not text; use --model maksimko123/cadrille"),
        (["--prompt", "A plate", "--model", "filapro/cad-recode"], "filapro/cad-recode reads points, not text"),
        (["--prompt", "A plate", "plate.stl"], "leave the files and --images out"),
        (["--prompt", "A plate", "--images"], "leave the files and --images out"),
        (["--prompt", " "], "--prompt is empty"),
        ([], "name a file, or describe a part with --prompt"),
        (["sheet.png"], "sheet.png is a picture; add --images"),
    ],
)
def test_what_cannot_be_read_is_one_line(call, words, reason, tmp_path):
    refused = call("generate", *words)
    assert refused.exit_code == 2 and refused.stderr.count("\n") == 1 and reason in refused.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"plate.stl"}


def test_a_model_of_points_in_a_folder_reads_no_text(call, tmp_path):
    model = by_heart(PLATE, "v1.5", tmp_path / "model")
    refused = call("generate", "--prompt", "A plate", "--model", model)
    assert refused.exit_code == 2 and f"{model} reads points, not text" in refused.stderr
