"""Connectivity of programs: unions must touch, and cuts must leave one piece.

Unions alone form a graph: bodies are nodes, shared area is an edge. With cuts, space is divided into cells at all
coordinates of the bodies, long cells are subdivided, and the filled cells are flooded from one seed.
"""

from dataclasses import replace
from itertools import combinations

import numpy as np

from cadcode.program.field import combine, prepare
from cadcode.program.normal_form import FINE
from cadcode.program.tree import Feature, Program

INTO = 0.01  # program units: depth inside the box of a body at which it is probed
PROBES = (5, 16)  # per side of the box that two bodies share; the larger number is used if the smaller finds no contact
LONGEST = (12.0, 2.5)  # program units, longest cell side; the shorter is used if the longer finds several pieces


def one_piece(program: Program) -> bool:
    """Whether the solid is one piece, at the resolution of the cells; contact along an edge does not connect.

    A single body counts as one piece: its generators leave walls between holes.
    """
    if len(program.steps) == 1:
        return True
    if all(step.operation == "union" for step in program.steps):
        return _all_joined([step.body for step in program.steps])
    return any(connected(cells(program, longest)[1]) for longest in LONGEST)


def meeting(program: Program) -> Program:
    """The program with thick bodies extended into the thin bodies they touch, so that rounding leaves no gap.

    `rounded` keeps half units on thin sides only, so two sides of one plane could end half a unit apart.
    """
    if len(program.steps) == 1:
        return program
    bodies = [step.body for step in program.steps]
    boxes = [body.bounds() for body in bodies]
    for axis in range(3):
        thin = [i for i, box in enumerate(boxes) if box[1, axis] - box[0, axis] < FINE]
        on_grid = {i: bodies[i].rounded() for i in thin if len(thin) < len(bodies)}
        for i in set(range(len(bodies))) - set(thin):
            for other, made in on_grid.items():
                if made is not None:
                    bodies[i] = _reaching(bodies[i], axis, boxes[i], boxes[other], made.bounds())
    return Program(tuple(replace(step, body=body) for step, body in zip(program.steps, bodies, strict=True)))


def _reaching(body: Feature, axis: int, box: np.ndarray, other: np.ndarray, on_grid: np.ndarray) -> Feature:
    """A body whose end on the other box along `axis`, if there is one, is the last whole unit in that box, rounded."""
    if abs(box[0, axis] - other[1, axis]) < INTO:
        return body.stretched(axis, 0, float(np.floor(on_grid[1, axis])))
    if abs(box[1, axis] - other[0, axis]) < INTO:
        return body.stretched(axis, 1, float(np.ceil(on_grid[0, axis])))
    return body


# --- unions ----------------------------------------------------------------------------------------------------------


def _all_joined(bodies: list[Feature]) -> bool:
    boxes = [body.bounds() for body in bodies]
    group = list(range(len(bodies)))
    for a, b in combinations(range(len(bodies)), 2):
        if group[a] != group[b] and _touch(bodies[a], boxes[a], bodies[b], boxes[b]):
            group = [group[a] if g == group[b] else g for g in group]
    return len(set(group)) == 1


def _touch(a: Feature, a_box: np.ndarray, b: Feature, b_box: np.ndarray) -> bool:
    """Whether two bodies overlap or share a piece of a face, at one of the probes in the box that both fill."""
    low, high = np.maximum(a_box[0], b_box[0]), np.minimum(a_box[1], b_box[1])
    if (high < low).any() or (high > low).sum() < 2:
        return False
    if a.is_box and b.is_box:
        return True
    return any(_both_fill(a, a_box, b, b_box, low + (high - low) * _lattice(count)) for count in PROBES)


def _lattice(count: int) -> np.ndarray:
    """Points (count^3, 3) in a unit cube, denser towards its sides (Chebyshev nodes), where thin walls are."""
    along = (1 - np.cos(np.pi * (np.arange(count) + 0.5) / count)) / 2
    return along[np.indices((count,) * 3).reshape(3, -1).T]


def _both_fill(a: Feature, a_box: np.ndarray, b: Feature, b_box: np.ndarray, probes: np.ndarray) -> bool:
    """Whether one of the probes (N, 3) lies in both bodies, when it is first moved just inside their boxes."""
    here = probes[a.inside(np.clip(probes, a_box[0] + INTO, a_box[1] - INTO))]
    return bool(len(here)) and bool(b.inside(np.clip(here, b_box[0] + INTO, b_box[1] - INTO)).any())


# --- cells -----------------------------------------------------------------------------------------------------------


def cells(program: Program, longest: float) -> tuple[list[np.ndarray], np.ndarray]:
    """Coordinates along x, y and z, and bool (X, Y, Z): cells between them that are filled at their middle.

    Each coordinate of a body is a cell border; cells longer than `longest` are divided.
    """
    borders = [_divided(values, longest) for values in _coordinates(program)]
    middles = [(b[1:] + b[:-1]) / 2 for b in borders]
    filled = np.zeros([len(m) for m in middles], bool)
    for step in prepare(program).steps:
        filled = combine(step.operation, filled, step.body.inside_lattice(*middles))
    return borders, filled


def _coordinates(program: Program) -> list[np.ndarray]:
    borders = zip(*(step.body.borders() for step in program.steps), strict=True)
    return [np.unique(np.concatenate(values)) for values in borders]


def _divided(values: np.ndarray, longest: float) -> np.ndarray:
    gaps = np.diff(values)
    counts = np.maximum(np.ceil(gaps / longest), 1).astype(int)
    inner = [low + gap * np.arange(n) / n for low, gap, n in zip(values, gaps, counts, strict=False)]
    return np.append(np.concatenate(inner), values[-1])


def connected(filled: np.ndarray) -> bool:
    """Whether the true cells (X, Y, Z) are connected by shared sides; false if no cell is true."""
    if not filled.any():
        return False
    runs = [_runs(filled, axis) for axis in range(3)]
    reached, before = np.zeros_like(filled), 0
    reached.flat[np.flatnonzero(filled)[0]] = True
    while (count := int(reached.sum())) > before:
        before = count
        for numbers in runs:
            hit = np.zeros(numbers.max() + 1, bool)
            hit[numbers[reached]] = True
            reached = filled & hit[numbers]
    return bool((reached == filled).all())


def _runs(filled: np.ndarray, axis: int) -> np.ndarray:
    """Run number of each cell, the same along an unbroken run of filled cells."""
    lines = np.moveaxis(filled, axis, -1)
    starts = lines.copy()
    starts[..., 1:] &= ~lines[..., :-1]
    return np.moveaxis(np.cumsum(starts.ravel()).reshape(lines.shape), -1, axis)
