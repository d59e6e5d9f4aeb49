"""Devices and threads for torch, which is imported on use."""

import os

from cadcode.errors import UsageError

DEVICES = ("auto", "cpu", "cuda", "mps")


def pick_device(name: str) -> str:
    """The torch device for `--device`; 'auto' is CUDA where there is one, else the CPU. UsageError for others."""
    import torch

    if name not in DEVICES:
        raise UsageError(f"--device {name}: choose one of {', '.join(DEVICES)}")
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return "cuda" if there["cuda"] else "cpu"
    if not there[name]:
        raise UsageError(f"--device {name}: there is none that torch can use; `cadcode doctor` lists what there is")
    return name


def cores() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def free_cores() -> int:
    """Processors without work over the last minute, at least 1: torch crawls when its threads have to share them."""
    busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return max(1, cores() - round(busy))


def use_threads(count: int | None) -> None:
    """Let torch use `count` threads; None: as many as there are free processors."""
    import torch

    torch.set_num_threads(free_cores() if count is None else count)
