"""Reading of mesh, point cloud and CAD files: suffixes, choice of the reader, errors as one line."""

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Protocol

import numpy as np

from cadcode.errors import InputError
from cadcode.geometry.cleaning import AS_IT_SAYS, Raw, ReadOptions, Refused
from cadcode.geometry.io import arrays, gltf, obj, off, pcd, ply, scans, stl, tables, threemf
from cadcode.geometry.io.packed import PACKED, unpacked
from cadcode.geometry.io.units import in_millimetres, plausible, with_size_hint
from cadcode.geometry.shape import Shape, shape_of

READERS: dict[str, Callable[[Path, ReadOptions], Raw]] = {
    ".stl": stl.read_stl,
    ".obj": obj.read_obj,
    ".off": off.read_off,
    ".glb": gltf.read_gltf,
    ".gltf": gltf.read_gltf,
    ".3mf": threemf.read_3mf,
    ".ply": ply.read_ply,
    ".pcd": pcd.read_pcd,
    ".xyz": tables.read_table,
    ".txt": tables.read_table,
    ".csv": tables.read_table,
    ".asc": tables.read_table,
    ".pts": tables.read_table,
    ".ptx": tables.read_table,
    ".npy": arrays.read_npy,
    ".npz": arrays.read_npz,
    ".las": scans.read_las,
    ".laz": scans.read_las,
    ".e57": scans.read_e57,
}
CAD_SUFFIXES = (".step", ".stp", ".brep", ".brp", ".iges", ".igs")
PLAIN = frozenset(READERS) | frozenset(CAD_SUFFIXES)
SUFFIXES = PLAIN | frozenset(PACKED)
METRES_BY_STANDARD = (".glb", ".gltf", ".e57")  # many programs write millimetres all the same

# What parsers raise on damaged files. trimesh and numpy promise nothing narrower.
PARSE_ERRORS = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    EOFError,
    OSError,
    SyntaxError,
    MemoryError,
    ImportError,
    StopIteration,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)


class CadMesh(Protocol):
    """A CAD file as a mesh; `bodies` are the numbers of vertices of each solid, in their order."""

    vertices: np.ndarray  # (V, 3)
    faces: np.ndarray  # (F, 3)
    notes: tuple[str, ...]
    bodies: tuple[int, ...]


CadReader = Callable[[Path], CadMesh]


def load_shape(path, cad_reader: CadReader | None = None, options: ReadOptions = AS_IT_SAYS) -> Shape:
    """Read one file; every file that cannot be used is an InputError with the reason in one line.

    STEP, BREP and IGES need the CAD kernel, which runs in the sandbox only: `cad_reader` is `Sandbox.read_cad`. Solids
    of such a file stay separate bodies, also where they touch; bodies of a mesh that touch face to face or overlap are
    united.
    """
    if str(path) == "-":
        raise InputError("-", "standard input cannot be read as a shape", "save it to a file first")
    path = Path(path)
    suffix = _check_file(path)
    try:
        with ThreadPoolExecutor(1) as aside, unpacked(path, suffix, PLAIN) as (file, notes):
            digest, kind = aside.submit(_sha256, path), file.suffix.lower()
            raw = _read_cad(file, cad_reader) if kind in CAD_SUFFIXES else READERS[kind](file, options)
            raw = replace(raw, notes=notes + raw.notes)
            if kind in METRES_BY_STANDARD and options.unit is None:
                raw = plausible(raw)
            raw = in_millimetres(raw, options.unit)
            return with_size_hint(shape_of(raw, str(path), kind[1:], digest.result()))
    except Refused as refused:
        raise InputError(path, _one_line(refused.reason), refused.advice) from refused
    except InputError as error:  # of the sandbox, which knows the unpacked file only
        raise InputError(path, error.reason, error.advice) from error
    except PARSE_ERRORS as error:
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        reason = _one_line(f"cannot be read as {suffix[1:].upper()} ({said})")
        raise InputError(path, reason, "export it again from the program that made it") from error


def suffix_of(path) -> str:
    """The suffix in small letters; of a packed file also that of the file in it, as `.stl.gz`, if it is a known one."""
    path = PurePath(path)
    packed = path.suffix.lower()
    inner = PurePath(path.stem).suffix.lower() if packed in PACKED else ""
    return (inner if inner in PLAIN else "") + packed


def stem_of(path) -> str:
    """The name of a file without its suffix: `part` of a/part.stl and a/part.stl.gz."""
    name = PurePath(path).name
    return name[: len(name) - len(suffix_of(name))]


def is_shape_file(path) -> bool:
    """Whether the name is that of a mesh, point cloud or CAD file, perhaps packed. Files in a ZIP are not looked at."""
    suffix = suffix_of(path)
    return suffix in PLAIN or suffix == ".zip" or suffix.count(".") == 2


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 240 else text[:240] + "..."


def _check_file(path: Path) -> str:
    """The suffix of an existing regular file with content and of a known kind. Raises InputError for others."""
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise InputError(path, "is a folder", "name one file, or use `cadcode batch` for a folder")
        if not path.is_file():
            raise InputError(path, "is no regular file", "save it to a file first")
        open(path, "rb").close()
    except FileNotFoundError as error:
        raise InputError(path, "does not exist", "check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(path, f"cannot be opened ({reason})", "check the path and its permissions") from error
    if not is_shape_file(path):
        known, suffix = " ".join(sorted(name[1:] for name in SUFFIXES)), "".join(path.suffixes[-2:]).lower()
        suffix = suffix if path.suffix.lower() in PACKED else path.suffix.lower()
        raise InputError(path, f"has an unsupported suffix '{suffix}'", f"convert it to one of: {known}")
    if size == 0:
        raise InputError(path, "is empty", "export it again from the program that made it")
    return suffix_of(path)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _read_cad(path: Path, cad_reader: CadReader | None) -> Raw:
    if path.suffix.lower() in (".step", ".stp"):
        _check_step(path)
    if cad_reader is None:
        raise Refused("STEP, BREP and IGES need the CAD kernel", "use `cadcode generate`, or convert it to STL")
    mesh = cad_reader(path)
    unit = None if path.suffix.lower() in (".brep", ".brp") else "mm"  # the kernel converts STEP and IGES
    return Raw(mesh.vertices, mesh.faces, notes=mesh.notes, soup=True, unit=unit, bodies=mesh.bodies)


def _check_step(path: Path) -> None:
    """Raises Refused for an incomplete STEP file (ISO 10303-21): the kernel's own messages are vague."""
    with open(path, "rb") as file:
        start = file.read(4096)
        file.seek(max(0, path.stat().st_size - 4096))
        end = file.read()
    if b"ISO-10303-21" not in start:
        raise Refused("is not a STEP file (it does not start with ISO-10303-21)", "check the file and its suffix")
    if b"END-ISO-10303-21" not in end:
        raise Refused("is a truncated STEP file (END-ISO-10303-21 is missing)")
