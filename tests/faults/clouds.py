"""Point clouds: tables, arrays, PCD, LAS, E57."""

import struct

import numpy as np
from faults.cloud_files import (
    COUNT,
    LINES,
    NOT_ALL_NUMBERS,
    NUMBERS,
    POINTS,
    POSE,
    WITH_OUTLIER,
    appended,
    beside,
    file,
    npy_header,
    pcd,
    saved,
    structured,
    text,
    thousands,
)
from faults.fault import Fault
from faults.parts import BRACKET, EXTENTS

from cadcode.geometry.cleaning import ReadOptions

READ = dict(extents=EXTENTS, points=COUNT, warned=False)

TABLES = (
    Fault(
        "XYZ: point number first", file("a.xyz", text(beside(NUMBERS + 1, None))), notes=("counts the points",), **READ
    ),
    Fault("XYZ: point number, then colours", file("a.txt", text(beside(NUMBERS, [9, 10, 255], None))), **READ),
    Fault("TXT: colours first", file("a.txt", text(beside([255, 0, 9], None))), notes=("as colours",), **READ),
    Fault("CSV: id named", file("a.csv", "id,x,y,z\n", text(beside(NUMBERS, None), ",")), **READ),
    Fault("CSV: row names without a name", file("a.csv", "x y z\n", text(beside(NUMBERS, None))), **READ),
    Fault("CSV: colours named first", file("a.csv", "R,G,B,X,Y,Z\n", text(beside([1, 2, 3], None), ",")), **READ),
    Fault(
        "CSV: coordinates of the map", file("a.csv", "Height,Northing,Easting\n", text(POINTS[:, ::-1], ",")), **READ
    ),
    Fault(
        "CSV: scalar first, Points:0",
        file("a.csv", "T,Points:0,Points:1,Points:2\n", text(beside([20.5], None), ",")),
        **READ,
    ),
    Fault("CSV: fewer names than columns", file("a.csv", "x,y,z\n", text(beside(None, [7, 8]), ",")), **READ),
    Fault(
        "CSV: units in the header", file("a.csv", '"X [mm]","Y [mm]","Z [mm]"\n', text(POINTS, ",")), unit="mm", **READ
    ),
    Fault(
        "CSV: metres in the header",
        file("a.csv", "x_m;y_m;z_m\n", text(POINTS / 1000, ";")),
        unit="mm",
        notes=("from m to mm",),
        **READ,
    ),
    Fault("TXT: inches in a comment", file("a.txt", "# unit: inch\n", text(POINTS / 25.4)), unit="mm", **READ),
    Fault("TXT: two units", file("a.txt", "x [mm] y [mm] z [m]\n", text(POINTS)), **READ),
    Fault("TXT: count and title", file("a.txt", f"{COUNT}\nof the scanner\n", text(POINTS)), **READ),
    Fault("XYZ: letters first", file("a.xyz", *(f"P {line}" for line in LINES)), notes=("columns of text",), **READ),
    Fault("TXT: in brackets", file("a.txt", *(f"[{line.strip().replace(' ', ', ')}]\n" for line in LINES)), **READ),
    Fault(
        "TXT: exponents of Fortran",
        file("a.txt", *(f"{x:.8E} {y:.8E} {z:.8E}\n".replace("E", "D") for x, y, z in POINTS)),
        **READ,
    ),
    Fault("ASC: old ends of lines", file("a.asc", "//X Y Z\n", text(POINTS).replace("\n", "\r")), **READ),
    Fault("CSV: trailing commas", file("a.csv", text(POINTS, ",").replace("\n", ",\n")), **READ),
    Fault("XYZ: trailing tabs", file("a.xyz", text(POINTS, "\t").replace("\n", "\t \n")), **READ),
    Fault("CSV: decimal commas", file("a.csv", "X;Y;Z\n", text(POINTS, ";").replace(".", ",")), **READ),
    Fault("CSV: decimal commas in quotes", file("a.csv", thousands(",", '"', "", ",")), **READ),
    Fault("CSV: thousands in quotes", file("a.csv", thousands(",", '"', ",", ".")), notes=("thousands",), **READ),
    Fault("CSV: thousands and semicolons", file("a.csv", thousands(";", "", ",", ".")), notes=("thousands",), **READ),
    Fault("CSV: thousands with points", file("a.csv", thousands(";", "", ".", ",")), notes=("thousands",), **READ),
    Fault("CSV: UTF-16", file("a.csv", ("x,y,z\n" + text(POINTS, ",")).encode("utf-16")), notes=("UTF-16",), **READ),
    Fault("CSV: UTF-8 with its mark", file("a.csv", b"\xef\xbb\xbf", "x,y,z\n", text(POINTS, ",")), **READ),
    Fault("XYZ: comments between", file("a.xyz", *LINES[:99], "# pause\n", *LINES[99:]), **READ),
    Fault(
        "XYZ: text between", file("a.xyz", *LINES[:99], "END OF PART\n", *LINES[99:]), notes=("1 line of text",), **READ
    ),
    Fault(
        "XYZ: rows without numbers",
        file("a.xyz", text(NOT_ALL_NUMBERS)),
        extents=EXTENTS,
        points=1800,
        notes=("dropped 200",),
    ),
    Fault(
        "XYZ: outlier",
        file("a.xyz", text(WITH_OUTLIER)),
        notes=("1 outlier",),
        extents=EXTENTS,
        points=COUNT,
        warned=True,
    ),
    Fault(
        "XYZ: missing returns", file("a.xyz", text(POINTS + 1000), "0 0 0\n" * 99), notes=("missing returns",), **READ
    ),
    Fault(
        "PTS: two blocks",
        file("a.pts", "900\n", *LINES[:900], "1100\n", *LINES[900:]),
        notes=("joined 2 blocks",),
        **READ,
    ),
    Fault("PTS: fewer than declared", file("a.pts", "2001\n", *LINES), refused="declares 2,001 points and holds 2,000"),
    Fault(
        "PTX: pose", file("a.txt", f"{COUNT}\n1\n{POSE}", text(beside(None, [0.5]))), notes=("pose of 1 scan",), **READ
    ),
    Fault(
        "PTX: two scans",
        file("a.ptx", *(f"50\n20\n{POSE}" + text(half) for half in (POINTS[:1000], POINTS[1000:]))),
        **READ,
    ),
    Fault("PTX: truncated", file("a.ptx", f"{COUNT}\n2\n{POSE}", text(POINTS)), refused="truncated"),
    Fault(
        "columns asked for",
        file("a.txt", text(beside([1, 2], POINTS[:, ::-1]))),
        options=ReadOptions(columns=(5, 4, 3)),
        **READ,
    ),
    Fault(
        "columns that are not there",
        file("a.txt", text(POINTS)),
        options=ReadOptions(columns=(1, 2, 4)),
        refused="has 3 columns, not 4",
    ),
    Fault(
        "XYZ: some normals null",
        file("a.xyz", text(np.hstack([POINTS, NUMBERS % 9 != 0, NUMBERS * [0, 0]]))),
        notes=("without a normal",),
        **READ,
    ),
)

ARRAYS = (
    Fault("NPY: numbers first", saved("a.npy", beside(NUMBERS, None)), notes=("counts the points",), **READ),
    Fault("NPY: ones last", saved("a.npy", beside(None, [1])), notes=("is 1 everywhere",), **READ),
    Fault("NPY: structured", saved("a.npy", structured()), **READ),
    Fault("NPY: points in columns", saved("a.npy", POINTS.T), notes=("in columns",), **READ),
    Fault("NPY: batch of one", saved("a.npy", POINTS[None]), notes=("(1, 2000, 3)",), **READ),
    Fault("NPY: image of points", saved("a.npy", POINTS.reshape(40, 50, 3)), notes=("(40, 50, 3)",), **READ),
    Fault("NPY: halves", saved("a.npy", POINTS.astype(np.float16)), **READ),
    Fault("NPY: bytes after it", appended("a.npy", POINTS), notes=("ignored 9 bytes",), **READ),
    Fault("NPY: objects", saved("a.npy", np.array([[1, 2, "x"]] * 9, dtype=object)), refused="Python objects"),
    Fault(
        "NPY: damaged header",
        npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (40,\xff  }"),
        refused="header",
    ),
    Fault("NPY: header of brackets", npy_header("(" * 9000), refused="header"),
    Fault("NPY: header of signs", npy_header("-" * 9000), refused="header"),
    Fault(
        "NPY: declares a terabyte",
        npy_header("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 3)}"),
        refused="truncated",
    ),
    Fault(
        "NPZ: two clouds", saved("a.npz", a=POINTS[:1200], b=POINTS[1200:]), notes=("joined 2 clouds: a, b",), **READ
    ),
    Fault("NPZ: points and others", saved("a.npz", points=POINTS, colors=POINTS * 9, labels=NUMBERS), **READ),
    Fault("NPZ: coordinates apart", saved("a.npz", x=POINTS[:, 0], y=POINTS[:, 1], z=POINTS[:, 2]), **READ),
    Fault(
        "NPZ: mesh and cloud",
        saved("a.npz", vertices=BRACKET[0], faces=BRACKET[1], points=POINTS),
        extents=EXTENTS,
        closed=True,
        notes=("ignored points",),
    ),
    Fault("NPZ: far too large", saved("a.npz", points=np.zeros((6_000_000, 3), np.uint8)), refused="would unpack"),
    Fault("NPZ: no points", saved("a.npz", colors=POINTS, labels=POINTS), refused="colors, labels"),
)

FLOATS = POINTS.astype("<f4")
PCDS = (
    Fault("PCD: upper-case fields", pcd("ascii", text(POINTS).encode(), "X Y Z"), **READ),
    Fault("PCD: fields in another order", pcd("binary", FLOATS[:, ::-1].tobytes(), "z y x"), **READ),
    Fault(
        "PCD: viewpoint",
        pcd("binary", FLOATS.tobytes(), more="VIEWPOINT 9 9 9 1 0 0 0\n"),
        notes=("viewpoint",),
        **READ,
    ),
    Fault("PCD: bytes after it", pcd("binary", FLOATS.tobytes() + b"more"), notes=("ignored 4 bytes",), **READ),
    Fault(
        "PCD: grid and count differ", pcd("binary", FLOATS[:1999].tobytes(), points=1999), notes=("WIDTH",), points=1999
    ),
    Fault(
        "PCD: count lies", pcd("binary", FLOATS.tobytes(), points=2001), refused="declares 2,001 points and holds 2,000"
    ),
    Fault("PCD: huge field", pcd("binary", FLOATS.tobytes(), counts="1 1 2147483647"), refused="truncated"),
    Fault("PCD: impossible size", pcd("binary", FLOATS.tobytes(), sizes="4 4 3"), refused="SIZE 3"),
    Fault(
        "PCD: without numbers",
        pcd("ascii", text(NOT_ALL_NUMBERS).encode()),
        extents=EXTENTS,
        points=1800,
        notes=("dropped 200",),
    ),
    Fault(
        "PCD: unpacks to a gigabyte",
        pcd("binary_compressed", struct.pack("<II", 90, 12 * 90_000_000) + bytes(90), points=90_000_000),
        refused="would unpack",
    ),
)


FAULTS: tuple[Fault, ...] = TABLES + ARRAYS + PCDS
