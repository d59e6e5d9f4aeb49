"""Settings of a new Python interpreter: import paths and environment variables."""

import os
import sys
from pathlib import Path

PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def import_paths() -> list[str]:
    """Import paths of this process in order, without the current folder, and the parent folder of this package."""
    current = os.getcwd()
    package = str(Path(__file__).resolve().parents[1])
    return [path for path in (*sys.path, package) if os.path.isabs(path) and not _same(path, current)] + [package]


def environment(home: str) -> dict[str, str]:
    """Inherited environment variables: no tokens, no proxies, no user configuration."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**kept, **ONE_THREAD, "HOME": home, "LANG": "C.UTF-8"}


def _same(path: str, other: str) -> bool:
    return os.path.realpath(path) == os.path.realpath(other)
