"""`results.jsonl`: one line per part, appended by one process, and repaired if a process was killed in mid-line."""

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
except ImportError:  # Windows: results logs are not locked
    fcntl = None

DONE, NO_PROGRAM, UNREADABLE, NOT_WRITTEN, CRASHED = "done", "no program", "unreadable", "not written", "crashed"
FINAL = (DONE, NO_PROGRAM, UNREADABLE)  # statuses that a second run would reproduce


class ResultsLog:
    """Results of one run, with the results of other runs in the same folder; made by `open_results_log`."""

    def __init__(self, folder: Path, shard: Shard):
        self.folder, self.path = folder, folder / shard.file
        self._known, self._file = self.rows(), None

    def finished(self, part: Part, settings: str) -> dict | None:
        """Row of a finished part; None if its input or the settings changed, or an output file is missing."""
        row = self._known.get(part.name)
        if row is None or row.get("settings") != settings or row.get("status") not in FINAL:
            return None
        if not all((self.folder / name).is_file() for name in row.get("files", ())):
            return None
        return row if row.get("sha256") is not None and row["sha256"] == sha256_of(part.path) else None

    def begin(self, redone: Iterable[str]) -> None:
        """Rewrite the log without the names in `redone`, and open it to append."""
        redone = set(redone)
        write_rows(self.path, [row for name, row in read_rows([self.path]).items() if name not in redone])
        try:
            self._file = open(self.path, "a", encoding="utf-8", newline="\n")
        except OSError as error:
            raise OutputError(self.path, error) from error

    def append(self, row: dict) -> None:
        """Append one line and flush it. OutputError if the disk is full."""
        try:
            self._file.write(json_text(row) + "\n")
            self._file.flush()
        except OSError as error:
            raise OutputError(self.path, error) from error

    def rows(self) -> dict[str, dict]:
        """All results in the folder, by name."""
        return read_rows(logs_in(self.folder))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


@contextmanager
def open_results_log(folder: Path, shard: Shard) -> Iterator[ResultsLog]:
    """Results log of a run under `folder`, locked against other runs. OutputError, UsageError."""
    make_folder(folder)
    with locked(folder / shard.file), closing(ResultsLog(folder, shard)) as log:
        yield log


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock a results log; the system releases the lock when this process ends."""
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
        return  # file system without locks


def logs_in(folder: Path) -> list[Path]:
    """Results logs in a folder, those of shards included."""
    return sorted(folder.glob("results.jsonl")) + sorted(folder.glob("results-*-of-*.jsonl"))


def read_rows(paths: Iterable[Path]) -> dict[str, dict]:
    """Rows by name; of equal names, the last finished. Incomplete lines are skipped."""
    rows: dict[str, dict] = {}
    for path in paths:
        for row in filter(None, map(_row, _lines(path))):
            known = rows.get(row["name"])
            if known is None or known.get("finished", "") <= row.get("finished", ""):
                rows[row["name"]] = row
    return rows


def write_rows(path: Path, rows: Iterable[dict]) -> None:
    """Write a complete results log. OutputError."""
    write_files(path.parent, {path.name: "".join(json_text(row) + "\n" for row in rows).encode()})


def sha256_of(path: Path) -> str | None:
    """SHA-256 digest of a file; None if it cannot be read."""
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
