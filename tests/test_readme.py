"""The README tells the truth: its commands exist, its examples run, its facts are those of the code."""

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

import cadcode
from cadcode.cli.app import app
from cadcode.geometry.io.load import SUFFIXES
from cadcode.geometry.metrics import MetricOptions
from cadcode.geometry.sampling import SamplingOptions
from cadcode.reconstruction.options import Options
from cadcode.sandbox import SandboxOptions

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^(?P<mark><!-- test: run -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    line: int  # of its first line in the README
    language: str
    text: str
    runs: bool  # marked to be run as it is


BLOCKS = [
    Block(README[: match.start("text")].count("\n") + 1, match["language"], match["text"], match["mark"] is not None)
    for match in BLOCK.finditer(README)
]


def commands(block: Block) -> list[list[str]]:
    """The words after `cadcode` for each time it is called in a shell block."""
    calls = [shlex.split(call, comments=True) for line in block.text.splitlines() for call in line.split("&&")]
    return [words[1:] for words in calls if words and Path(words[0]).name == "cadcode"]


SHELL = [block for block in BLOCKS if block.language == "sh"]
PYTHON = [block for block in BLOCKS if block.language == "python"]
CALLS = [words for block in SHELL for words in commands(block)]


def line_of(block: Block) -> str:
    return f"line{block.line}"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder with nothing but the samples, as the current one."""
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def resolve(words: list[str]):
    """The command that words name, and the words left for it."""
    command = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        assert words[0] in command.commands, f"there is no command {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_a_command_exists_with_its_options_and_arguments(words):
    command, rest = resolve(words)
    values, extra, _ = command.make_parser(command.context_class(command)).parse_args(list(rest))
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    assert not extra
    assert all(values[argument.name] for argument in arguments if argument.required)


def test_the_check_of_commands_sees_an_option_that_does_not_exist():
    with pytest.raises(Exception, match="no-such-option"):
        test_a_command_exists_with_its_options_and_arguments(["generate", "part.stl", "--no-such-option"])
    with pytest.raises(AssertionError):
        test_a_command_exists_with_its_options_and_arguments(["evaluate", "part.py"])
    with pytest.raises(AssertionError, match="no command conjure"):
        test_a_command_exists_with_its_options_and_arguments(["conjure"])


def test_every_command_is_shown():
    assert {words[0] for words in CALLS} >= set(typer.main.get_command(app).commands) - {"data"}


def run_commands(block: Block, folder: Path) -> None:
    for words in commands(block):
        done = subprocess.run([sys.executable, "-m", "cadcode", *words], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, f"cadcode {' '.join(words)}:\n{done.stderr}"


@pytest.mark.parametrize("block", [block for block in SHELL if block.runs], ids=line_of)
def test_a_shell_block_runs(block, elsewhere):
    run_commands(block, elsewhere)


@pytest.mark.parametrize("block", PYTHON, ids=line_of)
def test_a_python_block_runs(block, elsewhere, capsys):
    assert block.runs, "a Python block without a mark"
    exec(compile("\n" * (block.line - 1) + block.text, "README.md", "exec"), {"__name__": "readme"})


def test_the_first_command_converts_a_sample(elsewhere):
    run_commands(SHELL[0], elsewhere)
    named = re.findall(r"`(out/\w+\.\w+)`", README)
    assert named and all((elsewhere / name).stat().st_size for name in named)


def test_the_second_command_is_what_the_checks_run():
    checks = (ROOT / ".ci" / "run").read_text()
    assert '".[test]"' in SHELL[1].text and '".[test]"' in checks
    assert "python -m pytest" in SHELL[1].text and "\npython -m pytest\n" in checks


def test_the_suffixes_are_those_that_are_read():
    rows = [
        line for line in README.splitlines() if re.match(r"\| (meshes|CAD files|point clouds|compressed files) ", line)
    ]
    assert set(re.findall(r"`(\.\w+)`", "".join(rows))) == SUFFIXES


def test_numbers_in_the_text_are_the_defaults():
    sandbox, options = SandboxOptions(), Options()
    assert f"limits on time ({sandbox.timeout:.0f} s), memory ({sandbox.memory_mb / 1024:.0f} GB)" in README
    assert f"{MetricOptions().points} points on each" in README
    assert f"{SamplingOptions().model_points} points ──model──▶ {options.decoding.candidates} program texts" in README


def test_files_and_names_it_points_to_exist():
    files = re.findall(r"`((?:cadcode|samples|scripts|\.ci)/[\w./-]*)`", README)
    files += re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert len(files) > 5
    assert [file for file in files if not (ROOT / file).exists()] == []
    names = set(re.findall(r"\bcadcode\.([A-Za-z_]+)", "".join(block.text for block in PYTHON)))
    assert [name for name in names if not hasattr(cadcode, name)] == []


def test_public_names_load_what_they_say():
    assert {"reconstruct", "load_shape", "load_model", "Sandbox"} <= set(cadcode.__all__) <= set(dir(cadcode))
    assert all(getattr(cadcode, name) is not None for name in cadcode.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        cadcode.no_such_name  # noqa: B018


def test_importing_the_package_is_light():
    code = "import cadcode, sys; print({'torch', 'numpy', 'trimesh', 'cadquery', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
