"""PTX of Leica: scans, each with a header of ten lines that gives its grid and its pose."""

import numpy as np

from cadcode.geometry.cleaning import Raw, Refused, count_of

HEADER = (1, 1, 3, 3, 3, 3, 4, 4, 4, 4)  # numbers a line: columns, rows, the scanner's place and axes, a 4x4 matrix
MOST_SCANS = 1000
COPIED = "copy the scan again from the program that made it"


def is_ptx(lines: list[str]) -> bool:
    """Whether a file's `lines` begin with the header of a PTX scan."""
    return len(lines) > len(HEADER) and [len(numbers_in(line)) for line in lines[: len(HEADER)]] == list(HEADER)


def numbers_in(line: str) -> list[float]:
    """The numbers of a short line of nothing else."""
    try:
        return [float(word) for word in line.split()] if len(line) < 400 else []
    except ValueError:
        return []


def read_ptx(lines: list[str], notes: tuple[str, ...] = ()) -> Raw:
    """All scans of a file, each in its pose: a row (x, y, z, 1) times its matrix. Points at its origin are missing."""
    scans, start, missing = [], 0, 0
    while start < len(lines):
        points, matrix, start = one_scan(lines, start)
        found = points.any(axis=1)
        missing += len(points) - int(found.sum())
        with np.errstate(all="ignore"):  # a damaged matrix: those points are dropped later
            scans.append(points[found] @ matrix[:3, :3] + matrix[3, :3])
        if len(scans) > MOST_SCANS:
            raise Refused(f"holds more than {MOST_SCANS:,} scans", COPIED)
    if missing:
        notes += (f"dropped {count_of(missing, 'missing return')} of the scanner",)
    notes += (f"applied the pose of {count_of(len(scans), 'scan')}",)
    return Raw(np.concatenate(scans), notes=notes)


def one_scan(lines: list[str], start: int):
    """(points (N, 3) of the scan that begins at a line, its matrix (4, 4), the line after it)."""
    header = [numbers_in(line) for line in lines[start : start + len(HEADER)]]
    if [len(numbers) for numbers in header] != list(HEADER):
        raise Refused(f"has a damaged PTX header in line {start + 1:,}", COPIED)
    count, first = header[0][0] * header[1][0], start + len(HEADER)
    if not 0 <= count <= len(lines) - first or count % 1:
        raise Refused(f"is truncated: a scan declares {count:,.0f} points and holds {len(lines) - first:,}", COPIED)
    rows = lines[first : first + int(count)]
    try:
        points = np.loadtxt(rows, usecols=(0, 1, 2), comments=None, ndmin=2) if rows else np.empty((0, 3))
    except ValueError as error:
        raise Refused(f"has a row that cannot be read in the scan of line {start + 1:,}", COPIED) from error
    return points, np.array(header[6:]), first + int(count)
