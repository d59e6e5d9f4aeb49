"""Meshes compressed by Draco, decoded in a process of their own: damaged data may kill a native decoder."""

import contextlib
import io
import os
import subprocess
import sys

import numpy as np

from cadcode.geometry.cleaning import Refused
from cadcode.geometry.io.scene import MOST_TRIANGLES

NAME = "KHR_draco_mesh_compression"
MEMORY = 3 << 29  # bytes of address space of the decoder, where the system can limit it
SECONDS = 10  # and one more for each MB
MISSING = 3  # exit code
BOOT = "import sys; sys.path = sys.argv[1:]; from cadcode.geometry.io.draco import main; main()"


def decode_meshes(blobs: list[bytes]):
    """[(vertices (V, 3), faces (F, 3))] of Draco `blobs`; Refused where they are damaged or DracoPy is missing."""
    sent = io.BytesIO()
    np.savez(sent, *[np.frombuffer(blob, np.uint8) for blob in blobs])
    command = [sys.executable, "-I", "-c", BOOT, *filter(os.path.isabs, sys.path)]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # its threads would count as memory
    limit = SECONDS + sum(map(len, blobs)) / 1e6
    try:
        done = subprocess.run(command, input=sent.getvalue(), capture_output=True, timeout=limit, env=environment)
    except subprocess.TimeoutExpired as error:
        raise Refused(f"a mesh compressed by {NAME} was not decoded in {limit:.0f} s") from error
    if done.returncode == MISSING:
        raise Refused(f"its meshes are compressed by {NAME}, which needs DracoPy", "pip install DracoPy")
    if done.returncode != 0:
        raise Refused(f"a mesh compressed by {NAME} is damaged: it cannot be decoded", "export it without compression")
    with np.load(io.BytesIO(done.stdout)) as got:
        return [(got[f"vertices{i}"], got[f"faces{i}"]) for i in range(len(blobs))]


def main() -> None:
    """The decoder process: blobs as NPZ on standard input, meshes as NPZ on standard output."""
    try:
        import DracoPy
    except ImportError:
        sys.exit(MISSING)
    limit_memory()
    got, arrays = np.load(io.BytesIO(sys.stdin.buffer.read())), {}
    for i, name in enumerate(got.files):
        mesh = DracoPy.decode(got[name].tobytes())
        arrays[f"vertices{i}"], arrays[f"faces{i}"] = mesh.points, mesh.faces  # a point cloud has no faces: an error
    if sum(map(len, arrays.values())) > 10 * MOST_TRIANGLES:
        sys.exit("too large")
    answer = io.BytesIO()
    np.savez(answer, **arrays)
    sys.stdout.buffer.write(answer.getvalue())


def limit_memory() -> None:
    """Limit this process to `MEMORY`, where the system can (Linux; macOS refuses)."""
    if os.name == "posix":
        import resource

        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
