"""STL, OBJ, OFF, PLY and packed files."""

import gzip
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from faults.fault import Fault
from faults.parts import BRACKET, EXTENTS, VOLUME, volume
from faults.text_files import (
    BOX,
    DART,
    U_PROFILE,
    ascii_ply,
    big_endian_ply,
    binary_stl,
    obj,
    off,
    ply,
    prism_obj,
    prism_ply,
    strips_ply,
    text_stl,
    zipped,
)

COUNT = len(BRACKET[0])
BOTH = dict(extents=(60.0, 40.0, 70.0), volume=VOLUME + volume(BOX))
U = dict(extents=(60.0, 40.0, 25.0), volume=30_000.0)
FAR = np.array([1e6, 2e6, 0])


def saved(name: str, make: Callable[[], bytes | str], folder: Path) -> Path:
    path, content = folder / name, make()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def fault(name: str, file: str, make: Callable[[], bytes | str], **right) -> Fault:
    """A fault whose right result is the bracket, where nothing else is said."""
    if "refused" not in right:
        right = {"extents": EXTENTS, "volume": VOLUME, "closed": True, "warned": False} | right
    return Fault(name, partial(saved, file, make), **right)


STL_FAULTS = (
    fault("STL, byte order mark", "a.stl", lambda: b"\xef\xbb\xbf" + text_stl().encode()),
    fault("STL, UTF-16", "a.stl", lambda: text_stl().encode("utf-16"), notes=("UTF-16",)),
    fault("STL, UTF-16 without a mark", "a.stl", lambda: text_stl().encode("utf-16-le"), notes=("UTF-16",)),
    fault("STL, null bytes in the name", "a.stl", lambda: text_stl(name="part\0\0")),
    fault("STL, name of another alphabet", "a.stl", lambda: text_stl(name="facet Größe vertex 1").encode("latin-1")),
    fault("STL, decimal commas", "a.stl", lambda: text_stl(number="{:.6e}").replace(".", ","), notes=("commas",)),
    fault("STL, commas and points", "a.stl", lambda: text_stl() + text_stl().replace(".", ","), refused="commas"),
    fault("STL, blank lines first", "a.stl", lambda: "\r\n\n  " + text_stl()),
    fault("STL, capitals and CR", "a.stl", lambda: text_stl().upper().replace("\n", "\r")),
    fault("STL, all on one line", "a.stl", lambda: text_stl().replace("\n", " ")),
    fault("STL, no endsolid", "a.stl", lambda: text_stl().rpartition("endsolid")[0], notes=("endsolid",)),
    fault("STL, text cut off", "a.stl", lambda: text_stl()[:-100], refused="truncated"),
    fault(
        "STL, solids without endsolid",
        "a.stl",
        lambda: text_stl().replace("endsolid part\n", "") + text_stl(BOX),
        notes=("joined 2 solids", "endsolid"),
        **BOTH,
    ),
    fault(
        "STL, text and binary", "a.stl", lambda: text_stl().encode() + binary_stl(BOX), notes=("binary part",), **BOTH
    ),
    fault("STL, two binary files", "a.stl", lambda: binary_stl() + binary_stl(BOX), notes=("joined 2",), **BOTH),
    fault("STL, count 0", "a.stl", lambda: binary_stl(count=0), notes=("declares 0",)),
    fault("STL, count -1", "a.stl", lambda: binary_stl(count=2**32 - 1), notes=("declares 4,294,967,295",)),
    fault("STL, count too small", "a.stl", lambda: binary_stl(count=100), notes=("declares 100",)),
    fault("STL, count too large", "a.stl", lambda: binary_stl(count=5000), notes=("declares 5,000",)),
    fault("STL, binary cut off", "a.stl", lambda: binary_stl()[:-50], refused="truncated"),
    fault("STL, bytes after the end", "a.stl", lambda: binary_stl() + bytes(150), notes=("ignored 150 bytes",)),
    fault(
        "STL, unit in the header",
        "a.stl",
        lambda: binary_stl((BRACKET[0] / 25.4, BRACKET[1]), b"ATF UNITS=in"),
        unit="mm",
        notes=("converted from inch",),
    ),
    fault("STL, millimetres in the header", "a.stl", lambda: binary_stl(header=b"units: mm"), unit="mm"),
    fault(
        "STL, unit mentioned", "a.stl", lambda: binary_stl(header=b"saved in inches"), notes=("mentions the unit inch",)
    ),
    fault("STL, colours in the header", "a.stl", lambda: binary_stl(header=b"COLOR=\x80\x80,MATERIAL= UNITS=10.0")),
    fault("STL, far away", "a.stl", lambda: binary_stl(shift=FAR / 10)),
    fault("STL, very far away", "a.stl", lambda: binary_stl(shift=FAR), notes=("far from the origin",)),
    fault(
        "STL, too far away",
        "a.stl",
        lambda: binary_stl(shift=FAR * 16),
        volume=None,
        closed=None,
        extents=None,
        warned=True,
        notes=("far from the origin",),
    ),
    fault("STL, text far away", "a.stl", lambda: text_stl((BRACKET[0] + FAR, BRACKET[1]))),
    fault(
        "STL, blank lines", "a.stl", lambda: "solid x\n" + "\n" * 200_000 + "facet\nendfacet\n", refused="0 readable"
    ),
)

OBJ_FAULTS = (
    fault("OBJ, UTF-16", "a.obj", lambda: obj().encode("utf-16"), notes=("UTF-16",)),
    fault("OBJ, continued lines", "a.obj", lambda: obj(face="f {}/1/1 \\\r\n {}//2 {} # corner\r\n")),
    fault("OBJ, colours, counted backwards", "a.obj", lambda: obj(start=-len(BRACKET[0])).replace("v", "vt 0 0\nv")),
    fault("OBJ, lines and points", "a.obj", lambda: obj() + "l 1 2 3\np 4\n", notes=("ignored 2 lines",)),
    fault(
        "OBJ, a surface too",
        "a.obj",
        lambda: obj() + "cstype bezier\nsurf 0 1 0 1 1 2 3 4\nend\n",
        warned=True,
        notes=("free-form",),
    ),
    fault("OBJ, surfaces only", "a.obj", lambda: obj(face="curv 0 1 {} {} {}\n"), refused="free-form"),
    fault("OBJ, vertex 0", "a.obj", lambda: obj(start=0), refused="vertex 0"),
    fault("OBJ, no such vertex", "a.obj", lambda: obj(start=2), refused=f"2 to {COUNT + 1}, but it has 1 to {COUNT}"),
    *(fault(f"OBJ, concave from corner {i}", "a.obj", partial(prism_obj, U_PROFILE, i), **U) for i in range(8)),
    *(
        fault(
            f"OBJ, dart from corner {i}",
            "a.obj",
            partial(prism_obj, DART, i),
            extents=(40.0, 40.0, 25.0),
            volume=15_000.0,
        )
        for i in range(4)
    ),
)

OFF_FAULTS = (
    fault("OFF, one number a line", "a.off", lambda: off(separator="\n").replace(" ", "\n")),
    fault("OFF, one line", "a.off", lambda: " ".join(off().split())),
    fault("OFF, counts behind the keyword", "a.off", lambda: "\t  " + off(counts="OFF{} {} 12 # no\n")),
    fault("OFF, no keyword", "a.off", lambda: off(counts="{} {} 0\n"), notes=("does not say OFF",)),
    fault("OFF, corners on lines of their own", "a.off", lambda: off().replace("\n3 ", "\n3\n")),
    fault(
        "OFF, textures and normals",
        "a.off",
        lambda: " ".join(off(counts="STNOFF {} {} 0 ", after=" 0 0 1 .5 .5").split()),
    ),
    fault(
        "OFF, colours on one line",
        "a.off",
        lambda: " ".join(off(counts="COFF {} {} 0 ", after=" 1 0 0 1", colour=" 9 9 9").split()),
    ),
    fault(
        "OFF, colours of any length", "a.off", lambda: off(colour=" 9 9 9", after=" 1").replace(" 9 9 9\n", "\n", 99)
    ),
    fault("OFF, four dimensions", "a.off", lambda: off(counts="4OFF {} {} 0\n"), refused="dimensions"),
    fault("OFF, binary", "a.off", lambda: b"OFF BINARY\n" + bytes(100), refused="binary OFF"),
    fault("OFF, cut off", "a.off", lambda: off(separator="\n")[:-20], refused="truncated"),
)

PLY_FAULTS = (
    fault("PLY, CR", "a.ply", lambda: ascii_ply().replace(b"\n", b"\r")),
    fault("PLY, CR LF", "a.ply", lambda: ascii_ply().replace(b"\n", b"\r\n")),
    fault(
        "PLY, one number a line",
        "a.ply",
        lambda: b"end_header\n".join(
            part.replace(b" ", b"\n") if i else part for i, part in enumerate(ascii_ply().split(b"end_header\n"))
        ),
    ),
    fault("PLY, big-endian", "a.ply", big_endian_ply),
    fault("PLY, triangle strips", "a.ply", strips_ply, notes=("triangle strips",)),
    fault("PLY, longer rows", "a.ply", lambda: ascii_ply(" 6 .1 .2 .3 .4 .5 .6"), notes=("ignored more numbers",)),
    fault("PLY, shorter row", "a.ply", lambda: ascii_ply(lost=f" {BRACKET[1][-1, 2]}"), refused="fewer numbers"),
    fault("PLY, concave faces", "a.ply", prism_ply, **U),
    fault(
        "PLY, no rows of faces",
        "a.ply",
        lambda: ply(
            "binary_little_endian",
            BRACKET[0].astype("<f4").tobytes(),
            "element face 0\nproperty list uchar int vertex_indices\n",
        ),
        volume=None,
        closed=None,
        points=COUNT,
        notes=("point cloud",),
    ),
    fault(
        "PLY, list of negative length",
        "a.ply",
        lambda: ply(
            "binary_little_endian",
            BRACKET[0].astype("<f4").tobytes() + struct.pack("<i", -3) + bytes(40),
            "element face 2\nproperty list int int vertex_indices\n",
        ),
        refused="truncated or damaged",
    ),
    fault(
        "PLY, list of 2^31 - 1",
        "a.ply",
        lambda: ply(
            "binary_little_endian",
            BRACKET[0].astype("<f4").tobytes() + struct.pack("<i", 2**31 - 1) + bytes(40),
            "element face 2\nproperty list int int vertex_indices\n",
        ),
        refused="truncated or damaged",
    ),
)

PACKED_FAULTS = (
    fault("gzip, STL", "a.stl.gz", lambda: gzip.compress(binary_stl())),
    fault("gzip, PLY, capitals", "a.PLY.GZ", lambda: gzip.compress(ascii_ply())),
    fault("gzip, cut off", "a.stl.gz", lambda: gzip.compress(binary_stl())[:-100], refused="damaged or truncated"),
    fault("gzip, suffix unknown", "a.tar.gz", lambda: gzip.compress(binary_stl()), refused="'.tar.gz'"),
    fault("gzip, bomb", "a.stl.gz", lambda: gzip.compress(bytes(80 << 20)), refused="unpacks to more"),
    fault(
        "zip, one mesh",
        "a.zip",
        lambda: zipped(part__stl=binary_stl(), LICENSE__txt=b"free", photo__png=b"1"),
        notes=("ignored 2 other files of the archive: LICENSE.txt, photo.png",),
    ),
    fault("zip, two meshes", "a.zip", lambda: zipped(a__stl=binary_stl(), b__obj=obj()), refused="a.stl, b.obj"),
    fault("zip, no mesh", "a.zip", lambda: zipped(photo__png=b"1"), refused="without a mesh"),
    fault("zip, bomb", "a.zip", lambda: zipped(a__stl=bytes(80 << 20)), refused="unpacks to more"),
    fault("zip, damaged", "a.zip", lambda: b"PK\3\4" + bytes(99), refused="damaged or truncated"),
)

NAMED_FAULTS = tuple(
    fault(f"name, {name}", name, binary_stl) for name in ("Größe 20 mm – Kopie (2).stl", "part.v2.final.STL")
)

FAULTS: tuple[Fault, ...] = STL_FAULTS + OBJ_FAULTS + OFF_FAULTS + PLY_FAULTS + PACKED_FAULTS + NAMED_FAULTS
