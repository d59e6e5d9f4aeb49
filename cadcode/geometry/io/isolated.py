"""Limits for untrusted files: native readers in a process of their own, and the numbers a small file may unpack to.

The process has a limit of memory and of time, a clean environment and an empty folder; its death harms nobody.
"""

import importlib
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from cadcode.geometry.cleaning import Raw, Refused
from cadcode.interpreter import environment, import_paths

SECONDS = 60
MEMORY = 2 << 30  # bytes of address space beyond the file's size
BOOT = "import sys; sys.path += sys.argv[5:]; from cadcode.geometry.io.isolated import main; main(*sys.argv[1:5])"
FEW_THREADS = {"RAYON_NUM_THREADS": "2", "MALLOC_ARENA_MAX": "2", "RUST_BACKTRACE": "0"}
REPORT, WORDS = "report.json", "stderr"
MEMORY_WORDS = ("memory allocation", "bad_alloc", "MemoryError", "out of memory")
FEWEST = 1 << 24  # numbers that any file may hold


class Died(Refused):
    """The process of a reader ended without a result; `cause` says how, in words that follow its name."""

    def __init__(self, cause: str):
        self.cause = cause
        super().__init__(f"its reader {cause}")


def check_unpacked(numbers: int, size: int) -> None:
    """Raises Refused where a file of `size` bytes would unpack to more `numbers` than clouds and meshes do."""
    if numbers > max(FEWEST, size):
        raise Refused(
            f"would unpack from {size:,} bytes to {numbers:,} numbers, far more than a cloud does",
            "check the file, thin it out, or save it uncompressed",
        )


def read_apart(reader: str, path: Path, seconds: float = SECONDS) -> Raw:
    """The cloud that `reader`, 'module:function' of a path, makes of a file. Raises Refused, Died."""
    said = run_apart(reader, path, seconds)
    return Raw(**{name: tuple(value) if isinstance(value, list) else value for name, value in said.items()})


def run_apart(function: str, path: Path, seconds: float) -> dict:
    """Result of `function`, 'module:name' of a path, in a process of its own.

    The function returns a Raw, or a dictionary whose values are arrays or plain JSON; the result is that dictionary.
    Raises Refused as the function does, and Died where the process ends otherwise or takes longer than `seconds`.
    """
    with tempfile.TemporaryDirectory(prefix="cadcode-", ignore_cleanup_errors=True) as folder:
        memory = str(MEMORY + path.stat().st_size)
        command = [sys.executable, "-I", "-c", BOOT, function, str(path.resolve()), folder, memory, *import_paths()]
        settings = dict(stdin=subprocess.DEVNULL, cwd=folder, env={**environment(folder), **FEW_THREADS})
        with open(Path(folder) / WORDS, "wb") as words:
            try:
                code = subprocess.run(command, stdout=words, stderr=words, timeout=seconds, **settings).returncode
            except subprocess.TimeoutExpired as error:
                raise Died(f"takes longer than {seconds:g} s") from error
        return received(Path(folder), code)


def received(folder: Path, code: int) -> dict:
    """The result that a process left in its folder."""
    report = folder / REPORT
    if code != 0 or not report.exists():
        raise Died(death(code, (folder / WORDS).read_text(errors="replace")))
    said = json.loads(report.read_text())
    if "refused" in said:
        raise Refused(said["refused"], said["advice"])
    return said | {file.stem: np.load(file, allow_pickle=False) for file in folder.glob("*.npy")}


def death(code: int, words: str) -> str:
    """Description of how a process ended, in one line."""
    if any(word in words for word in MEMORY_WORDS):
        return f"needs more than {MEMORY >> 30} GB of memory"
    if code < 0:
        try:
            return f"died ({(signal.strsignal(-code) or str(-code)).lower()})"
        except ValueError:
            pass
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return f"died ({lines[-1][:150] if lines else f'exit code {code}'})"


def main(function: str, path: str, folder: str, memory: str) -> None:
    """The process itself: limit its memory, call the function, leave the result in `folder`."""
    limit_memory(int(memory))
    module, _, name = function.partition(":")
    try:
        result = getattr(importlib.import_module(module), name)(Path(path))
    except Refused as refused:
        arrays, said = {}, {"refused": refused.reason, "advice": refused.advice}
    else:
        values = result if isinstance(result, dict) else vars(result)
        arrays = {key: value for key, value in values.items() if isinstance(value, np.ndarray)}
        said = {key: value for key, value in values.items() if key not in arrays}
    for key, value in arrays.items():
        np.save(Path(folder) / f"{key}.npy", value, allow_pickle=False)
    (Path(folder) / REPORT).write_text(json.dumps(said))


def limit_memory(size: int) -> None:
    """Limit the address space to `size` bytes, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    try:
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
    except (ValueError, OSError):  # a lower limit is in force, or the system has none
        pass
