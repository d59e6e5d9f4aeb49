"""What a fresh process loads: nothing that the run does not need, and the CAD worker first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "numpy", "scipy", "trimesh", "cadquery", "OCP", "transformers", "rich", "tokenizers")

# Of converting an STL with the embedded model. CadQuery lives in the worker; trimesh reads scenes only.
ABSENT = (
    "transformers",
    "cadquery",
    "OCP",
    "trimesh",
    "networkx",
    "lxml",
    "huggingface_hub",
    "httpx",
    "requests",
    "ray",
    "laspy",
    "pye57",
    "PIL",
    "matplotlib",
    "pandas",
    "sympy",
    "torch._dynamo",
    "torch._inductor",
    "torchvision",
    "cadcode.sandbox.worker",
    "cadcode.model.hf.cad_recode",
    "cadcode.model.hf.cadrille",
    "cadcode.model.checkpoints.export",
    "cadcode.train",
    "cadcode.data",
    "cadcode.bench.quality",
    "cadcode.bench.speed",
    "cadcode.bench.evaluate",
    "cadcode.batch.run",
    "cadcode.bench.thresholds",
    "cadcode.cli.doctor",
    "cadcode.report.html",
    "scipy.ndimage",
    "scipy.optimize",
)

GENERATE = """
import sys

import cadcode.sandbox.client as client

start = client.Worker.__init__

def first(worker, *words):
    early = {{"torch", "numpy", "cadcode.model.checkpoints.load"}} & set(sys.modules)
    print("loaded before the worker:", sorted(early))
    start(worker, *words)

client.Worker.__init__ = first
sys.argv = ["cadcode", "generate", {stl!r}, "--candidates", "1", "--no-refine", "-o", "out", "--quiet"]
try:
    from cadcode.cli.app import main
    main()
except SystemExit as end:
    print("code:", end.code)
print("too much:", [name for name in {absent!r} if name in sys.modules])
print("needed:", sorted({{"torch", "cadcode.reconstruction.run"}} & set(sys.modules)))
"""


def ran(code: str, folder: Path, **environment: str) -> list[str]:
    known = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=known, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_generate_loads_what_it_needs_and_starts_the_worker_first(tmp_path):
    code = GENERATE.format(stl=str(ROOT / "samples" / "bracket.stl"), absent=ABSENT)
    assert ran(code, tmp_path) == [
        "loaded before the worker: ['numpy']",  # the client's own: it makes arrays of what comes back
        "code: 0",
        "too much: []",
        "needed: ['cadcode.reconstruction.run', 'torch']",
    ]
    assert (tmp_path / "out" / "bracket.step").stat().st_size


COMPLETE = """
import atexit
import sys

atexit.register(lambda: print("heavy:", [name for name in {heavy!r} if name in sys.modules]))
sys.argv = ["cadcode"]
from cadcode.cli.app import main
main()
"""


@pytest.mark.parametrize("typed, offered", [("cadcode gen", "generate"), ("cadcode bench s", "speed")])
def test_completion_offers_commands_and_loads_nothing_heavy(typed, offered, tmp_path):
    environment = dict(_CADCODE_COMPLETE="complete_bash", COMP_WORDS=typed, COMP_CWORD=str(len(typed.split()) - 1))
    assert ran(COMPLETE.format(heavy=HEAVY), tmp_path, **environment) == [offered, "heavy: []"]
