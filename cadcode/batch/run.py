"""Run of a batch: finished parts are skipped, the others are converted by a pool, and each row is logged at once."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from cadcode.batch.plan import Part, Plan, Shard
from cadcode.batch.results_log import CRASHED, DONE, NO_PROGRAM, ResultsLog
from cadcode.batch.setup import Setup, row
from cadcode.errors import OutputError
from cadcode.model.machine import free_cores

WORKER_BYTES = 2 << 30  # memory of a worker: torch, a model, CadQuery and a program
WORKERS_PER_GPU = 4
TEMPORARY = ".cadcode-*"  # incomplete files of killed processes


@dataclass(frozen=True)
class Batch:
    """Result of a plan: rows of its parts by name; some are missing if `interrupted`."""

    rows: dict[str, dict]
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        codes = {DONE: 0, NO_PROGRAM: 1, CRASHED: 1}
        return max((codes.get(row["status"], 2) for row in self.rows.values()), default=0)


class Pool(Protocol):
    """Pool of workers: `cadcode.batch.pool` on this machine, `cadcode.batch.ray_pool` on a cluster."""

    def __enter__(self) -> "Pool": ...
    def __exit__(self, *_) -> None: ...
    def stop(self) -> None: ...
    def rows(self, parts: Iterable[Part], on_stop: Callable[[int], None]) -> Iterator[dict]: ...


class Listener(Protocol):
    """Observer of a batch."""

    def on_start(self, todo: int, done: int) -> None: ...  # done: in an earlier run
    def on_row(self, row: dict, fresh: bool) -> None: ...  # not fresh: from an earlier run
    def on_stop(self, unfinished: int) -> None: ...


def default_workers(device: str) -> int:
    """Number of workers that free cores and memory allow; few on a GPU, which they share."""
    most = free_cores() if device == "cpu" else min(free_cores(), WORKERS_PER_GPU)
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        most = min(most, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // WORKER_BYTES)
    return max(1, most)


def run(plan: Plan, setup: Setup, log: ResultsLog, pool: Pool, resume: bool, listener: Listener) -> Batch:
    """Convert the parts of a plan in a `pool` and append their rows to `log`.

    The first Ctrl-C finishes the parts in progress; the second raises KeyboardInterrupt at once. Raises OutputError if
    rows cannot be written, and CadcodeError if workers do not start.
    """
    done = {part.name: log.finished(part, setup.settings) for part in plan.parts} if resume else {}
    rows = {name: known for name, known in done.items() if known is not None}
    todo = [part for part in plan.parts if part.name not in rows]
    log.begin({part.name for part in todo} | {other.part.name for other in plan.skipped})
    listener.on_start(len(todo) + len(plan.skipped), len(rows))
    for known in rows.values():
        listener.on_row(known, fresh=False)
    with pool, _stopping_on_interrupt(pool.stop) as interrupted:
        for fresh in _all_rows(plan, setup, pool.rows(todo, listener.on_stop)):
            log.append(fresh)
            rows[fresh["name"]] = fresh
            listener.on_row(fresh, fresh=True)
    return Batch(rows, interrupted() and len(rows) < len(plan.parts) + len(plan.skipped))


def _all_rows(plan: Plan, setup: Setup, converted: Iterator[dict]) -> Iterator[dict]:
    for other in plan.skipped:
        yield row(other.part, setup, other.status, other.reason)
    yield from converted


def clear(folder, shard: Shard) -> None:
    """Remove incomplete files of killed runs, unless other shards may be writing."""
    if shard.count > 1:
        return
    for path in folder.rglob(TEMPORARY):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(path, error) from error


@contextmanager
def _stopping_on_interrupt(stop: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C calls `stop`, the second interrupts. Yields a function that tells whether Ctrl-C was pressed."""
    seen = []

    def first(*_) -> None:
        seen.append(True)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop()

    before = signal.signal(signal.SIGINT, first)
    try:
        yield lambda: bool(seen)
    finally:
        signal.signal(signal.SIGINT, before)
