"""A seccomp filter for one process: an allow-list of system calls, as classic BPF, installed through `prctl`.

Linux on x86-64 and aarch64. A call off the list fails with EPERM, so a program gets an ordinary `PermissionError`;
a call from another instruction set kills the process. Source: the kernel's `seccomp_filter` documentation and the
constants of <linux/seccomp.h>, <linux/filter.h> and <linux/audit.h>.
"""

import ctypes
import os
import platform
import struct
import sys
from typing import Any

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
RET_KILL, RET_EPERM, RET_ALLOW = 0x80000000, 0x00050000 | 1, 0x7FFF0000
LOAD, JUMP_EQUAL, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06  # BPF_LD|W|ABS, JMP|JEQ|K, JMP|JSET|K, RET|K
OFFSET_NUMBER, OFFSET_ARCH, OFFSET_ARGUMENTS = 0, 4, 16  # struct seccomp_data

PROT_EXEC = 0x4
OPEN_FOR_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

# Memory, time, the process's own signals, the open pipe. Not included: open, socket, clone, exec, kill, ioctl.
X86_64 = {
    "read": 0,
    "write": 1,
    "close": 3,
    "fstat": 5,
    "lseek": 8,
    "munmap": 11,
    "brk": 12,
    "rt_sigaction": 13,
    "rt_sigprocmask": 14,
    "rt_sigreturn": 15,
    "sched_yield": 24,
    "mremap": 25,
    "madvise": 28,
    "nanosleep": 35,
    "getpid": 39,
    "exit": 60,
    "gettimeofday": 96,
    "getrusage": 98,
    "sysinfo": 99,
    "sigaltstack": 131,
    "gettid": 186,
    "time": 201,
    "futex": 202,
    "sched_getaffinity": 204,
    "restart_syscall": 219,
    "clock_gettime": 228,
    "clock_getres": 229,
    "clock_nanosleep": 230,
    "exit_group": 231,
    "getrandom": 318,
    "membarrier": 324,
    "rseq": 334,
}
AARCH64 = {
    "close": 57,
    "lseek": 62,
    "read": 63,
    "write": 64,
    "fstat": 80,
    "exit": 93,
    "exit_group": 94,
    "futex": 98,
    "nanosleep": 101,
    "clock_gettime": 113,
    "clock_getres": 114,
    "clock_nanosleep": 115,
    "sched_getaffinity": 123,
    "sched_yield": 124,
    "restart_syscall": 128,
    "sigaltstack": 132,
    "rt_sigaction": 134,
    "rt_sigprocmask": 135,
    "rt_sigreturn": 139,
    "getrusage": 165,
    "gettimeofday": 169,
    "getpid": 172,
    "gettid": 178,
    "sysinfo": 179,
    "brk": 214,
    "munmap": 215,
    "mremap": 216,
    "madvise": 233,
    "getrandom": 278,
    "membarrier": 283,
    "rseq": 293,
}
READING = {"x86_64": (4, 17, 21, 262, 269), "aarch64": (48, 67, 79)}  # stat, pread64, access and their *at forms

# (number, argument, forbidden bits): allowed only while none of the bits is set in that argument.
NO_CODE = {"x86_64": ((9, 2, PROT_EXEC), (10, 2, PROT_EXEC)), "aarch64": ((222, 2, PROT_EXEC), (226, 2, PROT_EXEC))}
OPEN_TO_READ = {
    "x86_64": ((2, 1, OPEN_FOR_WRITING), (257, 2, OPEN_FOR_WRITING)),
    "aarch64": ((56, 2, OPEN_FOR_WRITING),),
}

MACHINES = {"x86_64": (0xC000003E, X86_64), "aarch64": (0xC00000B7, AARCH64)}  # AUDIT_ARCH_*, calls


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def known_machine() -> bool:
    """Whether a filter for this system exists; `jail.probe` tests whether the kernel accepts it."""
    return sys.platform == "linux" and platform.machine() in MACHINES


def assemble(machine: str, reading: bool = False) -> bytes:
    """The filter as an array of `struct sock_filter`; `reading` allows opening files for reading."""
    architecture, calls = MACHINES[machine]
    numbers = [*calls.values(), *(READING[machine] if reading else ())]
    guarded = [*NO_CODE[machine], *(OPEN_TO_READ[machine] if reading else ())]
    code = [(LOAD, 0, 0, OFFSET_ARCH), (JUMP_EQUAL, 1, 0, architecture), (RETURN, 0, 0, RET_KILL)]
    code += [(LOAD, 0, 0, OFFSET_NUMBER)]
    for number in numbers:
        code += [(JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, RET_ALLOW)]
    for number, argument, forbidden in guarded:
        code += [(JUMP_EQUAL, 0, 4, number), (LOAD, 0, 0, OFFSET_ARGUMENTS + 8 * argument)]  # low half: little-endian
        code += [(JUMP_ANY_BIT, 1, 0, forbidden), (RETURN, 0, 0, RET_ALLOW), (RETURN, 0, 0, RET_EPERM)]
    code += [(RETURN, 0, 0, RET_EPERM)]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in code)


def install(reading: bool = False) -> None:
    """Install the filter on this process, permanently. Raises OSError if the kernel refuses."""
    code = assemble(platform.machine(), reading)
    program = _Program(len(code) // 8, code)
    set_process_option(PR_SET_NO_NEW_PRIVS, 1)
    set_process_option(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program))


def set_process_option(option: int, value: int, pointer: Any = None) -> None:
    """Call `prctl`. Raises OSError if the kernel refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), pointer, None, None) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) was refused")
