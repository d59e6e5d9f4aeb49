"""The filter's instructions, interpreted here for both machines; that the kernel obeys them is tested in test_walls."""

import struct

import pytest

from cadcode.sandbox.seccomp import AARCH64, MACHINES, RET_ALLOW, RET_EPERM, RET_KILL, X86_64, assemble

ARCHITECTURES = {name: code for name, (code, _) in MACHINES.items()}
REFUSED = {
    "x86_64": {
        "open": 2,
        "socket": 41,
        "clone": 56,
        "fork": 57,
        "execve": 59,
        "kill": 62,
        "ptrace": 101,
        "prctl": 157,
        "openat": 257,
        "prlimit64": 302,
        "io_uring_setup": 425,
        "clone3": 435,
        "read of x32": 0x40000000,
    },
    "aarch64": {
        "ioctl": 29,
        "openat": 56,
        "ptrace": 117,
        "kill": 129,
        "prctl": 167,
        "socket": 198,
        "clone": 220,
        "execve": 221,
        "prlimit64": 261,
        "io_uring_setup": 425,
        "clone3": 435,
    },
}
MMAP = {"x86_64": 9, "aarch64": 222}
OPENAT = {"x86_64": 257, "aarch64": 56}
MACHINE = pytest.mark.parametrize("machine", sorted(MACHINES))


def verdict(code: bytes, architecture: int, number: int, arguments=(0,) * 6) -> int:
    """A classic BPF machine with the four instructions that the filter uses."""
    data = struct.pack("<iIQ6Q", number, architecture, 0, *arguments) if number < 2**31 else b""
    program, accumulator, at = list(struct.iter_unpack("HBBI", code)), 0, 0
    while True:
        operation, if_true, if_false, constant = program[at]
        at += 1
        if operation == 0x06:
            return constant
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, constant)
        else:
            holds = accumulator == constant if operation == 0x15 else bool(accumulator & constant)
            at += if_true if holds else if_false


@MACHINE
@pytest.mark.parametrize("reading", [False, True])
def test_only_the_list_is_allowed(machine, reading):
    code, architecture = assemble(machine, reading), ARCHITECTURES[machine]
    for number in MACHINES[machine][1].values():
        assert verdict(code, architecture, number) == RET_ALLOW
    for name, number in REFUSED[machine].items():
        if not (reading and name in ("open", "openat")):
            assert verdict(code, architecture, number) == RET_EPERM, name


@MACHINE
def test_another_instruction_set_is_killed(machine):
    other = next(code for name, code in ARCHITECTURES.items() if name != machine)
    assert verdict(assemble(machine), other, 1) == RET_KILL


@MACHINE
@pytest.mark.parametrize(("protection", "answer"), [(3, RET_ALLOW), (4, RET_EPERM), (7, RET_EPERM)])
def test_no_executable_memory(machine, protection, answer):
    arguments = (0, 4096, protection, 34, 2**64 - 1, 0)
    assert verdict(assemble(machine), ARCHITECTURES[machine], MMAP[machine], arguments) == answer


@MACHINE
@pytest.mark.parametrize(
    ("flags", "answer"),
    [(0, RET_ALLOW), (0o2000000, RET_ALLOW), (1, RET_EPERM), (2, RET_EPERM), (0o100, RET_EPERM), (0o1000, RET_EPERM)],
)
def test_files_open_for_reading_only(machine, flags, answer):
    arguments = (2**64 - 100, 1, flags, 0, 0, 0)
    assert verdict(assemble(machine, reading=True), ARCHITECTURES[machine], OPENAT[machine], arguments) == answer


def test_both_machines_allow_the_same_calls():
    assert set(X86_64) - set(AARCH64) == {"time"}  # older than aarch64, which has clock_gettime alone
    assert set(AARCH64) <= set(X86_64)
