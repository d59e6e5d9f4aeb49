"""Time of a run: seconds per stage, and the time limits."""

import time
from contextlib import contextmanager

from cadcode.search.goal import Late
from cadcode.search.options import SearchOptions

SEARCHING, RUNNING = 0.6, 0.8  # shares of a part's seconds: no further trial of the search, no further candidate is run


class Clock:
    """Seconds per stage, and since the start."""

    def __init__(self, options: SearchOptions):
        self.seconds: dict[str, float] = {}
        self._limit = options.seconds if options.budget is None else options.budget
        self._started = time.perf_counter()

    def passed(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._started

    def late(self, share: float = 1.0) -> Late:
        """A function that says whether a share of the time limit is over."""
        return lambda: self.passed() >= share * self._limit

    @contextmanager
    def __call__(self, stage: str):
        started = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started
