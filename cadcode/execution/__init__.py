"""Running CadQuery programs and reading CAD files, in processes of their own."""

from cadcode.execution.check import check
from cadcode.execution.outcome import Failed, Outcome, Solid, stl_bytes
from cadcode.execution.sandbox import Sandbox, SandboxOptions

__all__ = ["Failed", "Outcome", "Sandbox", "SandboxOptions", "Solid", "check", "stl_bytes"]
