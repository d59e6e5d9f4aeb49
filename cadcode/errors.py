"""Exceptions of cadcode: one small tree, raised anywhere and caught once, in the command line (`cadcode.cli.app`).

A program that fails to run is not an exception: it is an outcome with a reason (`cadcode.sandbox`).
"""

from pathlib import Path


class CadcodeError(Exception):
    """Base class, with one line for the user; `exit_code` is the exit code of the command."""

    exit_code = 2


class InputError(CadcodeError):
    """An unusable input file: path, reason and advice."""

    def __init__(self, path: Path | str, reason: str, advice: str) -> None:
        self.path, self.reason, self.advice = str(path), reason, advice
        super().__init__(f"{path}: {reason}; {advice}")


class UsageError(CadcodeError):
    """Contradictory or unknown options."""


class OutputError(CadcodeError):
    """A file or folder that cannot be written: path, reason and advice."""

    def __init__(self, path: Path | str, error: OSError) -> None:
        super().__init__(f"{path}: cannot be written ({error.strerror or error}); free space or name another place")


class KeptError(CadcodeError):
    """A file that must not be replaced, because it is not as cadcode wrote it: path and reason."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}, so it is kept; use --force to replace it, or -o for another folder")


class ModelError(CadcodeError):
    """A missing, damaged or unknown model."""


class SandboxError(CadcodeError):
    """The sandbox itself does not work on this computer (in contrast to a failed program)."""
