"""Worker processes with a model and a sandbox each, that take one part after another.

A part in a worker that dies is tried once more in another one. Workers end with the process that started them.
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

from cadcode.batch.ledger import CRASHED
from cadcode.batch.plan import Part
from cadcode.batch.setup import Convert, Setup, row
from cadcode.errors import CadcodeError, SandboxError

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
ATTEMPTS = 2
PATIENCE = 5.0  # seconds that a worker gets to end by itself
TICK = 0.5  # seconds after which a wish to stop is noticed
READY, ROW, REFUSED = "ready", "row", "refused"  # what a worker says

Converter = Callable[[Setup], AbstractContextManager[Convert]]


class Pool:
    """Call `rows` once; `stop` makes it finish the parts in hand and end."""

    def __init__(self, converter: Converter, setup: Setup, workers: int):
        self._converter, self._setup, self._workers = converter, setup, workers
        self._crew: list[_Worker] = []
        self._stopping = False

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, kind, *_) -> None:
        """After an error workers end at once, with what they have in hand."""
        for worker in self._crew:
            worker.dismiss() if kind is None and worker.ready else worker.kill()
        for worker in self._crew:
            worker.end()

    def stop(self) -> None:
        self._stopping = True

    def rows(self, parts: Iterable[Part], on_stop=lambda in_hand: None) -> Iterator[dict]:
        """The row of each part, as they finish. After `stop`, `on_stop` is told how many parts are still in hand.

        Raises CadcodeError with what keeps a worker from starting.
        """
        todo = deque((part, 1) for part in parts)
        self._crew = [_Worker(self._converter, self._setup) for _ in range(min(self._workers, len(todo)))]
        told = False
        while self._crew and ((todo and not self._stopping) or self._busy()):
            if self._stopping and not told:
                told = True
                on_stop(len(self._busy()))
            for worker in self._crew:
                if worker.ready and worker.task is None and todo and not self._stopping:
                    worker.give(todo.popleft())
            for connection in wait([worker.connection for worker in self._crew], TICK):
                yield from self._heard(next(w for w in self._crew if w.connection is connection), todo)

    def _busy(self) -> list["_Worker"]:
        return [worker for worker in self._crew if worker.task is not None]

    def _heard(self, worker: "_Worker", todo: deque) -> Iterator[dict]:
        kind, said = worker.listen()
        if kind == READY:
            worker.ready = True
        elif kind == ROW:
            worker.task = None
            yield said
        elif not worker.ready:
            raise CadcodeError(said) if kind == REFUSED else SandboxError(f"a worker does not start: {said}")
        else:
            yield from self._lost(worker, kind, said, todo)

    def _lost(self, worker: "_Worker", kind: str | None, said, todo: deque) -> Iterator[dict]:
        """A worker has died: its part once more, unless it said that the same would happen again."""
        task = worker.task
        worker.kill()
        worker.end()
        self._crew.remove(worker)
        if task is not None and kind is None and task[1] < ATTEMPTS:
            todo.appendleft((task[0], task[1] + 1))
        elif task is not None:
            yield row(task[0], self._setup, CRASHED, f"the worker ended: {said}")
        if todo and not self._stopping:
            self._crew.append(_Worker(self._converter, self._setup))


class _Worker:
    """A worker process seen from our side; `task` is the part in hand and which attempt it is."""

    def __init__(self, converter: Converter, setup: Setup):
        spawn = multiprocessing.get_context("spawn")
        self.connection, theirs = spawn.Pipe()
        self.process = spawn.Process(target=_serve, args=(theirs, converter, setup), daemon=False)
        self.ready, self.task = False, None
        with _deaf_to_interrupts(), _environment(ONE_THREAD):
            self.process.start()
        theirs.close()

    def give(self, task: tuple[Part, int]) -> None:
        self.task = task
        self._send(task[0])

    def dismiss(self) -> None:
        self._send(None)

    def listen(self) -> tuple[str | None, object]:
        """What it says; (None, how it ended) where it has died."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            self.process.join(PATIENCE)
            return None, _how(self.process.exitcode)

    def kill(self) -> None:
        self.process.terminate()

    def end(self) -> None:
        """Wait until it has ended, and make it end if it does not."""
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()

    def _send(self, what) -> None:
        try:
            self.connection.send(what)
        except OSError:  # it has died, which `listen` will find
            pass


def _how(code: int | None) -> str:
    if code is None:
        return "it does not answer"
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes started meanwhile ignore Ctrl-C from their first moment on; it is for the one that started them."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables for processes started meanwhile."""
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


# --- in the worker ---------------------------------------------------------------------------------------------------


def _serve(connection, converter: Converter, setup: Setup) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the sandbox is cleared away
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if not setup.debug:
        sys.stderr = open(os.devnull, "w")  # warnings of libraries would break the progress bar
    with _Confession(connection), converter(setup) as convert:
        connection.send((READY, None))
        while (part := _next(connection)) is not None:
            connection.send((ROW, convert(part)))


def _next(connection) -> Part | None:
    try:
        return connection.recv()
    except (EOFError, OSError):
        return None


class _Confession:
    """Says which error a worker dies of."""

    def __init__(self, connection):
        self._connection = connection

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind, error, _) -> None:
        if error is None or isinstance(error, SystemExit):
            return
        said = " ".join(str(error).split())
        try:
            self._connection.send((REFUSED, said if isinstance(error, CadcodeError) else f"{kind.__name__}: {said}"))
        except OSError:  # nobody listens any more
            pass


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE)
    os._exit(1)
