"""Length units of files, and units of the program and model frames (see `geometry.frame`)."""

MILLIMETRES = {"micron": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1000.0, "inch": 25.4, "foot": 304.8}
NAMED = ("mm", "cm", "m", "inch")  # values of --units
PROGRAM_UNITS = 100.0  # program units per model unit; the longest side of a part is 200 program units
