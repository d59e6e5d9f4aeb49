"""Writers of point clouds on the bracket, and of their faults."""

import struct
from pathlib import Path

import numpy as np
from faults.parts import BRACKET

COUNT = 2000


def points():
    """Points (COUNT, 3) on the bracket's faces, every corner of its box among them; short decimals."""
    rng = np.random.default_rng(0)
    corners = BRACKET[0][BRACKET[1]]  # (F, 3, 3)
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    chosen = corners[rng.choice(len(corners), COUNT, p=areas / areas.sum())]
    weights = rng.dirichlet([1, 1, 1], COUNT)
    made = np.einsum("nc,ncd->nd", weights, chosen)
    made[:3] = [[-30, -20, 0], [30, 20, 0], [-30, 0, 40]]
    return made.round(4)


POINTS = points()
POSE = "0 0 0\n1 0 0\n0 1 0\n0 0 1\n1 0 0 0\n0 1 0 0\n0 0 1 0\n100 200 300 1\n"


def text(array, separator: str = " ") -> str:
    return "".join(separator.join(f"{number:.10g}" for number in row) + "\n" for row in np.asarray(array))


def beside(*columns):
    """The points with other columns around them; None is the place of the points."""
    return np.hstack(
        [
            POINTS if c is None else np.broadcast_to(np.asarray(c, float), (COUNT, np.size(c))) if np.ndim(c) < 2 else c
            for c in columns
        ]
    )


NUMBERS = np.arange(COUNT)[:, None]


def file(name: str, *parts):
    """A function that writes a file."""

    def write(folder: Path) -> Path:
        (folder / name).write_bytes(b"".join(part.encode() if isinstance(part, str) else part for part in parts))
        return folder / name

    return write


def saved(name: str, array=None, **arrays):
    def write(folder: Path) -> Path:
        np.savez_compressed(folder / name, **arrays) if array is None else np.save(folder / name, array)
        return folder / name

    return write


def thousands(separator: str, quote: str, group: str, point: str) -> str:
    def number(value: float) -> str:
        swapped = f"{value:,.4f}".replace(",", "g").replace(".", point).replace("g", group)
        return quote + swapped + quote

    return "".join(separator.join(number(value) for value in row) + "\n" for row in POINTS + 2000)


def pcd(kind: str, body: bytes, fields="x y z", sizes="4 4 4", types="F F F", counts="1 1 1", points=COUNT, more=""):
    return file(
        "a.pcd",
        f"VERSION .7\nFIELDS {fields}\nSIZE {sizes}\nTYPE {types}\nCOUNT {counts}\nWIDTH {COUNT}\n"
        f"HEIGHT 1\n{more}POINTS {points}\nDATA {kind}\n",
        body,
    )


def structured():
    table = np.zeros(COUNT, dtype=[("intensity", "<u2"), ("x", "<f4"), ("y", "<f4"), ("z", "<f4")])
    table["x"], table["y"], table["z"] = POINTS.T
    return table


def npy_header(text: str, body: bytes = bytes(100)):
    return file("a.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)), text, body)


WITH_OUTLIER = np.insert(POINTS, 1000, [10_000, 0, 0], axis=0)
NOT_ALL_NUMBERS = np.where(np.arange(COUNT)[:, None] % 10 == 5, np.nan, POINTS)
LINES = text(POINTS).splitlines(True)


def appended(name: str, array):
    """An array with 9 bytes after it."""

    def write(folder: Path) -> Path:
        path = saved(name, array)(folder)
        path.write_bytes(path.read_bytes() + b"and more ")
        return path

    return write
