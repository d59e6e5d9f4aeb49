"""Run a reader of native code in a process of its own, where its death, its memory and its time harm nobody."""

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
POINTS, REPORT, WORDS = "points.npy", "report.json", "stderr"
MEMORY_WORDS = ("memory allocation", "bad_alloc", "MemoryError", "out of memory")


def read_apart(reader: str, path: Path, seconds: float = SECONDS) -> Raw:
    """The cloud that `reader`, 'module:function' of a path, makes of a file; Refused where it does not end well."""
    with tempfile.TemporaryDirectory(prefix="cadcode-", ignore_cleanup_errors=True) as folder:
        memory = MEMORY + path.stat().st_size
        command = [sys.executable, "-I", "-c", BOOT, reader, str(path.resolve()), folder, str(memory), *import_paths()]
        with open(Path(folder) / WORDS, "wb") as words:
            try:
                code = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=words,
                    stderr=words,
                    cwd=folder,
                    timeout=seconds,
                    env={**environment(folder), **FEW_THREADS},
                ).returncode
            except subprocess.TimeoutExpired as error:
                raise Refused(f"takes longer than {seconds:g} s to read") from error
        return received(Path(folder), code)


def received(folder: Path, code: int) -> Raw:
    """The result that a process left in its folder."""
    report = folder / REPORT
    if code != 0 or not report.exists():
        raise Refused(death(code, (folder / WORDS).read_text(errors="replace")))
    said = json.loads(report.read_text())
    if "refused" in said:
        raise Refused(said["refused"], said["advice"])
    points = np.load(folder / POINTS, allow_pickle=False)
    return Raw(points, notes=tuple(said["notes"]), unit=said["unit"])


def death(code: int, words: str) -> str:
    """Why a process ended, in one line."""
    if any(word in words for word in MEMORY_WORDS):
        return f"its reader needs more than {MEMORY >> 30} GB of memory"
    if code < 0:
        try:
            return f"its reader died ({(signal.strsignal(-code) or str(-code)).lower()})"
        except ValueError:
            pass
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return f"its reader died ({lines[-1][:150] if lines else f'exit code {code}'})"


def main(reader: str, path: str, folder: str, memory: str) -> None:
    """The process itself: limit its memory, read, leave the result in `folder`."""
    limit_memory(int(memory))
    module, _, function = reader.partition(":")
    try:
        raw = getattr(importlib.import_module(module), function)(Path(path))
    except Refused as refused:
        said = {"refused": refused.reason, "advice": refused.advice}
    else:
        np.save(Path(folder) / POINTS, np.asarray(raw.vertices, dtype=np.float64), allow_pickle=False)
        said = {"notes": raw.notes, "unit": raw.unit}
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
