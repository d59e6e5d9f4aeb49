"""Bodies, sheets, islands, flipped faces, units of STEP."""

from pathlib import Path

import manifold3d
import numpy as np
from faults import cad_files
from faults.fault import Fault
from faults.parts import BRACKET, EXTENTS, VOLUME, arrays, box, volume

from cadcode.geometry.cleaning import ReadOptions


def stl(folder: Path, *meshes, scale: float = 1.0) -> Path:
    """A binary STL of all the meshes, which share nothing."""
    corners = np.concatenate([vertices[faces] for vertices, faces in meshes]) * scale  # (F, 3, 3)
    records = np.zeros(len(corners), dtype=[("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("spare", "<u2")])
    records["corners"] = corners
    path = folder / "part.stl"
    path.write_bytes(b"part".ljust(80) + np.uint32(len(records)).tobytes() + records.tobytes())
    return path


def turned(mesh, which=slice(None)):
    """The same with some faces wound the other way."""
    vertices, faces = mesh[0], mesh[1].copy()
    faces[which] = faces[which][:, ::-1]
    return vertices, faces


def without(mesh, lost):
    """The same without the faces (F,) that are true in `lost`."""
    return mesh[0], mesh[1][~lost]


def rectangle(a, b, c, d):
    return np.array([a, b, c, d], dtype=float), np.array([[0, 1, 2], [0, 2, 3]])


def triangle(at, size=1.0):
    return np.asarray(at) + size * np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2]])


def at_bottom(mesh, level=0.0):
    return (mesh[0][mesh[1]][:, :, 2] == level).all(axis=1)


def moved_corner(mesh, by):
    """One corner of one face pulled away from the others there."""
    vertices, faces = mesh[0][mesh[1]].reshape(-1, 3).copy(), np.arange(3 * len(mesh[1])).reshape(-1, 3)
    vertices[0] += by
    return vertices, faces


def noisy(mesh, noise):
    """Corners of each face a little off on their own."""
    vertices = mesh[0][mesh[1]].reshape(-1, 3)
    return vertices + np.random.default_rng(0).uniform(-noise, noise, vertices.shape), np.arange(len(vertices)).reshape(
        -1, 3
    )


def half_pipe(count=40):
    """An open curved sheet, of which nothing can be made."""
    angle = np.linspace(0, np.pi, count)
    rim = np.stack([20 * np.cos(angle), 0 * angle, 20 * np.sin(angle)], axis=1)
    rows = np.arange(count - 1)
    lower, upper = np.stack([rows, rows + 1, rows + count], 1), np.stack([rows + 1, rows + count + 1, rows + count], 1)
    return np.concatenate([rim, rim + [0, 30, 0]]), np.concatenate([lower, upper])


CUBE, CORE, BLOCK = box(), box((10, 10, 10), (5, 5, 5)), box((60, 40, 8))
BEHIND = box(at=(20, 0, 0))
ROUND = manifold3d.Manifold.cylinder(20, 10, circular_segments=48)
TUBE, PLUG = arrays(manifold3d.Manifold.cylinder(20, 16, circular_segments=48) - ROUND), arrays(ROUND)
FLIPPED = np.arange(0, len(BRACKET[1]), 37)
WALL = rectangle((30, 0, 8), (30, 40, 8), (30, 40, 40), (30, 0, 40))
FOLDED = (WALL[0], np.concatenate([WALL[1], WALL[1][:, ::-1]]))
PARTITION = (np.concatenate([CUBE[0], [[10.0, 0, 0], [10, 20, 0], [10, 20, 20], [10, 0, 20]]]), None)
TALL = box((20, 20, 40), (20, -5, -10))

FLAT_HOLE = ("closed 1 flat hole",)
UNITED = ("united 2 bodies",)
OVERLAP = (*UNITED, "6.2% of their volume overlaps")


def cut_in_two():
    """Two boxes with one wall between them, of a single layer."""
    left, right = box((10, 20, 20)), box((10, 20, 20), (10, 0, 0))
    on_wall = (right[0][right[1]][:, :, 0] == 10).all(axis=1)
    return left, without(right, on_wall)


def from_stl(name, *meshes, scale=1.0, **right):
    return Fault(name, lambda folder: stl(folder, *meshes, scale=scale), **right)


MESHES = (
    from_stl(
        "two bodies apart",
        BRACKET,
        box((20, 20, 15), (80, 0, 0)),
        volume=VOLUME + 6000,
        closed=True,
        bodies=2,
        notes=("2 separate bodies", "--split"),
        warned=False,
    ),
    from_stl("inside out", turned(BRACKET), volume=VOLUME, closed=True, bodies=1, notes=("flipped",), warned=False),
    from_stl(
        "faces against their neighbours",
        turned(BRACKET, FLIPPED),
        volume=VOLUME,
        extents=EXTENTS,
        closed=True,
        notes=(f"turned {len(FLIPPED)} faces",),
        warned=False,
    ),
    from_stl(
        "one body of two inside out",
        CUBE,
        turned(box(at=(50, 0, 0))),
        volume=16000.0,
        closed=True,
        bodies=2,
        notes=("flipped 1 shell",),
    ),
    from_stl("cavity", CUBE, turned(CORE), volume=7000.0, closed=True, bodies=1, notes=("1 closed cavity",)),
    from_stl(
        "cavity, faces against their neighbours",
        turned(CUBE, [3]),
        turned(CORE, [5]),
        volume=7000.0,
        closed=True,
        bodies=1,
        notes=("turned 2 faces", "1 closed cavity"),
    ),
    from_stl(
        "every face twice",
        BRACKET,
        BRACKET,
        volume=VOLUME,
        closed=True,
        bodies=1,
        notes=(f"dropped {len(BRACKET[1])} duplicate faces",),
        warned=False,
    ),
    from_stl(
        "every face twice, once inside out",
        BRACKET,
        turned(BRACKET),
        volume=VOLUME,
        closed=True,
        bodies=1,
        notes=("duplicate faces",),
    ),
    from_stl(
        "some faces twice",
        BRACKET,
        (BRACKET[0], BRACKET[1][10:30]),
        volume=VOLUME,
        closed=True,
        bodies=1,
        notes=("dropped 20 duplicate faces",),
    ),
    from_stl("boxes with a common wall", CUBE, BEHIND, volume=16000.0, closed=True, bodies=1, warned=False),
    from_stl("boxes that touch", CUBE, TALL, volume=24000.0, closed=True, bodies=1, notes=UNITED, warned=False),
    from_stl("tube and plug", TUBE, PLUG, volume=volume(TUBE) + volume(PLUG), closed=True, bodies=1),
    from_stl("bodies that overlap", CUBE, box(at=(10, 10, 10)), volume=15000.0, bodies=1, notes=OVERLAP, warned=True),
    from_stl(
        "bodies that share an edge and overlap",
        BLOCK,
        box((8, 40, 40)),
        volume=19200.0 + 10240,
        closed=True,
        bodies=1,
        notes=UNITED,
        warned=True,
    ),
    from_stl(
        "body inside another", CUBE, CORE, volume=8000.0, closed=True, bodies=1, notes=("inside another",), warned=True
    ),
    from_stl(
        "cubes that share an edge",
        CUBE,
        box(at=(20, 20, 0)),
        volume=16000.0,
        closed=True,
        bodies=2,
        notes=("2 separate",),
        warned=False,
    ),
    from_stl("cubes that share a corner", CUBE, box(at=(20, 20, 20)), volume=16000.0, closed=True, bodies=2),
    from_stl("plate of 0.2 mm", box((100, 60, 0.2)), volume=1200.0, closed=True, bodies=1, notes=(), warned=False),
    from_stl(
        "plate with a sheet as wall",
        BLOCK,
        WALL,
        extents=(60, 40, 8),
        volume=19200.0,
        closed=True,
        bodies=1,
        notes=("sheet without thickness of 0 x 40 x 32",),
        warned=True,
    ),
    from_stl(
        "plate with a folded sheet as wall", BLOCK, FOLDED, extents=(60, 40, 8), volume=19200.0, closed=True, bodies=1
    ),
    from_stl(
        "sheet on an edge of a cube",
        CUBE,
        rectangle((0, 0, 20), (0, 20, 20), (0, 20, 35), (0, 0, 35)),
        extents=(20, 20, 20),
        volume=8000.0,
        closed=True,
        bodies=1,
        notes=("sheet without thickness",),
        warned=True,
    ),
    from_stl("one wall between two boxes", *cut_in_two(), extents=(20, 20, 20), volume=8000.0, closed=True, bodies=1),
    from_stl(
        "sheets alone",
        WALL,
        rectangle((0, 0, 0), (60, 0, 0), (60, 40, 0), (0, 40, 0)),
        closed=False,
        bodies=0,
        extents=(60, 40, 40),
        warned=False,
    ),
    from_stl(
        "stray triangle far off",
        BRACKET,
        triangle((400, 300, 200)),
        extents=EXTENTS,
        volume=VOLUME,
        closed=True,
        notes=("1 loose triangle",),
        warned=True,
    ),
    from_stl(
        "stray triangle beside an open sheet",
        half_pipe(),
        triangle((400, 300, 200)),
        extents=(40, 30, 20),
        closed=False,
        notes=("1 loose triangle",),
        warned=True,
    ),
    from_stl("small body beside a large one", BRACKET, box((1, 1, 1), (50, 0, 0)), volume=VOLUME + 1, bodies=2),
    from_stl(
        "one triangle missing",
        without(BRACKET, np.arange(len(BRACKET[1])) == 7),
        extents=EXTENTS,
        volume=VOLUME,
        closed=True,
        bodies=1,
        notes=FLAT_HOLE,
    ),
    from_stl(
        "bottom missing", without(CUBE, at_bottom(CUBE)), volume=8000.0, closed=True, notes=FLAT_HOLE, warned=True
    ),
    from_stl(
        "bottom with holes missing",
        without(BRACKET, at_bottom(BRACKET)),
        extents=EXTENTS,
        volume=VOLUME,
        closed=True,
        bodies=1,
        notes=("flat hole", "60 x 40"),
        warned=True,
    ),
    from_stl(
        "corners 1e-5 off", noisy(BRACKET, 3e-4), extents=EXTENTS, volume=VOLUME, closed=True, bodies=1, warned=False
    ),
    from_stl(
        "one corner 0.1 off",
        moved_corner(CUBE, (0.3, 0.3, 0.3)),
        extents=(20, 20, 20),
        volume=8000.0,
        closed=True,
        notes=("joined 1 vertex",),
    ),
    from_stl("STL in metres", BRACKET, scale=1e-3, extents=(0.06, 0.04, 0.04), notes=("0.06", "--units"), warned=True),
    from_stl(
        "STL in metres, said",
        BRACKET,
        scale=1e-3,
        extents=EXTENTS,
        volume=VOLUME,
        unit="mm",
        warned=False,
        options=ReadOptions(unit="m"),
    ),
    from_stl(
        "STL in inches, said",
        BRACKET,
        scale=1 / 25.4,
        extents=EXTENTS,
        volume=VOLUME,
        unit="mm",
        warned=False,
        options=ReadOptions(unit="inch"),
    ),
    from_stl("12 km", BRACKET, scale=200, notes=("check the unit",), warned=True),
)

CAD = tuple(
    Fault(name, write, needs_kernel=True, **right)
    for name, write, right in (
        (
            "STEP of solids that touch",
            cad_files.touching,
            dict(volume=2000.0, closed=True, bodies=2, unit="mm", notes=("2 separate bodies",), warned=False),
        ),
        (
            "STEP assembly with a part used twice",
            cad_files.assembly,
            dict(extents=(50, 10, 10), volume=2500.0, bodies=3, closed=True),
        ),
        (
            "STEP of solid and sheet",
            cad_files.solid_and_sheet,
            dict(
                extents=(10, 10, 10),
                volume=1000.0,
                closed=True,
                bodies=1,
                notes=("sheet without thickness",),
                warned=True,
            ),
        ),
        (
            "STEP of unsewn faces",
            cad_files.unsewn,
            dict(volume=6000.0, closed=True, bodies=1, notes=("sewed 6 surfaces into 1",), warned=False),
        ),
        ("STEP of an open shell", cad_files.open_shell, dict(volume=6000.0, closed=True, notes=FLAT_HOLE, warned=True)),
        ("STEP of one face", cad_files.one_face, dict(closed=False, bodies=0, warned=False)),
        ("STEP of curves", cad_files.curves, dict(refused="it contains only curves")),
        ("STEP in cm", cad_files.in_unit("CM"), dict(extents=(10, 20, 30), volume=6000.0, unit="mm")),
        ("STEP in inches", cad_files.in_unit("INCH"), dict(extents=(10, 20, 30), volume=6000.0, unit="mm")),
        ("STEP in metres", cad_files.in_unit("M"), dict(extents=(10, 20, 30), volume=6000.0, unit="mm")),
        ("IGES in inches", cad_files.iges_in_inches, dict(extents=(10, 20, 30), volume=6000.0, unit="mm", closed=True)),
    )
)

FAULTS: tuple[Fault, ...] = MESHES + CAD
