"""Face detection of `cadcode.surfaces` on meshes of STEP parts, by kind: recall, precision, seconds per part.

    python tools/bench_surfaces.py FOLDER             pairs x.stl and x.step of one part
    python tools/bench_surfaces.py FOLDER --angle 20  the same parts, remeshed from STEP with angle steps of 20 degrees

Two faces match if they are of one kind, if their axes agree to 1 degree and their radii and places to 0.2 % of the
longest side (apexes of cones to 0.6 %, their half angles to 1 degree), and if their boxes overlap. Faces of one surface
count once. A face on a STEP face of no analytic kind is ignored. One core.
"""

import argparse
import json
import math
import struct
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cadcode.geometry.io.load import load_shape
from cadcode.surfaces import segment
from cadcode.surfaces.faces import AnalyticFace

KINDS = ("plane", "cylinder", "cone", "sphere", "torus")
TOLERANCE = 0.002
ANGLE = math.radians(1)


@dataclass(frozen=True, eq=False)
class Row:
    """A face to compare: place and sizes of its surface, and its box."""

    kind: str
    direction: np.ndarray | None  # unit length, its largest component positive
    place: np.ndarray | None  # apex, centre, or the point of the axis nearest the origin
    sizes: tuple[float, ...]  # lengths; the half angle of a cone
    low: np.ndarray
    high: np.ndarray
    middle: np.ndarray = field(default_factory=lambda: np.zeros(3))  # a point on a plane


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--angle", type=float, help="remesh the STEP files with this angle step, in degrees")
    arguments = parser.parse_args()
    total, seconds = {kind: np.zeros(4, dtype=int) for kind in KINDS}, []
    for step in sorted(arguments.folder.glob("*.step")):
        with tempfile.TemporaryDirectory() as folder:
            mesh = step.with_suffix(".stl") if arguments.angle is None else meshed(step, arguments.angle, Path(folder))
            counts, took, free = measured(mesh, step)
        seconds.append(took)
        for kind in KINDS:
            total[kind] += counts[kind]
        print(f"{step.stem:45.45s} {took:6.2f} s  {free:6d} free  {line(counts)}", flush=True)
    figures = dict(parts=len(seconds), median_s=round(float(np.median(seconds)), 2), most_s=round(max(seconds), 2))
    print(json.dumps(figures | {kind: summary(total[kind]) for kind in KINDS}, indent=1))


def line(counts) -> str:
    """Recall and precision of the kinds of a part; a star marks incomplete results."""
    return "; ".join(
        f"{kind} {a}/{b} {c}/{d}" + (" *" if a < b or c < d else "") for kind, (a, b, c, d) in counts.items() if b or d
    )


def summary(count) -> dict:
    hits, truth, right, found = (int(number) for number in count)
    return dict(
        found=hits,
        of=truth,
        recall=round(hits / max(truth, 1), 3),
        right=right,
        read=found,
        precision=round(right / max(found, 1), 3),
    )


def measured(mesh: Path, step: Path):
    """({kind: (found, of, right, read)}, seconds, triangles of free form) of one part."""
    shape = load_shape(mesh)
    started = time.process_time()
    segmentation = segment(shape.vertices, shape.faces)
    took = time.process_time() - started
    tolerance = TOLERANCE * float(shape.extents.max())
    truth, other = cad_rows(step)
    read = [row_of(face, shape) for face in segmentation.faces]
    truth, read = merged(truth, tolerance), merged(read, tolerance)
    found = [any(same(row, other_row, tolerance) for other_row in read) for row in truth]
    right = [any(same(row, other_row, tolerance) for other_row in truth) for row in read]
    judged = [good or not on_others(row, other, tolerance) for row, good in zip(read, right, strict=True)]
    counts = {}
    for kind in KINDS:
        hits = [good for row, good in zip(truth, found, strict=True) if row.kind == kind]
        good = [good for row, good, counts_ in zip(read, right, judged, strict=True) if row.kind == kind and counts_]
        counts[kind] = (sum(hits), len(hits), sum(good), len(good))
    return counts, took, len(segmentation.unclaimed)


def on_others(row: Row, boxes, tolerance: float) -> bool:
    """Whether the box of a face is inside the box of a STEP face of no analytic kind."""
    return any((row.low >= low - tolerance).all() and (row.high <= high + tolerance).all() for low, high in boxes)


def same(one: Row, other: Row, tolerance: float) -> bool:
    if one.kind != other.kind:
        return False
    if one.direction is not None and abs(one.direction @ other.direction) < math.cos(ANGLE):
        return False
    if one.kind == "plane":
        if abs((other.middle - one.middle) @ one.direction) > tolerance:
            return False
    elif np.linalg.norm(one.place - other.place) > tolerance * (3 if one.kind == "cone" else 1):
        return False
    allowed = ANGLE if one.kind == "cone" else tolerance
    if any(abs(a - b) > allowed for a, b in zip(one.sizes, other.sizes, strict=True)):
        return False
    return bool((one.low <= other.high + tolerance).all() and (other.low <= one.high + tolerance).all())


def merged(rows: list[Row], tolerance: float) -> list[Row]:
    """Rows merged by surface, with their common box."""
    out: list[Row] = []
    for row in rows:
        for place, other in enumerate(out):
            if same(row, other, tolerance / 2):
                low, high = np.minimum(row.low, other.low), np.maximum(row.high, other.high)
                out[place] = Row(other.kind, other.direction, other.place, other.sizes, low, high, other.middle)
                break
        else:
            out.append(row)
    return out


def row_of(face: AnalyticFace, shape) -> Row:
    corners = shape.vertices[shape.faces[face.triangles]]
    low, high = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    surface = face.surface
    match face.kind:
        case "plane":
            return Row("plane", upward(surface.normal), None, (), low, high, surface.point)
        case "cylinder":
            direction = upward(surface.direction)
            return Row("cylinder", direction, nearest(surface.point, direction), (surface.radius,), low, high)
        case "cone":
            return Row("cone", upward(surface.direction), surface.apex, (surface.half_angle,), low, high)
        case "sphere":
            return Row("sphere", None, surface.centre, (surface.radius,), low, high)
        case _:
            sizes = (surface.major, surface.minor)
            return Row("torus", upward(surface.direction), surface.centre, sizes, low, high)


def upward(direction: np.ndarray) -> np.ndarray:
    return direction if direction[int(np.abs(direction).argmax())] >= 0 else -direction


def nearest(point: np.ndarray, direction: np.ndarray) -> np.ndarray:
    return point - direction * (point @ direction)


def cad_rows(path: Path):
    """(rows of a STEP file's analytic faces, boxes [(low, high)] of the others)."""
    import cadquery as cq

    rows, other = [], []
    for solid in cq.importers.importStep(str(path)).vals():
        for face in solid.Faces():
            row, box = cad_row(face)
            if row is None:
                other.append(box)
            else:
                rows.append(row)
    return rows, other


def cad_row(face):
    """(row or None, (low (3,), high (3,))) of one face of the CAD kernel."""
    from OCP.Bnd import Bnd_Box
    from OCP.BRepAdaptor import BRepAdaptor_Surface
    from OCP.BRepBndLib import BRepBndLib

    def vector(of) -> np.ndarray:
        return np.array([of.X(), of.Y(), of.Z()])

    bounds = Bnd_Box()
    BRepBndLib.AddOptimal_s(face.wrapped, bounds, True, False)
    low, high = np.array(bounds.Get()).reshape(2, 3)
    adaptor = BRepAdaptor_Surface(face.wrapped)
    kind = face.geomType().lower()
    if kind not in KINDS:
        return None, (low, high)
    surface = getattr(adaptor, kind.capitalize())()
    if kind == "sphere":
        return Row(kind, None, vector(surface.Location()), (surface.Radius(),), low, high), None
    axis = surface.Axis()
    direction = upward(vector(axis.Direction()))
    place = vector(surface.Location())
    if kind == "plane":
        return Row(kind, direction, None, (), low, high, np.array(face.Center().toTuple())), None
    if kind == "cylinder":
        return Row(kind, direction, nearest(place, direction), (surface.Radius(),), low, high), None
    if kind == "cone":
        return Row(kind, direction, vector(surface.Apex()), (abs(surface.SemiAngle()),), low, high), None
    return Row(kind, direction, place, (surface.MajorRadius(), surface.MinorRadius()), low, high), None


def meshed(step: Path, degrees: float, folder: Path) -> Path:
    """Binary STL of a STEP file, with an angle step in degrees and a loose chord error."""
    import cadquery as cq

    triangles = []
    for solid in cq.importers.importStep(str(step)).vals():
        vertices, faces = solid.tessellate(0.02 * solid.BoundingBox().DiagonalLength, math.radians(degrees))
        triangles.append(np.array([vertex.toTuple() for vertex in vertices])[np.array(faces)])
    corners = np.concatenate(triangles)
    records = np.zeros(len(corners), dtype=[("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    records["corners"] = corners
    path = folder / f"{step.stem}.stl"
    path.write_bytes(b"".ljust(80) + struct.pack("<I", len(records)) + records.tobytes())
    return path


if __name__ == "__main__":
    main()
