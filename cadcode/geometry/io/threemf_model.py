"""Model part of a 3MF package: objects, components and build items as the XML says them (core specification 1.3)."""

from array import array
from dataclasses import dataclass, field

import numpy as np

from cadcode.geometry.cleaning import Refused
from cadcode.geometry.io.scene import MOST_NODES, check_count
from cadcode.geometry.io.threemf_package import DEEPEST, Package, named, parse

UNITS = {"micron": "micron", "millimeter": "mm", "centimeter": "cm", "inch": "inch", "foot": "foot", "meter": "m"}
READ = ("/production/2015/06", "/material/2015/02", "/trianglesets/2021/07", "/core/2015/02")  # ends of namespaces
XYZ, CORNERS = ["x", "y", "z"], ["v1", "v2", "v3"]
OTHER_SHAPES = {
    "beamlattice": "beam lattice",
    "booleanshape": "boolean shape",
    "levelset": "level set",
    "displacementmesh": "displacement mesh",
}  # geometry of extensions that are not read


@dataclass(frozen=True)
class Reference:
    """A component or build item: the object it places, in which part (None: its own), and its 12 numbers or none."""

    object: str
    part: str | None
    transform: tuple[float, ...]
    printable: bool = True


@dataclass(eq=False)
class Object:
    """An object while it is read: coordinates x, y, z and vertex numbers in a row, or components."""

    id: str
    type: str
    points: array = field(default_factory=lambda: array("d"))
    corners: array = field(default_factory=lambda: array("q"))
    components: list[Reference] = field(default_factory=list)
    other: str | None = None  # a shape of an extension that is not read

    def mesh(self):
        """(vertices (V, 3), faces (F, 3))."""
        return np.frombuffer(self.points).reshape(-1, 3), np.frombuffer(self.corners, np.int64).reshape(-1, 3)


@dataclass(eq=False)
class Model:
    unit: str = "mm"
    objects: dict[str, Object] = field(default_factory=dict)
    items: list[Reference] = field(default_factory=list)
    size: int = 0  # objects, components and items

    def grow(self) -> None:
        self.size += 1
        check_count(self.size, MOST_NODES, "objects")


def read_model(package: Package, name: str) -> Model:
    """The objects and the build of one part; Refused for damage and for required extensions that are not read."""
    reader = Reader()
    try:
        parse(reader.gathered(package.blocks(name)), name, reader.start, reader.end, reader.namespace)
    except (ValueError, OverflowError) as error:
        raise Refused(f"'{name[:80]}' holds a word that is not a number ({error})") from error
    if reader.core is None:
        raise Refused(f"'{name[:80]}' is not a 3MF model")
    return reader.model


class Reader:
    """Handlers of XML elements that fill a `Model`. The core namespace is that of the root element."""

    def __init__(self):
        self.model, self.core, self.object, self.depth = Model(), None, None, 0
        self.vertex = self.triangle = self.prefix = ""
        self.others, self.namespaces = {}, {}
        self.points, self.corners = [], []  # texts of the numbers since the last block

    def gathered(self, blocks):
        """The same `blocks`; after each its numbers go to their object, which is faster than each by itself."""
        for block in blocks:
            yield block
            self.gather()
        self.gather()

    def gather(self) -> None:
        if self.object is not None:
            self.object.points.extend(map(float, self.points))
            self.object.corners.extend(map(int, self.corners))
            self.points.clear()
            self.corners.clear()

    def start(self, name: str, attributes: list[str]) -> None:
        self.depth += 1
        if name == self.triangle:
            self.corners += attributes[1:6:2] if attributes[0:6:2] == CORNERS else three(attributes, CORNERS)
        elif name == self.vertex:
            self.points += attributes[1:6:2] if attributes[0:6:2] == XYZ else three(attributes, XYZ)
        elif self.depth > DEEPEST:
            raise Refused(f"its XML has more than {DEEPEST} elements in each other")
        elif self.depth == 1:
            self.begin(name, named(attributes))
        elif name in self.others:
            self.others[name](named(attributes))
        elif self.object is not None and name.rpartition(" ")[2] in OTHER_SHAPES:
            self.object.other = OTHER_SHAPES[name.rpartition(" ")[2]]

    def end(self, name: str) -> None:
        self.depth -= 1

    def namespace(self, prefix: str | None, address: str | None) -> None:
        if self.depth == 0:
            self.namespaces[prefix] = address or ""

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        self.core, _, element = name.rpartition(" ")
        if element != "model":
            raise Refused(f"is not a 3MF file: its model begins with <{element[:40]}>")
        said = attributes.get("unit", "millimeter")
        if said not in UNITS:
            raise Refused(f"its unit '{said[:40]}' is unknown", f"known are: {' '.join(UNITS)}")
        self.model.unit = UNITS[said]
        for prefix in attributes.get("requiredextensions", "").split():
            check_extension(prefix, self.namespaces.get(prefix, ""))
        self.prefix = f"{self.core} " if self.core else ""
        kinds = {"object": self.new_object, "component": self.new_component, "item": self.new_item}
        self.others = {self.prefix + kind: handler for kind, handler in kinds.items()}

    def new_object(self, attributes: dict[str, str]) -> None:
        self.gather()
        self.object = Object(required(attributes, "id"), attributes.get("type", "model"))
        if self.object.id in self.model.objects:
            raise Refused(f"it holds two objects of the number {self.object.id[:40]}")
        self.model.grow()
        self.model.objects[self.object.id] = self.object
        self.vertex, self.triangle = self.prefix + "vertex", self.prefix + "triangle"

    def new_component(self, attributes: dict[str, str]) -> None:
        if self.object is not None:
            self.model.grow()
            self.object.components.append(reference(attributes))

    def new_item(self, attributes: dict[str, str]) -> None:
        self.model.grow()
        self.model.items.append(reference(attributes))


def check_extension(prefix: str, address: str) -> None:
    if not address.endswith(READ):
        shown = f"'{prefix[:40]}' ({address[:100]})" if address else f"'{prefix[:40]}'"
        raise Refused(f"it requires the 3MF extension {shown}, which is not read", "export it without this extension")


def three(attributes: list[str], names: list[str]) -> list[str]:
    """The values of three attributes in any order among others."""
    values = named(attributes)
    return [required(values, name) for name in names]


def required(attributes: dict[str, str], name: str) -> str:
    if name not in attributes:
        raise Refused(f"an element of its model lacks the attribute '{name}'")
    return attributes[name]


def reference(attributes: dict[str, str]) -> Reference:
    numbers = tuple(map(float, attributes.get("transform", "").split()))
    if len(numbers) not in (0, 12):
        raise Refused(f"a transform has {len(numbers)} numbers, not 12")
    printable = attributes.get("printable", "1") not in ("0", "false")
    return Reference(required(attributes, "objectid"), attributes.get("path"), numbers, printable)
