"""The batch on Ray, where Ray is installed: the same results as without, also when a worker is killed."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from fake_batch import FakeSetup, convert_folder, files, living_workers, make_parts, told

from cadcode.batch.ray_pool import RayPool
from cadcode.errors import CadcodeError

pytest.importorskip("ray")


@pytest.fixture
def parts(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (Path(__file__).parents[1], Path(__file__).parents[2]))))
    return make_parts(tmp_path / "parts")


def kill_one_at_work(out: Path, killed: list[int]) -> None:
    """Kill a worker after the first results."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if (out / "results.jsonl").exists() and (out / "results.jsonl").read_bytes().count(b"\n") > 5:
            killed.append(living_workers(out)[0])
            os.kill(killed[0], signal.SIGKILL)
            return
        time.sleep(0.01)


def test_the_same_results_as_without_though_a_worker_is_killed(parts, tmp_path):
    (parts / "0/part 0.stl").write_text("exit once")
    (parts / "0/part 3.stl").write_text("exit always")
    (parts / "0/part 6.stl").write_text("bug")
    convert_folder(parts, FakeSetup(tmp_path / "local"), workers=2)
    out, killed = tmp_path / "out", []
    killer = threading.Thread(target=kill_one_at_work, args=(out, killed))
    killer.start()
    done = convert_folder(parts, FakeSetup(out, pause=0.3), workers=2, pool=RayPool)
    killer.join()
    crashed = {"0/part 3.stl", "0/part 6.stl"}
    assert killed and {name for name, row in done.rows.items() if row["status"] == "crashed"} == crashed
    local, ray = told(tmp_path / "local"), told(out)
    assert len(ray) == 12 and all(row == local[name] for name, row in ray.items() if name not in crashed)
    assert files(out) == files(tmp_path / "local") and "ZeroDivisionError" in ray["0/part 6.stl"]["reason"]


def test_workers_that_do_not_start_end_the_batch(parts, tmp_path):
    with pytest.raises(CadcodeError, match="nowhere: no such model"):
        convert_folder(parts, FakeSetup(tmp_path / "out", starts=False), workers=1, pool=RayPool)
