"""Six parts whose program is known, as meshes made by CadQuery and as the search's own measurement of them."""

from dataclasses import dataclass

import numpy as np
import pytest

from cadcode.geometry.frame import Frame
from cadcode.geometry.shape import Shape
from cadcode.program.field import bounds, occupancy
from cadcode.program.parse import parse
from cadcode.program.text.compact import compact
from cadcode.program.tree import Program
from cadcode.sandbox.sandbox import Sandbox
from cadcode.search.numbers import Parameters
from cadcode.search.volume_goal import VolumeGoal, measure_volume_goal

SOLIDS = {
    "plate of 1 unit": "cq.Workplane('XY').workplane(offset=-0.5).sketch().push([(0,0)]).rect(200,120)"
    ".push([(60,20)]).circle(12,mode='s').finalize().extrude(1)",
    "rounded block": "cq.Workplane('ZX').workplane(offset=-17).sketch().segment((-89,-46),(89,-46))"
    ".arc((97,-43),(100,-35)).segment((100,35)).arc((97,43),(89,46)).segment((-89,46)).arc((-97,43),(-100,35)).segment((-100,-35))"
    ".arc((-97,-43),(-89,-46)).assemble().push([(0,0)]).circle(5,mode='s').finalize().extrude(34)",
    "channel": "cq.Workplane('XY').workplane(offset=-13).sketch().segment((-51,-100),(51,-100)).segment((51,100))"
    ".segment((16,100)).segment((16,-61)).arc((14,-64),(12,-65)).segment((-6,-65)).arc((-13,-62),(-16,-55))"
    ".segment((-16,100)).segment((-51,100)).close().assemble().finalize().extrude(26)",
    "step": "cq.Workplane('XY').workplane(offset=-79).sketch().push([(0,0)]).rect(68,200).finalize().extrude(158)"
    ".cut(cq.Workplane('XY').workplane(offset=33).sketch().push([(21.5,0)]).rect(25,200).finalize().extrude(46))",
    "block and hat": "cq.Workplane('XY').workplane(offset=-34).sketch().push([(0,-15)]).rect(166,68).finalize()"
    ".extrude(68).union(cq.Workplane('ZX').workplane(offset=-38).sketch().segment((-100,-24),(100,-24)).segment((100,-16))"
    ".segment((55,-16)).segment((55,24)).segment((-55,24)).segment((-55,-16)).segment((-100,-16)).close().assemble()"
    ".finalize().extrude(87))",
    "bracket and rib": "cq.Workplane('XY').workplane(offset=-36).sketch().push([(0,0)]).rect(120,200).finalize()"
    ".extrude(12).union(cq.Workplane('XY').workplane(offset=-24).sketch().push([(54,0)]).rect(12,72).finalize().extrude(60))"
    ".union(cq.Workplane('ZX').workplane(offset=-7).sketch().segment((-24,-17),(-3,48)).segment((-24,48)).close()"
    ".assemble().finalize().extrude(14))",
}


@dataclass(frozen=True, eq=False)
class Part:
    name: str
    program: Program
    shape: Shape

    def goal(self) -> VolumeGoal:
        """Measured in the program's own frame, so that its numbers are the answers."""
        return measure_volume_goal(self.shape, PLAIN)

    def moved(self, reach: float, seed: int = 0) -> Program:
        """The program with each number moved at random by up to `reach`."""
        rng, parameters = np.random.default_rng(seed), Parameters(self.program)
        for _ in range(500):
            values = parameters.values + rng.uniform(-reach, reach, len(parameters.values))
            if program := parameters.program(values):
                return program
        raise AssertionError(f"no sound program near {self.name}")

    def iou(self, program: Program) -> float:
        """By occupancy at one random point in each cell of a grid."""
        cells = np.indices((40, 40, 40)).reshape(3, -1).T
        low, high = bounds(self.program) + [[-2.0], [2.0]]
        points = low + (high - low) * (cells + np.random.default_rng(0).random(cells.shape)) / 40
        mine, other = occupancy(self.program, points), occupancy(program, points)
        return float((mine & other).sum() / (mine | other).sum())


PLAIN = Frame(np.zeros(3), 100.0)  # world = program


@pytest.fixture(scope="session")
def parts() -> dict[str, Part]:
    programs = {name: parse(f"import cadquery as cq\nr={text}") for name, text in SOLIDS.items()}
    with Sandbox() as sandbox:
        outcomes = {name: sandbox.run(compact(program)) for name, program in programs.items()}
    return {name: Part(name, programs[name], Shape.from_arrays(o.vertices, o.faces)) for name, o in outcomes.items()}


@pytest.fixture(scope="session")
def goals(parts) -> dict[str, VolumeGoal]:
    return {name: part.goal() for name, part in parts.items()}
