"""Open pieces of a mesh: closed where possible, left out where they are sheets or strays next to the part."""

from dataclasses import dataclass

import numpy as np

from cadcode.geometry.cleaning import count_of
from cadcode.geometry.edges import edge_runs, open_edges, patches, pieces
from cadcode.geometry.holes import Filled, filled
from cadcode.geometry.mended import Mended, named
from cadcode.geometry.mesh import areas_of, tetrahedron_volumes

STRAY = 0.01  # share of the surface, and of the faces, below which open pieces next to an open part are strays
WORTH_A_WARNING = 0.01  # filling more than this share of the surface may change the volume by as much
THINNEST = 1e-9  # of area times longest side; less volume than this is none
NO_AREA = 1e-9  # of the surface
MOST_TRIED = 200  # open pieces that are tried, the largest first
ROUNDS = 10
MOST_FLAPS = 1000  # a mesh with more keeps them


def closed(mesh: Mended) -> Mended:
    """Holes closed, sheets and strays left out; what is only sheets stays as it is, open."""
    piece = pieces(mesh.faces)
    count = piece.max() + 1
    size = np.bincount(piece, areas_of(mesh.vertices[mesh.faces]), count)
    is_open = np.zeros(count, dtype=bool)
    is_open[piece[np.isin(mesh.faces, open_edges(mesh.faces)[0]).any(axis=1)]] = True
    opened = np.flatnonzero(is_open)
    vertices, found = mesh.vertices, {}
    if len(opened) > MOST_TRIED:
        skipped = f"closed none but the {MOST_TRIED} largest of {len(opened):,} open pieces"
        mesh = mesh.then(vertices, mesh.faces, (skipped,))
    for number in opened[np.argsort(-size[opened], kind="stable")][:MOST_TRIED]:
        solved = closed_piece(vertices, mesh.faces[piece == number])
        is_open[number] = solved is None
        if solved is not None and solved.changed:
            vertices, found[number] = solved.vertices, solved
    strays = _strays(size, np.bincount(piece, minlength=count), is_open)
    out = _separate(mesh.faces, piece, strays) + [flap for solved in found.values() for flap in solved.flaps]
    if not found and not out:
        return mesh
    kept = mesh.faces[~np.isin(piece, [*found, *strays])]
    faces = np.concatenate((kept, *(solved.faces for solved in found.values())))
    holes, left_out = _hole_notes(list(found.values())), _left_out_notes(mesh, out)
    return mesh.then(vertices, faces, holes[0] + left_out[0], holes[1] + left_out[1])


def _separate(faces, piece, numbers) -> list[np.ndarray]:
    """The faces of each of some pieces."""
    own = np.flatnonzero(np.isin(piece, numbers))
    own = own[np.argsort(piece[own], kind="stable")]
    return [part for part in np.split(faces[own], np.flatnonzero(np.diff(piece[own])) + 1) if len(part)]


@dataclass(frozen=True, eq=False)
class Solved:
    """A piece of a mesh that could be closed, the flaps that were in the way, and how its holes were filled."""

    vertices: np.ndarray
    faces: np.ndarray
    flaps: list[np.ndarray]
    holes: Filled | None

    @property
    def changed(self) -> bool:
        return bool(self.flaps) or self.holes is not None


def closed_piece(vertices: np.ndarray, faces: np.ndarray) -> Solved | None:
    """One piece of a mesh as a closed body, None where it cannot be one."""
    body, flaps = without_flaps(vertices, faces)
    for part, left_out in ((body, flaps), (faces, [])) if flaps else ((faces, []),):
        if not len(open_edges(part)[0]):
            return Solved(vertices, part, left_out, None) if encloses(vertices, part) else None
        full = filled(vertices, part)
        if full is not None and not len(open_edges(full.faces)[0]) and encloses(full.vertices, full.faces):
            return Solved(full.vertices, full.faces, left_out, full)
    return None


def encloses(vertices: np.ndarray, faces: np.ndarray) -> bool:
    """Whether a closed mesh has any volume."""
    corners = vertices[faces] - vertices[faces[0, 0]]
    least = THINNEST * areas_of(corners).sum() * np.ptp(corners, axis=(0, 1)).max()
    return abs(tetrahedron_volumes(corners).sum()) > least


def without_flaps(vertices: np.ndarray, faces: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """(faces, flaps): patches that hang on edges where the other faces continue each other without them."""
    flaps, rest = [], faces
    for _ in range(ROUNDS):
        if not len(rest):
            break
        patch = patches(rest)
        out = _hanging(vertices, rest, patch)
        if not len(out):
            break
        if len(flaps) + len(out) > MOST_FLAPS:
            return faces, []
        flaps += _separate(rest, patch, out)
        rest = rest[~np.isin(patch, out)]
    enough = len(rest) and areas_of(vertices[rest]).sum() > 0.5 * areas_of(vertices[faces]).sum()
    return (rest, flaps) if enough else (faces, [])


def _hanging(vertices, faces, patch) -> np.ndarray:
    """Numbers of patches to leave out next: all with a free border, or else the smallest, as a wall within a body."""
    slots, starts, sizes = edge_runs(faces)
    edge, owner = np.repeat(np.arange(len(starts)), sizes), patch[slots // 3]
    pairs, uses = np.unique(edge * (patch.max() + 1) + owner, return_counts=True)
    edge, owner = np.divmod(pairs, patch.max() + 1)
    odd = (sizes[edge] > 2) & (sizes[edge] % 2 == 1)
    hangs = np.unique(owner[odd & (uses % 2 == 1)])
    held = np.unique(owner[odd & (uses % 2 == 0)])
    hangs = np.setdiff1d(hangs, held)
    free = hangs[np.isin(hangs, owner[sizes[edge] == 1])]
    if len(free) or not len(hangs):
        return free
    area = np.bincount(patch, areas_of(vertices[faces]))
    return hangs[[area[hangs].argmin()]]


def _hole_notes(solved: list[Solved]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(notes, warnings) of what was filled."""
    filled_pieces = [piece.holes for piece in solved if piece.holes is not None]
    flat = [rim.points for holes in filled_pieces for rim in holes.flat]
    curved = [rim.points for holes in filled_pieces for rim in holes.curved]
    notes = (f"closed {named('flat hole', 'flat holes', flat)}",) if flat else ()
    notes += (f"closed {named('small hole', 'small holes', curved)}",) if curved else ()
    large = any(holes.share > WORTH_A_WARNING for holes in filled_pieces)
    return ((), notes) if large else (notes, ())


def _strays(size, faces, is_open) -> np.ndarray:
    """Numbers of the open pieces to leave out, by the area and the number of faces of each piece."""
    opened = np.flatnonzero(is_open)
    whole = size[~is_open].sum()
    if not len(opened):
        return opened
    if whole > 0:
        few = faces[opened] <= max(2, STRAY * faces[~is_open].sum())
        return opened if size[opened].sum() <= whole else opened[few]
    tiny = opened[(size[opened] < STRAY * size.sum()) & (faces[opened] <= max(2, STRAY * faces.sum()))]
    return tiny if size[tiny].sum() < STRAY * size.sum() else tiny[:0]


def _left_out_notes(mesh: Mended, out: list[np.ndarray]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(notes, warnings) of pieces of a mesh, each some faces, that are left out."""
    least = NO_AREA * areas_of(mesh.vertices[mesh.faces]).sum()
    bare = [areas_of(mesh.vertices[faces]).sum() <= least for faces in out]
    single, sheets = [], []
    for faces in (faces for faces, is_bare in zip(out, bare, strict=True) if not is_bare):
        (single if len(faces) == 1 else sheets).append(mesh.vertices[faces].reshape(-1, 3))
    notes = (f"dropped {count_of(sum(bare), 'loose face')} without area",) if any(bare) else ()
    warnings = (f"left out {named('loose triangle', 'loose triangles', single)}",) if single else ()
    if sheets:
        warnings += (f"left out {named('sheet without thickness', 'sheets without thickness', sheets)}",)
    return notes, warnings
