"""The worker as a process: death, a lost parent, several of them, and what our own process does not import."""

import os
import signal
import subprocess
import sys
import time

import pytest

from cadcode.errors import SandboxError, UsageError
from cadcode.sandbox import Failed, Sandbox, SandboxOptions, Solid, client, sandbox

BOX = "import cadquery as cq\nr = cq.Workplane().box(1, 2, 3)"


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_a_stuck_worker_is_replaced(monkeypatch, descendants):
    monkeypatch.setattr(sandbox, "GRACE", 0.1)
    others = descendants(os.getpid())
    with Sandbox(SandboxOptions(timeout=2)) as pool:
        pool.level()
        (worker,) = descendants(os.getpid()) - others
        os.kill(worker, signal.SIGSTOP)
        assert pool.run(BOX).kind == "timeout"
        assert isinstance(pool.run(BOX), Solid)
    assert descendants(os.getpid()) == others


ORPHANAGE = """
import sys, threading
from cadcode.sandbox import Sandbox, SandboxOptions
box = Sandbox(SandboxOptions(timeout=600))
box.level()
threading.Thread(target=box.run, args=("while True: pass",), daemon=True).start()
print("running", flush=True)
sys.stdin.read()
"""


def test_no_orphans_when_we_are_killed(descendants, tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(tmp_path)}
    parent = subprocess.Popen(
        [sys.executable, "-c", ORPHANAGE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    with parent:
        assert parent.stdout.readline() == b"running\n"
        assert wait_until(lambda: len(descendants(parent.pid)) == 2)  # the worker and its child
        family = descendants(parent.pid)
        assert os.listdir(tmp_path)
        parent.kill()
    assert wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in family))
    assert os.listdir(tmp_path) == []


def test_several_workers_share_the_work(descendants):
    others = descendants(os.getpid())
    texts = [f"import cadquery as cq\nr = cq.Workplane().box(1, 1, {n})" for n in range(1, 7)] + ["import os"]
    with Sandbox(SandboxOptions(workers=2)) as pool:
        outcomes = pool.run_many(texts)
        workers = descendants(os.getpid()) - others
        assert len(workers) == 2
        victim = min(workers)
        os.kill(victim, signal.SIGKILL)  # while idle: nobody's program pays for it
        assert wait_until(lambda: victim not in descendants(os.getpid()))
        assert all(isinstance(outcome, Solid) for outcome in pool.run_many(texts[:-1]))
    assert [round(outcome.volume, 6) for outcome in outcomes[:-1]] == [1, 2, 3, 4, 5, 6]
    assert isinstance(outcomes[-1], Failed)
    assert descendants(os.getpid()) == others


def test_closing_before_it_is_ready_leaves_nothing(descendants):
    others = descendants(os.getpid())
    pool = Sandbox()
    pool.close()
    pool.close()
    assert descendants(os.getpid()) == others
    with pytest.raises(SandboxError, match="closed"):
        pool.run(BOX)


def test_a_worker_that_cannot_start_says_why(monkeypatch):
    monkeypatch.setattr(client, "BOOT", "raise ImportError('libGL.so.1: cannot open shared object file')")
    with Sandbox() as broken, pytest.raises(SandboxError, match=r"libGL\.so\.1"):
        broken.level()


def test_our_process_imports_neither_cadquery_nor_torch():
    text = "import sys, cadcode.sandbox; print(sorted({'cadquery', 'OCP', 'torch', 'trimesh'} & set(sys.modules)))"
    ran = subprocess.run(
        [sys.executable, "-c", text],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("wrong", [{"timeout": 0}, {"workers": 0}, {"timeout": float("nan")}, {"protection": "none"}])
def test_options_are_checked(wrong):
    with pytest.raises(UsageError):
        SandboxOptions(**wrong)
