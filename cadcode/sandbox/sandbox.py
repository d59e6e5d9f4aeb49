"""Execution of untrusted CadQuery programs, and reading of CAD files, outside the calling process.

    with Sandbox() as sandbox:            # the worker imports CadQuery in the background
        outcome = sandbox.run(text, export=("step",))

First layer, `check`: an allow-list for the program's syntax tree. Second layer, `worker` and `jail`: a separate process
for every program, on Linux forked from a worker that has imported CadQuery. The calling process never imports CadQuery.

Covered, each with a test that attempts it, and on Linux by the second layer alone:
* endless loops and native calls that do not return: killed by the worker at `timeout`, wall clock;
* memory: `memory_mb` of address space beyond the worker's own; output: `max_triangles` and the size of a report;
* `os._exit`, segmentation faults, deep recursion: the child dies; the worker and later programs are not affected;
* files, network, new processes and threads, signals to others: refused by the seccomp filter (Linux, x86-64 and
  aarch64); without the filter, resource limits are the only second layer (no writing to files, no new descriptors);
* secrets: no environment variables except PATH and similar ones, no open descriptors, an empty folder as home;
* forged results: all values that can be recomputed are recomputed (`outcome`); no pickle in reports;
* orphans: children die with the worker; the worker ends when the calling process closes its pipe.

Not covered: a vulnerability in an allowed system call; side channels in time or cache; a program that hides its true
shape from `valid` or writes malformed STEP or BREP data (treat exports as untrusted data); a CAD file that exploits its
reader can read files (but not write or send them) and return them only as vertices. On macOS and Windows, programs run
in the worker itself, with `check` and the timeout only: no memory limit, no system-call filter, a worker restarted
after every timeout or crash, and a worker stuck in native code that survives a killed parent; `checked=False` is
refused on these systems. `level()` describes the active layers.
"""

import math
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cadcode.errors import InputError, SandboxError, UsageError
from cadcode.sandbox.allowlist import check
from cadcode.sandbox.client import Worker
from cadcode.sandbox.outcome import EXPORTS, CadMesh, Failed, Outcome, validate_mesh, validate_report

T = TypeVar("T")

PROTECTIONS = ("auto", "limits", "process")
FORMATS = {".step": "step", ".stp": "step", ".iges": "iges", ".igs": "iges", ".brep": "brep", ".brp": "brep"}
GRACE = 5.0  # seconds after the timeout until a worker counts as stuck
SIGNALS = {-6: "abort", -8: "arithmetic fault", -9: "killed", -11: "segmentation fault", -24: "CPU time"}


@dataclass(frozen=True)
class SandboxOptions:
    timeout: float = 10.0  # seconds per program, wall clock
    read_timeout: float = 120.0  # seconds per CAD file
    start_timeout: float = 120.0  # seconds for the import of CadQuery
    memory_mb: int = 1024  # memory of a program beyond that of the worker
    read_memory_mb: int = 4096
    max_triangles: int = 2_000_000
    tolerance: float = 0.001  # chord tolerance of the mesh, share of the longest side
    angle: float = 0.1  # angle between neighbouring chords of the mesh, radians
    workers: int = 1
    protection: str = "auto"  # 'limits': no seccomp; 'process': as on macOS and Windows

    def __post_init__(self) -> None:
        if self.protection not in PROTECTIONS:
            raise UsageError(f"protection must be one of {', '.join(PROTECTIONS)}, not '{self.protection}'")
        numbers = (
            self.timeout,
            self.read_timeout,
            self.start_timeout,
            self.memory_mb,
            self.read_memory_mb,
            self.max_triangles,
            self.tolerance,
            self.angle,
            self.workers,
        )
        if not all(math.isfinite(number) and number > 0 for number in numbers):
            raise UsageError("timeouts, limits, tolerances and the number of workers must be above 0")

    @property
    def max_bytes(self) -> int:
        """Size limit of a report: per triangle 3 vertices of 24 bytes and a face of 12, and as much for exports."""
        return 200 * self.max_triangles + (1 << 24)


class Sandbox:
    """A pool of workers. `run` may be called from several threads; each call uses one worker."""

    def __init__(self, options: SandboxOptions | None = None):
        self.options = options or SandboxOptions()
        self._workers: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        self._closed = threading.Event()
        for _ in range(self.options.workers):
            self._workers.put(self._start())

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers. No other thread may be in `run`; later calls raise SandboxError."""
        if not self._closed.is_set():
            self._closed.set()
            for _ in range(self.options.workers):
                self._workers.get().close()

    def level(self) -> str:
        """Text with the active layers; waits for a worker. Raises SandboxError if CadQuery does not load."""
        hello = self._with_worker(Worker.hello)
        layers = ["allow-list"]
        layers += ["seccomp"] if hello["filters"] else []
        layers += ["resource limits, a process for each program"] if hello["forks"] else ["a worker process"]
        return " + ".join(layers)

    def run(self, text: str, export: tuple[str, ...] = (), checked: bool = True) -> Outcome:
        """Run one program; `export` names additional outputs: 'step', 'brep', 'stl' (bytes, in program units).

        `checked=False` skips the first layer, for tests of the second. Raises SandboxError if no worker starts, and
        UsageError for unknown exports; every behaviour of the program is returned as a value.
        """
        if unknown := set(export) - set(EXPORTS):
            raise UsageError(f"cannot export {', '.join(sorted(unknown))}; known: {', '.join(EXPORTS)}")
        reason = check(text) if checked else None
        if reason is not None:
            return Failed("rejected", reason)
        header = self._header("run", self.options.timeout, self.options.memory_mb)
        header |= {"export": list(export), "checked": checked}
        report = self._ask(header, text.encode(errors="replace"))
        if isinstance(report, Failed):
            return report
        frame, seconds = report
        options = self.options
        return validate_report(frame, tuple(export), options.max_triangles, options.tolerance, seconds)

    def run_many(self, texts: list[str], export: tuple[str, ...] = ()) -> list[Outcome]:
        """`run` for each text, in order, with one thread per worker."""
        if self.options.workers == 1:
            return [self.run(text, export) for text in texts]
        with ThreadPoolExecutor(self.options.workers) as pool:
            return list(pool.map(lambda text: self.run(text, export), texts))

    def read_cad(self, path: Path | str) -> CadMesh:
        """Mesh of a STEP, IGES or BREP file, with vertex counts of its solids and with notes.

        Lengths are in millimetres for STEP and IGES (converted by the kernel), and unconverted for BREP. Raises
        InputError for a file that cannot be read.
        """
        path = Path(path)
        header = self._header("read", self.options.read_timeout, self.options.read_memory_mb)
        header |= {"format": _format(path)}
        report = self._ask(header, os.fsencode(path.resolve()))
        mesh = report if isinstance(report, Failed) else validate_mesh(report[0], self.options.max_triangles)
        if isinstance(mesh, Failed):
            raise InputError(path, f"cannot be used: {mesh.reason}", "open it in a CAD program and save it again")
        return mesh

    def _header(self, kind: str, seconds: float, memory_mb: int) -> dict[str, Any]:
        options = self.options
        limits = {"seconds": seconds, "memory_mb": memory_mb, "max_bytes": options.max_bytes}
        mesh = {"tolerance": options.tolerance, "angle": options.angle, "max_triangles": options.max_triangles}
        return {"kind": kind, **limits, **mesh}

    def _ask(self, header: dict[str, Any], text: bytes) -> tuple[bytes, float] | Failed:
        """The report of a successful job and its seconds, or the failure."""
        return self._with_worker(lambda worker: self._ask_worker(worker, header, text))

    def _ask_worker(self, worker: Worker, header: dict[str, Any], text: bytes) -> tuple[bytes, float] | Failed:
        forks = worker.hello()["forks"]
        if not forks and not header.get("checked", True):
            raise SandboxError("unchecked programs need the resource limits and processes that Linux has")
        answer = worker.ask(header, text, header["seconds"] + (GRACE if forks else 0))
        if answer is None:
            return _worker_died(worker, header["seconds"])
        ending, blobs = answer
        failure = _failure_of(ending, blobs["report"], header["seconds"])
        return failure or (blobs["report"], ending["seconds"])

    def _with_worker(self, use: Callable[[Worker], T]) -> T:
        """`use(worker)`, with a new worker in place of a dead one or one interrupted in a request."""
        if self._closed.is_set():
            raise SandboxError("the sandbox is closed")
        worker = self._usable(self._workers.get())
        try:
            return use(worker)
        finally:
            self._workers.put(self._usable(worker))

    def _usable(self, worker: Worker) -> Worker:
        if worker.is_usable():
            return worker
        worker.close()
        return self._start()

    def _start(self) -> Worker:
        return Worker(self.options.protection, self.options.start_timeout, self.options.max_bytes + (1 << 21))


def _format(path: Path) -> str:
    if path.suffix.lower() not in FORMATS:
        raise InputError(path, f"'{path.suffix}' is not a known CAD format", f"use one of {', '.join(FORMATS)}")
    if not path.is_file():
        raise InputError(path, "no such file", "check the path")
    if path.stat().st_size == 0:
        raise InputError(path, "the file is empty", "export it again")
    return FORMATS[path.suffix.lower()]


def _worker_died(worker: Worker, limit: float) -> Failed:
    if worker.timed_out:
        return Failed("timeout", f"took longer than {limit:g} s")
    return Failed("crash", f"the worker ended: {_ending_text(worker.exit_code())}")


def _failure_of(ending: dict[str, Any], report: bytes, limit: float) -> Failed | None:
    cause, code, seconds = ending["cause"], ending["code"], ending["seconds"]
    if cause == "timeout" or code == -24:
        return Failed("timeout", f"took longer than {limit:g} s", seconds)
    if cause == "flood":
        return Failed("forged", "the result is larger than any mesh that is allowed", seconds)
    if code == -9:
        return Failed("memory", "killed by the system, which had no memory left", seconds)
    if cause != "exit" or code != 0 or not report:
        return Failed("crash", f"the program's process ended: {_ending_text(code)}", seconds)
    return None


def _ending_text(code: int) -> str:
    return SIGNALS.get(code, f"signal {-code}") if code < 0 else f"exit code {code}"
