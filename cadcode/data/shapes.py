"""Random programs that look like parts: plates, flanges, brackets, shafts, channels, housings, frames, ribs, legs.

A family generates upright steps (z is the build direction), in free units; `random_program` then turns the part
into a random orientation of the cube, scales it to the program frame, rounds it and brings it to its canonical form.
Seeded: the same generator state gives the same program.
"""

import numpy as np

from cadcode.data.assembled import arm, cut_across, finned, flange, housing, keyed_shaft, rod_and_plate, stand, tee
from cadcode.data.families import adjacent, boxes, bracket, crossed, prism, several_prisms, shaft, stacked
from cadcode.data.loops import pick
from cadcode.data.machined import pocketed, tray
from cadcode.data.pieces import meeting, one_piece
from cadcode.program.canonical import canonical, rounded
from cadcode.program.field import bounds
from cadcode.program.symmetry import SYMMETRIES, transformed
from cadcode.program.text.compact import compact
from cadcode.program.tokens import encode
from cadcode.program.transform import moved
from cadcode.program.tree import Extrude, Program

FAMILIES = {
    prism: 75,
    stacked: 13,
    shaft: 7,
    bracket: 6,
    pocketed: 6,
    tray: 3,
    crossed: 2,
    adjacent: 4,
    boxes: 3,
    several_prisms: 1,
    flange: 2.5,
    finned: 1.5,
    stand: 2,
    rod_and_plate: 2,
    tee: 1,
    keyed_shaft: 2,
    housing: 2.5,
    arm: 1,
    cut_across: 2.5,
}
MOST_STEPS = 6


def random_program(rng, hardness: float = 0.5) -> Program:
    """A program on the grid of the program frame: longest side 200, centred, canonical, one piece.

    `hardness` from 0 to 1 weights the families of several bodies: 0 gives single extrusions, 0.5 the default mix.
    Draws until a program is valid.
    """
    return random_text(rng, hardness)[0]


def random_text(rng, hardness: float = 0.5) -> tuple[Program, list[int]]:
    """A random program and its token ids."""
    weights = {f: weight if f is prism else 2 * hardness * weight for f, weight in FAMILIES.items()}
    while True:
        steps = pick(rng, weights)(rng)
        if len(steps) > MOST_STEPS or any(not s.body.faces or s.body.height <= 0 for s in steps):
            continue
        program = transformed(Program(tuple(steps)), SYMMETRIES[rng.integers(len(SYMMETRIES))])
        program = rounded(meeting(canonical(_in_program_frame(program))))
        if program is None or not _sound(program := canonical(program)) or not one_piece(program):
            continue
        ids = _in_vocabulary(program)
        if ids is not None:
            return program, ids


def _in_program_frame(program: Program) -> Program:
    low, high = bounds(program)
    scale = 200 / float((high - low).max())
    return moved(program, scale, tuple(-scale * (low + high) / 2))


def _sound(program: Program) -> bool:
    return _on_grid(program) and all(_has_walls(s.body) for s in program.steps)


def _has_walls(body: Extrude) -> bool:
    """Whether the box of every hole lies inside the box of the sketch: rounding can close the wall between them."""
    low, high = body.faces[0].outline.bounds()
    boxes = [f.outline.bounds() for f in body.faces if f.subtract]
    return all((b[0] > low).all() and (b[1] < high).all() for b in boxes)


def _on_grid(program: Program) -> bool:
    """Whether the rounded program is inside the frame and its longest side is still 200."""
    low, high = bounds(program)
    return bool(np.abs([low, high]).max() <= 100.5 and (high - low).max() >= 199)


def _in_vocabulary(program: Program) -> list[int] | None:
    """Token ids; None for cuts that extend far outside, and for boxes of odd half units that `canonical` rotated."""
    try:
        return encode(compact(program))
    except ValueError:
        return None
