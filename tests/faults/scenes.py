"""Scenes: glTF and 3MF."""

from faults.fault import Fault
from faults.scenes_3mf import FAULTS as FAULTS_3MF
from faults.scenes_gltf import FAULTS as FAULTS_GLTF

FAULTS: tuple[Fault, ...] = FAULTS_GLTF + FAULTS_3MF
