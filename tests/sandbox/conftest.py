import os
import sys
from pathlib import Path

import pytest

from cadcode.sandbox import Sandbox, SandboxOptions


@pytest.fixture(scope="session")
def sandbox():
    """The ordinary one, started by a process that holds a secret."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", "a-secret")
        shared = Sandbox(SandboxOptions(timeout=20, memory_mb=400))
    with shared:
        yield shared


@pytest.fixture(scope="session")
def impatient():
    """For programs that never end."""
    with Sandbox(SandboxOptions(timeout=1)) as shared:
        yield shared


@pytest.fixture
def walled(sandbox):
    """A sandbox whose second wall is whole; what it must hold can only be tested where it stands."""
    if "seccomp" not in sandbox.level():
        pytest.skip("no seccomp filter on this system")
    return sandbox


@pytest.fixture
def descendants():
    """A function: the pids of all processes below one of ours."""
    if sys.platform != "linux":
        pytest.skip("needs /proc")
    return _descendants


def _descendants(pid: int) -> set[int]:
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = stat.read_text().rsplit(")", 1)
        except OSError:  # ended meanwhile
            continue
        if rest.split()[0] != "Z":
            parents[int(name.split()[0])] = int(rest.split()[1])
    found, level = set(), {pid}
    while level:
        level = {child for child, parent in parents.items() if parent in level}
        found |= level
    return found - {os.getpid()}
