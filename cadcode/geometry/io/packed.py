"""Files packed by gzip or in a ZIP archive, unpacked within bounds into a folder that is removed afterwards."""

import gzip
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from cadcode.geometry.cleaning import Refused, count_of

PACKED = (".gz", ".zip")
LARGEST = 1 << 30  # bytes unpacked
MOST_GROWTH = 200  # times the packed size: meshes reach 30, nothing but zeros 1,032
SMALL = 1 << 26  # bytes that are unpacked whatever their growth
BLOCK = 1 << 20
TEXTS = (".txt", ".csv", ".asc")  # often a licence or a list of parts: a shape only if nothing else is one
SHOWN = 5  # names in a message
ADVICE = "unpack it, and name the file that you want"
APART = "unpack it and name the .gltf, or export a .glb"
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile)
UNKNOWN = (NotImplementedError, RuntimeError)  # methods of compression, and passwords


@contextmanager
def unpacked(path: Path, suffix: str, known: frozenset[str]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """(the file itself or the one packed in it, notes); `suffix` is the file's, as `.stl.gz`, `known` are usable ones.

    Raises Refused for a damaged or growing archive, and for a ZIP with none or several usable files.
    """
    if not suffix.endswith(PACKED):
        yield path, ()
        return
    with tempfile.TemporaryDirectory(prefix="cadcode-", ignore_cleanup_errors=True) as folder:
        unpack = _unpack_gzip if suffix.endswith(".gz") else _unpack_zip
        try:
            file, notes = unpack(path, Path(folder) / f"part{suffix.rpartition('.')[0]}", known)
        except DAMAGED as error:
            raise Refused(f"is a damaged or truncated archive ({error})", "copy or download it again") from error
        except UNKNOWN as error:
            raise Refused(f"cannot be unpacked ({error})", ADVICE) from error
        if file.stat().st_size == 0:
            raise Refused("holds an empty file")
        yield file, notes


def _unpack_gzip(path: Path, target: Path, known: frozenset[str]) -> tuple[Path, tuple[str, ...]]:
    with gzip.open(path, "rb") as source:
        _copy(source, target, path.stat().st_size)
    return target, ()


def _unpack_zip(path: Path, target: Path, known: frozenset[str]) -> tuple[Path, tuple[str, ...]]:
    with zipfile.ZipFile(path) as archive:
        files = [info for info in archive.infolist() if not info.is_dir() and not _is_hidden(info.filename)]
        chosen = _usable(files, known)
        if chosen.file_size > LARGEST:
            _refuse_size()
        if _suffix(chosen) == ".gltf" and any(_suffix(info) == ".bin" for info in files):
            raise Refused("is an archive of a .gltf with separate .bin files, which are not read together", APART)
        target = target.with_name("part" + _suffix(chosen))
        with archive.open(chosen) as source:
            _copy(source, target, chosen.compress_size)
    others = [info.filename for info in files if info is not chosen]
    text = f"ignored {count_of(len(others), 'other file')} of the archive: {_listed(others)}"
    return target, (text,) if others else ()


def _usable(files: list[zipfile.ZipInfo], known: frozenset[str]) -> zipfile.ZipInfo:
    usable = [info for info in files if _suffix(info) in known]
    usable = [info for info in usable if _suffix(info) not in TEXTS] or usable
    if not usable:
        raise Refused("is an archive without a mesh, point cloud or CAD file", "check the file")
    if len(usable) > 1:
        names = _listed([info.filename for info in usable])
        raise Refused(f"is an archive of {len(usable)} usable files: {names}", ADVICE)
    return usable[0]


def _suffix(info: zipfile.ZipInfo) -> str:
    return PurePosixPath(info.filename).suffix.lower()


def _is_hidden(name: str) -> bool:
    """Files that systems add by themselves."""
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def _copy(source, target: Path, packed: int) -> None:
    size = 0
    with open(target, "wb") as file:
        while block := source.read(BLOCK):
            size += len(block)
            if size > LARGEST or size > SMALL + MOST_GROWTH * packed:
                _refuse_size()
            file.write(block)


def _refuse_size():
    raise Refused(f"unpacks to more than {LARGEST >> 30} GB or {MOST_GROWTH:,} times its size", ADVICE)
