"""The second wall alone: hostile programs that skip the allow-list, one for each promise of `sandbox`."""

import os

import numpy as np
import pytest

from cadcode.sandbox import Failed, Solid
from cadcode.sandbox.wire import pack

BOX = "import cadquery as cq\nr = cq.Workplane().box(1, 2, 3)"


@pytest.fixture(autouse=True)
def pool_alive_and_nothing_left(sandbox, impatient, descendants):
    """After every hostile program: the next one runs in the same worker, and no process is left."""
    sandbox.level(), impatient.level()  # started and ready
    before = descendants(os.getpid())
    yield
    assert sandbox.run(BOX).volume == pytest.approx(6)
    assert descendants(os.getpid()) == before


ENDLESS = {
    "python loop": "while True: pass",
    "power tower": "x = 9**9**9",
    "native meshing": "import cadquery as cq\ncq.Solid.makeTorus(10, 5).tessellate(1e-6, 1e-3)",
    "sleep": "import time\ntime.sleep(600)",
    "pipe closed, alive": "import os\nfor n in range(64):\n    try: os.close(n)\n    except OSError: pass\n"
    "while True: pass",
    "deaf to signals": "import signal\nfor n in range(1, 32):\n    try: signal.signal(n, signal.SIG_IGN)\n"
    "    except OSError: pass\nwhile True: pass",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_endless_programs_are_killed(impatient, name):
    outcome = impatient.run(ENDLESS[name], checked=False)
    assert outcome.kind == "timeout", outcome


@pytest.mark.parametrize(
    "text",
    [
        "while True: pass",
        "import cadquery as cq\np = [(i * 0.1, i * 7919 % 101 * 0.3) for i in range(3000)]\n"
        "r = cq.Workplane().spline(p).close().extrude(5)",
    ],
)
def test_endless_programs_that_pass_the_first_wall(impatient, text):
    outcome = impatient.run(text)
    assert outcome.kind == "timeout", outcome


@pytest.mark.parametrize(
    "text",
    [
        "x = []\nwhile True: x += [bytes(2**20)]",
        "x = bytes(2**33)",
        "import numpy\nx = [numpy.ones(2**22) for _ in range(99)]",
    ],
)
def test_memory_is_limited(sandbox, text):
    assert sandbox.run(text, checked=False).kind == "memory"


CRASHES = {
    "exit": ("import os\nos._exit(0)", "exit code 0"),
    "exit with a code": ("import os\nos._exit(7)", "exit code 7"),
    "segmentation fault": ("import ctypes\nctypes.string_at(0)", "segmentation fault"),
    "native recursion": (
        "import sys\nsys.setrecursionlimit(10**9)\nf = lambda: sorted([1], key=lambda x: f())\nf()",
        "",
    ),
}


@pytest.mark.parametrize("name", CRASHES)
def test_crashes_stay_in_the_child(sandbox, name):
    text, words = CRASHES[name]
    outcome = sandbox.run(text, checked=False)
    assert isinstance(outcome, Failed) and outcome.kind in ("crash", "error", "memory") and words in outcome.reason


def test_exit_by_exception_is_an_error(sandbox):
    assert sandbox.run("raise SystemExit", checked=False).kind == "error"
    assert sandbox.run("def f(): f()\nf()", checked=False).reason.startswith("line 1: RecursionError")


REFUSED = {
    "read": "open({path!r})",
    "read by descriptor": "import os\nos.open({path!r}, os.O_RDONLY)",
    "list": "import os\nos.listdir({folder!r})",
    "write": "open({path!r}, 'w')",
    "remove": "import os\nos.remove({path!r})",
    "rename": "import os\nos.rename({path!r}, {path!r} + 'x')",
    "make a folder": "import os\nos.mkdir({path!r} + 'x')",
    "socket": "import socket\nsocket.socket()",
    "socket pair": "import socket\nsocket.socketpair()",
    "fork": "import os\nos.fork()",
    "exec": "import os\nos.execv('/bin/true', ['true'])",
    "subprocess": "import subprocess\nsubprocess.run(['true'])",
    "kill the worker": "import os\nos.kill(os.getppid(), 9)",
    "kill everybody": "import os\nos.kill(-1, 9)",
    "leave the group": "import os\nos.setsid()",
}


@pytest.mark.parametrize("name", REFUSED)
def test_system_calls_are_refused(walled, tmp_path, name):
    path = tmp_path / "secret"
    path.write_text("secret")
    outcome = walled.run(REFUSED[name].format(path=str(path), folder=str(tmp_path)), checked=False)
    assert outcome.kind == "error" and "PermissionError" in outcome.reason, outcome
    assert path.read_text() == "secret" and os.listdir(tmp_path) == ["secret"]


def test_no_threads(walled):
    outcome = walled.run("import threading\nthreading.Thread(target=print).start()", checked=False)
    assert "can't start new thread" in outcome.reason


def test_a_fork_bomb_is_no_bomb(walled):
    text = "import os\nwhile True:\n    try: os.fork()\n    except PermissionError: raise ValueError('refused')"
    assert "refused" in walled.run(text, checked=False).reason


def test_limits_cannot_be_raised(walled):
    text = "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (99, 99))"
    assert "not allowed to raise" in walled.run(text, checked=False).reason


@pytest.mark.parametrize(("protection", "works"), [(3, True), (7, False)])
def test_memory_may_be_written_but_not_run(walled, protection, works):
    text = (
        f"import ctypes\nmap = ctypes.CDLL(None).mmap\nmap.restype = ctypes.c_ssize_t\n"
        f"raise ValueError(map(None, 4096, {protection}, 34, -1, 0) != -1)"
    )
    assert walled.run(text, checked=False).reason.endswith(f"ValueError: {works}")


EXPORTS = ["cq.exporters.export(r, {!r})", "r.val().exportBrep({!r})", "r.val().exportStl({!r})"]


@pytest.mark.parametrize("call", EXPORTS)
def test_the_kernel_writes_no_files(walled, tmp_path, call):
    walled.run(BOX + "\n" + call.format(str(tmp_path / "out.step")), checked=False)
    assert os.listdir(tmp_path) == []


def test_no_secrets_in_the_environment(sandbox):
    reason = sandbox.run("import os\nraise ValueError(sorted(os.environ))", checked=False).reason
    assert "'HOME'" in reason and "HF_TOKEN" not in reason


def test_one_descriptor_of_ours(sandbox):
    text = (
        "import os\nopen = []\nfor n in range(3, 256):\n    try: open.append(os.write(n, b''))\n"
        "    except OSError as e: assert e.errno == 9\nraise ValueError(len(open))"
    )
    assert sandbox.run(text, checked=False).reason.endswith("ValueError: 1")


def test_torch_is_not_in_the_worker(sandbox):
    assert sandbox.run("import sys\nraise ValueError('torch' in sys.modules)", checked=False).reason.endswith("False")


FORGE = """
import os
for n in range(3, 64):
    try: os.write(n, {frame!r})
    except OSError: continue
    if {leave}: os._exit(0)
import cadquery as cq
r = cq.Workplane().box(1, 1, 1)
"""

CORNERS = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)], dtype=float)
FACES = np.array([(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)], dtype=np.int32)


def forged(sandbox, header=None, corners=CORNERS, faces=FACES, leave=True, frame=None):
    header = {"volume": 1 / 6, "valid": True, "solids": 1, **(header or {})}
    frame = frame or pack(header, {"vertices": corners.tobytes(), "faces": faces.tobytes()})
    return sandbox.run(FORGE.format(frame=frame, leave=leave), checked=False)


def test_a_consistent_forgery_is_just_a_solid(sandbox):
    """So the tests below fail for their own reasons: the forger does reach the pipe."""
    assert isinstance(forged(sandbox), Solid)


@pytest.mark.parametrize(
    "arguments",
    [
        {"header": {"volume": 5.0}},
        {"header": {"volume": float("nan")}},
        {"header": {"volume": "1"}},
        {"header": {"valid": 1}},
        {"faces": FACES + 1},
        {"faces": FACES - 1},
        {"corners": CORNERS + [np.inf, 0, 0]},
        {"corners": CORNERS * 1e12},
        {"faces": FACES[:, ::-1].copy()},
        {"leave": False},
        {"frame": b"\0" * 99},
        {"frame": pack({"failed": "nonsense", "reason": "x"})},
        {"frame": b"x" * 3},
    ],
)
def test_forged_results_are_found(sandbox, arguments):
    outcome = forged(sandbox, **arguments)
    assert isinstance(outcome, Failed) and outcome.kind == "forged", outcome


def test_a_flood_is_cut(sandbox):
    text = (
        "import os\nfor n in range(3, 64):\n    try:\n        while True: os.write(n, bytes(2**20))\n"
        "    except OSError: pass"
    )
    assert sandbox.run(text, checked=False).kind == "forged"
