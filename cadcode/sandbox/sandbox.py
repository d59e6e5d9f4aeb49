"""Run CadQuery programs that nobody has read, and open CAD files, without letting them into our process.

    with Sandbox() as sandbox:            # a worker imports CadQuery meanwhile
        outcome = sandbox.run(text, export=("step",))

First wall, `check`: an allow-list for the program's syntax tree. Second wall, `worker` and `jail`: a process of its own
for every program, on Linux forked from a worker that has imported CadQuery. Our process never imports CadQuery.

Covered, each with a test that tries it, and on Linux by the second wall alone:
* endless loops and native calls that do not return: killed by the worker at `timeout`, wall clock;
* memory: `memory_mb` of address space beyond the worker's own; output: `max_triangles` and the size of a report;
* `os._exit`, segmentation faults, deep recursion: the child dies, the worker and later programs do not notice;
* files, network, new processes and threads, signals to others: refused by the seccomp filter (Linux, x86-64 and
  aarch64); without the filter only resource limits stand behind `check` (no writing to files, no new descriptors);
* secrets: no environment variables but PATH and its like, no open descriptors, an empty folder as home;
* forged results: everything countable is counted again (`outcome`); no pickle on the way back;
* orphans: children die with the worker, the worker ends when our end of its pipe closes.

Not covered: a hole in the kernel's system calls on the allow-list; side channels in time or cache; a program that hides
its true shape from `valid` or writes odd STEP or BREP data (treat exports as data from a stranger); a CAD file that
takes over its reader can read files (not write, not send) and show them only as vertices. On macOS and Windows
programs run in the worker itself behind `check` and the timeout: no memory limit, no system-call filter, a worker
restarted after every timeout or crash, and a worker stuck in native code outlives a parent that was killed; so
`checked=False` is refused there. `level()` says what is on.
"""

import math
import os
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cadcode.errors import InputError, SandboxError, UsageError
from cadcode.sandbox.allowlist import check
from cadcode.sandbox.client import Worker
from cadcode.sandbox.outcome import EXPORTS, CadMesh, Failed, Outcome, judge, judge_mesh

PROTECTIONS = ("auto", "limits", "process")
FORMATS = {".step": "step", ".stp": "step", ".iges": "iges", ".igs": "iges", ".brep": "brep", ".brp": "brep"}
GRACE = 5.0  # seconds beyond the timeout before a worker that should have kept it is taken for stuck
SIGNALS = {-6: "abort", -8: "arithmetic fault", -9: "killed", -11: "segmentation fault", -24: "CPU time"}


@dataclass(frozen=True)
class SandboxOptions:
    timeout: float = 10.0  # seconds a program may take, wall clock
    read_timeout: float = 120.0  # seconds a CAD file may take
    start_timeout: float = 120.0  # seconds CadQuery may take to import
    memory_mb: int = 1024  # a program's own memory
    read_memory_mb: int = 4096
    max_triangles: int = 2_000_000
    tolerance: float = 0.001  # of the mesh, in parts of the longest side
    angle: float = 0.1  # of the mesh, radians between neighbouring chords
    workers: int = 1
    protection: str = "auto"  # or 'limits': no seccomp; or 'process': what macOS and Windows have

    def __post_init__(self):
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
        """Of a report: 3 vertices of 24 bytes and a face of 12 a triangle, and as much again for exports."""
        return 200 * self.max_triangles + (1 << 24)


class Sandbox:
    """A pool of workers. `run` may be called from several threads; each call takes one worker."""

    def __init__(self, options: SandboxOptions | None = None):
        self.options = options or SandboxOptions()
        self._workers: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        self._closed = threading.Event()
        for _ in range(self.options.workers):
            self._workers.put(self._start())

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """End the workers. Call it when no other thread is in `run`; later calls raise SandboxError."""
        if not self._closed.is_set():
            self._closed.set()
            for _ in range(self.options.workers):
                self._workers.get().close()

    def level(self) -> str:
        """Which walls stand, for people; waits for a worker. Raises SandboxError when CadQuery does not load."""
        hello = self._with_worker(Worker.hello)
        walls = ["allow-list"]
        walls += ["seccomp"] if hello["filters"] else []
        walls += ["resource limits, a process for each program"] if hello["forks"] else ["a worker process"]
        return " + ".join(walls)

    def run(self, text: str, export: tuple[str, ...] = (), checked: bool = True) -> Outcome:
        """Run one program; `export` names what else is wanted: 'step', 'brep', 'stl' (bytes, in the program's units).

        `checked=False` leaves out the first wall, to test the second. Raises SandboxError when no worker starts,
        UsageError for unknown exports; whatever the program does comes back as a value.
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
        return judge(frame, tuple(export), options.max_triangles, options.tolerance, seconds)

    def run_many(self, texts: list[str], export: tuple[str, ...] = ()) -> list[Outcome]:
        """`run` for each text, in order, as many at once as there are workers."""
        if self.options.workers == 1:
            return [self.run(text, export) for text in texts]
        with ThreadPoolExecutor(self.options.workers) as pool:
            return list(pool.map(lambda text: self.run(text, export), texts))

    def read_cad(self, path) -> CadMesh:
        """A STEP, IGES or BREP file as a mesh, with the numbers of vertices of its solids and with notes.

        In millimetres for STEP and IGES (the kernel converts what the file declares), as written for BREP. Raises
        InputError for a file that cannot be used.
        """
        path = Path(path)
        header = self._header("read", self.options.read_timeout, self.options.read_memory_mb)
        header |= {"format": _format(path)}
        report = self._ask(header, os.fsencode(path.resolve()))
        mesh = report if isinstance(report, Failed) else judge_mesh(report[0], self.options.max_triangles)
        if isinstance(mesh, Failed):
            raise InputError(path, f"cannot be used: {mesh.reason}", "open it in a CAD program and save it again")
        return mesh

    def _header(self, kind: str, seconds: float, memory_mb: int) -> dict:
        options = self.options
        limits = {"seconds": seconds, "memory_mb": memory_mb, "max_bytes": options.max_bytes}
        mesh = {"tolerance": options.tolerance, "angle": options.angle, "max_triangles": options.max_triangles}
        return {"kind": kind, **limits, **mesh}

    def _ask(self, header: dict, text: bytes) -> tuple[bytes, float] | Failed:
        """The report of a job that ended well and its seconds, or how it ended instead."""
        return self._with_worker(lambda worker: self._ask_worker(worker, header, text))

    def _ask_worker(self, worker: Worker, header: dict, text: bytes) -> tuple[bytes, float] | Failed:
        forks = worker.hello()["forks"]
        if not forks and not header.get("checked", True):
            raise SandboxError("unchecked programs need the resource limits and processes that Linux has")
        answer = worker.ask(header, text, header["seconds"] + (GRACE if forks else 0))
        if answer is None:
            return _worker_died(worker, header["seconds"])
        told, blobs = answer
        failure = _bad_ending(told, blobs["report"], header["seconds"])
        return failure or (blobs["report"], told["seconds"])

    def _with_worker(self, use):
        """`use(worker)`, with a new worker in place of one that is dead or was left in mid-request."""
        if self._closed.is_set():
            raise SandboxError("the sandbox is closed")
        worker = self._fit(self._workers.get())
        try:
            return use(worker)
        finally:
            self._workers.put(self._fit(worker))

    def _fit(self, worker: Worker) -> Worker:
        if worker.is_usable():
            return worker
        worker.close()
        return self._start()

    def _start(self) -> Worker:
        return Worker(self.options.protection, self.options.start_timeout, self.options.max_bytes + (1 << 21))


def _format(path: Path) -> str:
    if path.suffix.lower() not in FORMATS:
        raise InputError(path, f"'{path.suffix}' is no CAD format known here", f"use one of {', '.join(FORMATS)}")
    if not path.is_file():
        raise InputError(path, "no such file", "check the path")
    if path.stat().st_size == 0:
        raise InputError(path, "the file is empty", "export it again")
    return FORMATS[path.suffix.lower()]


def _worker_died(worker: Worker, limit: float) -> Failed:
    if worker.timed_out:
        return Failed("timeout", f"took longer than {limit:g} s")
    return Failed("crash", f"the worker ended: {_how(worker.exit_code())}")


def _bad_ending(told: dict, report: bytes, limit: float) -> Failed | None:
    cause, code, seconds = told["cause"], told["code"], told["seconds"]
    if cause == "timeout" or code == -24:
        return Failed("timeout", f"took longer than {limit:g} s", seconds)
    if cause == "flood":
        return Failed("forged", "the result is larger than any mesh that is allowed", seconds)
    if code == -9:
        return Failed("memory", "killed by the system, which had no memory left", seconds)
    if cause != "exit" or code != 0 or not report:
        return Failed("crash", f"the program's process ended: {_how(code)}", seconds)
    return None


def _how(code: int) -> str:
    return SIGNALS.get(code, f"signal {-code}") if code < 0 else f"exit code {code}"
