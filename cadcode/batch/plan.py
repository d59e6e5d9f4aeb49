"""The parts of a folder, each with a name and a seed that depend only on its relative path."""

import hashlib
import os
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from cadcode.errors import UsageError
from cadcode.geometry.io.load import is_shape_file, stem_of
from cadcode.report.files import check_inputs, identity

UNREADABLE, DUPLICATE = "unreadable", "duplicate"


@dataclass(frozen=True)
class Part:
    """One file to convert; `name` is its path relative to the folder, with slashes and suffix.

    `keeps_suffix` separates the files of parts that differ only in their suffix: of b.step and b.stl, the second
    becomes b.stl.py and so on.
    """

    path: Path
    name: str
    keeps_suffix: bool = False

    @property
    def stem(self) -> str:
        """Path of its output files, relative to the output folder and without suffix."""
        if self.keeps_suffix:
            return self.name
        return str(PurePosixPath(self.name).with_name(stem_of(self.name)))

    def seed(self, seed: int) -> int:
        """Seed of the part, independent of the order of parts, the number of workers and the system."""
        name = unicodedata.normalize("NFC", self.name)
        digest = hashlib.sha256(f"{seed}\n{name}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:4], "big")


@dataclass(frozen=True)
class Skipped:
    """A file or folder that is not converted: `status` is 'unreadable' or 'duplicate'."""

    part: Part
    status: str
    reason: str


@dataclass(frozen=True)
class Shard:
    """Run `number` of `count` runs that share a folder; the name of a part determines its shard."""

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Parse '2/4', the second of four. UsageError for other texts."""
        words = text.split("/")
        if len(words) != 2 or not all(word.strip().isdecimal() for word in words):
            raise UsageError(f"--shard {text}: write it as 2/4, the second of four")
        number, count = map(int, words)
        if not 1 <= number <= count:
            raise UsageError(f"--shard {text}: the first number runs from 1 to the second")
        return cls(number, count)

    def contains(self, part: Part) -> bool:
        return part.seed(0) % self.count == self.number - 1

    @property
    def file(self) -> str:
        """File name of its results log."""
        return "results.jsonl" if self.count == 1 else f"results-{self.number}-of-{self.count}.jsonl"


@dataclass(frozen=True)
class Plan:
    parts: tuple[Part, ...]
    skipped: tuple[Skipped, ...] = ()


def plan(folder, output, suffixes: tuple[str, ...] = (), shard: Shard = Shard()) -> Plan:
    """Parts under `folder`, by name; their files, with `suffixes`, have the same relative paths under `output`.

    Of files that differ only in their suffix, the first has the plain stem; the others keep their suffix in the stem.
    Raises UsageError if the folder has no parts or an input would be overwritten. Nothing is written.
    """
    folder, output = Path(folder), Path(output)
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; `cadcode generate` takes single files")
    if identity(folder) == identity(output):
        raise UsageError(f"-o {output} is the folder of the inputs; name another one")
    files, unreadable = _walk(folder, output)
    if not files and not unreadable:
        raise UsageError(f"{folder} contains no mesh, point cloud or CAD file")
    parts = sorted((_part(path, folder) for path in files), key=lambda part: part.name)
    chosen, skipped = _without_duplicates(_disambiguated(parts))
    check_inputs(files, (output / f"{part.stem}.{suffix}" for part in chosen for suffix in suffixes))
    skipped += [Skipped(_part(path, folder), UNREADABLE, reason) for path, reason in unreadable]
    return Plan(tuple(filter(shard.contains, chosen)), tuple(other for other in skipped if shard.contains(other.part)))


def _part(path: Path, folder: Path) -> Part:
    return Part(path, path.relative_to(folder).as_posix())


def _walk(folder: Path, output: Path) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Files with a known suffix, and (folder, reason) of folders that cannot be read.

    Every folder is visited once, preferably not through a link, so that links cannot loop. Hidden names and `output`
    are skipped.
    """
    files, unreadable, seen = [], [], {identity(output)}
    folders, links = [folder], []
    while folders or links:
        current = folders.pop() if folders else links.pop(0)
        if identity(current) in seen:
            continue
        seen.add(identity(current))
        try:
            paths = sorted(path for path in current.iterdir() if not path.name.startswith("."))
        except OSError as error:
            unreadable.append((current, f"cannot be opened ({error.strerror}); check its permissions"))
            continue
        for path in paths:
            if os.path.isdir(path):
                (links if os.path.islink(path) else folders).append(path)
            elif is_shape_file(path):
                files.append(path)
    return files, unreadable


def _disambiguated(parts: list[Part]) -> list[Part]:
    """The parts; a part keeps its suffix if an earlier part has the same stem."""
    stems: set[str] = set()
    distinct = []
    for part in parts:
        stem = part.stem.casefold()  # some file systems are case-insensitive
        distinct.append(replace(part, keeps_suffix=stem in stems))
        stems.add(stem)
    return distinct


def _without_duplicates(parts: list[Part]) -> tuple[list[Part], list[Skipped]]:
    first: dict[str, Part] = {}
    skipped = []
    for part in parts:
        other = first.setdefault(part.stem.casefold(), part)
        if other is not part:
            reason = f"its output files would be those of {other.name}; rename one of them"
            skipped.append(Skipped(part, DUPLICATE, reason))
    return list(first.values()), skipped
