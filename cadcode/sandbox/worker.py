"""The worker process: imports CadQuery once, then runs programs and reads CAD files for `sandbox`.

Started by exec, never imported by the rest of the package. On Linux each request runs in a forked child (`jail`); on
other systems it runs in the worker itself, which its parent kills and restarts after a timeout. Reports are frames of
JSON and raw arrays (`wire`).
"""

import builtins
import contextlib
import functools
import gc
import io
import os
import shutil
import sys
import time
import types
from typing import Any

import cadquery as cq
import numpy as np
from OCP.Bnd import Bnd_Box
from OCP.BRep import BRep_Builder, BRep_Tool
from OCP.BRepBndLib import BRepBndLib
from OCP.BRepBuilderAPI import BRepBuilderAPI_Sewing
from OCP.BRepMesh import BRepMesh_IncrementalMesh
from OCP.BRepTools import BRepTools
from OCP.IFSelect import IFSelect_ReturnStatus
from OCP.IGESControl import IGESControl_Reader
from OCP.IMeshTools import IMeshTools_MeshAlgoType, IMeshTools_Parameters
from OCP.OSD import OSD_ThreadPool
from OCP.STEPControl import STEPControl_Reader, STEPControl_StepModelType, STEPControl_Writer
from OCP.TopAbs import TopAbs_Orientation, TopAbs_ShapeEnum
from OCP.TopExp import TopExp_Explorer
from OCP.TopLoc import TopLoc_Location
from OCP.TopoDS import TopoDS_Shape

from cadcode.sandbox.allowlist import BUILTINS, MODULES
from cadcode.sandbox.outcome import mesh_volume
from cadcode.sandbox.wire import pack, read_frame, write_all

if sys.platform == "linux":
    from cadcode.sandbox import jail

OSD_ThreadPool.DefaultPool_s(1)  # a forked child would wait forever for threads that it does not have

MAX_REQUEST = 1 << 24
FAST = IMeshTools_MeshAlgoType.IMeshTools_MeshAlgoType_Delabella
SURE = IMeshTools_MeshAlgoType.IMeshTools_MeshAlgoType_Watson
MESHERS = ((FAST, 1.0), (SURE, 1.0), (SURE, 0.5), (FAST, 0.7))  # algorithm, share of the chord and angle allowed
PROGRAM = "<program>"  # file name of a program in tracebacks
MERGE = 1e-7  # merge distance of vertices, share of the size
SHARED = 1e-6  # minimum overlap of solids, share of their volume
NO_VOLUME = 1e-12  # minimum volume, share of the cube of the longest side
SEWING = 1e-5  # sewing distance of loose faces, share of the size
WARM_UP = "import cadquery as cq\nr = cq.Workplane().box(2, 2, 2).cut(cq.Workplane().cylinder(4, 0.5))"


class Refused(Exception):
    """An unusable result; `kind` is one of `outcome.KINDS`."""

    def __init__(self, kind: str, reason: str):
        self.kind, self.reason = kind, reason
        super().__init__(reason)


class Captured:
    """Context manager that stores any exception: the failure of an untrusted program is a value, not an error."""

    error: BaseException | None = None

    def __enter__(self) -> "Captured":
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        self.error = error
        return True


def main(protection: str, home: str) -> None:
    """Answer requests until the parent closes the pipe, then remove `home`, which a killed parent cannot remove."""
    with contextlib.suppress(BrokenPipeError):
        serve(protection)
    shutil.rmtree(home, ignore_errors=True)  # kept after errors, because it contains their traceback


def serve(protection: str) -> None:
    requests, replies = _private_pipes()
    settings = {
        "kind": "run",
        "export": ["step", "brep"],
        "checked": True,
        "tolerance": 1e-3,
        "angle": 0.1,
        "max_triangles": 10_000,
    }
    work(
        settings, WARM_UP.encode()
    )  # the kernel opens files and allocates memory on first use, before the limits apply
    gc.freeze()
    forks = sys.platform == "linux" and protection != "process"
    filters = forks and protection == "auto" and jail.probe(requests)
    write_all(replies, pack({"forks": forks, "filters": filters, "cadquery": cq.__version__}))
    while (frame := read_frame(requests, MAX_REQUEST)) is not None:
        header, blobs = frame
        ending = _in_child(header, blobs, requests, filters) if forks else _in_worker(header, blobs)
        write_all(replies, ending)


def _private_pipes() -> tuple[int, int]:
    """Move the pipes away from descriptors 0 and 1, to which the kernel and programs print."""
    requests, replies = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
    return requests, replies


def _in_child(header: dict[str, Any], blobs: dict[str, bytes], requests: int, filters: bool) -> bytes:
    limits = jail.Limits(header["seconds"], header["memory_mb"], header["max_bytes"], filters, header["kind"] == "read")
    ending = jail.run_forked(functools.partial(work, header, blobs["text"]), limits, requests)
    header = {"cause": ending.cause, "code": ending.code, "seconds": ending.seconds}
    return pack(header, {"report": ending.report})


def _in_worker(header: dict[str, Any], blobs: dict[str, bytes]) -> bytes:
    start = time.monotonic()
    report = work(header, blobs["text"])
    return pack({"cause": "exit", "code": 0, "seconds": time.monotonic() - start}, {"report": report})


def work(header: dict[str, Any], text: bytes) -> bytes:
    """Packed report for one request: a mesh, or the reason of a failure."""
    with Captured() as captured:
        if header["kind"] == "read":
            return read_file(os.fsdecode(text), header)
        return run_program(text.decode(), header)
    return pack(_failure(captured.error))


def run_program(text: str, header: dict[str, Any]) -> bytes:
    shape = find_solid(execute(text, header["checked"]))
    exports = {name: EXPORTERS[name](shape) for name in header["export"] if name in EXPORTERS}
    vertices, faces = tessellate(shape, header)
    if mesh_volume(vertices, faces) < 0:
        faces = np.ascontiguousarray(faces[:, ::-1])
    volume = abs(shape.Volume())
    if volume <= NO_VOLUME * np.ptp(vertices, axis=0).max() ** 3:
        raise Refused("empty", "the result has no volume")
    facts = {"volume": volume, "valid": bool(shape.isValid()), "solids": len(shape.Solids())}
    return pack(facts, {"vertices": vertices.tobytes(), "faces": faces.tobytes(), **exports})


def execute(text: str, checked: bool) -> list[Any]:
    """Run a program in an empty namespace; returns its values, the most likely result first."""
    shown: list[Any] = []
    allowed = {name: getattr(builtins, name) for name in BUILTINS if hasattr(builtins, name)}
    allowed |= {"print": lambda *values, **options: None, "__import__": _import}
    namespace = {"__builtins__": allowed if checked else builtins, "show_object": lambda v, *_, **__: shown.append(v)}
    exec(compile(text, PROGRAM, "exec"), namespace)
    named = [namespace[name] for name in ("result", "r") if name in namespace]
    return named + shown[::-1] + list(namespace.values())[::-1]


def _import(
    name: str, globals: Any = None, locals: Any = None, fromlist: tuple[str, ...] = (), level: int = 0
) -> types.ModuleType:
    if name not in MODULES:
        raise ImportError(f"import of '{name}'")
    return __import__(name, globals, locals, fromlist, level)


def find_solid(values: list[Any]) -> cq.Shape:
    """Solid of the first value that can be a result: of a Shape, or of a Workplane's stack or its parents."""
    result = next((value for value in values if isinstance(value, cq.Workplane | cq.Shape | cq.Sketch)), None)
    if result is None:
        raise Refused("empty", "no result: the program makes no Workplane and no Shape")
    solids = _solids(result)
    if not solids:
        raise Refused("empty", f"the result, a {type(result).__name__}, contains no solid")
    return solids[0] if len(solids) == 1 else united(solids)


def united(solids: list[cq.Solid]) -> cq.Shape:
    """Several solids as one shape; overlapping solids are fused, so that their common volume counts once.

    Solids that only touch remain separate.
    """
    boxes = [solid.BoundingBox() for solid in solids]
    groups: list[list[int]] = []
    for i, box in enumerate(boxes):
        near = [group for group in groups if any(_boxes_overlap(box, boxes[j]) for j in group)]
        groups = [group for group in groups if group not in near] + [[i, *(j for group in near for j in group)]]
    shapes = [shape for group in groups for shape in _fused([solids[i] for i in sorted(group)])]
    return shapes[0] if len(shapes) == 1 else cq.Compound.makeCompound(shapes)


def _boxes_overlap(a: cq.BoundBox, b: cq.BoundBox) -> bool:
    return (
        a.xmin < b.xmax
        and b.xmin < a.xmax
        and a.ymin < b.ymax
        and b.ymin < a.ymax
        and a.zmin < b.zmax
        and b.zmin < a.zmax
    )


def _fused(solids: list[cq.Solid]) -> list[cq.Shape]:
    """The union if its volume is less than the sum of the volumes, else the solids."""
    if len(solids) == 1:
        return solids
    fused, total = solids[0].fuse(*solids[1:]), sum(solid.Volume() for solid in solids)
    return fused.Solids() if fused.Volume() < total * (1 - SHARED) else solids


def _solids(result: Any) -> list[cq.Solid]:
    if isinstance(result, cq.Sketch):
        return []
    if isinstance(result, cq.Shape):
        return result.Solids()
    stack = [value for value in result.vals() if isinstance(value, cq.Shape)]
    own = [solid for shape in stack for solid in shape.Solids()]
    emptied = any(isinstance(shape, cq.Compound) for shape in stack)  # the empty result of a cut or an intersection
    return own if own or emptied or result.parent is None else _solids(result.parent)


def tessellate(shape: cq.Shape, header: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) float64, merged, and faces (F, 3) int32; chords within `tolerance` times the longest side.

    Uses the faster algorithm of the kernel (15 times faster on a plate with 200 holes), and the older algorithm, then
    other sizes of triangles, as long as the mesh of a solid is open.
    """
    size = _longest_side(shape)
    for algorithm, share in MESHERS:
        BRepTools.Clean_s(shape.wrapped)
        vertices, faces = _meshed(shape, header, size, algorithm, share)
        if not shape.Solids() or _is_closed(faces):
            break
    return vertices, faces


def _meshed(
    shape: cq.Shape, header: dict[str, Any], size: float, algorithm: Any, share: float
) -> tuple[np.ndarray, np.ndarray]:
    parameters = IMeshTools_Parameters()
    parameters.Deflection, parameters.Angle = share * header["tolerance"] * size, share * header["angle"]
    parameters.MeshAlgo = algorithm
    BRepMesh_IncrementalMesh(shape.wrapped, parameters)
    pieces = [_triangulation(face) for face in shape.Faces()]
    pieces = [(poly, place, flip) for poly, place, flip in pieces if poly is not None]
    count = sum(poly.NbTriangles() for poly, _, _ in pieces)
    if not 0 < count <= header["max_triangles"]:
        raise Refused("error", f"a mesh of {count} triangles, not of 1 to {header['max_triangles']}")
    vertices, faces, start = [], [], 0
    for poly, place, flip in pieces:
        vertices.append(_nodes(poly, place))
        faces.append(_corners(poly)[:, :: -1 if flip else 1] - 1 + start)
        start += poly.NbNodes()
    return _merge(np.concatenate(vertices), np.concatenate(faces), MERGE * size)


def _longest_side(shape: cq.Shape) -> float:
    box = Bnd_Box()
    BRepBndLib.Add_s(shape.wrapped, box, False)
    if box.IsVoid():
        raise Refused("empty", "it contains no surface")
    low, high = box.CornerMin(), box.CornerMax()
    return max(high.X() - low.X(), high.Y() - low.Y(), high.Z() - low.Z())


def _triangulation(face: cq.Face) -> tuple[Any, ...]:
    location = TopLoc_Location()
    poly = BRep_Tool.Triangulation_s(face.wrapped, location)
    return poly, location.Transformation(), face.wrapped.Orientation() == TopAbs_Orientation.TopAbs_REVERSED


def _nodes(poly: Any, place: Any) -> np.ndarray:
    points = (poly.Node(i).Transformed(place) for i in range(1, poly.NbNodes() + 1))
    return np.array([(p.X(), p.Y(), p.Z()) for p in points])


def _corners(poly: Any) -> np.ndarray:
    return np.array([(t.Value(1), t.Value(2), t.Value(3)) for t in poly.Triangles()], dtype=np.int32)


def _merge(vertices: np.ndarray, faces: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """Merge vertices within a rounding step; collapsed triangles are removed."""
    _, first, index = np.unique(np.round(vertices / step), axis=0, return_index=True, return_inverse=True)
    faces = index.reshape(-1)[faces].astype(np.int32)
    a, b, c = faces.T
    return vertices[first], np.ascontiguousarray(faces[(a != b) & (b != c) & (c != a)])


def read_file(path: str, header: dict[str, Any]) -> bytes:
    shape = READERS[header["format"]](path)
    if shape.IsNull():
        raise Refused("empty", "it contains no shape")
    parts, notes = separate_parts(cq.Shape.cast(shape))
    meshes = [_read_mesh(part, header) for part in parts]
    count = sum(len(faces) for _, faces in meshes)
    if count > header["max_triangles"]:
        raise Refused("error", f"a mesh of {count} triangles, not of 1 to {header['max_triangles']}")
    sizes = [len(vertices) for vertices, _ in meshes]
    starts = np.cumsum([0, *sizes[:-1]])
    vertices = np.concatenate([vertices for vertices, _ in meshes])
    faces = np.concatenate([faces + start for (_, faces), start in zip(meshes, starts, strict=True)]).astype(np.int32)
    return pack({"notes": notes, "bodies": sizes}, {"vertices": vertices.tobytes(), "faces": faces.tobytes()})


def separate_parts(shape: cq.Shape) -> tuple[list[cq.Shape], list[str]]:
    """(solids of a file followed by its other faces, sewn, and notes); each becomes a separate mesh."""
    solids = shape.Solids()
    if not shape.Faces():
        raise Refused("empty", "it contains only curves, no surface" if shape.Edges() else "it contains no surface")
    if solids and not _explored(shape.wrapped, TopAbs_ShapeEnum.TopAbs_FACE, TopAbs_ShapeEnum.TopAbs_SOLID):
        return solids, []
    sheets, notes = _sewn_rest(shape)
    return solids + [sheets], notes


def _sewn_rest(shape: cq.Shape) -> tuple[cq.Shape, list[str]]:
    """The shells and faces that belong to no solid, sewn if they are several."""
    surfaces = _explored(shape.wrapped, TopAbs_ShapeEnum.TopAbs_SHELL, TopAbs_ShapeEnum.TopAbs_SOLID)
    surfaces += _explored(shape.wrapped, TopAbs_ShapeEnum.TopAbs_FACE, TopAbs_ShapeEnum.TopAbs_SHELL)
    if len(surfaces) == 1:
        return cq.Shape.cast(surfaces[0]), []
    loose = cq.Compound.makeCompound([cq.Shape.cast(surface) for surface in surfaces])
    sewn = cq.Shape.cast(_sewn(loose.wrapped))
    count = len(_explored(sewn.wrapped, TopAbs_ShapeEnum.TopAbs_SHELL, TopAbs_ShapeEnum.TopAbs_SOLID))
    count += len(_explored(sewn.wrapped, TopAbs_ShapeEnum.TopAbs_FACE, TopAbs_ShapeEnum.TopAbs_SHELL))
    return sewn, [f"sewed {len(surfaces)} surfaces into {count}"] if count < len(surfaces) else []


def _explored(shape: TopoDS_Shape, kind: TopAbs_ShapeEnum, but_in: TopAbs_ShapeEnum) -> list[TopoDS_Shape]:
    """Subshapes of one kind that are in no subshape of the kind `but_in`."""
    explorer, subshapes = TopExp_Explorer(shape, kind, but_in), []
    while explorer.More():
        subshapes.append(explorer.Current())
        explorer.Next()
    return subshapes


def _read_mesh(part: cq.Shape, header: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    vertices, faces = tessellate(part, header)
    if _is_closed(faces) and mesh_volume(vertices, faces) < 0:
        faces = np.ascontiguousarray(faces[:, ::-1])
    return vertices, faces


def _is_closed(faces: np.ndarray) -> bool:
    edges = np.sort(np.concatenate((faces[:, :2], faces[:, 1:], faces[:, ::2])), axis=1)
    return bool((np.unique(edges, axis=0, return_counts=True)[1] == 2).all())


def _read_translated(reader: Any, path: str) -> TopoDS_Shape:
    if reader.ReadFile(path) != IFSelect_ReturnStatus.IFSelect_RetDone:
        raise Refused("error", "the file cannot be parsed")
    reader.TransferRoots()
    return reader.OneShape()


def _read_step(path: str) -> TopoDS_Shape:
    return _read_translated(STEPControl_Reader(), path)


def _read_iges(path: str) -> TopoDS_Shape:
    """Read IGES and sew its loose faces, so that neighbours share vertices and orientation."""
    loose = _read_translated(IGESControl_Reader(), path)
    return loose if loose.IsNull() else _sewn(loose)


def _sewn(loose: TopoDS_Shape) -> TopoDS_Shape:
    sewing = BRepBuilderAPI_Sewing(SEWING * _longest_side(cq.Shape.cast(loose)))
    sewing.Add(loose)
    sewing.Perform()
    return sewing.SewedShape()


def _read_brep(path: str) -> TopoDS_Shape:
    shape = TopoDS_Shape()
    BRepTools.Read_s(shape, path, BRep_Builder())
    return shape


def _write_step(shape: cq.Shape) -> bytes:
    """STEP data, written through a stream, because a program's process cannot open files."""
    writer, stream = STEPControl_Writer(), io.BytesIO()
    writer.Transfer(shape.wrapped, STEPControl_StepModelType.STEPControl_AsIs)
    writer.WriteStream(stream)
    return stream.getvalue()


def _write_brep(shape: cq.Shape) -> bytes:
    stream = io.BytesIO()
    BRepTools.Write_s(shape.wrapped, stream)
    return stream.getvalue()


EXPORTERS = {"step": _write_step, "brep": _write_brep}  # run before meshing, so that BREP contains no mesh
READERS = {"step": _read_step, "iges": _read_iges, "brep": _read_brep}


def _failure(error: BaseException | None) -> dict[str, Any]:
    if isinstance(error, Refused):
        return {"failed": error.kind, "reason": error.reason}
    text = f"{type(error).__name__}: {str(error)[:1000]}".rstrip(": ")
    out_of_memory = isinstance(error, MemoryError) or "bad_alloc" in text or "OutOfMemory" in text
    return {"failed": "memory" if out_of_memory else "error", "reason": _line_of(error) + text}


def _line_of(error: BaseException | None) -> str:
    lines, step = [], error.__traceback__ if error is not None else None
    while step is not None:
        lines += [step.tb_lineno] if step.tb_frame.f_code.co_filename == PROGRAM else []
        step = step.tb_next
    return f"line {lines[-1]}: " if lines else ""
