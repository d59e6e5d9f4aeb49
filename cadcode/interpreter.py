"""A fresh Python interpreter of our own: where it finds modules, and the environment it inherits."""

import os
import sys
from pathlib import Path

PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TEMP", "TMP")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def import_paths() -> list[str]:
    """Where our own process finds modules, last resort first to last; not the current folder."""
    here = os.getcwd()
    package = str(Path(__file__).resolve().parents[1])
    return [path for path in (*sys.path, package) if os.path.isabs(path) and not _same(path, here)] + [package]


def environment(home: str) -> dict[str, str]:
    """What it inherits: no tokens, no proxies, no user configuration."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {**kept, **ONE_THREAD, "HOME": home, "LANG": "C.UTF-8"}


def _same(path: str, other: str) -> bool:
    return os.path.realpath(path) == os.path.realpath(other)
