"""Files that appear whole or not at all: written under another name in the same folder, then renamed."""

import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to; it becomes `path` at the end of the block, and is removed if the block raises.

    A crash leaves the old `path`, or none, and at most a hidden file that begins with `.cadcode-`. Raises OSError.
    """
    written = path.with_name(f".cadcode-{os.getpid()}-{zlib.crc32(os.fsencode(path.name)):08x}.part")
    try:
        yield written
        os.replace(written, path)
    finally:
        if os.path.lexists(written):
            written.unlink()
