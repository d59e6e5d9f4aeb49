"""Bodies, sheets, islands, flipped faces, units of STEP."""

from faults.fault import Fault

FAULTS: tuple[Fault, ...] = ()
