"""Point clouds: tables, arrays, PCD, LAS, E57."""

from faults.fault import Fault

FAULTS: tuple[Fault, ...] = ()
