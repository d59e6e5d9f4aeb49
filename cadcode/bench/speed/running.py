"""Programs per second: the sandbox with its warm worker, and one process per program, as in published evaluations."""

import subprocess
import sys
import time

from cadcode.errors import CadcodeError
from cadcode.sandbox.sandbox import Sandbox, SandboxOptions

# A fresh interpreter: import CadQuery, run the program, make a mesh as fine as the sandbox's.
PROCESS = """
import sys
import cadquery
namespace = {}
exec(sys.stdin.read(), namespace)
solid = namespace["r"].val()
size = solid.BoundingBox()
solid.tessellate(float(sys.argv[1]) * max(size.xlen, size.ylen, size.zlen), float(sys.argv[2]))
"""


def in_sandbox(texts: list[str], sandbox: Sandbox) -> float:
    """Programs per second in the sandbox, sequentially, with the mesh."""
    started = time.perf_counter()
    for text in texts:
        sandbox.run(text)
    return len(texts) / (time.perf_counter() - started)


def in_processes(texts: list[str], options: SandboxOptions) -> float:
    """Programs per second, each in its own interpreter, without protection: only for trusted programs."""
    command = [sys.executable, "-c", PROCESS, str(options.tolerance), str(options.angle)]
    started = time.perf_counter()
    for text in texts:
        done = subprocess.run(command, input=text, text=True, capture_output=True)
        if done.returncode != 0:
            raise CadcodeError(
                f"a benchmark program does not run outside the sandbox: {done.stderr.strip().splitlines()[-1:]}"
            )
    return len(texts) / (time.perf_counter() - started)
