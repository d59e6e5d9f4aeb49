"""Readers that end badly, for the test of the process that they run in."""

import os
import time

import numpy as np

from cadcode.geometry.cleaning import Raw, Refused


def good(path):
    return Raw(np.arange(12.0).reshape(4, 3), notes=("read",), unit="m")


def dies(path):
    os.abort()


def sleeps(path):
    time.sleep(60)


def fills_the_memory(path):
    return Raw(np.ones((1 << 30, 3)))


def refuses(path):
    raise Refused("holds nothing", "give another")


def fails(path):
    raise KeyError("of a bug")


def prints(path):
    os.write(1, b"words of a library\n" * 100_000)
    return good(path)
