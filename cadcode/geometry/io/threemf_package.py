"""Package of a 3MF file: a ZIP of XML parts, unpacked and parsed within limits, and the settings of slicers in it."""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import normpath
from urllib.parse import unquote
from xml.parsers import expat

from cadcode.geometry.cleaning import Refused

MOST_UNPACKED = 1 << 30  # bytes of all parts that are read
FREELY_UNPACKED = 200_000_000  # bytes that any file may unpack to
MOST_RATIO = 20  # beyond that, of unpacked to packed bytes; meshes reach 5 to 15
FREE_TAGS = 1_000_000  # that any file may have: vertices and triangles
BYTES_PER_TAG = 4  # beyond that; a regular grid has 5.6, real meshes 7
MOST_SETTINGS = 30_000_000  # bytes of a part that holds no mesh
LONGEST_TAG = 1_000_000  # bytes
DEEPEST = 100  # elements in each other
BLOCK = 1 << 16
MODEL_RELATION = "/3dmodel"  # the end of the type of the relationship to the root model

Start = Callable[[str, list[str]], None]  # a name, 'namespace local' or 'local'; names and values in turn
BAMBU = "Metadata/model_settings.config"  # Bambu Studio, OrcaSlicer
PRUSA = "Metadata/Slic3r_PE_model.config"  # PrusaSlicer, SuperSlicer
KINDS = {
    "modifier_part": "modifier",
    "ParameterModifier": "modifier",
    "negative_part": "negative part",
    "NegativeVolume": "negative part",
    "support_blocker": "support blocker",
    "SupportBlocker": "support blocker",
    "support_enforcer": "support enforcer",
    "SupportEnforcer": "support enforcer",
}


class Package:
    """The parts of a 3MF file by name; `blocks` unpacks one of them within the limit of the file."""

    def __init__(self, archive: zipfile.ZipFile, file_size: int):
        self.archive = archive
        self.left = min(max(FREELY_UNPACKED, MOST_RATIO * file_size), MOST_UNPACKED)
        self.tags_left = max(FREE_TAGS, file_size / BYTES_PER_TAG)
        self.parts = {part_name(info.filename): info for info in archive.infolist() if not info.is_dir()}

    def has(self, name: str) -> bool:
        return part_name(name) in self.parts

    def models(self) -> list[str]:
        return [name for name in self.parts if name.endswith(".model")]

    def blocks(self, name: str, most: int = MOST_UNPACKED) -> Iterator[bytes]:
        """The bytes of a part; Refused where it is missing, damaged, encrypted or too long."""
        info = self.parts.get(part_name(name))
        if info is None:
            raise Refused(f"it refers to '{name[:80]}', which the package lacks")
        if info.file_size > min(self.left, most):
            raise Refused(f"'{name[:80]}' unpacks to {info.file_size:,} bytes, more than any real part")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
            raise Refused(f"'{name[:80]}' is encrypted or packed in a way that 3MF does not allow")
        try:
            with self.archive.open(info) as part:
                while block := part.read(BLOCK):
                    self.left -= len(block)
                    self.tags_left -= block.count(b"<")
                    if self.tags_left < 0:
                        raise Refused("it holds more vertices and triangles than any real part of its size")
                    yield block
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            raise Refused(f"'{name[:80]}' is damaged: it cannot be unpacked ({error})") from error


def open_archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise Refused(f"is not a 3MF file: it is not a ZIP archive ({error})") from error


def part_name(name: str) -> str:
    """A name as parts are compared: from the package's root, without case (Open Packaging Conventions)."""
    return normpath("/" + unquote(name).replace("\\", "/")).lstrip("/").lower()


def parse(blocks: Iterator[bytes], name: str, start: Start, end: Callable[[str], None], namespace=None) -> None:
    """Call `start` and `end` for every element of an XML part, `namespace(prefix, address)` for what they declare.

    Refused for damage, DTDs and absurd sizes.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.ordered_attributes = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartNamespaceDeclHandler = namespace
    parser.StartDoctypeDeclHandler = refuse_doctype
    fed = 0
    try:
        for block in blocks:
            parser.Parse(block, False)
            fed += len(block)
            if fed - parser.CurrentByteIndex > LONGEST_TAG:
                raise Refused(f"'{name[:80]}' has an XML tag of more than {LONGEST_TAG:,} bytes")
        parser.Parse(b"", True)
    except (expat.ExpatError, UnicodeError, LookupError) as error:
        raise Refused(f"'{name[:80]}' is damaged XML ({error})") from error


def refuse_doctype(*_) -> None:
    raise Refused("its XML has a document type declaration, which 3MF does not allow")


def nested(start: Start) -> tuple[Start, Callable[[str], None]]:
    """(start, end) that count how deep elements are in each other; Refused beyond `DEEPEST`."""
    depth = 0

    def begin(name: str, attributes: list[str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise Refused(f"its XML has more than {DEEPEST} elements in each other")
        start(name, attributes)

    def finish(name: str) -> None:
        nonlocal depth
        depth -= 1

    return begin, finish


def parse_settings(package: Package, name: str, start: Callable[[str, dict[str, str]], None]) -> None:
    """Call `start(local name, attributes by local name)` for every element of a short part."""

    def begin(element: str, attributes: list[str]) -> None:
        start(local(element), named(attributes))

    parse(package.blocks(name, MOST_SETTINGS), name, *nested(begin))


def named(attributes: list[str]) -> dict[str, str]:
    """Attributes by their local names."""
    return {local(key): value for key, value in zip(attributes[::2], attributes[1::2], strict=True)}


def local(name: str) -> str:
    return name.rpartition(" ")[2]


def root_model(package: Package) -> str:
    """The name of the part that holds the build: by the package's relationships, else by its usual name."""
    targets = []

    def start(element: str, attributes: dict[str, str]) -> None:
        if element == "Relationship" and attributes.get("Type", "").endswith(MODEL_RELATION):
            targets.append(attributes.get("Target", ""))

    if package.has("_rels/.rels"):
        parse_settings(package, "_rels/.rels", start)
    models = package.models()
    usual = [name for name in models if name == "3d/3dmodel.model"]
    found = [name for name in map(part_name, targets) if package.has(name)] or usual or models[:1]
    if not found:
        raise Refused("is not a 3MF file: the package holds no model")
    return found[0]


@dataclass(eq=False)
class Settings:
    """Kinds of volumes that are no part of the shape.

    `components`: of a component, by the numbers of the object that holds it and of its own. `triangles`: of runs of
    triangles, [(first, last, kind)] by the number of their object.
    """

    components: dict[tuple[str, str], str] = field(default_factory=dict)
    triangles: dict[str, list[tuple[int, int, str]]] = field(default_factory=dict)


def read_settings(package: Package) -> Settings:
    settings = Settings()
    if package.has(BAMBU):
        read_bambu(package, settings)
    if package.has(PRUSA):
        read_prusa(package, settings)
    return settings


def read_bambu(package: Package, settings: Settings) -> None:
    """<object id> holds <part id subtype>."""
    parent = ""

    def start(element: str, attributes: dict[str, str]) -> None:
        nonlocal parent
        if element == "object":
            parent = attributes.get("id", "")
        elif element == "part" and attributes.get("subtype") in KINDS:
            settings.components[parent, attributes.get("id", "")] = KINDS[attributes["subtype"]]

    parse_settings(package, BAMBU, start)


def read_prusa(package: Package, settings: Settings) -> None:
    """<object id> holds <volume firstid lastid>, which holds <metadata key="volume_type" or "modifier">."""
    parent, run = "", None

    def start(element: str, attributes: dict[str, str]) -> None:
        nonlocal parent, run
        if element == "object":
            parent, run = attributes.get("id", ""), None
        elif element == "volume":
            run = triangle_numbers(attributes)
        elif element == "metadata" and run and (kind := kind_of(attributes)):
            settings.triangles.setdefault(parent, []).append((*run, kind))
            run = None  # a volume has one kind

    parse_settings(package, PRUSA, start)


def triangle_numbers(attributes: dict[str, str]) -> tuple[int, int]:
    try:
        return int(attributes["firstid"]), int(attributes["lastid"])
    except (KeyError, ValueError) as error:
        raise Refused(f"a volume in '{PRUSA}' has no triangle numbers") from error


def kind_of(attributes: dict[str, str]) -> str | None:
    key, value = attributes.get("key"), attributes.get("value", "")
    if key == "volume_type":
        return KINDS.get(value)
    return "modifier" if key == "modifier" and value == "1" else None
