"""C sources of this package as libraries, compiled for this computer and cached."""

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

COMPILERS = ("cc", "gcc", "clang")
FLAGS = ("-O3", "-march=native", "-fopenmp", "-shared", "-fPIC")  # OpenMP's functions are found in torch's own copy
CPU_INFO = Path("/proc/cpuinfo")


@functools.cache
def library(source: Path) -> ctypes.CDLL | None:
    """Compiled library of a source; None where there is no compiler, or compiling fails.

    It is cached in `cache_folder()`; if that is not writable, each process compiles it, in a third of a second.
    """
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None or os.name != "posix":
        return None
    folder = cache_folder()
    kept = None if folder is None else folder / f"{source.stem}-{_key(source, compiler)}.so"
    if kept and kept.is_file() and _ours(folder) and (found := _loaded(kept)) is not None:
        return found
    with tempfile.TemporaryDirectory() as name:
        made = Path(name) / "made.so"
        if subprocess.run([compiler, *FLAGS, str(source), "-o", str(made)], capture_output=True).returncode:
            return None
        found = _loaded(made)  # it stays loaded when its file is gone
        if found is not None and kept:
            _keep(made, kept)
    return found


def cache_folder() -> Path | None:
    """Cache folder of compiled sources: `cadcode` in XDG_CACHE_HOME or ~/.cache.

    None where the user has no home.
    """
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cadcode"
    except RuntimeError:  # an id without a name, as in containers
        return None


def _key(source: Path, compiler: str) -> str:
    """Hash of everything that a library depends on: several computers may share a home."""
    info = CPU_INFO.read_text(errors="replace").split("\n\n")[0].splitlines() if CPU_INFO.is_file() else []
    processor = [line for line in info if line.startswith(("flags", "Features", "model name", "CPU part"))]
    built = os.stat(os.path.realpath(compiler))
    parts = (compiler, built.st_size, built.st_mtime_ns, FLAGS, platform.machine(), platform.libc_ver(), processor)
    return hashlib.sha256(source.read_bytes() + repr(parts).encode()).hexdigest()[:16]


def _keep(made: Path, kept: Path) -> None:
    """Copy to a temporary name and rename, if possible: several processes may do so at once."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if _ours(kept.parent):
            beside = kept.with_name(f"{kept.name}.{os.getpid()}.part")
            shutil.copyfile(made, beside)
            os.replace(beside, kept)
    except OSError:  # no space or not writable: the next process compiles as well
        return


def _ours(folder: Path) -> bool:
    """Whether only this user may write to a folder: other libraries are not loaded."""
    found = folder.stat()
    return found.st_uid == os.getuid() and not found.st_mode & 0o022


def _loaded(path: Path) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(str(path))
    except OSError:  # OpenMP of another kind than torch's
        return None
