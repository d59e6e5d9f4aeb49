"""C sources of this package as libraries, compiled for the computer they run on and kept for the next time."""

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
    """A compiled source; None where there is no compiler, or none that understands it.

    It is kept in `cache_folder()`; where that cannot be written to it is compiled anew, in a third of a second.
    """
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        return None
    kept = cache_folder() / f"{source.stem}-{_key(source, compiler)}.so"
    if kept.is_file() and (found := _loaded(kept)) is not None:
        return found
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.so"
        if subprocess.run([compiler, *FLAGS, str(source), "-o", str(made)], capture_output=True).returncode:
            return None
        try:
            _keep(made, kept)
        except OSError:  # no home, no space, not ours
            return _loaded(made)
    return _loaded(kept)


def cache_folder() -> Path:
    """Where compiled sources are kept: `cadcode` in the user's folder of caches (XDG_CACHE_HOME, or ~/.cache)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cadcode"


def _key(source: Path, compiler: str) -> str:
    """Of all that a library depends on: a home may be shared by several computers."""
    info = CPU_INFO.read_text(errors="replace").split("\n\n")[0].splitlines() if CPU_INFO.is_file() else []
    processor = [line for line in info if line.startswith(("flags", "Features", "model name", "CPU part"))]
    built = os.stat(os.path.realpath(compiler))
    parts = (compiler, built.st_size, built.st_mtime_ns, FLAGS, platform.machine(), platform.libc_ver(), processor)
    return hashlib.sha256(source.read_bytes() + repr(parts).encode()).hexdigest()[:16]


def _keep(made: Path, kept: Path) -> None:
    """Copy beside and rename: several processes may do so at once."""
    kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if kept.parent.stat().st_uid != os.getuid():
        raise PermissionError(f"{kept.parent} is someone else's")
    beside = kept.with_name(f"{kept.name}.{os.getpid()}.part")
    shutil.copyfile(made, beside)
    os.replace(beside, kept)


def _loaded(path: Path) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(str(path))
    except OSError:  # OpenMP of another kind than torch's
        return None
