import json
import re
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import trimesh
import typer
from broken_files import make_broken_files
from typer.testing import CliRunner

from cadcode import __version__
from cadcode.cli import app as cli
from cadcode.cli.app import app
from cadcode.model.checkpoints import load as checkpoints
from cadcode.model.checkpoints.load import EMBEDDED, load_model, save_model
from cadcode.model.nets.qwen2 import Qwen2Options
from cadcode.model.nets.small import SmallModel
from cadcode.program.tokens import PIECES
from cadcode.reconstruction import propose, run
from cadcode.reconstruction.options import Options
from cadcode.sandbox.allowlist import check
from cadcode.sandbox.outcome import Failed
from cadcode.sandbox.sandbox import Sandbox, SandboxOptions
from cadcode.train.learner import ReinforceOptions
from cadcode.train.supervised import TrainOptions

ROOT = Path(__file__).parents[2]
CORNERS = np.array([[100.0, -40.0, 0.0], [140.0, -20.0, 10.0]])  # of the box that is converted, in its file's units


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    """A model that has learnt nothing."""
    folder = tmp_path_factory.mktemp("models") / EMBEDDED
    save_model(SmallModel(Qwen2Options(len(PIECES), 32, 64, 1, 2, 2)).eval(), folder)
    return str(folder)


@pytest.fixture(scope="module")
def worker():
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def shared(worker, monkeypatch):
    """One sandbox for all commands of this file: CadQuery takes seconds to load."""
    monkeypatch.setattr(cli, "_sandbox", lambda timeout: nullcontext(worker))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A current folder with a box in it."""
    monkeypatch.chdir(tmp_path)
    box = trimesh.creation.box(np.ptp(CORNERS, axis=0))
    box.apply_translation(CORNERS.mean(axis=0))
    box.export(tmp_path / "box.stl")
    return tmp_path


@pytest.fixture
def unrefined(monkeypatch):
    """No search: it takes long with programs as senseless as this model's."""
    monkeypatch.setattr(propose, "search", lambda *_, **__: [])


@pytest.fixture
def wordless(unrefined, monkeypatch):
    """The model writes nothing, so that the bounding box is all there is."""
    monkeypatch.setattr(run, "write", lambda *_: [])


def call(*words):
    """Run a command; what is not an error of ours is a failure of the test."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def strict(text: str):
    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


# --- generate --------------------------------------------------------------------------------------------------------


def test_a_part_becomes_a_program_a_solid_and_a_report(here, shared, model, unrefined):
    result = call(
        "generate",
        "box.stl",
        "--model",
        model,
        "-o",
        "out/deep",
        "--candidates",
        4,
        "--seed",
        3,
        "--json",
        "--picture",
        "--export",
        "step,stl",
    )
    assert result.exit_code == 0, result.stderr
    assert names(here / "out/deep") == {"box.py", "box.step", "box.stl", "box.json", "box.png"}
    (line,) = result.stdout.splitlines()
    told = strict(line)
    written = strict((here / "out/deep/box.json").read_text())
    assert set(written.pop("files")) == {"py", "step", "stl", "png"} and told == written
    assert told["input"]["path"] == "box.stl" and told["options"]["decoding"]["seed"] == 3
    assert told["options"]["decoding"]["candidates"] == 4 and told["chosen"]
    assert "box.stl" in result.stderr and "40 x 20 x 10" in result.stderr and "out/deep/box.step" in result.stderr


def test_the_result_has_the_units_and_the_place_of_the_input(here, shared, model, wordless):
    assert call("generate", "box.stl", "--model", model, "-o", "made.py", "--quiet").exit_code == 0
    assert names(here) == {"box.stl", "made.py", "made.step", "made.json"}
    told = strict((here / "made.json").read_text())
    assert told["chosen"] == "bounding box" and told["error"]["iou"] == pytest.approx(1, abs=1e-3)
    ran = call("run", "made.py", "--json", "--export", "stl,brep", "-o", "ran")
    facts = strict(ran.stdout)
    assert ran.exit_code == 0 and facts["valid"] is True and facts["volume"] == pytest.approx(8000, rel=1e-4)
    assert np.allclose([facts["lowest"], facts["highest"]], CORNERS, atol=1e-3)
    assert names(here / "ran") == {"made.stl", "made.brep"}
    assert np.allclose(trimesh.load(here / "ran/made.stl").bounds, CORNERS, atol=1e-3)
    measured = call("evaluate", "made.py", "made.step", "--json")
    assert measured.exit_code == 0
    assert strict(measured.stdout)["summary"]["strict"]["iou_mean"] == pytest.approx(1, abs=1e-3)


def test_the_same_seed_gives_the_same_program_on_stdout(here, shared, model, unrefined):
    first, again = (call("generate", "box.stl", "--model", model, "--candidates", 2, "-o", "-") for _ in range(2))
    assert first.exit_code == 0 and first.stdout == again.stdout and names(here) == {"box.stl"}
    assert check(first.stdout) is None and first.stdout.startswith("# box.stl") and "Units" in first.stdout


def test_bad_inputs_are_a_line_each_and_the_others_are_done(here, shared, model, wordless):
    *files, folder, missing = make_broken_files(here / "broken")
    broken = [folder, missing, *{path.stem.casefold(): path for path in files}.values()]
    broken = [path for path in broken if path.stem.casefold() != "box"][:30]
    assert len(broken) == 30
    result = call("generate", *broken[:15], "box.stl", *broken[15:], "--model", model, "-o", "out", "--quiet")
    assert result.exit_code == 2 and result.stdout == ""
    assert names(here / "out") == {"box.py", "box.step", "box.json"}
    lines = result.stderr.splitlines()
    assert len(lines) == 30 and "Traceback" not in result.stderr
    for path, line in zip(broken, lines, strict=True):
        assert line.startswith(f"cadcode: error: {path}: ")


def test_an_odd_file_name_does_not_break_the_line(here, shared, model):
    result = call("generate", "no\n\x1b[31mpart.stl", "--model", model)
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1 and "\x1b" not in result.stderr


class Failing:
    """A sandbox in which every program takes too long."""

    read_cad, options = None, SandboxOptions()

    def run(self, *_):
        return Failed("timeout", "took longer than 10 s")


def test_without_a_valid_program_the_report_remains(here, model, unrefined, monkeypatch):
    (here / "box.py").write_text("of an earlier run")
    monkeypatch.setattr(cli, "_sandbox", lambda timeout: nullcontext(Failing()))
    kept = call("generate", "box.stl", "--model", model, "--decode", "greedy")
    assert kept.exit_code == 2 and "box.py: was not written by cadcode" in kept.stderr and "--force" in kept.stderr
    result = call("generate", "box.stl", "--model", model, "--decode", "greedy", "--force")
    assert result.exit_code == 1 and names(here) == {"box.stl", "box.json"}
    told = strict((here / "box.json").read_text())
    assert told["chosen"] is None and told["error"] is None and told["options"]["decoding"]["candidates"] == 1
    assert "no valid program" in result.stderr.splitlines()[-1] and "took longer" in result.stderr.splitlines()[-1]


def test_an_unreadable_input_outweighs_a_failed_part(here, model, unrefined, monkeypatch):
    monkeypatch.setattr(cli, "_sandbox", lambda timeout: nullcontext(Failing()))
    assert call("generate", "box.stl", "missing.stl", "--model", model, "--candidates", 1).exit_code == 2


def test_an_interrupt_ends_with_130(here, shared, model, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "write", interrupted)
    assert call("generate", "box.stl", "--model", model, "-o", "out").exit_code == 130
    assert names(here) == {"box.stl"}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["box.stl", "other/box.stl"], "both be written"),
        (["box.stl", "--export", "stl"], "is an input"),
        (["box.stl", "other.stl", "-o", "one.py"], "one program"),
        (["box.stl", "-o", "-", "--json"], "choose one"),
        (["box.stl", "--export", "dwg"], "dwg"),
        (["box.stl", "--decode", "best"], "best"),
        (["box.stl", "--decode", "greedy", "--candidates", "3"], "one candidate"),
        (["box.stl", "--beams", "3"], "--decode beam"),
        (["box.stl", "--candidates", "0"], "at least 1"),
        (["box.stl", "--temperature", "nan"], "temperature"),
        (["box.stl", "--device", "abacus"], "abacus"),
        (["box.stl", "--attention", "none"], "choose one of sdpa, flash_attention_2"),
        (["box.stl", "--attention", "flash_attention_2", "--device", "cpu"], "needs --device cuda"),
        (["box.stl", "--model", "nowhere"], "no such model"),
        (["box.stl", "-o", "file/folder"], "cannot be written"),
    ],
)
def test_usage_errors_are_one_line_and_nothing_is_written(here, shared, model, wordless, words, reason):
    (here / "file").write_text("")
    model = [] if "--model" in words else ["--model", model]
    result = call("generate", *words, *model, "--quiet")
    assert result.exit_code == 2 and names(here) == {"box.stl", "file"}
    (line,) = result.stderr.splitlines()
    assert line.startswith("cadcode: error: ") and reason in line


def test_debug_adds_the_traceback(here, shared, model):
    result = call("generate", "missing.stl", "--model", model, "--debug")
    assert result.exit_code == 2 and "Traceback" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("cadcode: error: missing.stl: ")
    assert "Traceback" in call("generate", "box.stl", "--model", "nowhere", "--debug").stderr


def test_bad_timeouts_are_refused():
    for timeout in ("0", "nan", "-1"):
        result = call("run", __file__, "--timeout", timeout)
        assert result.exit_code == 2 and "timeouts" in result.stderr


# --- programs without a model ----------------------------------------------------------------------------------------


def test_a_program_that_fails_says_why(here, shared):
    (here / "bad.py").write_text("import os")
    result = call("run", "bad.py", "--export", "step")
    assert result.exit_code == 1 and result.stdout == "" and "rejected: line 1: import of 'os'" in result.stderr
    told = call("run", "bad.py", "--json")
    assert told.exit_code == 1 and strict(told.stdout)["failure"] == "rejected"
    assert names(here) == {"box.stl", "bad.py"}
    assert call("run", "missing.py").exit_code == 2


def test_folders_are_evaluated_part_by_part(here, shared):
    (here / "programs").mkdir()
    (here / "references").mkdir()
    (here / "box.stl").rename(here / "references/box.stl")
    program = "import cadquery as cq\nresult = cq.Workplane().box(40, 20, 10).translate((120, -30, 5))\n"
    (here / "programs/box.py").write_text(program)
    result = call("evaluate", "programs", "references")
    assert result.exit_code == 0 and "1 parts, 0 without" in result.stdout
    trimesh.creation.icosphere().export(here / "references/ball.stl")
    result = call("evaluate", "programs", "references", "--json")
    told = strict(result.stdout)
    assert result.exit_code == 1 and [part["status"] for part in told["parts"]] == ["missing", "measured"]
    (here / "references/bad.stl").write_text("")
    assert call("evaluate", "programs", "references").exit_code == 2
    assert call("evaluate", "programs/box.py", "references").exit_code == 2


# --- what is here ----------------------------------------------------------------------------------------------------


def test_models_are_listed_with_licence_and_size(model, monkeypatch):
    monkeypatch.setattr(checkpoints, "WEIGHTS", Path(model).parent)
    told, *published = (strict(line) for line in call("models", "--json").stdout.splitlines())
    assert {row["name"].split("/")[0] for row in published} == {"filapro", "maksimko123"}
    assert all(row["licence"] and row["parameters"] for row in published)
    assert told["present"] and told["bytes"] > (Path(model) / "model.safetensors").stat().st_size
    assert (told["name"], told["licence"], told["inputs"]) == (EMBEDDED, "Apache-2.0", "points")
    monkeypatch.setattr(checkpoints, "WEIGHTS", Path(model).parent / "empty")
    assert call("models", "export", "nowhere", "out").exit_code == 2
    listed = call("models")
    assert listed.exit_code == 0 and EMBEDDED in listed.stdout and "not on disk" in listed.stdout


@pytest.fixture
def same_sandbox(worker, monkeypatch):
    monkeypatch.setattr("cadcode.sandbox.sandbox.Sandbox", lambda: nullcontext(worker))


def test_the_doctor_finds_what_is_missing(model, same_sandbox, monkeypatch):
    monkeypatch.setattr(checkpoints, "WEIGHTS", Path(model).parent)
    result = call("doctor", "--json")
    found = {finding["name"]: finding for finding in strict(result.stdout)}
    assert result.exit_code == 0, [finding for finding in found.values() if finding["problem"]]
    assert "allow-list" in found["sandbox"]["value"] and load_model(model).revision in found[EMBEDDED]["value"]
    names = {"python", "torch", "cadquery", "transformers", "devices", "bfloat16", "processors", "C compiler"}
    assert names <= set(found)
    (Path(model) / "config.json").rename(Path(model) / "away.json")
    try:
        broken = call("doctor")
    finally:
        (Path(model) / "away.json").rename(Path(model) / "config.json")
    assert broken.exit_code == 1 and "no such model" in broken.stdout


def test_the_doctor_survives_a_package_that_does_not_load(same_sandbox, monkeypatch):
    monkeypatch.setitem(sys.modules, "manifold3d", None)
    result = call("doctor", "--json")
    found = {finding["name"]: finding for finding in strict(result.stdout)}
    assert result.exit_code == 1 and "pip install" in found["manifold3d"]["problem"] and EMBEDDED not in found


def test_version():
    result = call("--version")
    assert result.exit_code == 0 and result.stdout == f"cadcode {__version__}\n"


HELP = """
import sys
from cadcode.cli.app import main
for words in {commands}:
    sys.argv = ["cadcode", *words, "--help"]
    try:
        main()
    except SystemExit as end:
        assert end.code == 0, words
heavy = {{"torch", "numpy", "scipy", "trimesh", "cadquery", "OCP", "transformers"}} & set(sys.modules)
assert not heavy, heavy
"""


def commands() -> dict:
    """Every command by its words."""
    root = typer.main.get_command(app)
    found = {(name,): command for name, command in root.commands.items()}
    groups = [name for name, command in root.commands.items() if hasattr(command, "commands")]
    return found | {(group, *words): c for group in groups for *words, c in root.commands[group].commands.items()}


def test_help_imports_nothing_heavy():
    script = HELP.format(commands=[[], *map(list, commands())])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert all(" ".join(words) in done.stdout for words in commands())


def stated_defaults(command) -> dict[str, str]:
    """What the help texts of a command's options call their default."""
    helps = {option.name: getattr(option, "help", None) or "" for option in command.params}
    found = {name: re.search(r"\(default ([^)]+)\)", text) for name, text in helps.items()}
    return {name: match[1] for name, match in found.items() if match}


def test_the_help_states_the_defaults_of_the_options():
    options = Options()
    decoding = {
        name: str(getattr(options.decoding, name))
        for name in ("beams", "candidates", "temperature", "max_new_tokens", "seed")
    }
    timeout = str(SandboxOptions().timeout)
    other = dict(decode=options.decoding.mode, export=",".join(options.export), timeout=timeout, model=EMBEDDED)
    other |= dict(device="auto", dtype="auto", attention="sdpa", refine="yes")
    assert stated_defaults(commands()["generate",]) == decoding | other
    assert options.sampling.seed == options.decoding.seed
    for name in ("run", "evaluate"):
        assert stated_defaults(commands()[name,]) == {"timeout": timeout}


def test_the_help_states_the_defaults_of_training():
    stated, options = stated_defaults(commands()["train",]), TrainOptions()
    known = {field.name: getattr(options, field.name) for field in fields(options)}
    assert len(stated) > 12
    for name, text in stated.items():
        value = known[name]
        assert text == (",".join(map(str, value)) if isinstance(value, tuple) else str(value)), name


def test_the_help_states_the_defaults_of_learning_by_reward():
    options = ReinforceOptions()
    known = {**vars(options.sampling.reward), **vars(options.sampling), **vars(options)}
    stated = stated_defaults(commands()["train-rl",])
    known["points"] = ",".join(map(str, options.points))
    assert len(stated) > 12 and {name: str(known[name]) for name in stated} == stated


def test_an_unexpected_error_is_one_line_too(tmp_path):
    script = "from cadcode.cli import app as cli; cli.words = None; cli.main()"
    (tmp_path / "a.py").write_text("")
    for more, lines in (([], 1), (["--debug"], 5)):
        words = [sys.executable, "-c", script, "run", str(tmp_path / "a.py"), *more]
        done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 1 and ("Traceback" in done.stderr) == bool(more)
        assert len(done.stderr.splitlines()) >= lines and "TypeError" in done.stderr.splitlines()[-1]


# --- training --------------------------------------------------------------------------------------------------------

TINY = (
    "--hidden-size",
    32,
    "--layers",
    1,
    "--heads",
    2,
    "--intermediate-size",
    64,
    "--batch-size",
    2,
    "--workers",
    0,
    "--threads",
    1,
    "--no-fuse",
)


def test_training_writes_what_export_weights_and_generate_take(here):
    trained = call("train", "--out", "run", "--minutes", 0.01, "--points", "8,16", *TINY)
    assert trained.exit_code == 0 and Path(trained.stdout.strip()) == Path("run/final.pt")
    assert call("train", "--out", "more", "--minutes", 0.001, "--from", "run/final.pt", *TINY).exit_code == 0
    assert call("export-weights", "more/final.pt", "weights").exit_code == 0
    assert load_model("weights").network.options.hidden_size == 32


def test_weights_are_written_in_files_of_the_size_asked_for(here):
    more = ("--hidden-size", 128, "--intermediate-size", 1024, "--layers", 2)
    assert call("train", "--out", "run", "--minutes", 0.001, *TINY, *more).exit_code == 0
    assert call("export-weights", "run/final.pt", "weights", "--shard-mb", 1).exit_code == 0
    sizes = [path.stat().st_size for path in Path("weights").glob("*.safetensors")]
    assert len(sizes) > 1 and max(sizes) <= 2**20
    assert load_model("weights").network.options.num_hidden_layers == 2


@pytest.mark.parametrize("text", ["", "x", "1.5", "0.1,0.2,0.3", "-0.1,1"])
def test_hardness_is_one_number_or_two_from_0_to_1(here, text):
    result = call("train", "--out", "run", f"--hardness={text}")
    assert result.exit_code == 2 and "--hardness" in result.stderr and not (here / "run").exists()


def test_learning_by_reward_goes_on_from_training(here):
    assert call("train", "--out", "run", "--minutes", 0.001, "--points", "8", *TINY).exit_code == 0
    words = ("--parts", 2, "--points", 8, "--group", 2, "--workers", 0, "--held-out", 2)
    learnt = call("train-rl", "--out", "rl", "--from", "run/final.pt", "--minutes", 0.001, *words)
    assert learnt.exit_code == 0 and Path(learnt.stdout.strip()) == Path("rl/final.pt")
    assert call("export-weights", "rl/final.pt", "weights").exit_code == 0
    assert load_model("weights").network.options.hidden_size == 32


@pytest.mark.parametrize("points", ["0", "257", "64,x", ""])
def test_numbers_of_points_that_no_model_takes(here, points):
    result = call("train", "--out", "run", "--points", points)
    assert result.exit_code == 2 and "--points" in result.stderr and not (here / "run").exists()


def test_a_file_that_is_no_checkpoint(here):
    (here / "bad.pt").write_bytes(b"garbage")
    for words in (
        ["export-weights", "bad.pt", "weights"],
        ["train", "--out", "run", "--from", "bad.pt"],
        ["train-rl", "--out", "run", "--from", "bad.pt"],
    ):
        result = call(*words)
        assert result.exit_code == 2 and "bad.pt" in result.stderr and len(result.stderr.splitlines()) == 1
    assert not (here / "weights").exists()


def test_a_sheet_of_programs_is_a_picture(here):
    first, other = (call("data", "sheet", f"{seed}.png", "--count", 2, "--seed", seed) for seed in (0, 1))
    assert first.exit_code == other.exit_code == 0
    images = [(here / f"{seed}.png").read_bytes() for seed in (0, 1)]
    assert all(image.startswith(b"\x89PNG") for image in images) and images[0] != images[1]
    assert call("data", "sheet", "box.stl/sheet.png", "--count", 1).exit_code == 2


def test_statistics_of_generated_parts_beside_those_of_meshes(here):
    Path("meshes").mkdir()
    trimesh.creation.box((3, 2, 1)).export("meshes/a.stl")
    result = call("data", "stats", "meshes", "--count", 3, "--json")
    assert result.exit_code == 0, result.stderr
    generated, meshes = json.loads(result.stdout).values()
    assert meshes["planar faces"] == [6, 6, 6, 6] and meshes["one extrusion"][0] == 1
    assert meshes.keys() < generated.keys() and generated["bodies"][0] >= 1
    shown = call("data", "stats", "meshes", "--count", 1).stdout
    assert "1 meshes" in shown and "planar faces" in shown
    Path("empty").mkdir()
    nothing = call("data", "stats", "empty", "--count", 1)
    assert nothing.exit_code == 2 and "empty" in nothing.stderr and len(nothing.stderr.splitlines()) == 1


def test_one_part_end_to_end_as_a_process(tmp_path, model):
    np.savetxt(tmp_path / "box.xyz", trimesh.creation.box((3, 2, 1)).sample(500, seed=0))
    words = ["generate", str(tmp_path / "box.xyz"), "-o", "-", "--candidates", "1", "--model", model]
    done = subprocess.run([sys.executable, "-m", "cadcode", *words], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert check(done.stdout) is None and done.stdout.startswith("# box.xyz")
    assert "box.xyz" in done.stderr and "Traceback" not in done.stderr and names(tmp_path) == {"box.xyz"}
