"""Merging of the results of several runs into one folder, as if one run had made them."""

import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cadcode.batch.results_log import locked, logs_in, read_rows, write_rows
from cadcode.errors import OutputError, UsageError
from cadcode.report.files import make_folder, write_files

SHARD = re.compile(r"results-(\d+)-of-(\d+)\.jsonl")


@dataclass(frozen=True)
class Merged:
    folder: Path
    rows: list[dict]  # by name
    missing: list[str]  # results logs of missing shards


def merge_shards(folders: list[Path], output: Path | None = None) -> Merged:
    """Merge the output folders of shards into `output`: their files, and one `results.jsonl`.

    The default target is the only folder; shard logs in the target are deleted once all shards are complete. Raises
    UsageError for a folder without results, for a locked log, and if two folders have different results of one part;
    OutputError.
    """
    if output is None and len(folders) > 1:
        raise UsageError("name the target folder with -o")
    target = output or folders[0]
    logs = [path for folder in folders for path in logs_in(folder)]
    if empty := [folder for folder in folders if not logs_in(folder)]:
        raise UsageError(f"{empty[0]} contains no results.jsonl and no shard log such as results-1-of-2.jsonl")
    make_folder(target)
    with ExitStack() as stack:
        for path in {target / "results.jsonl", *logs}:
            stack.enter_context(locked(path))
        rows = _copied(folders, target)
        write_rows(target / "results.jsonl", [rows[name] for name in sorted(rows)])
        missing = _missing(logs)
        if not missing:
            _remove([path for path in logs_in(target) if path.name != "results.jsonl"])
    return Merged(target, [rows[name] for name in sorted(rows)], missing)


def _copied(folders: list[Path], target: Path) -> dict[str, dict]:
    """Rows of all folders; copies their files to `target`."""
    rows = read_rows(logs_in(target))
    for folder in folders:
        if folder.resolve() == target.resolve():
            continue
        for name, row in read_rows(logs_in(folder)).items():
            _check_same(row, rows.get(name), folder)
            for file in filter(None, [*row.get("files", ()), row.get("thumbnail"), row.get("view")]):
                _copy(folder / file, target / file)
            rows[name] = row
    return rows


def _check_same(row: dict, other: dict | None, folder: Path) -> None:
    facts = ("sha256", "settings", "seed")
    if other is not None and any(row.get(fact) != other.get(fact) for fact in facts):
        raise UsageError(
            f"{row['name']}: {folder} has a different result, from another file or with other options; "
            "merge such folders separately"
        )


def _copy(source: Path, target: Path) -> None:
    try:
        data = source.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(source, error) from error
    write_files(target.parent, {target.name: data})


def _missing(logs: list[Path]) -> list[str]:
    """Missing logs of every shard count that occurs."""
    present = {tuple(map(int, match.groups())) for path in logs if (match := SHARD.fullmatch(path.name))}
    counts = {count for _, count in present}
    return [
        f"results-{number}-of-{count}.jsonl"
        for count in sorted(counts)
        for number in range(1, count + 1)
        if (number, count) not in present
    ]


def _remove(paths: list[Path]) -> None:
    for path in paths:
        try:
            path.unlink()
        except OSError as error:
            raise OutputError(path, error) from error
