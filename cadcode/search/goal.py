"""The goal of the search: one protocol for inputs with a volume and for inputs with a surface only."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Protocol

import numpy as np

from cadcode.program.tree import Feature, Program
from cadcode.search.from_sections import Sections
from cadcode.search.options import EffortOptions, VolumeOptions

Late = Callable[[], bool]  # whether the time limit is reached


@dataclass(frozen=True, eq=False)
class ResidualCells:
    """Grid cells that only the input or only the program fills; one point, anywhere in its cell, stands for each."""

    points: np.ndarray  # (X * Y * Z, 3) program frame
    size: np.ndarray  # (3,) of a cell, program units
    missing: np.ndarray  # (X, Y, Z) bool: filled by the input only
    excess: np.ndarray  # (X, Y, Z) bool: filled by the program only


class Goal(Protocol):
    """The input as the search sees it, program frame. A body is measured once, and again only when it changes."""

    effort: EffortOptions
    planes: tuple[np.ndarray, np.ndarray, np.ndarray]  # coordinates of the input's axis-aligned faces, per axis
    surface: np.ndarray  # (S, 3) points of the input's surface
    noise_scale: float  # distance from the true surface that such a point may have, program units
    sections: Sections | None  # None: the input has no inside that could be cut
    face_weight: float  # of the faces that a program reproduces, in addition to its score

    def faces_found(self, program: Program, measured: list) -> np.ndarray:
        """For each analytic face of the input, the share that the program reproduces, (F,)."""
        ...

    def measure(self, body: Feature) -> Any:
        """The goal's own measurement of one body, for `score` and `residual_cells`."""
        ...

    def score(self, program: Program, measured: list, least: float = 0.0) -> float:
        """A score in [0, 1], higher is better; `measured` holds the result of `measure` for each body.

        A score below `least` may be replaced by any other number below `least`, which allows an early exit.
        """
        ...

    def residual_cells(self, program: Program, measured: list) -> ResidualCells | None:
        """Grid cells where input and program disagree; None where the input has no inside."""
        ...

    def unexplained(self, program: Program) -> float:
        """Share of the input that the program does not explain and a search of the enclosed volume might."""
        ...

    def expected_iou(self, program: Program) -> float | None:
        """Estimate of the IoU of program and input, accurate to about 0.01; None where the input has no volume."""
        ...

    def enclosed_goal(self, options: VolumeOptions) -> "Goal | None":
        """Second goal for more drafts: the volume that a cloud's points enclose; None for all other inputs."""
        ...


def score_of(program: Program, goal: Goal) -> float:
    """The score of a program of which nothing is measured yet."""
    return goal.score(program, [goal.measure(step.body) for step in program.steps])


def never() -> bool:
    """No time limit."""
    return False


def until(late: Late, items: Iterable) -> Iterator:
    """The items for as long as it is not late."""
    return takewhile(lambda _: not late(), items)
