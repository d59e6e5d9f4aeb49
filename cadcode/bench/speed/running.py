"""Programs a second: the sandbox with its warm worker, and a process for every program, as published evaluations do."""

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
    """Programs a second, one after the other, with the walls up, the mesh included."""
    started = time.perf_counter()
    for text in texts:
        sandbox.run(text)
    return len(texts) / (time.perf_counter() - started)


def in_processes(texts: list[str], options: SandboxOptions) -> float:
    """Programs a second, each in an interpreter of its own, without any walls. For programs of our own only."""
    command = [sys.executable, "-c", PROCESS, str(options.tolerance), str(options.angle)]
    started = time.perf_counter()
    for text in texts:
        done = subprocess.run(command, input=text, text=True, capture_output=True)
        if done.returncode != 0:
            raise CadcodeError(f"a program of ours does not run by itself: {done.stderr.strip().splitlines()[-1:]}")
    return len(texts) / (time.perf_counter() - started)
