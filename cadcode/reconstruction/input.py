"""Measurements of an input: each is made once and shared by all candidates and all rounds."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cadcode.geometry.frame import Frame
from cadcode.geometry.metrics import Target, measure_target
from cadcode.geometry.pose import Pose, pose_of
from cadcode.geometry.sampling import sample_surface
from cadcode.geometry.shape import Shape
from cadcode.reconstruction.faces import read
from cadcode.reconstruction.options import Options
from cadcode.reconstruction.placement import Placement
from cadcode.search.goal import Goal
from cadcode.search.ranking import SearchTarget
from cadcode.search.search import measure_goal
from cadcode.surfaces import Reading, Segmentation, moved_segmentation


@dataclass(frozen=True, eq=False)
class Input:
    """A shape in the frame in which its program is written, and its measurements.

    `pose` is that frame in the world, None where it is the world's own. `target` is measured in the world.
    """

    shape: Shape
    pose: Pose | None
    frame: Frame  # of `shape`
    target: Target
    options: Options
    given: Shape  # as it lies in the world

    @classmethod
    def of(cls, given: Shape, options: Options) -> "Input":
        """The input of a run; `given` (world) stays as it is. Raises InputError where it cannot be measured."""
        target, pose = measure_target(given, options.metrics), pose_of(given)
        shape = given if pose is None else pose.to_own(given)
        return cls(shape, pose, Frame.around(shape.bounds), target, options, given)

    @property
    def placement(self) -> Placement:
        return Placement(self.frame, self.pose)

    @property
    def size(self) -> float:
        """Longest side, world units."""
        return float(self.shape.extents.max())

    @cached_property
    def samples(self) -> SearchTarget:
        """Points on the surface, program frame, for ranking by distance."""
        rng = np.random.default_rng([self.options.sampling.seed, 1])
        points, _ = sample_surface(self.shape, self.options.search.points, rng)
        return SearchTarget.of(self.frame.to_program(points))

    @cached_property
    def reading(self) -> Reading | None:
        """The analytic faces, world frame; None for a cloud and for a large mesh."""
        return None if self.given.is_cloud else read(self.given.vertices, self.given.faces)

    @cached_property
    def goal(self) -> Goal:
        """Goal of the search: the volume where the input has one, else the surface."""
        return measure_goal(self.shape, self.frame, self.target.has_volume, self.options.search, self._known_faces())

    def _known_faces(self) -> Segmentation | None:
        """The analytic faces in the program frame."""
        if self.reading is None:
            return None
        rotation, origin = (np.eye(3), np.zeros(3)) if self.pose is None else (self.pose.rotation, self.pose.origin)
        scale = 1 / self.frame.program_scale
        shift = -scale * (rotation @ origin + self.frame.centre)
        return moved_segmentation(self.reading.segmentation, rotation, scale, shift)
