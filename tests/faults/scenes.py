"""Scenes: glTF and 3MF."""

from faults.fault import Fault

FAULTS: tuple[Fault, ...] = ()
