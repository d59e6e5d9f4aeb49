"""Execution of CadQuery programs, and reading of CAD files, in separate processes."""

from cadcode.sandbox.allowlist import check
from cadcode.sandbox.outcome import Failed, Outcome, Solid, stl_bytes
from cadcode.sandbox.sandbox import Sandbox, SandboxOptions

__all__ = ["Failed", "Outcome", "Sandbox", "SandboxOptions", "Solid", "check", "stl_bytes"]
