"""A fake model that writes valid, invalid and hostile programs at random, and a batch with it, for the soak run."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from cadcode.batch.plan import Shard, plan
from cadcode.batch.pool import Pool
from cadcode.batch.results_log import open_results_log
from cadcode.batch.run import Batch, run
from cadcode.batch.setup import Convert, Setup
from cadcode.batch.work import convert
from cadcode.model.checkpoints.spec import ModelSpec
from cadcode.model.generate import DecodeOptions
from cadcode.model.machine import use_threads
from cadcode.reconstruction.options import Options
from cadcode.sandbox.sandbox import Sandbox, SandboxOptions

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from told import Told  # noqa: E402

HEAD = "import cadquery as cq\n"
TEXTS = (
    HEAD + "w0=cq.Workplane('XY',origin=(0,0,-50))\nr=w0.sketch().push([(0,0)]).rect(200,100).finalize().extrude(80)",
    HEAD + "r=cq.Workplane('XY').sphere(80)",  # not in the dialect
    HEAD + "r=cq.Workplane('XY').box(1,1,1).faces('>Q')",  # fails
    HEAD + "r=cq.Workplane('XY').rarray(2,2,300,300).sphere(1.5)",  # busy in native code for minutes
    HEAD + "r=cq.Workplane('XY').box(9**9**9,1,1)",  # a huge number
    HEAD + "x=[0]*10**11\nr=cq.Workplane('XY').box(1,1,1)",  # memory
    HEAD + "r=cq.Workplane('XY').box(1,1,1)\nwhile True:\n    pass",
    HEAD + "import os\nos._exit(0)",
    HEAD + "r=cq.exporters.os.listdir('/')",
    "(" * 5000,
    "\x00\x1b[31m",
)


HOSTILE = Told(*TEXTS, spec=ModelSpec("hostile", "none", free_text=True))


class Quiet:
    """A listener without output."""

    def on_start(self, todo: int, done: int) -> None: ...
    def on_row(self, row: dict, fresh: bool) -> None: ...
    def on_stop(self, unfinished: int) -> None: ...


@contextmanager
def converter(setup: Setup) -> Iterator[Convert]:
    with Sandbox(setup.sandbox) as sandbox:
        use_threads(1)
        yield partial(convert, model=HOSTILE, sandbox=sandbox, setup=setup)


def hostile_batch(parts: Path, out: Path, workers: int) -> Batch:
    """Convert a folder with the hostile model; the time limit of a program is one second."""
    options = Options(decoding=DecodeOptions("sample", candidates=6, max_new_tokens=4))
    options = replace(options, search=replace(options.search, refine=False))
    setup = Setup(out, options, "hostile", "hostile", sandbox=SandboxOptions(timeout=1.0))
    with open_results_log(out, Shard()) as log:
        return run(plan(parts, out), setup, log, Pool(converter, setup, workers), True, Quiet())
