"""Second layer: one job in a forked process with limits, a system-call filter and a deadline enforced by its parent.

Runs in the worker, on Linux. Independent of CAD: a job is a function that returns bytes.
"""

import errno
import math
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from cadcode.sandbox import seccomp
from cadcode.sandbox.wire import write_all

PR_SET_PDEATHSIG = 1
MAX_DESCRIPTOR = 1024  # the worker has only a few descriptors open


@dataclass(frozen=True)
class Limits:
    seconds: float
    memory_mb: int  # address space beyond that of the worker
    max_bytes: int  # size of the report
    seccomp: bool
    reading: bool = False  # allow opening files for reading


@dataclass(frozen=True)
class Ending:
    """End of a job: `cause` is exit, timeout, flood or stopped; `code` is the exit code or minus the signal."""

    cause: str
    code: int
    seconds: float
    report: bytes


def run_forked(job: Callable[[], bytes], limits: Limits, stop: int) -> Ending:
    """Run `job` in a child and collect its output. Input or end of file on the descriptor `stop` kills the child."""
    receive, send = os.pipe()
    worker, start = os.getpid(), time.monotonic()
    child = os.fork()
    if child == 0:
        _be_child(job, limits, send, worker)
    os.close(send)
    try:
        cause, report = _collect(child, receive, stop, start + limits.seconds, limits.max_bytes)
    finally:
        os.close(receive)
        code = _end(child)
    return Ending(cause, code, time.monotonic() - start, report)


def probe(stop: int) -> bool:
    """Whether the filter works on this system, tested with a child that tries to open a directory."""
    if not seccomp.known_machine():
        return False
    ending = run_forked(_try_open, Limits(10, 1024, 1024, seccomp=True), stop)
    return ending.cause == "exit" and ending.report == b"EPERM"


def _try_open() -> bytes:
    try:
        os.close(os.open("/", os.O_RDONLY))
    except OSError as error:
        return errno.errorcode[error.errno or 0].encode()
    return b"opened"


def _be_child(job: Callable[[], bytes], limits: Limits, send: int, worker: int) -> None:
    """Run the job and never return: `finally` ends the process on any exception, before the worker's code continues."""
    code = 1
    try:
        _confine(limits, send, worker)
        write_all(send, job())
        code = 0
    finally:
        os._exit(code)


def _confine(limits: Limits, send: int, worker: int) -> None:
    os.setpgid(0, 0)
    _die_with(worker)
    os.closerange(3, send)
    os.closerange(send + 1, MAX_DESCRIPTOR)
    _limit(resource.RLIMIT_CPU, math.ceil(limits.seconds) + 1)
    _limit(resource.RLIMIT_AS, _address_space() + limits.memory_mb * 2**20)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NPROC, 0)  # no effect for root
    _limit(resource.RLIMIT_NOFILE, 64 if limits.reading else 0)
    if limits.seccomp:
        seccomp.install(limits.reading)


def _die_with(worker: int) -> None:
    seccomp.set_process_option(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != worker:  # the worker died before the line above
        os._exit(1)


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _address_space() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _collect(child: int, receive: int, stop: int, deadline: float, max_bytes: int) -> tuple[str, bytes]:
    """Read until the child ends; a child may close its pipe and keep running, so its end is awaited too."""
    report, sources = bytearray(), [receive, stop]
    while receive in sources or not _has_ended(child):
        left = deadline - time.monotonic()
        if left <= 0:
            return "timeout", b""
        ready = select.select(sources, [], [], left if receive in sources else min(left, 0.002))[0]
        if stop in ready:
            return "stopped", b""
        if receive in ready:
            piece = os.read(receive, 1 << 20)
            report += piece
            if not piece:
                sources.remove(receive)
        if len(report) > max_bytes:
            return "flood", b""
    return "exit", bytes(report)


def _has_ended(child: int) -> bool:
    """Check without reaping, so that the id of the process group is not reused before it is killed."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end(child: int) -> int:
    try:
        os.killpg(child, signal.SIGKILL)
    except ProcessLookupError:  # killed before it created its process group
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
