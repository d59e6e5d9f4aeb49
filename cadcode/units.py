"""Units: of length in files, and of the frames that programs and networks work in (see `geometry.frame`)."""

MILLIMETRES = {"micron": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1000.0, "inch": 25.4, "foot": 304.8}
NAMED = ("mm", "cm", "m", "inch")  # the units that --units takes
PROGRAM_UNITS = 100.0  # program units per model unit: a part's longest side is 200 of them
