"""The parent's side of one worker process: start, request, kill. Never imports CadQuery."""

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, Any, cast

from cadcode.errors import SandboxError
from cadcode.interpreter import environment, import_paths
from cadcode.sandbox.outcome import one_line
from cadcode.sandbox.wire import pack, read_frame, write_all

# -I: no PYTHON* variables and no imports from the current folder, which may contain programs named like modules.
BOOT = "import sys; sys.path += sys.argv[3:]; from cadcode.sandbox.worker import main; main(*sys.argv[1:3])"

Frame = tuple[dict[str, Any], dict[str, bytes]]


class Worker:
    """A worker process, which starts to import CadQuery in the constructor. Not thread-safe."""

    def __init__(self, protection: str, start_timeout: float, max_bytes: int):
        self._folder = tempfile.TemporaryDirectory(prefix="cadcode-", ignore_cleanup_errors=True)
        self._start_timeout, self._max_bytes = start_timeout, max_bytes
        self._hello: dict[str, Any] | None = None
        self.timed_out = False
        self._waiting = False
        command = [sys.executable, "-I", "-c", BOOT, protection, self._folder.name, *import_paths()]
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                cwd=self._folder.name,
                env=environment(self._folder.name),
                start_new_session=os.name == "posix",
            )
        self._requests = cast(IO[bytes], self._process.stdin)
        self._replies = cast(IO[bytes], self._process.stdout)

    @property
    def _log(self) -> Path:
        return Path(self._folder.name) / "stderr"

    def hello(self) -> dict[str, Any]:
        """The worker's ready message, with `forks`, `filters` and `cadquery`; waits for it.

        Raises SandboxError if CadQuery does not load.
        """
        if self._hello is None:
            frame = self._receive(self._start_timeout)
            if frame is None:
                raise SandboxError(f"the CAD worker does not start: {self._last_words()}; try `cadcode doctor`")
            self._hello = frame[0]
        return self._hello

    def ask(self, header: dict[str, Any], text: bytes, patience: float) -> Frame | None:
        """The answer; None if the worker died, or was killed after `patience` seconds."""
        self.hello()
        try:
            write_all(self._requests.fileno(), pack(header, {"text": text}))
        except OSError:  # its end of the pipe is closed
            return None
        return self._receive(patience)

    def is_usable(self) -> bool:
        """Whether the worker is alive with no answer pending (one is pending after an exception in `ask`)."""
        return not (self.timed_out or self._waiting) and self._process.poll() is None

    def exit_code(self) -> int:
        """Exit code (or minus the signal) of a worker that gave no answer; a live worker is killed."""
        try:
            return self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def close(self) -> None:
        """End the worker by closing its input, and kill it if it does not end."""
        self._requests.close()
        try:
            self._process.wait(timeout=2 if self._hello is not None else 0)
        except subprocess.TimeoutExpired:
            self._process.kill()  # its child dies too (PR_SET_PDEATHSIG)
            self._process.wait()
        self._replies.close()
        self._folder.cleanup()

    def _receive(self, patience: float) -> Frame | None:
        """The next frame. A timer kills the worker, which ends the read on every system."""
        clock = threading.Timer(patience, self._time_out)
        clock.daemon = True
        clock.start()
        self._waiting = True
        try:
            frame = read_frame(self._replies.fileno(), self._max_bytes)
        except ValueError:  # out of sync: the worker is unusable
            frame = None
        finally:
            clock.cancel()
        self._waiting = frame is None
        return frame

    def _time_out(self) -> None:
        self.timed_out = True
        self._process.kill()

    def _last_words(self) -> str:
        code = self.exit_code()
        words = [line for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        if self.timed_out:
            return f"CadQuery takes longer than {self._start_timeout:g} s to import"
        return one_line(words[-1]) if words else f"it ended with code {code}"
