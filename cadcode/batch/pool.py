"""A pool of worker processes, each with a model and a sandbox, that convert one part after another.

If a worker dies, its part is retried once in another worker. Workers end with the process that started them.
"""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from multiprocessing.connection import wait

from cadcode.batch.plan import Part
from cadcode.batch.results_log import CRASHED
from cadcode.batch.setup import Convert, Setup, row
from cadcode.errors import CadcodeError, SandboxError

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
ATTEMPTS = 2
END_TIMEOUT = 5.0  # seconds that a worker gets to end by itself
POLL_INTERVAL = 0.5  # seconds between checks for a stop
READY, ROW, FAILED = "ready", "row", "failed"  # kinds of messages from a worker

Converter = Callable[[Setup], AbstractContextManager[Convert]]


class Pool:
    """Pool for one call of `rows`; `stop` makes it finish the parts in progress and end."""

    def __init__(self, converter: Converter, setup: Setup, workers: int):
        self._converter, self._setup, self._workers = converter, setup, workers
        self._running: list[_Worker] = []
        self._stopping = False

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, kind, *_) -> None:
        """End the workers; after an error, parts in progress are abandoned."""
        for worker in self._running:
            worker.dismiss() if kind is None and worker.ready else worker.kill()
        for worker in self._running:
            worker.end()

    def stop(self) -> None:
        self._stopping = True

    def rows(self, parts: Iterable[Part], on_stop=lambda unfinished: None) -> Iterator[dict]:
        """Rows of the parts, in order of completion. After `stop`, `on_stop` gets the number of unfinished parts.

        Raises CadcodeError if a worker does not start.
        """
        todo = deque((part, 1) for part in parts)
        self._running = [_Worker(self._converter, self._setup) for _ in range(min(self._workers, len(todo)))]
        announced = False
        while self._running and ((todo and not self._stopping) or self._busy()):
            if self._stopping and not announced:
                announced = True
                on_stop(len(self._busy()))
            for worker in self._running:
                if worker.ready and worker.task is None and todo and not self._stopping:
                    worker.assign(todo.popleft())
            for connection in wait([worker.connection for worker in self._running], POLL_INTERVAL):
                yield from self._receive(next(w for w in self._running if w.connection is connection), todo)

    def _busy(self) -> list["_Worker"]:
        return [worker for worker in self._running if worker.task is not None]

    def _receive(self, worker: "_Worker", todo: deque) -> Iterator[dict]:
        kind, content = worker.receive()
        if kind == READY:
            worker.ready = True
        elif kind == ROW:
            worker.task = None
            yield content
        elif not worker.ready:
            raise CadcodeError(content) if kind == FAILED else SandboxError(f"a worker does not start: {content}")
        else:
            yield from self._replace(worker, kind, content, todo)

    def _replace(self, worker: "_Worker", kind: str | None, reason, todo: deque) -> Iterator[dict]:
        """Replace a dead worker and retry its part, unless it reported an exception."""
        task = worker.task
        worker.kill()
        worker.end()
        self._running.remove(worker)
        if task is not None and kind is None and task[1] < ATTEMPTS:
            todo.appendleft((task[0], task[1] + 1))
        elif task is not None:
            yield row(task[0], self._setup, CRASHED, f"the worker ended: {reason}")
        if todo and not self._stopping:
            self._running.append(_Worker(self._converter, self._setup))


class _Worker:
    """The parent's side of a worker process; `task` is the part in progress and the number of the attempt."""

    def __init__(self, converter: Converter, setup: Setup):
        spawn = multiprocessing.get_context("spawn")
        self.connection, theirs = spawn.Pipe()
        self.process = spawn.Process(target=_serve, args=(theirs, converter, setup), daemon=False)
        self.ready, self.task = False, None
        with _ignoring_interrupts(), _environment(ONE_THREAD):
            self.process.start()
        theirs.close()

    def assign(self, task: tuple[Part, int]) -> None:
        self.task = task
        self._send(task[0])

    def dismiss(self) -> None:
        self._send(None)

    def receive(self) -> tuple[str | None, object]:
        """The next message (kind, content); (None, reason) if the worker has died."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            self.process.join(END_TIMEOUT)
            return None, _ending(self.process.exitcode)

    def kill(self) -> None:
        self.process.terminate()

    def end(self) -> None:
        """Wait for the end of the process, and kill it after a timeout."""
        self.process.join(END_TIMEOUT)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()

    def _send(self, message) -> None:
        try:
            self.connection.send(message)
        except OSError:  # the worker has died; `receive` reports it
            pass


def _ending(code: int | None) -> str:
    if code is None:
        return "it does not answer"
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


@contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Ignore SIGINT, so that processes started in this context inherit that; Ctrl-C is for the parent only."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables for processes started in this context."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


# --- worker process --------------------------------------------------------------------------------------------------


def _serve(connection, converter: Converter, setup: Setup) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # exit normally, so that the sandbox is cleaned up
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if not setup.debug:
        sys.stderr = open(os.devnull, "w")  # warnings of libraries would break the progress bar
    with _ErrorReport(connection), converter(setup) as convert:
        connection.send((READY, None))
        while (part := _next(connection)) is not None:
            connection.send((ROW, convert(part)))


def _next(connection) -> Part | None:
    try:
        return connection.recv()
    except (EOFError, OSError):
        return None


class _ErrorReport:
    """Sends the exception that ends a worker to the parent."""

    def __init__(self, connection):
        self._connection = connection

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind, error, _) -> None:
        if error is None or isinstance(error, SystemExit):
            return
        text = " ".join(str(error).split())
        try:
            self._connection.send((FAILED, text if isinstance(error, CadcodeError) else f"{kind.__name__}: {text}"))
        except OSError:  # the parent has ended
            pass


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(END_TIMEOUT)
    os._exit(1)
