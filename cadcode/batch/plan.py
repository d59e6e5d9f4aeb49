"""What there is to do in a folder: its parts, each with a name and a seed that depend on nothing but its place."""

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
    """One file to convert; `name` is its path from the folder, with slashes and suffix.

    `whole_name` keeps its files apart from those of another part that differs in the suffix alone: of b.step and b.stl,
    the second becomes b.stl.py and so on.
    """

    path: Path
    name: str
    whole_name: bool = False

    @property
    def stem(self) -> str:
        """Where its files go, from the output folder and without a suffix."""
        if self.whole_name:
            return self.name
        return str(PurePosixPath(self.name).with_name(stem_of(self.name)))

    def seed(self, seed: int) -> int:
        """A seed of its own, the same in every order, on every number of workers and every system."""
        name = unicodedata.normalize("NFC", self.name)
        digest = hashlib.sha256(f"{seed}\n{name}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:4], "big")


@dataclass(frozen=True)
class LeftOut:
    """A file or folder that is not even tried: `status` is 'unreadable' or 'duplicate'."""

    part: Part
    status: str
    reason: str


@dataclass(frozen=True)
class Shard:
    """The `number`-th of `count` runs that share a folder; each part belongs to one, by its name alone."""

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """'2/4' is the second of four. UsageError for other things."""
        words = text.split("/")
        if len(words) != 2 or not all(word.strip().isdecimal() for word in words):
            raise UsageError(f"--shard {text}: write it as 2/4, the second of four")
        number, count = map(int, words)
        if not 1 <= number <= count:
            raise UsageError(f"--shard {text}: the first number runs from 1 to the second")
        return cls(number, count)

    def holds(self, part: Part) -> bool:
        return part.seed(0) % self.count == self.number - 1

    @property
    def file(self) -> str:
        """The name of its list of results."""
        return "results.jsonl" if self.count == 1 else f"results-{self.number}-of-{self.count}.jsonl"


@dataclass(frozen=True)
class Plan:
    parts: tuple[Part, ...]
    left_out: tuple[LeftOut, ...] = ()


def plan(folder, output, suffixes: tuple[str, ...] = (), shard: Shard = Shard()) -> Plan:
    """The parts under `folder` whose files, with `suffixes`, go to the same places under `output`, by name.

    Of files that differ in their suffix alone the first has the plain stem, the others keep their suffix in it. Raises
    UsageError where there is nothing to do or an input would be overwritten. Nothing is written.
    """
    folder, output = Path(folder), Path(output)
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; `cadcode generate` takes single files")
    if identity(folder) == identity(output):
        raise UsageError(f"-o {output} is the folder of the inputs; name another one")
    files, closed = _walk(folder, output)
    if not files and not closed:
        raise UsageError(f"{folder} holds no mesh, point cloud or CAD file")
    parts = sorted((_part(path, folder) for path in files), key=lambda part: part.name)
    chosen, left_out = _without_duplicates(_told_apart(parts))
    check_inputs(files, (output / f"{part.stem}.{suffix}" for part in chosen for suffix in suffixes))
    left_out += [LeftOut(_part(path, folder), UNREADABLE, reason) for path, reason in closed]
    return Plan(tuple(filter(shard.holds, chosen)), tuple(other for other in left_out if shard.holds(other.part)))


def _part(path: Path, folder: Path) -> Part:
    return Part(path, path.relative_to(folder).as_posix())


def _walk(folder: Path, output: Path) -> tuple[list[Path], list[tuple[Path, str]]]:
    """Files with a known suffix, and folders that cannot be read with the reason.

    Every folder is visited once, at its own place rather than through a link, so that links cannot loop. Names with a
    dot in front, and `output`, are left out.
    """
    files, closed, seen = [], [], {identity(output)}
    folders, links = [folder], []
    while folders or links:
        here = folders.pop() if folders else links.pop(0)
        if identity(here) in seen:
            continue
        seen.add(identity(here))
        try:
            paths = sorted(path for path in here.iterdir() if not path.name.startswith("."))
        except OSError as error:
            closed.append((here, f"cannot be opened ({error.strerror}); check its permissions"))
            continue
        for path in paths:
            if os.path.isdir(path):
                (links if os.path.islink(path) else folders).append(path)
            elif is_shape_file(path):
                files.append(path)
    return files, closed


def _told_apart(parts: list[Part]) -> list[Part]:
    """The parts, with their whole name where an earlier one has the same stem."""
    stems: set[str] = set()
    found = []
    for part in parts:
        stem = part.stem.casefold()  # as file systems without upper and lower case see it
        found.append(replace(part, whole_name=stem in stems))
        stems.add(stem)
    return found


def _without_duplicates(parts: list[Part]) -> tuple[list[Part], list[LeftOut]]:
    first: dict[str, Part] = {}
    left_out = []
    for part in parts:
        other = first.setdefault(part.stem.casefold(), part)
        if other is not part:
            reason = f"its files would be those of {other.name}; rename one of them"
            left_out.append(LeftOut(part, DUPLICATE, reason))
    return list(first.values()), left_out
