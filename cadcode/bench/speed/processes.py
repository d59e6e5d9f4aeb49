"""Cost of a command: wall time, processor time and peak memory of all its processes."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from cadcode.errors import CadcodeError

INTERVAL = 0.02  # seconds between memory samples
LOG = "log"  # output file of a command
COMPLETE = (0, 1)  # exit codes of `generate` after a complete run; 1: a part without a valid solid


@dataclass(frozen=True)
class Spent:
    """Cost of a command; `peak_mb` counts shared pages once (PSS), and is None on systems other than Linux."""

    seconds: float
    cpu_seconds: float
    peak_mb: float | None

    def as_dict(self) -> dict:
        peak = None if self.peak_mb is None else round(self.peak_mb, 1)
        return dict(seconds=round(self.seconds, 3), cpu_seconds=round(self.cpu_seconds, 3), peak_mb=peak)


def cadcode_command(*words: str) -> list[str]:
    return [sys.executable, "-m", "cadcode", *words]


def spent(command: list[str], folder: Path, expected: tuple[int, ...] = (0,)) -> Spent:
    """Run a command in a folder twice: the first run gives the time, since sampling the memory slows the second down.

    Raises CadcodeError with the last line of output if the exit code is not in `expected`.
    """
    started = time.perf_counter()
    usage = _wait(_start(command, folder), folder, expected)
    seconds = time.perf_counter() - started
    process = _start(command, folder)
    watch = Watch(process.pid)
    _wait(process, folder, expected)
    return Spent(seconds, usage.ru_utime + usage.ru_stime, watch.peak_mb())


def _start(command: list[str], folder: Path) -> subprocess.Popen:
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    with open(folder / LOG, "wb") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env=environment)


def _wait(process: subprocess.Popen, folder: Path, expected: tuple[int, ...]):
    """Wait for a process and return its resource usage."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in expected:
        lines = (folder / LOG).read_text(errors="replace").strip().splitlines() or ["no output"]
        command = " ".join(process.args[:4])
        raise CadcodeError(f"{command} ... ended with code {process.returncode}: {lines[-1][:200]}")
    return usage


class Watch:
    """Samples the memory of a process and its descendants until it has ended."""

    def __init__(self, pid: int):
        self._pid, self._most = pid, 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def peak_mb(self) -> float | None:
        """Peak of the samples, after the process has ended."""
        self._ended.set()
        self._thread.join()
        return self._most or None

    def _sample(self) -> None:
        while not self._ended.wait(INTERVAL):
            self._most = max(self._most, sum(map(proportional_mb, family(self._pid))))


def family(pid: int) -> list[int]:
    """Process ids of a process and all its descendants, on Linux."""
    pids, todo = [], [pid]
    while todo:
        current = todo.pop()
        pids.append(current)
        for path in Path(f"/proc/{current}/task").glob("*/children"):
            todo += [int(word) for word in read_or_nothing(path).split()]
    return pids


def proportional_mb(pid: int) -> float:
    """Proportional set size of a process in MB; 0 if it has ended or cannot be inspected."""
    lines = read_or_nothing(Path(f"/proc/{pid}/smaps_rollup")).splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def read_or_nothing(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the process has ended
        return ""
