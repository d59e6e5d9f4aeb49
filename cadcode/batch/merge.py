"""The results of several runs in one place, as if one run had made them."""

import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cadcode.batch.ledger import lists_in, locked, read_rows, write_rows
from cadcode.errors import OutputError, UsageError
from cadcode.report.files import make_folder, write_files

SHARD = re.compile(r"results-(\d+)-of-(\d+)\.jsonl")


@dataclass(frozen=True)
class Gathered:
    folder: Path
    rows: list[dict]  # by name
    missing: list[str]  # lists of shards that should be there


def gather(folders: list[Path], output: Path | None = None) -> Gathered:
    """Gather what shards wrote to `folders` under `output`: their files, and one `results.jsonl`.

    With one folder it is gathered there; the lists of its shards go away once all of them are there. Raises UsageError
    for a folder without results, for a list that is still being written, and where two folders hold different results
    of one part; OutputError.
    """
    if output is None and len(folders) > 1:
        raise UsageError("name the folder to gather in with -o")
    target = output or folders[0]
    lists = [path for folder in folders for path in lists_in(folder)]
    if empty := [folder for folder in folders if not lists_in(folder)]:
        raise UsageError(f"{empty[0]} holds no results.jsonl and no results-1-of-2.jsonl or the like")
    make_folder(target)
    with ExitStack() as stack:
        for path in {target / "results.jsonl", *lists}:
            stack.enter_context(locked(path))
        rows = _copied(folders, target)
        write_rows(target / "results.jsonl", [rows[name] for name in sorted(rows)])
        missing = _missing(lists)
        if not missing:
            _remove([path for path in lists_in(target) if path.name != "results.jsonl"])
    return Gathered(target, [rows[name] for name in sorted(rows)], missing)


def _copied(folders: list[Path], target: Path) -> dict[str, dict]:
    """The rows of all folders, after the files they name are under `target`."""
    rows = read_rows(lists_in(target))
    for folder in folders:
        if folder.resolve() == target.resolve():
            continue
        for name, row in read_rows(lists_in(folder)).items():
            _check_same(row, rows.get(name), folder)
            for file in filter(None, [*row.get("files", ()), row.get("thumbnail"), row.get("view")]):
                _copy(folder / file, target / file)
            rows[name] = row
    return rows


def _check_same(row: dict, other: dict | None, folder: Path) -> None:
    facts = ("sha256", "settings", "seed")
    if other is not None and any(row.get(fact) != other.get(fact) for fact in facts):
        raise UsageError(
            f"{row['name']}: {folder} holds another result of it, of another file or with other options; "
            "gather them apart"
        )


def _copy(source: Path, target: Path) -> None:
    try:
        data = source.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(source, error) from error
    write_files(target.parent, {target.name: data})


def _missing(lists: list[Path]) -> list[str]:
    """Of every count of shards that is there, the lists that are not."""
    found = {tuple(map(int, match.groups())) for path in lists if (match := SHARD.fullmatch(path.name))}
    counts = {count for _, count in found}
    return [
        f"results-{number}-of-{count}.jsonl"
        for count in sorted(counts)
        for number in range(1, count + 1)
        if (number, count) not in found
    ]


def _remove(paths: list[Path]) -> None:
    for path in paths:
        try:
            path.unlink()
        except OSError as error:
            raise OutputError(path, error) from error
