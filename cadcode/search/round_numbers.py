"""Round numbers: those a designer would have typed, where the input cannot tell them from the numbers found.

Edges, levels, centres, radii and angles (the slots of `Parameters`) are rounded, so flush faces stay flush. Numbers
that differ by less than the accuracy become equal, and features symmetric within the accuracy become exactly symmetric.
On planes of their own, features are rounded but not made symmetric.
"""

import math
from functools import partial

import numpy as np

from cadcode.geometry.frame import Frame
from cadcode.program.curve import arc_circle
from cadcode.program.transform import control_box, moved
from cadcode.program.tree import Arc, Point, Program, Step
from cadcode.search.goal import Goal, score_of
from cadcode.search.numbers import ANGLE, CENTRE, LOCAL, PLANE, RADIUS, Parameters

ACCURACY = 1e-4  # of the size: about the accuracy of meshes and of the search
CHANCE = 15.0  # a multiple of a step within step / CHANCE is taken for no accident
FINEST = 20.0  # steps below accuracy / FINEST are not tried
# Accuracy; share of themselves by which radii may be too small, because round faces of a mesh are polygons; allowed
# loss of score. The true radii of our samples lower it by up to 0.0015 (and the measured IoU by 0.00015).
ATTEMPTS = (
    (ACCURACY, 1e-3, 2e-3),
    (ACCURACY, 0.0, 1e-4),
    (ACCURACY / 3, 0.0, 1e-4),
    (ACCURACY / 10, 0.0, 1e-4),
    (ACCURACY / 30, 0.0, 1e-4),
)
SAGITTAS = (0.5, (math.sqrt(2) - 1) / 2)  # height over chord of half and quarter circles


def round_numbers(program: Program, accuracy: float | None = None, flattened: float = 0.0) -> Program:
    """The program with the roundest numbers that move no edge, centre or radius by more than `accuracy` (its units).

    The default accuracy is 1e-4 of its longest side. Where rounding would break an outline or close a body, it is
    rounded less. `flattened`: share of themselves by which radii may be too small, because the round faces of the input
    are polygons.
    """
    size = float(np.ptp(control_box(program), axis=0).max())
    if not (math.isfinite(size) and size > 0):
        return program
    scale = 10.0 ** (2 - math.floor(math.log10(size)))  # sizes of 100 to 1000; decimals stay decimals
    large = moved(program, scale, (0.0, 0.0, 0.0))
    reach = scale * (ACCURACY * size if accuracy is None else accuracy)
    for share in (1.0, 0.1, 0.01):
        parameters = Parameters(large)
        rounded = parameters.program(_rounded(parameters, reach * share, flattened, scale * size))
        if rounded is not None:
            return moved(_with_exact_arcs(rounded, reach * share), 1 / scale, (0.0, 0.0, 0.0))
    return program


def round_in_world(program: Program, frame: Frame, goal: Goal) -> Program:
    """A program (program frame) with numbers that are as round in world units as the goal's score allows."""
    scale, translation = frame.program_to_world_transform()
    world, score = moved(program, scale, translation), score_of(program, goal)
    size = float(np.ptp(control_box(world), axis=0).max())
    for share, flattened, cost in ATTEMPTS:
        rounded = moved(round_numbers(world, share * size, flattened), 1 / scale, -translation / scale)
        if score_of(rounded, goal) >= score - cost:
            return rounded
    return program


def _rounded(parameters: Parameters, accuracy: float, flattened: float, size: float) -> np.ndarray:
    """The numbers, rounded; an angle moves what is half of `size` away by `accuracy`."""
    values, slots = parameters.values.copy(), list(enumerate(parameters.slots))
    for axis in range(2 * LOCAL):
        rows = [i for i, slot in slots if slot.axis == axis and slot.kind in (PLANE, CENTRE)]
        values[rows] = _symmetric(values[rows], accuracy) if axis < LOCAL else _equal(values[rows], accuracy)
    rows = [i for i, slot in slots if slot.kind == RADIUS]
    values[rows] = _radii(values[rows], accuracy, flattened)
    rows = [i for i, slot in slots if slot.kind == ANGLE]
    values[rows] = [roundest(value, math.degrees(2 * accuracy / size)) for value in values[rows]]
    return values


def _equal(values: np.ndarray, accuracy: float) -> np.ndarray:
    """Each group of neighbours within `accuracy` of each other gets one round number."""
    found = np.empty_like(values)
    for group in _groups(values, accuracy):
        low, high = values[group].min(), values[group].max()
        found[group] = roundest((low + high) / 2, accuracy - (high - low) / 2)
    return found


def _groups(values: np.ndarray, accuracy: float) -> list[np.ndarray]:
    """Indices of values close to each other, lowest first; no group is wider than `accuracy`."""
    groups: list[list[int]] = []
    for index in np.argsort(values, kind="stable"):
        if groups and values[index] - values[groups[-1][0]] <= accuracy:
            groups[-1].append(int(index))
        else:
            groups.append([int(index)])
    return [np.array(group) for group in groups]


def roundest(value: float, reach: float) -> float:
    """A number with few digits within `reach` of `value`: the first too close for an accident, else the first.

    Steps are 10, 5, 1, 0.5, ... So 12.4997 gives 12.5, but 4.7625 (3/16 of an inch) stays, though 4.75 may be in reach.
    """
    if reach <= 0:
        return value
    power = math.ceil(math.log10(max(abs(value), reach))) + 1
    coarse = None
    while True:
        for step in (5 * 10.0**power, 10.0**power):
            if step < reach / FINEST:
                return value if coarse is None else coarse
            near = _multiple(value, step)
            if abs(near - value) <= reach:
                coarse = near if coarse is None else coarse
                if abs(near - value) <= step / CHANCE:
                    return near
        power -= 1


def _multiple(value: float, step: float) -> float:
    """The nearest multiple, as the decimal number it is."""
    digits = max(0, 1 - math.floor(math.log10(step)))
    return round(round(value / step) * step, digits) + 0.0


def _symmetric(values: np.ndarray, accuracy: float) -> np.ndarray:
    """Rounded coordinates along one axis; pairs nearly symmetric about the part's middle become exactly so."""
    if not len(values):
        return values
    found = _equal(values, accuracy)
    middle = (found.min() + found.max()) / 2
    for a in np.unique(found[found < middle]):
        left, right = found == a, np.abs(found + a - 2 * middle) <= 2 * accuracy
        partners = np.unique(found[right])
        if len(partners) == 1 and partners[0] != 2 * middle - a:
            reached = np.concatenate([middle - values[left], values[right] - middle])
            shorter_first = sorted((a, partners[0]), key=_digits)
            half = _common(reached, [abs(value - middle) for value in shorter_first], accuracy)
            if half is not None:
                found[left], found[right] = middle - half, middle + half
    centred = np.abs(values - middle) <= accuracy
    return np.where(centred & (found != middle), middle, found)


def _common(lengths: np.ndarray, preferred: list[float], accuracy: float) -> float | None:
    """One round length for all, if possible a preferred one; None where one would change by more than `accuracy`."""
    low, high = lengths.max() - accuracy, lengths.min() + accuracy
    fitting = [length for length in preferred if low <= length <= high]
    if fitting or low > high:
        return fitting[0] if fitting else None
    return roundest((low + high) / 2, (high - low) / 2)


def _digits(value: float) -> int:
    return len(f"{value:.9f}".rstrip("0"))


def _radii(values: np.ndarray, accuracy: float, flattened: float) -> np.ndarray:
    rounded = _equal(values, accuracy)
    larger = np.array([_next_round(value, flattened * value) for value in rounded])
    return np.where(rounded > 0, larger, values)


def _next_round(value: float, reach: float) -> float:
    """The round number just above, if there is one too close for an accident, else the value."""
    power = math.ceil(math.log10(value)) if value > 0 else 0
    for step in (c * 10.0 ** (power - lower) for lower in range(4) for c in (5, 1)):
        near = _multiple(value, step)
        if 0 <= near - value <= min(reach, step / CHANCE):
            return near
    return value


# --- arcs ------------------------------------------------------------------------------------------------------------


def _with_exact_arcs(program: Program, accuracy: float) -> Program:
    """The program with nearly half or quarter circles made exactly so; the ends of the arcs stay."""
    exact = partial(_arc, accuracy=accuracy)
    return Program(tuple(Step(step.operation, step.body.with_arcs(exact)) for step in program.steps))


def _arc(start: Point, arc: Arc, accuracy: float) -> Arc:
    circle = arc_circle(start, arc.middle, arc.end)
    if circle is None:
        return arc
    _, radius, _, sweep = circle
    dx, dy = arc.end[0] - start[0], arc.end[1] - start[1]
    chord, height = math.hypot(dx, dy), radius * (1 - math.cos(sweep / 2))
    for share in SAGITTAS:
        if abs(height - share * chord) <= accuracy:
            aside = math.copysign(share, sweep)  # an arc that turns left bulges to the right of its chord
            middle = (start[0] + dx / 2 + aside * dy, start[1] + dy / 2 - aside * dx)
            return Arc(middle, arc.end)
    return arc
