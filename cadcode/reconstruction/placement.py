"""Programs as text: readable CadQuery in world units, in the place of the input."""

import re
from dataclasses import dataclass

from cadcode.geometry.frame import Frame
from cadcode.geometry.pose import Pose
from cadcode.program.text.readable import readable
from cadcode.program.transform import moved
from cadcode.program.tree import Program
from cadcode.reconstruction.candidate import FreeText


@dataclass(frozen=True, eq=False)
class Placement:
    """Frame of a part, and the pose of that frame in the world where the part stands askew."""

    frame: Frame
    pose: Pose | None = None

    def text(self, program: Program | FreeText, tolerance: float | None = None) -> str:
        """A program (program frame) as CadQuery in world units. `tolerance`: of booleans, world units."""
        scale, translation = self.frame.program_to_world_transform()
        if isinstance(program, FreeText):
            return in_pose(placed(program.text, scale * program.scale, translation), self.pose)
        return in_pose(readable(moved(program, scale, translation), tolerance=tolerance), self.pose)


def placed(text: str, scale: float, translation) -> str:
    """A program as it is, and a line that scales and shifts its result."""
    name = "result" if re.search(r"^result\s*=", text, re.M) else "r"
    shift = ", ".join(repr(float(value)) for value in translation)
    place = f"result = {name}.val().scale({scale!r}).translate(({shift}))"
    return f"{text.rstrip()}\n\n# to the size and the place of the input\n{place}\n"


def in_pose(text: str, pose: Pose | None) -> str:
    """A program whose `result` lies in a frame of its own, and a plane that places it where the input lies."""
    if pose is None:
        return text
    facts = {name: f"({', '.join(f'{value:.12g}' for value in values)})" for name, values in pose_facts(pose).items()}
    plane = f"cq.Plane(origin={facts['origin']}, xDir={facts['x_direction']}, normal={facts['normal']})"
    place = f"place = {plane}\nresult = cq.Workplane(result.val().moved(cq.Location(place)))\n"
    return f"{text.rstrip()}\n\n# the input stands askew: placed as it lies\n{place}"


def pose_facts(pose: Pose) -> dict:
    """Plain values, as of a plane of CadQuery."""
    x, _, normal = pose.rotation.tolist()
    return dict(origin=pose.origin.tolist(), x_direction=x, normal=normal)
