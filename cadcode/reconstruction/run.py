"""One part from shape to program: the list of steps of `cadcode generate`."""

from cadcode.geometry.shape import Shape
from cadcode.model.checkpoints.spec import IMAGES, LoadedModel
from cadcode.reconstruction.choose import choose, finished, fits, merged
from cadcode.reconstruction.clock import RUNNING, SEARCHING, Clock
from cadcode.reconstruction.input import Input
from cadcode.reconstruction.options import Options
from cadcode.reconstruction.propose import bounding_box, improved, model_inputs, rank, write
from cadcode.reconstruction.result import Result
from cadcode.reconstruction.verify import is_sound, verify_best, verify_greedy
from cadcode.sandbox.sandbox import Sandbox


def reconstruct(shape: Shape, model: LoadedModel, sandbox: Sandbox, options: Options = Options()) -> Result:  # noqa: B008
    """Write CadQuery programs for one shape, run them, keep the one that fits best; `shape` stays as it is.

    A part that stands askew is written in a frame of its own, and placed by the last line of the program. Lengths of
    the result are in the units of `shape`. Raises InputError where the shape cannot be measured or read by the model.
    """
    clock = Clock(options.search)
    with clock("measure input"):
        part = Input.of(shape, options)
    ranked, tried = [], []
    for draws in options.rounds():
        with clock("draw" if model.reads == IMAGES else "sample"):
            given = model_inputs(part, model, draws)  # points: (views, 256, 3) float32
        with clock("decode"):
            drafts = write(model, given, draws.decoding)
        with clock("rank"):
            fresh = rank(drafts, part, draws.sampling.seed, model.spec)
        if options.search.refine:
            with clock("refine"):
                better = improved(fresh, part, options.search, clock.late(SEARCHING))
            with clock("run"):
                tried += verify_best(better, tried, part, sandbox, options, clock.late(RUNNING))
        with clock("run"):
            tried += verify_greedy(fresh, tried, part, sandbox, options)
            if not fits(tried, part.shape):
                tried += verify_best(fresh, tried, part, sandbox, options, clock.late(RUNNING))
        ranked += fresh
        if finished(tried, part.shape, options.search, clock):
            break
    if not any(map(is_sound, tried)):
        tried += verify_best([bounding_box(part)], tried, part, sandbox, options)
    chosen, out_of_time = choose(tried, part.shape), options.search.refine and clock.late(SEARCHING)()
    candidates = merged(ranked, tried)
    return Result(
        shape,
        model,
        options,
        sandbox.options,
        chosen,
        candidates,
        clock.seconds,
        out_of_time=out_of_time,
        pose=part.pose,
        faces=chosen and chosen.faces,
    )
