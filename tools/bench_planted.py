"""Recovery by refinement: programs with all numbers perturbed, refined against the original part.

    python tools/bench_planted.py --parts 200 --reach 5

CadQuery makes meshes of programs of the training generator. Then every number of the program, bulges of arcs included,
is perturbed by up to `reach` units (the longest side is 200), and `refine` alone must recover it, without
restructuring, sections or other candidates. Every tenth part is a plate thinner than 1 % of its length. IoU is measured
by execution of the refined program.
"""

import argparse
import time
from dataclasses import replace

import numpy as np

from cadcode.data.shapes import random_program
from cadcode.geometry.frame import Frame
from cadcode.geometry.metrics import MetricOptions, compare, measure_target
from cadcode.geometry.shape import Shape
from cadcode.program.text.compact import compact
from cadcode.program.tree import Program, Step
from cadcode.sandbox.outcome import Solid
from cadcode.sandbox.sandbox import Sandbox
from cadcode.search.numbers import Parameters
from cadcode.search.refine import refine
from cadcode.search.volume_goal import measure_volume_goal

FRAME = Frame(np.zeros(3), 100.0)  # the mesh is in program units
ENOUGH = 0.99  # IoU of a recovered part
PLATE_EVERY, PLATE_HEIGHT = 10, 1.6  # one plate per 10 parts; 0.8 % of the longest side
TRIES = 200


def moved_numbers(program: Program, reach: float, rng) -> Program | None:
    """The program with each number perturbed by up to `reach`; None if no draw gives a valid program."""
    parameters = Parameters(program)
    for _ in range(TRIES):
        shift = rng.uniform(-reach, reach, len(parameters.values))
        if (moved := parameters.program(parameters.values + shift)) is not None:
            return moved
    return None


def planted_program(number: int, rng) -> Program:
    program = random_program(rng)
    while number % PLATE_EVERY == 0 and not _plate(program):
        program = random_program(rng)
    if number % PLATE_EVERY:
        return program
    body = program.steps[0].body
    return Program((Step("union", replace(body, offset=-PLATE_HEIGHT / 2, height=PLATE_HEIGHT)),))


def _plate(program: Program) -> bool:
    """One sketch as long as the part, so that a plate of it keeps the longest side."""
    return len(program.steps) == 1 and program.steps[0].body.height < 100


def measured(number: int, reach: float, sandbox: Sandbox) -> tuple[float, float, float] | None:
    """IoU before, IoU after and seconds of the refinement on one core; None for an unusable draw."""
    rng = np.random.default_rng([20_261_125, number])
    program = planted_program(number, rng)
    solid, moved = sandbox.run(compact(program)), moved_numbers(program, reach, rng)
    if not isinstance(solid, Solid) or moved is None:
        return None
    shape = Shape.from_arrays(solid.vertices, solid.faces)
    started = time.process_time()
    refined = refine(moved, measure_volume_goal(shape, FRAME)).program()
    seconds = time.process_time() - started
    return iou(moved, shape, sandbox), iou(refined, shape, sandbox), seconds


def iou(program: Program, shape: Shape, sandbox: Sandbox) -> float:
    solid, options = sandbox.run(compact(program)), MetricOptions(points=256)
    if not isinstance(solid, Solid):
        return 0.0
    return compare(solid.vertices, solid.faces, measure_target(shape, options), options).iou or 0.0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", type=int, default=200)
    parser.add_argument("--reach", type=float, default=5.0)
    arguments = parser.parse_args()
    results, number = [], 0
    with Sandbox() as sandbox:
        while len(results) < arguments.parts:
            if (result := measured(number, arguments.reach, sandbox)) is not None:
                results.append((number, *result))
            number += 1
    table = np.array(results)
    plates = table[table[:, 0] % PLATE_EVERY == 0]
    back, thin = (table[:, 2] >= ENOUGH).mean(), (plates[:, 2] >= ENOUGH).mean()
    print(f"{len(table)} parts of {number}, numbers moved by up to {arguments.reach:g} units")
    print(f"IoU before: mean {table[:, 1].mean():.3f}  after: mean {table[:, 2].mean():.4f}")
    print(f"IoU of {ENOUGH} and more: {back:.1%} of all, {thin:.1%} of the {len(plates)} thin plates")
    print("seconds a part: median {:.2f}, 95 % {:.2f}, most {:.2f}".format(*np.quantile(table[:, 3], [0.5, 0.95, 1])))
    worst = [int(row[0]) for row in table[np.argsort(table[:, 2])][:12]]
    print(f"furthest off: {', '.join(map(str, worst))}")


if __name__ == "__main__":
    main()
