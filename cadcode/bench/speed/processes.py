"""What a command costs: wall time, processor time and the most memory that all its processes held together."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from cadcode.errors import CadcodeError

INTERVAL = 0.02  # seconds between two looks at the memory
LOG = "log"  # what a command said
WHOLE = (0, 1)  # exit codes of `generate` after a whole run; 1: a part without a valid solid


@dataclass(frozen=True)
class Spent:
    """`peak_mb` counts pages that processes share once (PSS); None where the system does not tell (not Linux)."""

    seconds: float
    cpu_seconds: float
    peak_mb: float | None

    def as_dict(self) -> dict:
        peak = None if self.peak_mb is None else round(self.peak_mb, 1)
        return dict(seconds=round(self.seconds, 3), cpu_seconds=round(self.cpu_seconds, 3), peak_mb=peak)


def cadcode_command(*words: str) -> list[str]:
    return [sys.executable, "-m", "cadcode", *words]


def spent(command: list[str], folder: Path, fine: tuple[int, ...] = (0,)) -> Spent:
    """Run a command in a folder to its end, twice: looking at its memory slows it down, so time is that of the first.

    CadcodeError with its last words where it ends with an exit code that is not `fine`.
    """
    started = time.perf_counter()
    usage = _ended(_begun(command, folder), folder, fine)
    seconds = time.perf_counter() - started
    process = _begun(command, folder)
    watch = Watch(process.pid)
    _ended(process, folder, fine)
    return Spent(seconds, usage.ru_utime + usage.ru_stime, watch.peak_mb())


def _begun(command: list[str], folder: Path) -> subprocess.Popen:
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    with open(folder / LOG, "wb") as words:
        return subprocess.Popen(command, cwd=folder, stdout=words, stderr=words, env=environment)


def _ended(process: subprocess.Popen, folder: Path, fine: tuple[int, ...]):
    """What a process used, once it has ended."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in fine:
        lines = (folder / LOG).read_text(errors="replace").strip().splitlines() or ["no words"]
        command = " ".join(process.args[:4])
        raise CadcodeError(f"{command} ... ended with code {process.returncode}: {lines[-1][:200]}")
    return usage


class Watch:
    """Looks at the memory of a process and all below it until it has ended."""

    def __init__(self, pid: int):
        self._pid, self._most = pid, 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def peak_mb(self) -> float | None:
        """The most that was seen, once the process has ended."""
        self._ended.set()
        self._thread.join()
        return self._most or None

    def _look(self) -> None:
        while not self._ended.wait(INTERVAL):
            self._most = max(self._most, sum(map(proportional_mb, family(self._pid))))


def family(pid: int) -> list[int]:
    """A process and all its descendants; empty where the system does not tell."""
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        found.append(one)
        for path in Path(f"/proc/{one}/task").glob("*/children"):
            todo += [int(word) for word in read_or_nothing(path).split()]
    return found


def proportional_mb(pid: int) -> float:
    """The proportional set size of a process; 0 for one that has ended or cannot be looked at."""
    lines = read_or_nothing(Path(f"/proc/{pid}/smaps_rollup")).splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def read_or_nothing(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended meanwhile
        return ""
