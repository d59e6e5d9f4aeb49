"""`results.jsonl`: one line a part, appended by one process, whole again after a process was killed in mid-line."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from cadcode.batch.plan import Part, Shard
from cadcode.errors import OutputError, UsageError
from cadcode.report.files import json_text, make_folder, write_files

try:
    import fcntl
except ImportError:  # Windows: nothing keeps two runs from one list there
    fcntl = None

DONE, NO_PROGRAM, UNREADABLE, NOT_WRITTEN, CRASHED = "done", "no program", "unreadable", "not written", "crashed"
SETTLED = (DONE, NO_PROGRAM, UNREADABLE)  # what would come out the same again


class Ledger:
    """The results of one run, and what other runs have left in the same folder; made by `open_ledger`."""

    def __init__(self, folder: Path, shard: Shard):
        self.folder, self.path = folder, folder / shard.file
        self._known, self._file = self.rows(), None

    def settled(self, part: Part, settings: str) -> dict | None:
        """The row of a part that is done: for this content of its file, these settings, and its files still there."""
        row = self._known.get(part.name)
        if row is None or row.get("settings") != settings or row.get("status") not in SETTLED:
            return None
        if not all((self.folder / name).is_file() for name in row.get("files", ())):
            return None
        return row if row.get("sha256") is not None and row["sha256"] == sha256_of(part.path) else None

    def begin(self, redone: Iterable[str]) -> None:
        """Write the list anew without the names that are `redone`, ready to append to."""
        redone = set(redone)
        write_rows(self.path, [row for name, row in read_rows([self.path]).items() if name not in redone])
        try:
            self._file = open(self.path, "a", encoding="utf-8", newline="\n")
        except OSError as error:
            raise OutputError(self.path, error) from error

    def append(self, row: dict) -> None:
        """One line, at once. OutputError where the disk is full."""
        try:
            self._file.write(json_text(row) + "\n")
            self._file.flush()
        except OSError as error:
            raise OutputError(self.path, error) from error

    def rows(self) -> dict[str, dict]:
        """All results in the folder, by name."""
        return read_rows(lists_in(self.folder))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


@contextmanager
def open_ledger(folder: Path, shard: Shard) -> Iterator[Ledger]:
    """The list of a run under `folder`, which nobody else writes to meanwhile. OutputError, UsageError."""
    make_folder(folder)
    with locked(folder / shard.file), closing(Ledger(folder, shard)) as ledger:
        yield ledger


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other runs from a list; the system lifts it when this process ends, however it ends."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        file = open(lock, "a")
    except OSError as error:
        raise OutputError(lock, error) from error
    with file:
        if fcntl is not None:
            _lock(file, path)
        yield


def _lock(file, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(f"{path} is being written by another run; wait for it or name another folder") from None
    except OSError:
        return  # a file system without locks


def lists_in(folder: Path) -> list[Path]:
    """The lists of results in a folder: of the whole and of shards."""
    return sorted(folder.glob("results.jsonl")) + sorted(folder.glob("results-*-of-*.jsonl"))


def read_rows(paths: Iterable[Path]) -> dict[str, dict]:
    """Rows by name, of equal names the one finished last. Lines that are not whole are left out."""
    rows: dict[str, dict] = {}
    for path in paths:
        for row in filter(None, map(_row, _lines(path))):
            known = rows.get(row["name"])
            if known is None or known.get("finished", "") <= row.get("finished", ""):
                rows[row["name"]] = row
    return rows


def write_rows(path: Path, rows: Iterable[dict]) -> None:
    """A whole list at once. OutputError."""
    write_files(path.parent, {path.name: "".join(json_text(row) + "\n" for row in rows).encode()})


def sha256_of(path: Path) -> str | None:
    """The digest of a file; None where it cannot be read."""
    digest = hashlib.sha256()
    try:
        if not path.is_file():
            return None
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OutputError(path, error) from error


def _row(line: bytes) -> dict | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("name"), str) else None
