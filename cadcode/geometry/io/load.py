"""Read meshes, point clouds and CAD files as they are: their units, their position, and notes of every repair."""

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import Protocol

import numpy as np

from cadcode.errors import InputError
from cadcode.geometry.bodies import count_bodies
from cadcode.geometry.cleaning import AS_IT_SAYS, Raw, ReadOptions, Refused, clean_cloud, clean_mesh
from cadcode.geometry.io import arrays, gltf, obj, off, pcd, ply, scans, stl, tables, threemf
from cadcode.geometry.io.packed import PACKED, unpacked
from cadcode.geometry.mending import mend
from cadcode.geometry.strays import without_strays
from cadcode.units import MILLIMETRES

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
PLAUSIBLE = (0.1, 10_000.0)  # longest side of a part in millimetres

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


@dataclass(frozen=True, eq=False)
class Shape:
    """A mesh or a cloud in the units and position of its file.

    `vertices` (V, 3) float64 are the corners of a mesh or the points of a cloud; `faces` (F, 3) int64 look outwards,
    None for a cloud. `normals` (V, 3) only for clouds that bring them. `watertight` is None for a cloud. `notes` say
    what was dropped or repaired; `warnings` are those of them that change the part's size or volume. `unit` is 'mm'
    where the file or the user says the unit, and lengths are converted to it; None where nobody does.
    """

    path: str
    format: str
    vertices: np.ndarray
    faces: np.ndarray | None
    normals: np.ndarray | None
    watertight: bool | None
    notes: tuple[str, ...]
    sha256: str
    unit: str | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_arrays(cls, vertices, faces=None, normals=None) -> "Shape":
        """A mesh from `vertices` (V, 3) and `faces` (F, 3), or without faces a cloud; InputError if it is unusable."""
        arrays = [np.ascontiguousarray(array) for array in (vertices, faces, normals) if array is not None]
        digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()
        try:
            return _cleaned(Raw(vertices, faces, normals), "<arrays>", "arrays", digest)
        except Refused as refused:
            raise InputError("<arrays>", refused.reason, "check the arrays") from refused

    @property
    def is_cloud(self) -> bool:
        return self.faces is None

    @property
    def points(self) -> np.ndarray | None:
        """The points (N, 3) of a cloud, None for a mesh."""
        return self.vertices if self.is_cloud else None

    @cached_property
    def bodies(self) -> int:
        """Number of separate closed bodies, cavities not counted; 0 for an open mesh and for a cloud.

        Bodies of a mesh that touch or overlap were united when it was read; solids of a CAD file count each.
        """
        return count_bodies(self.vertices, self.faces) if self.watertight else 0

    @cached_property
    def bounds(self) -> np.ndarray:
        """Lowest and highest corner (2, 3)."""
        return np.stack([self.vertices.min(axis=0), self.vertices.max(axis=0)])

    @property
    def extents(self) -> np.ndarray:
        """Side lengths (3,) of the box."""
        return self.bounds[1] - self.bounds[0]


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
            return _with_size_hint(_cleaned(in_millimetres(raw, options.unit), str(path), kind[1:], digest.result()))
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


def plausible(raw: Raw) -> Raw:
    """Numbers in metres by the standard of their format, as millimetres where the part would be implausibly long."""
    points = np.asarray(raw.vertices, dtype=np.float64)
    points = points[np.isfinite(points).all(axis=1)]
    if raw.unit != "m" or not len(points):
        return raw
    longest = float(np.ptp(points, axis=0).max())
    if longest * MILLIMETRES["m"] <= PLAUSIBLE[1]:
        return raw
    note = f"read as mm: its format is in metres, but it would be {longest:.3g} m long; --units m says that it is"
    return replace(raw, unit="mm", notes=(*raw.notes, note), warnings=(*raw.warnings, note))


def in_millimetres(raw: Raw, told: str | None) -> Raw:
    """The same in millimetres, by the unit the user `told`, else by the file's own; as it is where nobody says it."""
    unit = told or raw.unit
    if unit is None:
        return raw
    factor, notes = MILLIMETRES[unit], ()
    if factor != 1:
        notes += (f"converted from {unit} to mm",)
    if told and raw.unit and told != raw.unit:
        notes += (f"the file says {raw.unit}, the user {told}",)
    with np.errstate(over="ignore"):  # infinite coordinates are dropped as such
        vertices = raw.vertices if factor == 1 else np.asarray(raw.vertices, dtype=np.float64) * factor
    return replace(raw, vertices=vertices, unit="mm", notes=raw.notes + notes)


def _cleaned(raw: Raw, path: str, format: str, digest: str) -> Shape:
    if raw.faces is None:
        raw = without_strays(raw)
        points, normals, notes = clean_cloud(raw)
        return Shape(path, format, points, None, normals, None, notes, digest, raw.unit, raw.warnings)
    vertices, faces, notes = clean_mesh(raw)
    mesh = mend(vertices, faces, separate=len(raw.bodies) > 1)
    notes, warnings = notes + mesh.notes, raw.warnings + mesh.warnings
    return Shape(path, format, mesh.vertices, mesh.faces, None, mesh.closed, notes, digest, raw.unit, warnings)


def _with_size_hint(shape: Shape) -> Shape:
    """A warning where nobody said the unit and the size is not that of a part in millimetres."""
    longest = float(shape.extents.max())
    if shape.unit is not None or PLAUSIBLE[0] <= longest <= PLAUSIBLE[1]:
        return shape
    advice = "if the file is in metres or inches, say so with --units" if longest < 1 else "check the unit of the file"
    hint = f"the longest side is {longest:.3g}; {advice}"
    return replace(shape, notes=(*shape.notes, hint), warnings=(*shape.warnings, hint))


def _one_line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 240 else text[:240] + "..."


def _check_file(path: Path) -> str:
    """The suffix of a file that exists, is no folder, holds something and is of a known kind."""
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
    """Refuse early what is no complete STEP file (ISO 10303-21): the kernel's own messages say less."""
    with open(path, "rb") as file:
        start = file.read(4096)
        file.seek(max(0, path.stat().st_size - 4096))
        end = file.read()
    if b"ISO-10303-21" not in start:
        raise Refused("is no STEP file (it does not start with ISO-10303-21)", "check the file and its suffix")
    if b"END-ISO-10303-21" not in end:
        raise Refused("is a truncated STEP file (END-ISO-10303-21 is missing)")
