"""Units of length: their words in files, the conversion to millimetres, and hints about implausible sizes."""

from dataclasses import replace

import numpy as np

from cadcode.geometry.cleaning import Raw
from cadcode.geometry.shape import Shape
from cadcode.units import MILLIMETRES

UNIT_WORDS = {
    "micron": ("um", "µm", "μm", "micron", "microns", "micrometer", "micrometre"),
    "mm": ("mm", "millimeter", "millimeters", "millimetre", "millimetres"),
    "cm": ("cm", "centimeter", "centimeters", "centimetre", "centimetres"),
    "m": ("m", "meter", "meters", "metre", "metres"),
    "inch": ("in", "inch", "inches"),
    "foot": ("ft", "foot", "feet"),
}
UNIT_OF = {word: unit for unit, words in UNIT_WORDS.items() for word in words}
PLAUSIBLE = (0.1, 10_000.0)  # longest side of a part in millimetres


def plausible(raw: Raw) -> Raw:
    """A file that is in metres by the standard of its format, as millimetres where it would be implausibly long."""
    points = np.asarray(raw.vertices, dtype=np.float64)
    points = points[np.isfinite(points).all(axis=1)]
    if raw.unit != "m" or not len(points):
        return raw
    longest = float(np.ptp(points, axis=0).max())
    if longest * MILLIMETRES["m"] <= PLAUSIBLE[1]:
        return raw
    note = f"read as mm: its format is in metres, but it would be {longest:.3g} m long; --units m confirms metres"
    return replace(raw, unit="mm", notes=(*raw.notes, note), warnings=(*raw.warnings, note))


def in_millimetres(raw: Raw, told: str | None) -> Raw:
    """The same in millimetres, from the unit `told` by the user, else the file's own; unchanged without either."""
    unit = told or raw.unit
    if unit is None:
        return raw
    factor, notes = MILLIMETRES[unit], ()
    if factor != 1:
        notes += (f"converted from {unit} to mm",)
    if told and raw.unit and told != raw.unit:
        notes += (f"the file says {raw.unit}, the user {told}",)
    with np.errstate(over="ignore"):  # infinite coordinates are dropped later
        vertices = raw.vertices if factor == 1 else np.asarray(raw.vertices, dtype=np.float64) * factor
    return replace(raw, vertices=vertices, unit="mm", notes=raw.notes + notes)


def with_size_hint(shape: Shape) -> Shape:
    """The same with a warning where the unit is unknown and the size is not that of a part in millimetres."""
    longest = float(shape.extents.max())
    if shape.unit is not None or PLAUSIBLE[0] <= longest <= PLAUSIBLE[1]:
        return shape
    advice = "name the unit with --units if it is metres or inches" if longest < 1 else "check the unit of the file"
    hint = f"the longest side is {longest:.3g}; {advice}"
    return replace(shape, notes=(*shape.notes, hint), warnings=(*shape.warnings, hint))
