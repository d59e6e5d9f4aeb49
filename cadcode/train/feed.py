"""Batches with read-ahead and replay: an earlier batch is repeated if no new batch is ready."""

import queue
import random
import threading
import time
from collections import deque
from collections.abc import Iterator

READ_AHEAD = 4  # batches read ahead of the device


class Feed:
    """Batches of an endless iterator; with `replay` > 0, one of the last `replay` batches is repeated to avoid waiting.

    Counts new and repeated batches, and the seconds spent waiting. Points are drawn again from a repeated batch, so its
    input differs.
    """

    def __init__(self, batches: Iterator, replay: int = 0, seed: int = 0):
        self.fresh = self.again = 0
        self.waited = 0.0
        self._batches, self._kept, self._random = batches, deque(maxlen=replay), random.Random(seed)
        self._ready: queue.Queue | None = queue.Queue(READ_AHEAD) if replay else None
        if replay:
            threading.Thread(target=self._read, daemon=True).start()

    def __iter__(self) -> "Feed":
        return self

    def __next__(self):
        """The next batch; RuntimeError if the read-ahead thread has ended."""
        if self._ready is not None and self._kept and self._ready.empty():
            self.again += 1
            return self._random.choice(self._kept)
        started = time.monotonic()
        batch = next(self._batches) if self._ready is None else self._ready.get()
        self.waited += time.monotonic() - started
        if batch is None:
            raise RuntimeError("the processes that make training data ended; see the error above")
        self.fresh += 1
        self._kept.append(batch)
        return batch

    def _read(self):
        try:
            for batch in self._batches:
                self._ready.put(batch)
        finally:
            self._ready.put(None)
