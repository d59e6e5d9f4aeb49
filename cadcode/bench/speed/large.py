"""A large STL file, and its reading by `load_shape` in a separate process.

python -m cadcode.bench.speed.large FILE.stl     prints the seconds to read it
"""

import sys
import time
from pathlib import Path

import numpy as np

from cadcode.geometry.io.load import load_shape
from cadcode.geometry.io.stl import STL_TRIANGLE


def write_sphere(path: Path, faces: int) -> int:
    """Write a binary STL of a closed, dented sphere with at least `faces` triangles; returns their number."""
    rings = max(3, int(np.ceil((faces / 4 + 0.25) ** 0.5 + 0.5)))
    columns = 2 * rings  # 2 * columns * (rings - 1) triangles
    polar, around = np.arange(rings + 1) * np.pi / rings, np.arange(columns) * 2 * np.pi / columns
    radius = 50 + 2 * np.sin(5 * polar[:, None]) * np.cos(3 * around) * np.sin(polar[:, None])
    ring = np.sin(polar)[:, None]
    ring[[0, -1]] = 0.0  # the poles are one point each
    height = radius * np.cos(polar)[:, None]
    grid = np.stack([radius * ring * np.cos(around), radius * ring * np.sin(around), height], -1).astype(np.float32)
    a, b = grid[:-1], grid[1:]
    c, d = (np.roll(part, -1, axis=1) for part in (a, b))
    lower, upper = np.stack([a, b, d], 2)[:-1], np.stack([a, d, c], 2)[1:]  # at each pole, one of the two is degenerate
    count = lower.shape[0] * columns + upper.shape[0] * columns
    with open(path, "wb") as file:
        file.write(b"cadcode".ljust(80) + np.uint32(count).tobytes())
        for corners in (lower, upper):
            records = np.zeros(corners.shape[0] * columns, dtype=STL_TRIANGLE)
            records["corners"] = corners.reshape(-1, 3, 3)
            records.tofile(file)
    return count


def main(path: str) -> None:
    started = time.perf_counter()
    shape = load_shape(path)
    seconds = time.perf_counter() - started
    print(seconds, len(shape.faces), shape.watertight)


if __name__ == "__main__":
    main(*sys.argv[1:])
