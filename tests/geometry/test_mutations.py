"""Damaged files of every format: a usable shape or one line, no other exception, no death, little time and memory.

The damaged files of one variant are read in one process with limits, forked from this one. The readers of scans, which
run in a process of their own, are slow to start: they see fewer files.
"""

import os
import re
import signal
import time
import warnings

import numpy as np
import pytest
from shape_files import CLOUD_WRITERS, MESH_WRITERS, SCAN_WRITERS

from cadcode.errors import InputError
from cadcode.geometry.io.load import load_shape

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

MUTATIONS = 200
SCAN_MUTATIONS = 8
SECONDS = 2.0  # of processor, a file
HANG = 10  # seconds of processor, after which the process is killed
MEMORY = 1 << 30  # bytes beyond what the process has when it begins
EXTREMES = (0, 127, 128, 255)
NUMBERS = re.compile(rb"\d+")


def cut(data, rng):
    return data[: rng.integers(1, len(data))]


def flip(data, rng):
    return overwritten(data, rng.integers(0, len(data), 4), rng.integers(0, 256, 4))


def flip_header(data, rng):
    return overwritten(data, rng.integers(0, min(len(data), 200), 2), rng.integers(0, 256, 2))


def extreme(data, rng):
    places = rng.integers(0, len(data)) + np.arange(rng.integers(1, 9))
    return overwritten(data, places[places < len(data)], rng.choice(EXTREMES))


def extreme_header(data, rng):
    places = rng.integers(0, min(len(data), 400)) + np.arange(4)
    return overwritten(data, places[places < len(data)], rng.choice(EXTREMES))


def overwritten(data, places, values):
    changed = np.frombuffer(data, dtype=np.uint8).copy()
    changed[places] = values
    return changed.tobytes()


def duplicate(data, rng):
    start, end = piece(data, rng)
    return data[:end] + data[start:end] + data[end:]


def delete(data, rng):
    start, end = piece(data, rng)
    return data[:start] + data[end:]


def piece(data, rng):
    start, end = sorted(rng.integers(0, len(data), 2).tolist())
    return start, min(end + 1, start + 200)


def other_number(data, rng):
    """One of the numbers of a text, changed to another one of it or to a strange one."""
    numbers = list(NUMBERS.finditer(data))
    if not numbers:
        return flip(data, rng)
    strange = (b"", b"-1", b"0", b"nan", b"1e308", b"4294967295", b"2147483647", b"99999999999999999999", b"x")
    chosen, other = (numbers[i] for i in rng.integers(0, len(numbers), 2))
    new = strange[rng.integers(len(strange))] if rng.random() < 0.5 else other[0]
    return data[: chosen.start()] + new + data[chosen.end() :]


KINDS = (cut, flip, flip_header, extreme, extreme_header, duplicate, delete, other_number)


def mutation(data: bytes, number: int) -> bytes:
    """The same for the same number: kinds take turns."""
    rng = np.random.default_rng(number)
    return KINDS[number % len(KINDS)](data, rng) or b"\0"


def complaint(path, read) -> str:
    """What is wrong with how a file is read; the empty text where nothing is."""
    start = time.process_time()
    try:
        shape = read(path)
    except InputError as error:
        wrong = "more than one line" if "\n" in str(error) else "memory ran out" if ran_out(error) else ""
    except BaseException as error:  # noqa: BLE001  the fault that is looked for
        wrong = f"{type(error).__name__}: {error}"
    else:
        wrong = "" if is_usable(shape) else "no usable shape"
    spent = time.process_time() - start
    return wrong or (f"{spent:.1f} s of processor" if spent > SECONDS else "")


def ran_out(error: BaseException | None) -> bool:
    """Whether an error comes of too much memory; Python's parser means its depth by MemoryError."""
    while error is not None:
        if isinstance(error, MemoryError) and "parser" not in str(error):
            return True
        error = error.__cause__
    return False


def is_usable(shape) -> bool:
    whole = np.isfinite(shape.bounds).all() and shape.extents.max() > 0
    faces = shape.faces
    return bool(whole and (faces is None or (faces.min() >= 0 and faces.max() < len(shape.vertices))))


def read_all(path, count: int, output: int, read) -> None:
    """In a process of its own: read the damaged files of one variant; a line for each that is not read well."""
    whole = path.read_bytes()
    limit_memory(MEMORY)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for number in range(count):
        path.write_bytes(mutation(whole, number))
        os.write(output, f"{number} begins\n".encode())
        signal.setitimer(signal.ITIMER_PROF, HANG)
        if wrong := complaint(path, read):
            os.write(output, f"mutation {number}: {wrong[:200]}\n".encode())
    os.write(output, b"end\n")


def limit_memory(more: int) -> None:
    """At most so many bytes of address space beyond what is used now, on Linux."""
    try:
        import resource

        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + more, used + more))
    except (ImportError, OSError, ValueError):
        pass


def complaints(path, count: int, read=load_shape) -> list[str]:
    """The lines of a process that runs `read` on `count` damaged files, and how it died if it did."""
    source, target = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            warnings.simplefilter("ignore")
            read_all(path, count, target, read)
        finally:
            os._exit(0)
    os.close(target)
    with os.fdopen(source) as file:
        lines = file.read().splitlines()
    _, status = os.waitpid(child, 0)
    wrong = [line for line in lines if line.startswith("mutation")]
    if lines[-1:] != ["end"]:
        wrong.append(f"mutation {lines[-1].split()[0] if lines else 0}: the process died (status {status})")
    return wrong


@pytest.mark.parametrize("name", MESH_WRITERS | CLOUD_WRITERS)
def test_damage_gives_a_usable_shape_or_one_line(tmp_path, name):
    path = (MESH_WRITERS | CLOUD_WRITERS)[name](tmp_path)
    load_shape(path)  # imported here once, not in every process
    assert complaints(path, MUTATIONS) == []


@pytest.mark.parametrize("name", SCAN_WRITERS)
def test_damaged_scans_harm_nobody(tmp_path, name):
    package, writer = SCAN_WRITERS[name]
    pytest.importorskip(package)
    assert complaints(writer(tmp_path), SCAN_MUTATIONS) == []


def test_a_death_is_seen(tmp_path):
    path = CLOUD_WRITERS["XYZ"](tmp_path)
    died = complaints(path, 3, lambda path: os.kill(os.getpid(), signal.SIGKILL))
    assert died == ["mutation 0: the process died (status 9)"]


def test_other_exceptions_and_too_much_memory_are_seen(tmp_path):
    def read(path):
        try:
            np.ones(MEMORY)  # eight times as many bytes
        except MemoryError as error:
            raise InputError(path, "is large", "do something") from error
        raise KeyError("there is no limit")

    path = CLOUD_WRITERS["XYZ"](tmp_path)
    assert len(complaints(path, 2, read)) == 2
    assert complaints(path, 1, lambda path: {}["x"]) == ["mutation 0: KeyError: 'x'"]


def test_mutations_are_many_and_the_same_every_time(tmp_path):
    data = MESH_WRITERS["ASCII STL"](tmp_path).read_bytes()
    made = [mutation(data, number) for number in range(MUTATIONS)]
    assert made == [mutation(data, number) for number in range(MUTATIONS)]
    assert len(set(made)) > 0.9 * MUTATIONS and data not in made[:20]
