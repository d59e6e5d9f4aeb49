"""A pool on a Ray cluster: each actor has a model and a sandbox and converts one part after another.

All machines must see the inputs and the output folder under the same paths. If an actor dies, its part is retried once
in another actor. At most one part per actor is submitted to Ray at a time.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

from cadcode.batch.plan import Part
from cadcode.batch.pool import ATTEMPTS, ONE_THREAD, POLL_INTERVAL, Converter
from cadcode.batch.results_log import CRASHED
from cadcode.batch.setup import Setup, row
from cadcode.errors import CadcodeError, UsageError

ACTORS_PER_GPU = 4

try:
    import ray
except ImportError:  # pip install "cadcode[ray]"
    ray = None


class Holder:
    """An actor: the conversion function with its model and sandbox."""

    def __init__(self):
        self._stack = ExitStack()

    def start(self, converter: Converter, setup: Setup) -> str | None:
        """Start; returns the reason if it cannot."""
        try:
            self._convert = self._stack.enter_context(converter(setup))
        except CadcodeError as error:  # as text: not every exception can be pickled
            return str(error)

    def convert(self, part: Part) -> dict:
        return self._convert(part)

    def end(self) -> None:
        """Close the sandbox."""
        self._stack.close()


class RayPool:
    """Pool on the cluster at `address` ('auto': a running cluster), or on this machine if it is None."""

    def __init__(self, converter: Converter, setup: Setup, workers: int, address: str | None = None):
        if ray is None:
            raise UsageError('--engine ray needs Ray: pip install "cadcode[ray]"')
        self._converter, self._setup, self._workers, self._address = converter, setup, workers, address
        self._idle, self._starting, self._busy = [], {}, {}  # actors; by pending answer: actors; actors and tasks
        self._stopping = False

    def __enter__(self) -> "RayPool":
        local = {} if self._address else dict(num_cpus=self._workers, include_dashboard=False)
        try:
            ray.init(self._address, log_to_driver=self._setup.debug, logging_level="ERROR", **local)
        except ConnectionError as error:
            raise UsageError(f"--address {self._address}: {error}") from error
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is None:
            ray.wait([actor.end.remote() for actor in self._idle] or [ray.put(None)], timeout=POLL_INTERVAL)
        for actor in [*self._idle, *self._starting.values(), *(actor for actor, _ in self._busy.values())]:
            ray.kill(actor)
        ray.shutdown()

    def stop(self) -> None:
        self._stopping = True

    def rows(self, parts: Iterable[Part], on_stop=lambda unfinished: None) -> Iterator[dict]:
        """Rows of the parts, as `Pool.rows`."""
        todo = deque((part, 1) for part in parts)
        for _ in range(min(self._workers, len(todo))):
            self._start()
        announced = False
        while (todo and not self._stopping) or self._busy:
            if self._stopping and not announced:
                announced = True
                on_stop(len(self._busy))
            while self._idle and todo and not self._stopping:
                self._assign(self._idle.pop(), todo.popleft())
            for answer in ray.wait([*self._starting, *self._busy], timeout=POLL_INTERVAL)[0]:
                yield from self._receive(answer, todo)

    def _start(self) -> None:
        shares = dict(num_gpus=1 / ACTORS_PER_GPU) if self._setup.device == "cuda" else {}
        holder = ray.remote(Holder).options(num_cpus=1, runtime_env=dict(env_vars=ONE_THREAD), **shares).remote()
        self._starting[holder.start.remote(self._converter, self._setup)] = holder

    def _assign(self, actor, task: tuple[Part, int]) -> None:
        self._busy[actor.convert.remote(task[0])] = actor, task

    def _receive(self, answer, todo: deque) -> Iterator[dict]:
        if answer in self._starting:
            self._started(answer)
            return
        actor, task = self._busy.pop(answer)
        try:
            yield ray.get(answer)
            self._idle.append(actor)
        except ray.exceptions.RayTaskError as error:  # a bug, which a retry would repeat
            ray.kill(actor)
            cause = error.cause
            yield self._crashed(task[0], f"{type(cause).__name__}: {' '.join(str(cause).split())[:200]}")
            self._start()
        except ray.exceptions.RayActorError:
            if task[1] < ATTEMPTS:
                todo.appendleft((task[0], task[1] + 1))
            else:
                yield self._crashed(task[0], "its process died")
            self._start()

    def _started(self, answer) -> None:
        actor = self._starting.pop(answer)
        try:
            problem = ray.get(answer)
        except ray.exceptions.RayError as error:
            raise CadcodeError(f"a worker does not start: {' '.join(str(error).split())[:300]}") from error
        if problem is not None:
            raise CadcodeError(problem)
        self._idle.append(actor)

    def _crashed(self, part: Part, reason: str) -> dict:
        return row(part, self._setup, CRASHED, f"the worker ended: {reason}")
