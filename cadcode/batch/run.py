"""A batch: what is done already is left as it is, the rest goes through the pool, each row is kept at once."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from cadcode.batch.ledger import CRASHED, DONE, NO_PROGRAM, Ledger
from cadcode.batch.plan import Part, Plan, Shard
from cadcode.batch.setup import Setup, row
from cadcode.errors import OutputError
from cadcode.model.machine import free_cores

WORKER_BYTES = 2 << 30  # torch, a model, CadQuery and a program beside it
ON_GPU = 4  # workers that share one
LEFT_BEHIND = ".cadcode-*"  # files that a killed process had not finished


@dataclass(frozen=True)
class Batch:
    """What became of a plan: the rows of its parts by name; `interrupted` says that some are missing."""

    rows: dict[str, dict]
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        codes = {DONE: 0, NO_PROGRAM: 1, CRASHED: 1}
        return max((codes.get(row["status"], 2) for row in self.rows.values()), default=0)


class Pool(Protocol):
    """Where parts are converted: `cadcode.batch.pool` on this machine, `cadcode.batch.ray_pool` on a cluster."""

    def __enter__(self) -> "Pool": ...
    def __exit__(self, *_) -> None: ...
    def stop(self) -> None: ...
    def rows(self, parts: Iterable[Part], on_stop: Callable[[int], None]) -> Iterator[dict]: ...


class Listener(Protocol):
    """Somebody who watches."""

    def starts(self, todo: int, done: int) -> None: ...  # done in an earlier run
    def has(self, row: dict, fresh: bool) -> None: ...  # not fresh: from an earlier run
    def stops(self, in_hand: int) -> None: ...


def default_workers(device: str) -> int:
    """As many as there are free processors and memory for; on a GPU few, who share it."""
    most = free_cores() if device == "cpu" else min(free_cores(), ON_GPU)
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        most = min(most, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // WORKER_BYTES)
    return max(1, most)


def run(plan: Plan, setup: Setup, ledger: Ledger, pool: Pool, resume: bool, listener: Listener) -> Batch:
    """Convert the parts of a plan in a `pool` and keep their rows in `ledger`.

    Ctrl-C finishes the parts in hand, a second one ends at once with KeyboardInterrupt. Raises OutputError where rows
    cannot be kept, and CadcodeError where workers do not start.
    """
    done = {part.name: ledger.settled(part, setup.settings) for part in plan.parts} if resume else {}
    rows = {name: known for name, known in done.items() if known is not None}
    todo = [part for part in plan.parts if part.name not in rows]
    ledger.begin({part.name for part in todo} | {other.part.name for other in plan.left_out})
    listener.starts(len(todo) + len(plan.left_out), len(rows))
    for known in rows.values():
        listener.has(known, fresh=False)
    with pool, _stopping_on_interrupt(pool.stop) as interrupted:
        for fresh in _all_rows(plan, setup, pool.rows(todo, listener.stops)):
            ledger.append(fresh)
            rows[fresh["name"]] = fresh
            listener.has(fresh, fresh=True)
    return Batch(rows, interrupted() and len(rows) < len(plan.parts) + len(plan.left_out))


def _all_rows(plan: Plan, setup: Setup, converted: Iterator[dict]) -> Iterator[dict]:
    for other in plan.left_out:
        yield row(other.part, setup, other.status, other.reason)
    yield from converted


def clear(folder, shard: Shard) -> None:
    """Remove what killed runs have left half written. Other shards may be writing: then nothing is touched."""
    if shard.count > 1:
        return
    for path in folder.rglob(LEFT_BEHIND):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(path, error) from error


@contextmanager
def _stopping_on_interrupt(stop: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """The first Ctrl-C calls `stop`, the second one interrupts. Yields whether there was one."""
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
