"""Batches in time: all of them once where one can wait, old ones again where one cannot."""

import itertools
import threading

import pytest

from cadcode.train.feed import Feed


def test_without_replay_each_batch_comes_once_and_in_order():
    feed = Feed(iter(range(10)))
    assert [next(feed) for _ in range(10)] == list(range(10))
    assert (feed.fresh, feed.again) == (10, 0) and feed.waited >= 0


def test_old_batches_come_again_while_no_new_one_is_ready():
    more = threading.Event()

    def slow():
        yield from (1, 2)
        more.wait()
        yield from itertools.count(3)

    feed = Feed(slow(), replay=8)
    first = [next(feed) for _ in range(40)]
    assert set(first) <= {1, 2} and first[0] == 1 and feed.again == 40 - feed.fresh
    more.set()
    while feed.fresh < 5:
        next(feed)
    assert {next(feed) for _ in range(200)} > {3, 4}


def test_only_the_last_batches_are_kept():
    more, seen = threading.Event(), []

    def source():
        yield from range(20)
        more.wait()

    feed = Feed(source(), replay=3)
    while feed.fresh < 20:
        seen.append(next(feed))
    assert {next(feed) for _ in range(100)} == {17, 18, 19}
    more.set()


def test_an_end_of_the_data_is_an_error_and_no_endless_wait():
    feed = Feed(iter([1]), replay=1)
    with pytest.raises(RuntimeError, match="training data ended"):
        for _ in range(1_000_000):
            next(feed)
