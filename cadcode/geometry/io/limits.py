"""Limits of what a small file may unpack to, so that no file fills the memory."""

from cadcode.geometry.cleaning import Refused

FEWEST = 1 << 24  # numbers that any file may hold


def check_unpacked(numbers: int, size: int) -> None:
    """Refused where a file of `size` bytes would unpack to more `numbers` than clouds and meshes do."""
    if numbers > max(FEWEST, size):
        raise Refused(
            f"would unpack from {size:,} bytes to {numbers:,} numbers, far more than a cloud does",
            "check the file, thin it out, or save it uncompressed",
        )
