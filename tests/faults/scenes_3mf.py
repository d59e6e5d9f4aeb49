"""3MF: units, build, components, slicers' volumes, extensions, bombs."""

from functools import partial
from pathlib import Path

import numpy as np
from faults.fault import Fault
from faults.parts import BRACKET, EXTENTS, VOLUME, box
from faults.scene_files import components_xml, mesh_xml, model_xml, object_xml, package

PART = mesh_xml(BRACKET)
AWAY = mesh_xml(box(at=(100.0, 0, 0)))  # 20 mm
ITEM = '<item objectid="1"/>'
BEAM = "http://schemas.microsoft.com/3dmanufacturing/beamlattice/2017/02"
BAMBU, PRUSA = "Metadata/model_settings.config", "Metadata/Slic3r_PE_model.config"


def model(folder: Path, objects: str = "", items: str = ITEM, more: str = "", start: str = "") -> Path:
    """The bracket as object 1, and other objects."""
    return package(folder, model_xml(object_xml(1, PART) + objects, items, more, start))


def in_unit(folder: Path, unit: str, millimetres: float) -> Path:
    objects = object_xml(1, mesh_xml(BRACKET, 1 / millimetres))
    return package(folder, model_xml(objects, ITEM, f'unit="{unit}"'))


def typed(folder: Path, kind: str) -> Path:
    return model(folder, object_xml(2, AWAY, f'type="{kind}"'), ITEM + '<item objectid="2"/>')


def nested(folder: Path) -> Path:
    """Row vectors: the bracket shifted by 100 along x, then turned so that x becomes y, then mirrored along z."""
    inner = object_xml(2, components_xml('objectid="1" transform="1 0 0 0 1 0 0 0 1 100 0 0"'))
    outer = object_xml(3, components_xml('objectid="2" transform="0 1 0 -1 0 0 0 0 1 0 0 0"'))
    item = '<item objectid="3" transform="1 0 0 0 1 0 0 0 -1 0 0 0"/><item objectid="1"/>'
    return model(folder, inner + outer, item)


def production(folder: Path, unit: str = "millimeter", millimetres: float = 1.0) -> Path:
    """The bracket in the root model and a box in another one, each of them an item."""
    other = model_xml(object_xml(7, mesh_xml(box(at=(100.0, 0, 0)), 1 / millimetres)), "", f'unit="{unit}"')
    root = object_xml(1, PART) + object_xml(2, components_xml('p:path="/3D/Objects/a.model" objectid="7"'))
    text = model_xml(root, ITEM + '<item objectid="2"/>', 'requiredextensions="p"')
    return package(folder, text, {"3D/Objects/a.model": other})


def bambu(folder: Path) -> Path:
    """One object of three parts; slicers subtract the second and print the third in another way."""
    parts = object_xml(2, AWAY) + object_xml(3, AWAY)
    whole = object_xml(4, components_xml('objectid="1"', 'objectid="2"', 'objectid="3"'))
    kinds = {1: "normal_part", 2: "negative_part", 3: "modifier_part"}
    settings = "".join(f'<part id="{id}" subtype="{kind}"/>' for id, kind in kinds.items())
    text = model_xml(object_xml(1, PART) + parts + whole, '<item objectid="4"/>')
    return package(folder, text, {BAMBU: f'<config><object id="4">{settings}</object></config>'})


def prusa(folder: Path) -> Path:
    """One mesh, whose last 12 triangles are a support blocker."""
    far, count = box(at=(100.0, 0, 0)), len(BRACKET[1])
    both = np.vstack([BRACKET[0], far[0]]), np.vstack([BRACKET[1], far[1] + len(BRACKET[0])])
    volumes = (
        f'<volume firstid="0" lastid="{count - 1}"><metadata key="volume_type" value="ModelPart"/></volume>'
        f'<volume firstid="{count}" lastid="{count + 11}">'
        '<metadata type="volume" key="volume_type" value="SupportBlocker"/></volume>'
    )
    settings = f'<config><object id="1">{volumes}</object></config>'
    return package(folder, model_xml(object_xml(1, mesh_xml(both)), ITEM), {PRUSA: settings})


def doubling(folder: Path) -> Path:
    """60 objects that each place the one before twice: 2^60 copies."""
    pairs = [object_xml(i, components_xml(*[f'objectid="{i - 1}"'] * 2)) for i in range(2, 62)]
    return model(folder, "".join(pairs), '<item objectid="61"/>')


def circle(folder: Path) -> Path:
    return model(folder, object_xml(2, components_xml('objectid="2"')), '<item objectid="2"/>')


def entities(folder: Path) -> Path:
    names = "abcdefgh"
    lines = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip(names, names[1:], strict=False))
    return model(folder, start=f'<!DOCTYPE model [<!ENTITY a "aaaaaaaaaa">{lines}]>')


def bomb(folder: Path) -> Path:
    return model(folder, " " * 210_000_000)


WHOLE = dict(extents=EXTENTS, volume=VOLUME, closed=True, unit="mm", warned=False)
CUT = WHOLE | dict(warned=True)
TWO = dict(extents=(150.0, 40.0, 40.0), volume=VOLUME + 8000, closed=True, unit="mm", warned=False)

FAULTS = (
    Fault("3MF in inches", partial(in_unit, unit="inch", millimetres=25.4), **WHOLE, notes=("from inch to mm",)),
    Fault("3MF in metres", partial(in_unit, unit="meter", millimetres=1000), **WHOLE, notes=("from m to mm",)),
    Fault("3MF in microns", partial(in_unit, unit="micron", millimetres=1e-3), **WHOLE),
    Fault("3MF in feet", partial(in_unit, unit="foot", millimetres=304.8), **WHOLE),
    Fault("3MF in centimetres", partial(in_unit, unit="centimeter", millimetres=10), **WHOLE),
    Fault("3MF without a unit", model, **WHOLE),
    Fault("3MF in cubits", partial(in_unit, unit="cubit", millimetres=500), refused="unit 'cubit' is unknown"),
    Fault(
        "3MF with an object outside the build",
        partial(model, objects=object_xml(2, AWAY)),
        **CUT,
        notes=("left out 1 object outside the build",),
    ),
    Fault("3MF with a support", partial(typed, kind="support"), **CUT, notes=("left out 1 support object",)),
    Fault("3MF with a solid support", partial(typed, kind="solidsupport"), **CUT, notes=("left out 1 support",)),
    Fault("3MF with an object of another type", partial(typed, kind="other"), **CUT, notes=("left out 1 object",)),
    Fault("3MF with a surface", partial(typed, kind="surface"), **TWO),
    Fault("3MF with an empty build", partial(model, items=""), **CUT, notes=("its build is empty",)),
    Fault(
        "3MF with an object set not to be printed",
        partial(model, objects=object_xml(2, AWAY), items=ITEM + '<item objectid="2" printable="0"/>'),
        **CUT,
    ),
    Fault("3MF of nested components", nested, (60.0, 150.0, 80.0), 2 * VOLUME, True, notes=("joined 2 meshes",)),
    Fault("3MF of several model parts", production, **TWO, notes=("joined 2 meshes",)),
    Fault("3MF of model parts in two units", partial(production, unit="inch", millimetres=25.4), **TWO),
    Fault(
        "3MF of Bambu Studio with modifiers", bambu, **CUT, notes=("left out 1 modifier", "left out 1 negative part")
    ),
    Fault("3MF of PrusaSlicer with a support blocker", prusa, **CUT, notes=("left out 1 support blocker",)),
    Fault(
        "3MF that requires beam lattices",
        partial(model, more=f'xmlns:b="{BEAM}" requiredextensions="b"'),
        refused="beamlattice",
    ),
    Fault(
        "3MF with beams that are not required",
        partial(
            model,
            objects=object_xml(2, AWAY.replace("</mesh>", f'<beamlattice xmlns="{BEAM}"/></mesh>')),
            items=ITEM + '<item objectid="2"/>',
        ),
        **TWO,
        notes=("ignored the beam lattice of 1 object",),
    ),
    Fault("3MF of 100,000 items", partial(model, items=ITEM * 100_000), refused="more than 50,000 copies"),
    Fault("3MF of 2^60 copies", doubling, refused="more than 50,000 copies"),
    Fault("3MF of an object in itself", circle, refused="component of itself"),
    Fault("3MF that lacks an object", partial(model, items='<item objectid="5"/>'), refused="object 5"),
    Fault(
        "3MF that lacks a part",
        partial(model, items='<item objectid="1" p:path="/3D/lost.model"/>'),
        refused="the package lacks",
    ),
    Fault("3MF with entities", entities, refused="document type declaration"),
    Fault("3MF that unpacks to 210 MB", bomb, refused="unpacks to 210,"),
    Fault("3MF of elements in each other", partial(model, objects="<a>" * 100_000), refused="in each other"),
    Fault("3MF with a long attribute", partial(model, more=f'name="{"a" * 5_000_000}"'), refused="XML tag of more"),
    Fault(
        "3MF with a comma for a point",
        lambda folder: package(folder, model_xml(object_xml(1, PART.replace('"0"', '"0,5"')), ITEM)),
        refused="not a number",
    ),
)
