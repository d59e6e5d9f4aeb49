import pytest

from cadcode.execution import Sandbox, SandboxOptions


@pytest.fixture(scope="session")
def sandbox():
    with Sandbox(SandboxOptions(timeout=2, memory_mb=400)) as shared:
        yield shared
