"""Meshes of a glTF file: triangles of primitives, plain, sparse or compressed by Draco (specification, section 3.7)."""

import tempfile
from pathlib import Path

import numpy as np

from cadcode.geometry.cleaning import Refused
from cadcode.geometry.io.gltf_data import Accessor, Document, accessor, extensions, member, view_bytes, whole
from cadcode.geometry.io.isolated import Died, run_apart
from cadcode.geometry.io.scene import MOST_COPIES, MOST_MESHES, MOST_TRIANGLES, Part, check_count, check_size

POINTS, LINES, TRIANGLES, STRIP, FAN = 0, (1, 2, 3), 4, 5, 6  # modes of a primitive
MOST_WORK = 30_000_000  # rows of accessors
DRACO = "KHR_draco_mesh_compression"
SECONDS = 10  # for the decoder, and one more for each MB


def mode_of(primitive: dict) -> int:
    mode = whole(primitive, "mode", TRIANGLES)
    if mode > FAN:
        raise Refused(f"a mesh is of mode {mode}, which glTF does not have")
    return mode


def read_primitives(document: Document, primitives: list, file_size: int) -> list[Part]:
    """Meshes of primitives with transforms (T, 4, 4); equal ones are one mesh at several places."""
    places = {}
    for primitive, where in primitives:
        places.setdefault(primitive_key(document, primitive), []).append(where)
    check_count(sum(map(len, places.values())), MOST_COPIES, "meshes")
    check_count(len(places), MOST_MESHES, "different meshes")
    meshes = read_meshes(document, {key: sum(map(len, where)) for key, where in places.items()}, file_size)
    return [Part(*meshes[key], np.concatenate(where)) for key, where in places.items()]


def read_meshes(document: Document, times: dict[tuple, int], file_size: int) -> dict:
    """{key of a primitive: (vertices (V, 3), faces (F, 3))}; `times` each of them is placed."""
    packed = sorted({key[1] for key in times if key[0] == DRACO})
    decoded = decode_meshes([view_bytes(document, view).tobytes() for view in packed]) if packed else []
    known = {(DRACO, view): mesh for view, mesh in zip(packed, decoded, strict=True)}
    sources = {key: indexed(document, *key) for key in times if key not in known}
    amounts = {key: (len(faces), len(points)) for key, (points, faces) in known.items()}
    amounts |= {key: amount_of(key[0], *source) for key, source in sources.items()}
    work = sum(table.work for source in sources.values() for table in source if table)
    if work > MOST_WORK + file_size:
        raise Refused(f"its meshes have {work:,} rows of numbers, more than fit in the file")
    check_size(*(sum(amounts[key][i] * times[key] for key in times) for i in (0, 1)), file_size)
    return known | {key: triangle_mesh(key[0], *source) for key, source in sources.items()}


def primitive_key(document: Document, primitive: dict) -> tuple:
    """(mode, accessor of positions, accessor of indices or None), or (Draco, buffer view) where only that has data."""
    attributes = primitive.get("attributes")
    position = attributes.get("POSITION") if isinstance(attributes, dict) else None
    if position is None:
        raise Refused("a mesh has no positions")
    indices, packed = primitive.get("indices"), extensions(primitive)
    wanted = [position] if indices is None else [position, indices]
    bare = any(member(document.tree, "accessors", i).keys().isdisjoint({"bufferView", "sparse"}) for i in wanted)
    if not bare:
        return mode_of(primitive), position, indices
    if isinstance(packed.get(DRACO), dict):
        return DRACO, whole(packed[DRACO], "bufferView", None)
    by = f": it is stored by {', '.join(packed)}, which is not read" if packed else ""
    raise Refused(f"a mesh has no data{by}")


def indexed(document: Document, mode: int, position: int, indices: int | None) -> tuple[Accessor, Accessor | None]:
    corners = None if indices is None else accessor(document, indices, "SCALAR")
    if corners and corners.dtype.kind != "u":
        raise Refused(f"accessor {indices} holds no vertex numbers")
    return accessor(document, position, "VEC3"), corners


def amount_of(mode: int, positions: Accessor, indices: Accessor | None) -> tuple[int, int]:
    """(triangles, vertices) at most."""
    corners = (indices or positions).count
    return corners // 3 if mode == TRIANGLES else corners, min(corners, positions.count)


def triangle_mesh(mode: int, positions: Accessor, indices: Accessor | None):
    """(vertices (V, 3), faces (F, 3)): only the vertices that are used, in their order."""
    corners = np.arange(positions.count) if indices is None else indices.all()[:, 0].astype(np.int64)
    faces = triangles_of(corners, mode)
    if len(faces) and faces.max() >= positions.count:
        raise Refused(f"a mesh uses vertex {faces.max()}, but it has {positions.count}")
    used, faces = compacted(faces, positions.count)
    return positions.rows(used), faces


def compacted(faces, count: int):
    """(numbers (U,) of the vertices that `faces` (F, 3) use, of `count`, in their order; faces that count these)."""
    if count > faces.size:  # many meshes may share one long list
        used, faces = np.unique(faces, return_inverse=True)
        return used, faces.reshape(-1, 3)
    used = np.zeros(count, dtype=bool)
    used[faces] = True
    return np.flatnonzero(used), (np.cumsum(used) - 1)[faces]


def triangles_of(corners, mode: int):
    """Triangles (F, 3) of vertex numbers `corners` (N,), all turned as the first (specification, section 3.7.2.1)."""
    if mode == TRIANGLES:
        if len(corners) % 3:
            raise Refused(f"a mesh has {len(corners):,} corners, no multiple of 3")
        return corners.reshape(-1, 3)
    first = np.arange(max(len(corners) - 2, 0))
    if mode == FAN:
        faces = np.stack([first + 1, first + 2, np.zeros_like(first)], axis=1)
    else:
        odd = first % 2
        faces = np.stack([first, first + 1 + odd, first + 2 - odd], axis=1)
    faces = corners[faces]
    a, b, c = faces.T
    return faces[(a != b) & (b != c) & (c != a)]  # strips are stitched by triangles of no area


def decode_meshes(blobs: list[bytes]) -> list[tuple[np.ndarray, np.ndarray]]:
    """[(vertices (V, 3), faces (F, 3))] of Draco `blobs`. Raises Refused for damage and where DracoPy is missing.

    Damaged data may kill the native decoder, so it runs in a process of its own.
    """
    with tempfile.TemporaryDirectory(prefix="cadcode-", ignore_cleanup_errors=True) as folder:
        sent = Path(folder) / "blobs.npz"
        np.savez(sent, *[np.frombuffer(blob, np.uint8) for blob in blobs])
        try:
            got = run_apart(f"{__name__}:decode_file", sent, SECONDS + sent.stat().st_size / 1e6)
        except Died as error:
            reason = f"a mesh compressed by {DRACO} cannot be decoded: its decoder {error.cause}"
            raise Refused(reason, "export it without compression") from error
    return [(got[f"vertices{i}"], got[f"faces{i}"]) for i in range(len(blobs))]


def decode_file(path: Path) -> dict[str, np.ndarray]:
    """`vertices0`, `faces0`, ... of the Draco blobs in an NPZ; to be run by `isolated.run_apart` only."""
    try:
        import DracoPy
    except ImportError as error:
        raise Refused(f"its meshes are compressed by {DRACO}, which needs DracoPy", "pip install DracoPy") from error
    arrays = {}
    with np.load(path) as blobs:
        for i, name in enumerate(blobs.files):
            mesh = DracoPy.decode(blobs[name].tobytes())
            arrays |= {f"vertices{i}": mesh.points, f"faces{i}": mesh.faces}  # clouds have no faces: AttributeError
    check_count(sum(map(len, arrays.values())), 10 * MOST_TRIANGLES, "triangles and vertices")
    return arrays
