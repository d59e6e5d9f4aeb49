"""Settings of slicers in 3MF packages: which volumes are no part of the shape but change how it is printed."""

from dataclasses import dataclass, field

from cadcode.geometry.cleaning import Refused
from cadcode.geometry.io.threemf_package import Package, parse_settings

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
