"""Weaker levels of protection, each forced on this system, and the worker's start in a hostile folder."""

import pytest

from cadcode.errors import SandboxError
from cadcode.sandbox import Sandbox, SandboxOptions, Solid

BOX = "import cadquery as cq\nr = cq.Workplane().box(1, 2, 3)"


def test_without_fork_the_worker_is_restarted():
    """What macOS and Windows have: the program runs in the worker, which is replaced when time is up."""
    with Sandbox(SandboxOptions(protection="process", timeout=2, max_triangles=2000)) as weak:
        assert weak.level() == "allow-list + a worker process"
        assert weak.run(BOX, export=("step",)).exports["step"].startswith(b"ISO-10303-21;")
        assert weak.run("import os").kind == "rejected"
        assert weak.run("import cadquery as cq\nr = cq.Workplane().sphere(1)").kind == "error"  # too many triangles
        with pytest.raises(SandboxError, match="unchecked"):
            weak.run(BOX, checked=False)
        assert weak.run("while True: pass").kind == "timeout"
        assert isinstance(weak.run(BOX), Solid)


def test_without_seccomp_limits_remain(tmp_path):
    path = tmp_path / "out"
    with Sandbox(SandboxOptions(protection="limits")) as weak:
        if "resource limits" not in weak.level():
            pytest.skip("no resource limits on this system")
        assert "seccomp" not in weak.level()
        assert weak.run(f"open({str(path)!r}, 'w')", checked=False).kind == "error"
        assert weak.run("import ctypes\nctypes.string_at(0)", checked=False).kind == "crash"
        assert isinstance(weak.run(BOX), Solid)
    assert not path.exists()


def test_programs_in_the_current_folder_are_not_imported(monkeypatch, tmp_path):
    """`random.py` may be what we wrote for `random.stl`: a worker started there must not import it."""
    for name in ("random", "numpy", "cadquery", "encodings"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('imported')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    with Sandbox() as pool:
        assert isinstance(pool.run(BOX), Solid)
