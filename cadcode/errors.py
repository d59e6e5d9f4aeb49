"""Our own failures: one small tree, raised anywhere, caught once at the edge (`cadcode.cli.app`).

A program that fails to run is not an error of ours: it is an outcome with a reason (`cadcode.sandbox`).
"""


class CadcodeError(Exception):
    """One clear line for the user; `exit_code` is what the command ends with."""

    exit_code = 2


class InputError(CadcodeError):
    """An input file that cannot be used: which file, why, and what to do about it."""

    def __init__(self, path, reason: str, advice: str):
        self.path, self.reason, self.advice = str(path), reason, advice
        super().__init__(f"{path}: {reason}; {advice}")


class UsageError(CadcodeError):
    """Options that contradict each other or name something unknown."""


class OutputError(CadcodeError):
    """A file or folder that cannot be written: which, why, and what to do about it."""

    def __init__(self, path, error: OSError):
        super().__init__(f"{path}: cannot be written ({error.strerror or error}); free space or name another place")


class KeptError(CadcodeError):
    """A file that would be replaced and is not as cadcode wrote it: which, and why it is kept."""

    def __init__(self, path, reason: str):
        super().__init__(f"{path}: {reason}, so it is kept; use --force to replace it, or -o for another folder")


class ModelError(CadcodeError):
    """A model that is missing, damaged or of an unknown kind."""


class SandboxError(CadcodeError):
    """The sandbox itself does not work here (not: a program failed in it)."""
