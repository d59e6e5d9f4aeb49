"""STL, OBJ, OFF, PLY and packed files."""

from faults.fault import Fault

FAULTS: tuple[Fault, ...] = ()
